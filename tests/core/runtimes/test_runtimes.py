"""One contract for every runtime that is installed."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from brushreel.core.errors import DeviceError, UsageError
from brushreel.core.library import load_style
from brushreel.core.runtimes import runtime as module
from brushreel.core.runtimes.runtime import KINDS, Wanted, able, check_runtime, open_runtime

CPU = torch.device("cpu")
# Decibels against fp32 in PyTorch.
LEAST_PSNR = {"fp32": 90, "bf16": 45, "int8": 40}
KINDS_HERE = [
    (name, precision)
    for name, kind in KINDS.items()
    for precision in kind.precisions
    if "cpu" in kind.devices and precision in LEAST_PSNR
]


@pytest.fixture(scope="module")
def wave():
    return load_style("wave")


@pytest.fixture(scope="module")
def opened(wave):
    """Each is opened once: converting takes seconds."""
    kept = {}

    def get(name: str, precision: str):
        need(name)
        if (name, precision) not in kept:
            kept[name, precision] = open_runtime(name, wave, Wanted(CPU, precision, parallel=2))
        return kept[name, precision]

    return get


def need(name: str) -> None:
    """Skip where there is no such runtime."""
    pytest.importorskip(KINDS[name].package)
    if not KINDS[name].runs_here():
        pytest.skip(KINDS[name].machine)


def frames(height: int, width: int, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    coarse = torch.rand(count, 3, height // 8 + 2, width // 8 + 2, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


@pytest.mark.parametrize(("name", "precision"), KINDS_HERE)
class TestEvery:
    def test_paints_what_the_network_paints(self, opened, wave, name, precision):
        runtime, network = opened(name, precision), wave.network()
        for size in ((48, 64), (37, 50), (5, 3), (48, 64)):
            picture = frames(*size)
            stylized = runtime(picture)
            assert stylized.shape == picture.shape
            assert stylized.dtype == torch.float32
            error = ((stylized - network(picture)) ** 2).mean().clamp(min=1e-12)
            assert -10 * error.log10() > LEAST_PSNR[precision]

    def test_a_frame_does_not_depend_on_its_neighbours(self, opened, name, precision):
        runtime, batch = opened(name, precision), frames(32, 40, 3)
        together = runtime(batch)
        for index in range(3):
            alone = runtime(batch[index : index + 1])
            torch.testing.assert_close(together[index], alone[0], atol=1e-6, rtol=0)

    def test_threads_do_not_meet(self, opened, name, precision):
        runtime = opened(name, precision)
        pictures = [frames(32 + 4 * (index % 3), 40) for index in range(12)]
        wanted = [runtime(picture) for picture in pictures]
        with ThreadPoolExecutor(2) as threads:
            for stylized, right in zip(threads.map(runtime, pictures), wanted, strict=True):
                assert torch.equal(stylized, right)

    def test_neither_frames_side_by_side_nor_threads_change_a_frame(self, wave, name, precision):
        """Frames of a resumed run or of an effect are the same with other settings."""
        need(name)
        picture, threads = frames(120, 168), torch.get_num_threads()
        alone = open_runtime(name, wave, Wanted(CPU, precision, parallel=1))
        try:
            torch.set_num_threads(1)
            one = alone(picture)
            torch.set_num_threads(2)
            two = open_runtime(name, wave, Wanted(CPU, precision, parallel=1))(picture)
            side_by_side = open_runtime(name, wave, Wanted(CPU, precision, parallel=2))(picture)
        finally:
            torch.set_num_threads(threads)
        torch.testing.assert_close(one, two, atol=1e-3, rtol=0)
        torch.testing.assert_close(one, side_by_side, atol=1e-3, rtol=0)

    def test_earlier_results_are_not_overwritten(self, opened, name, precision):
        runtime = opened(name, precision)
        first = runtime(frames(32, 40))
        kept = first.clone()
        runtime(1 - frames(32, 40))
        assert torch.equal(first, kept)

    def test_takes_any_layout_in_memory(self, opened, name, precision):
        runtime, picture = opened(name, precision), frames(32, 40)
        turned = picture.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        torch.testing.assert_close(runtime(turned), runtime(picture), atol=1e-6, rtol=0)

    def test_says_what_it_is(self, opened, name, precision):
        assert opened(name, precision).identity.startswith(name)
        assert opened(name, precision).identity.endswith(precision)


SIGNALS = """
import gc, signal, sys, threading, torch
from brushreel.core.runtimes.runtime import Wanted, open_runtime
from brushreel.core.library import load_style

def paint():
    wanted = Wanted(torch.device("cpu"), sys.argv[2])
    held.append(open_runtime(sys.argv[1], load_style("wave"), wanted))
    held[-1](torch.rand(1, 3, 16, 16))

def forget():
    held.clear()
    gc.collect()

held = []
signal.signal(signal.SIGINT, lambda *_: print("arrived"))
for _ in range(3):
    paint()
    thread = threading.Thread(target=forget)
    thread.start()
    thread.join()
    signal.raise_signal(signal.SIGINT)
"""


def test_openvino_reports_nothing_to_its_makers():
    pytest.importorskip("openvino")
    code = (
        "import brushreel.core.runtimes.on_openvino, sys; import openvino.tools.ovc;"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if "cpu" in kind.devices])
def test_ctrl_c_arrives_after_another_thread_has_let_go_of_a_runtime(name):
    need(name)
    command = [sys.executable, "-X", "faulthandler", "-c", SIGNALS, name]
    command.append(KINDS[name].precisions[0])
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, ["arrived"] * 3), ended.stderr


class TestChecks:
    def test_unknown(self):
        with pytest.raises(UsageError, match="must be one of auto, amx, avx512, openvino"):
            check_runtime("tensorflow", Wanted(CPU, "fp32"))

    def test_not_installed(self, monkeypatch):
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda _name: None)
        with pytest.raises(
            DeviceError, match=r"openvino is not installed \(pip install openvino\)"
        ):
            check_runtime("openvino", Wanted(CPU, "fp32"))

    def test_not_in_this_precision(self):
        with pytest.raises(UsageError, match="torch does not support int8 on cpu"):
            check_runtime("torch", Wanted(CPU, "int8"))

    def test_nothing_can_do_it(self):
        with pytest.raises(UsageError, match="no runtime here supports int8 on cuda"):
            check_runtime("auto", Wanted(torch.device("cuda"), "int8"))

    def test_only_what_is_able(self):
        assert able(Wanted(torch.device("mps"), "fp16")) == ["torch"]
        assert "onnxruntime" not in able(Wanted(CPU, "bf16"))
