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

    Packed, semi-planar and palette formats are repacked without loss; grey with alpha becomes RGB
    with alpha; chroma that is subsampled otherwise than 4:2:0 and 4:2:2 becomes 4:4:4; what YUV
    has below 12 bit is dropped, and so is the transparency of a palette.
    """
    bits = max(component.bits for component in native.components)
    layout = _layout(native)
    most = 12 if layout.startswith("yuv") else 16
    depth = next((depth for depth in (8, 10, 12) if bits <= depth), most)
    if (layout, depth) == ("yuva420p", 12):  # FFmpeg has none
        layout = "yuva422p"
    return pixel_format_named(layout + ("" if depth == 8 else f"{depth}le"))


def _layout(native: av.VideoFormat) -> str:
    colours = [component for component in native.components if not component.is_alpha]
    alpha = "a" if len(colours) < len(native.components) else ""
    if native.is_rgb or native.has_palette or native.is_bayer:
        return f"gbr{alpha}p"
    if len(colours) < 3:
        return "gbrap" if alpha else "gray"
    luma, chroma = colours[0], colours[1]
    ratio = (-(-luma.width // chroma.width), -(-luma.height // chroma.height))
    return f"yuv{alpha}{ {(2, 2): '420', (2, 1): '422'}.get(ratio, '444') }p"


def repacked(picture: av.VideoFrame, form: PixelFormat, colour: Colour) -> av.VideoFrame:
    """The picture in the planes of its working format, codes unchanged; itself if it has them."""
    plain = "yuvj" + form.name[3:] if form.name.startswith("yuv") else form.name
    native, same_range = picture.format.name, int(colour.range)
    if native in (form.name, plain):
        return picture
    return picture.reformat(
        format=form.name, src_color_range=same_range, dst_color_range=same_range
    )


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
    picture = repacked(picture, form, colour)
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
