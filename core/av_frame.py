"""Pictures as PyAV has them, and as `Frame`s."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.plane import VideoPlane

from .frame import Colour, Frame, PixelFormat
from .frame import pixel_format as pixel_format_named


def working_format(native: av.VideoFormat) -> PixelFormat:
    """The format of `PIXEL_FORMATS` that holds what a native format holds.

    Packed, semi-planar and palette formats are repacked without loss; chroma that is subsampled
    otherwise than 4:2:0 and 4:2:2 becomes 4:4:4; alpha and what lies below 12 bit are dropped.
    """
    bits = max(component.bits for component in native.components)
    depth = next((depth for depth in (8, 10, 12) if bits <= depth), 12)
    name = _layout(native) + ("" if depth == 8 else f"{depth}le")
    return pixel_format_named(name)


def _layout(native: av.VideoFormat) -> str:
    if native.is_rgb or native.has_palette or native.is_bayer:
        return "gbrp"
    colours = [component for component in native.components if not component.is_alpha]
    if len(colours) < 3:
        return "gray"
    luma, chroma = colours[0], colours[1]
    ratio = (-(-luma.width // chroma.width), -(-luma.height // chroma.height))
    return {(2, 2): "yuv420p", (2, 1): "yuv422p"}.get(ratio, "yuv444p")


def from_av(
    picture: av.VideoFrame,
    *,
    pixel_format: PixelFormat,
    colour: Colour,
    pts: int,
    duration: int,
    time_base: Fraction,
) -> Frame:
    """A decoded PyAV picture as a `Frame`; its planes are views, not copies.

    Args:
        picture: In any format.
        pixel_format: As `working_format` gives it for the picture's format.
        colour: What the codes mean.
        pts: In units of `time_base`.
        duration: In units of `time_base`.
        time_base: Seconds.
    """
    form = pixel_format
    plain = "yuvj" + form.name[3:] if form.name.startswith("yuv") else form.name
    if picture.format.name not in (form.name, plain):
        same_range = int(colour.range)
        picture = picture.reformat(
            format=form.name, src_color_range=same_range, dst_color_range=same_range
        )
    planes = tuple(
        _view(picture.planes[index], form, form.plane_shape(index, picture.width, picture.height))
        for index in range(form.plane_count)
    )
    return Frame(
        planes=planes,
        pixel_format=form,
        width=picture.width,
        height=picture.height,
        pts=pts,
        duration=duration,
        time_base=time_base,
        colour=colour,
    )


def to_av(frame: Frame) -> av.VideoFrame:
    """A `Frame` as a PyAV picture, with its timing and colour tags."""
    picture = av.VideoFrame(frame.width, frame.height, frame.pixel_format.name)
    for index, plane in enumerate(frame.planes):
        _view(picture.planes[index], frame.pixel_format, plane.shape)[...] = plane
    picture.pts = frame.pts
    picture.duration = frame.duration
    picture.time_base = frame.time_base
    picture.colorspace = frame.colour.matrix
    picture.color_range = frame.colour.range
    picture.color_primaries = frame.colour.primaries
    picture.color_trc = frame.colour.transfer
    return picture


def _view(plane: VideoPlane, form: PixelFormat, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = shape
    samples = np.frombuffer(memoryview(plane), form.dtype)
    stride = plane.line_size // form.dtype.itemsize
    return samples[: rows * stride].reshape(rows, stride)[:, :columns]
