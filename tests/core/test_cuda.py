"""Streams, page-locked copies and CUDA graphs: the same frames, whoever paints them beside whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
import torch

from brushreel.core.cuda import download, own_stream, upload
from brushreel.core.frames.frame import Colour, Frame, Matrix, Range, pixel_format
from brushreel.core.library import load_style
from brushreel.core.runtimes.cuda_graph import Recorded
from brushreel.core.runtimes.runtime import Wanted, open_runtime
from brushreel.core.stylizer import Stylizer

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
with_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def noise(pts: int) -> Frame:
    codes = np.random.default_rng(pts)
    return Frame(
        planes=tuple(
            codes.integers(16, 236, size, np.uint8) for size in ((72, 96), *[(36, 48)] * 2)
        ),
        pixel_format=pixel_format("yuv420p"),
        width=96,
        height=72,
        pts=pts,
        duration=1,
        time_base=Fraction(1, 25),
        colour=Colour(Matrix.BT709, Range.LIMITED),
    )


@pytest.mark.parametrize("device", [CPU, pytest.param(CUDA, marks=with_cuda)])
def test_what_goes_up_comes_down(device):
    values = [torch.rand(3, 5), torch.arange(7)]
    with own_stream(device):
        there = [upload(value, device) for value in values]
        assert {value.device.type for value in there} == {device.type}
        back = download([value * 2 for value in there])
    assert all(torch.equal(one, 2 * other) for one, other in zip(back, values, strict=True))
    assert download([]) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="with CUDA it does work")
def test_what_can_t_be_recorded_is_stylized_all_the_same(caplog):
    network = Recorded(lambda frames: frames * 2)
    frames = torch.rand(1, 3, 8, 8)
    for _ in range(2):
        assert torch.equal(network(frames), frames * 2)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "frames are stylized without CUDA graphs"
    ]


@with_cuda
class TestGraphs:
    def test_replayed_frames_are_those_of_the_network(self):
        network = load_style("wave").network().cuda()
        recorded = Recorded(network)
        with torch.no_grad():
            # More shapes than are kept, and each twice.
            for _ in range(2):
                for width in range(32, 80, 8):
                    frames = torch.rand(1, 3, 32, width, device=CUDA)
                    torch.testing.assert_close(recorded(frames), network(frames))

    def test_threads_do_not_meet(self):
        runtime = open_runtime("torch", load_style("wave"), Wanted(CUDA, "fp16", parallel=3))
        assert runtime.parallel == 3
        frames = [torch.rand(1, 3, 64, 96) for _ in range(40)]
        alone = [runtime(frame.cuda()).cpu() for frame in frames]

        def paint(frame: torch.Tensor) -> torch.Tensor:
            with own_stream(CUDA):
                return download([runtime(upload(frame, CUDA))])[0]

        with ThreadPoolExecutor(3) as threads:
            together = list(threads.map(paint, frames))
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one, other, atol=2e-3, rtol=0)

    def test_fp16_is_near_fp32(self):
        frame = torch.nn.functional.interpolate(torch.rand(1, 3, 9, 16), (360, 640))
        exact = Stylizer("wave", device="cpu", runtime="torch", precision="fp32")(frame)
        stylized = Stylizer("wave", device="cuda", runtime="torch")(frame)
        assert -10 * ((stylized - exact) ** 2).mean().log10() > 45

    def test_frames_in_work_at_the_same_time_are_those_done_one_by_one(self):
        stylizer = Stylizer("wave", device="cuda", runtime="torch", parallel=3)
        clip = [noise(pts) for pts in range(20)]
        alone = [stylizer.stylize(frame) for frame in clip]
        with ThreadPoolExecutor(3) as threads:
            together = list(threads.map(stylizer.stylize, clip))
        for one, other in zip(together, alone, strict=True):
            for plane, same in zip(one.planes, other.planes, strict=True):
                assert abs(plane.astype(int) - same).max() <= 1
