from __future__ import annotations

from importlib.machinery import ModuleSpec

import pytest
import torch
from torch import nn

from brushreel.training import compilation
from brushreel.training.compilation import compiled

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def machine(monkeypatch):
    """Makes it look as if Triton and compilers of these names were there, or not."""

    def machine(*compilers: str, triton: bool = True) -> None:
        found = ModuleSpec("triton", None) if triton else None
        monkeypatch.setattr(compilation, "find_spec", lambda _: found)
        monkeypatch.setattr(compilation.shutil, "which", lambda name: name in compilers or None)
        monkeypatch.delenv("CC", raising=False)

    return machine


def test_networks_themselves_stay_as_they_are(machine, monkeypatch):
    """The loss network measures frames of other sizes later on."""
    machine("gcc")
    monkeypatch.setattr(torch, "compile", nn.Sequential)  # the real one takes seconds to import
    networks = nn.Linear(2, 3), nn.Linear(3, 4)
    fast = compiled(CUDA, *networks)
    assert [list(wrapper.children()) for wrapper in fast] == [[network] for network in networks]
    assert all(network._compiled_call_impl is None for network in networks)


@pytest.mark.parametrize(
    ("compilers", "triton", "missing"), [(("cc",), False, "Triton"), ((), True, "C compiler")]
)
def test_says_what_is_missing_and_goes_on(machine, capsys, compilers, triton, missing):
    machine(*compilers, triton=triton)
    network = nn.Linear(2, 3)
    assert compiled(CUDA, network) == [network]
    assert capsys.readouterr().err == f"training without torch.compile: no {missing}\n"


def test_not_on_a_cpu(machine, capsys):
    machine("cc")
    network = nn.Linear(2, 3)
    assert compiled(CPU, network) == [network]
    assert not capsys.readouterr().err
