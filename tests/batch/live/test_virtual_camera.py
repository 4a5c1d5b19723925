"""The virtual camera: what pyvirtualcam is given."""

from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from brushreel.batch.live.address import input_address, output_address
from brushreel.batch.live.run import LiveJob, stylize_live
from brushreel.core.errors import OutputError
from brushreel.core.stylizer import Stylizer

from .doubles import SteppedClock


class Camera:
    """A double of pyvirtualcam's, as its 0.15 documents it."""

    made: list[Camera] = []  # noqa: RUF012

    def __init__(self, width, height, fps, *, fmt="RGB", device=None, backend=None,
                 print_fps=False, **kw):  # fmt: skip
        if device == "/dev/none":
            raise RuntimeError("no such device")
        self.facts = (width, height, fps, fmt, device)
        self.frames: list[np.ndarray] = []
        self.closed = False
        self.made.append(self)

    def send(self, frame: np.ndarray) -> None:
        assert frame.dtype == np.uint8
        self.frames.append(frame.copy())

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def cameras(monkeypatch) -> list[Camera]:
    module = SimpleNamespace(Camera=Camera, PixelFormat=SimpleNamespace(RGB="RGB"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    monkeypatch.setattr(Camera, "made", [])
    return Camera.made


def test_frames_come_as_rgb_of_full_range(make_clip, tiny_style, cameras):
    red = lambda _number, size, _planes: np.stack(  # noqa: E731
        [np.full(size[::-1], value) for value in (0.298, 0.388, 1.0)]
    )
    source = make_clip(draw=red, frames=3, colour=(6, 1, 6, 6), options={"crf": "0"})
    same = Stylizer(tiny_style, device="cpu", precision="fp32", strength=0)
    job = LiveJob(input_address(str(source)), output_address("camera:/dev/video7"))
    events = []
    stylize_live(job, same, events.append, SteppedClock())
    (camera,) = cameras
    assert camera.facts == (96, 64, 25.0, "RGB", "/dev/video7")
    assert camera.closed
    assert len(camera.frames) == events[-1].frames > 0
    assert camera.frames[-1].shape == (64, 96, 3)
    middle = camera.frames[-1][32, 48].astype(int)
    assert middle[0] > 150 > 100 > max(middle[1:])
    assert events[0].warnings == ("has no audio: a virtual camera takes none",)


def test_a_device_that_is_not_there_is_one_line(make_clip, untouched, cameras):
    job = LiveJob(input_address(str(make_clip(frames=2))), output_address("camera:/dev/none"))
    with pytest.raises(OutputError, match=r"camera:/dev/none: there is no virtual camera"):
        stylize_live(job, untouched, lambda _: None, SteppedClock())


def test_the_double_takes_what_the_package_takes():
    package = pytest.importorskip("pyvirtualcam", reason="pyvirtualcam is not installed")
    own = inspect.signature(Camera.__init__).parameters
    theirs = inspect.signature(package.Camera.__init__).parameters
    assert {"width", "height", "fps", "fmt", "device"} <= set(own) & set(theirs)
