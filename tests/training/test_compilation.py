from __future__ import annotations

import shutil
from importlib.machinery import ModuleSpec

import pytest
import torch
from torch import nn

from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.training import compilation
from brushreel.training.compilation import compiled

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def machine(monkeypatch):
    """A function that makes Triton and compilers of these names seem present, or not."""

    def machine(*compilers: str, triton: bool = True) -> None:
        found = ModuleSpec("triton", None) if triton else None
        monkeypatch.setattr(compilation, "find_spec", lambda _: found)
        monkeypatch.setattr(compilation.shutil, "which", lambda name: name in compilers or None)
        monkeypatch.delenv("CC", raising=False)

    return machine


def test_networks_themselves_stay_as_they_are(machine, monkeypatch):
    """The loss network measures frames of other sizes later on."""
    machine("gcc")
    monkeypatch.setattr(torch, "compile", nn.Sequential)  # quick, unlike the real one
    networks = nn.Linear(2, 3), nn.Linear(3, 4)
    fast = compiled(CUDA, *networks)
    assert [list(wrapper.children()) for wrapper in fast] == [[network] for network in networks]
    assert all(network._compiled_call_impl is None for network in networks)


@pytest.mark.parametrize(
    ("compilers", "triton", "missing"), [(("cc",), False, "Triton"), ((), True, "C compiler")]
)
def test_prints_what_is_missing_and_continues(machine, capsys, compilers, triton, missing):
    machine(*compilers, triton=triton)
    network = nn.Linear(2, 3)
    assert compiled(CUDA, network) == [network]
    assert capsys.readouterr().err == f"training without torch.compile: no {missing}\n"


def test_not_on_a_cpu(machine, capsys):
    machine("cc")
    network = nn.Linear(2, 3)
    assert compiled(CPU, network) == [network]
    assert not capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # PyTorch's own
@pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler"
)
def test_compiled_network_computes_the_same(tmp_path, monkeypatch):
    """The real torch.compile, whose kernels a CPU runs as well; Triton is for CUDA alone."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compilation, "_missing", lambda: None)
    torch.manual_seed(0)
    # PyTorch 2.13 can't compile the gradient of the replicated borders of other up-samplings for a
    # CPU: replication_pad2d_backward has other strides than its meta kernel states.
    spec = NetworkSpec((4, 6, 8), residual_blocks=1, upsampling="transposed", skips=False)
    network = StylizingNetwork(spec)
    weights, frames = list(network.parameters()), torch.rand(2, 3, 32, 32)
    (fast,) = compiled(CUDA, network)
    assert fast is not network
    for _ in range(2):
        outputs = [each(frames) for each in (network, fast)]
        torch.testing.assert_close(*outputs)
        slow_gradients, gradients = (
            torch.autograd.grad(output.square().sum(), weights) for output in outputs
        )
        torch.testing.assert_close(gradients, slow_gradients, rtol=1e-3, atol=1e-3)
        with torch.no_grad():  # the weights are shared: a step of training changes both networks
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.sub_(0.01 * gradient.sign())
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
