"""ONNX Runtime: the device that was asked for or none, and a model that is kept whole."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from brushreel.core.errors import DeviceError
from brushreel.core.runtimes import benchmark as choice
from brushreel.core.runtimes.runtime import Wanted, check_runtime, open_runtime

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
on_onnxruntime = pytest.importorskip("brushreel.core.runtimes.on_onnxruntime")

CPU, CUDA = (Wanted(torch.device(name), "fp32") for name in ("cpu", "cuda"))


def kept(home: Path) -> Path:
    return next((home / "cache/brushreel/models").glob("*/network.onnx"))


def test_a_build_without_the_device_does_not_paint_elsewhere(tiny_style, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="does not run on cuda"):
        open_runtime("onnxruntime", tiny_style, CUDA)


def test_a_session_that_falls_back_to_the_cpu_is_refused(tiny_style, monkeypatch):
    on_cpu = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    monkeypatch.setattr(on_onnxruntime, "kept_model", lambda *_, **__: on_cpu)
    with pytest.raises(DeviceError, match="can't use cuda"):
        open_runtime("onnxruntime", tiny_style, CUDA)


def test_what_can_t_use_the_device_is_not_the_fastest(tiny_style, monkeypatch):
    def opened(name: str, *_) -> str:
        if name == "onnxruntime":
            raise DeviceError("this build of onnxruntime does not run on cuda")
        return name

    monkeypatch.setattr(choice, "able", lambda _wanted: ["onnxruntime", "torch"])
    monkeypatch.setattr(choice, "open_runtime", opened)
    monkeypatch.setattr(choice, "_milliseconds", lambda *_: 1.0)
    assert choice.fastest(tiny_style, CPU, 360, 640) == "torch"


def test_core_ml_is_taken_only_when_asked_for(tiny_style, monkeypatch):
    monkeypatch.setattr(choice, "able", lambda _wanted: ["onnxruntime", "torch"])
    on_mac = Wanted(torch.device("mps"), "fp32")
    assert choice.fastest(tiny_style, on_mac, 360, 640) == "torch"


def test_directml_paints_one_frame_at_a_time(tiny_style, monkeypatch):
    inside, most = [], []

    def run(_outputs, inputs):
        inside.append(1)
        time.sleep(0.005)
        most.append(len(inside))
        inside.pop()
        return [inputs["frames"] / 2]

    there = ["DmlExecutionProvider", "CPUExecutionProvider"]
    session = SimpleNamespace(get_providers=lambda: there, run=run)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    monkeypatch.setattr(on_onnxruntime, "kept_model", lambda *_, **__: session)
    runtime = open_runtime("onnxruntime", tiny_style, replace(CPU, parallel=4))
    assert (runtime.parallel, runtime.identity.split()[2:]) == (1, ["Dml", "fp32"])
    frames = torch.rand(1, 3, 8, 8)
    with ThreadPoolExecutor(4) as threads:
        painted = list(threads.map(runtime, [frames] * 8))
    assert all(torch.equal(picture, frames / 2) for picture in painted)
    assert max(most) == 1


def test_a_build_under_another_name_has_a_version(monkeypatch):
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(choice, "version", unknown)
    assert choice._version("onnxruntime") == onnxruntime.__version__


def test_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(DeviceError, match=r"pip install -c constraints.txt '\.\[onnx\]'"):
        check_runtime("onnxruntime", CPU)


@pytest.mark.parametrize("content", [None, b"", b"half a network"])
def test_a_kept_network_that_is_damaged_is_made_again(tiny_style, home, content):
    picture = torch.rand(1, 3, 16, 16)
    painted = open_runtime("onnxruntime", tiny_style, CPU)(picture)
    size = kept(home).stat().st_size
    if content is None:
        kept(home).unlink()
    else:
        kept(home).write_bytes(content)
    assert torch.equal(open_runtime("onnxruntime", tiny_style, CPU)(picture), painted)
    assert kept(home).stat().st_size == size
