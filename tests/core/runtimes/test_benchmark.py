from __future__ import annotations

import json

import pytest
import torch

from brushreel.core.runtimes import benchmark as choice
from brushreel.core.runtimes.runtime import Wanted

CPU = Wanted(torch.device("cpu"), "fp32")


@pytest.fixture(autouse=True)
def known_runtimes() -> None:
    """Know nothing yet: what is measured, and when, is tested here."""


@pytest.fixture
def clock(monkeypatch):
    """Runtimes that take as long as is said, and a list of those that were timed."""
    timed = []

    def set_times(**milliseconds: float) -> list[str]:
        def measure(name: str, _frame: torch.Tensor) -> float:
            timed.append(name)
            return milliseconds[name]

        monkeypatch.setattr(choice, "able", lambda _wanted: list(milliseconds))
        monkeypatch.setattr(choice, "open_runtime", lambda name, *_: name)
        monkeypatch.setattr(choice, "_milliseconds", measure)
        return timed

    return set_times


@pytest.mark.parametrize("quick", ["openvino", "torch"])
def test_the_fastest_is_taken_and_remembered(clock, tiny_style, quick):
    times = {"openvino": 9.0, "torch": 9.0} | {quick: 3.0}
    timed = clock(**times)
    assert [choice.fastest(tiny_style, CPU, 360, 640) for _ in range(3)] == [quick] * 3
    assert timed == ["openvino", "torch"]


def test_sizes_that_are_alike_share_a_measurement(clock, tiny_style):
    timed = clock(openvino=1, torch=2)
    for size in ((360, 640), (400, 640), (1080, 1920), (2160, 3840)):
        choice.fastest(tiny_style, CPU, *size)
    assert len(timed) == 4


def test_another_precision_is_measured_anew(clock, tiny_style):
    timed = clock(openvino=1, torch=2)
    choice.fastest(tiny_style, CPU, 360, 640)
    choice.fastest(tiny_style, Wanted(CPU.device, "bf16"), 360, 640)
    assert len(timed) == 4


def test_tiny_frames_are_not_worth_it(clock, tiny_style):
    timed = clock(openvino=1, torch=2)
    assert choice.fastest(tiny_style, CPU, 64, 64) == "torch"
    assert timed == []


@pytest.mark.parametrize(
    ("able", "measured"),
    [
        (("amx", "avx512", "openvino", "onnxruntime"), ["amx", "openvino"]),
        (("avx512", "openvino", "torch"), ["avx512", "openvino", "torch"]),
        (("onnxruntime", "torch"), ["onnxruntime", "torch"]),
    ],
)
def test_what_another_one_beats_is_not_measured(clock, tiny_style, able, measured):
    timed = clock(**dict.fromkeys(able, 1.0))
    assert choice.fastest(tiny_style, CPU, 360, 640) == able[0]
    assert timed == measured


def test_only_one_is_not_measured(clock, tiny_style):
    timed = clock(openvino=1)
    assert choice.fastest(tiny_style, CPU, 360, 640) == "openvino"
    assert timed == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {"b": "c"}}', b"\xff"])
def test_a_damaged_file_is_measured_over(clock, tiny_style, content):
    timed = clock(openvino=1, torch=2)
    choice._path().parent.mkdir(parents=True)
    choice._path().write_bytes(content)
    assert choice.fastest(tiny_style, CPU, 360, 640) == "openvino"
    assert len(timed) == 2
    assert len(json.loads(choice._path().read_bytes())) == 1


def test_a_cache_that_can_t_be_written_does_not_matter(clock, tiny_style, home):
    (home / "cache").write_text("a file in the place of the folder")
    clock(openvino=1, torch=2)
    assert choice.fastest(tiny_style, CPU, 360, 640) == "openvino"


def test_really_measured(tiny_style):
    figures = choice.measured(tiny_style, CPU, 15)
    assert figures.keys() >= {"torch"}
    assert all(0 < milliseconds < 10_000 for milliseconds in figures.values())
