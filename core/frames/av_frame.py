"""Conversion between PyAV's frames and `Frame`s."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.plane import VideoPlane

from .frame import Colour, Frame, PixelFormat
from .frame import pixel_format as pixel_format_named


def working_format(native: av.VideoFormat) -> PixelFormat:
    """Return the format of `PIXEL_FORMATS` for the samples of a native format.

    Packed, semi-planar and palette formats are repacked without loss; grey with alpha becomes RGB
    with alpha; chroma with other subsampling than 4:2:0 and 4:2:2 becomes 4:4:4; YUV is reduced
    to 12 bits, and the transparency of a palette is dropped.
    """
    bits = max(component.bits for component in native.components)
    layout = _layout(native)
    most = 12 if layout.startswith("yuv") else 16
    depth = next((depth for depth in (8, 10, 12) if bits <= depth), most)
    if (layout, depth) == ("yuva420p", 12):  # FFmpeg has no such format
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


def repacked(image: av.VideoFrame, form: PixelFormat, colour: Colour) -> av.VideoFrame:
    """Convert an image to the planes of its working format, codes unchanged, if it has others."""
    plain = "yuvj" + form.name[3:] if form.name.startswith("yuv") else form.name
    native, same_range = image.format.name, int(colour.range)
    if native in (form.name, plain):
        return image
    return image.reformat(format=form.name, src_color_range=same_range, dst_color_range=same_range)


def from_av(
    image: av.VideoFrame,
    *,
    pixel_format: PixelFormat,
    colour: Colour,
    pts: int,
    duration: int,
    time_base: Fraction,
) -> Frame:
    """Return a decoded PyAV frame as a `Frame`; its planes are views, not copies.

    Args:
        image: The frame, in any format.
        pixel_format: The `working_format` of the frame's format.
        colour: Meaning of the codes.
        pts: Presentation time in units of `time_base`.
        duration: Duration in units of `time_base`.
        time_base: Unit in seconds.
    """
    form = pixel_format
    image = repacked(image, form, colour)
    planes = tuple(
        _view(image.planes[index], form, form.plane_shape(index, image.width, image.height))
        for index in range(form.plane_count)
    )
    return Frame(
        planes=planes,
        pixel_format=form,
        width=image.width,
        height=image.height,
        pts=pts,
        duration=duration,
        time_base=time_base,
        colour=colour,
    )


def to_av(frame: Frame) -> av.VideoFrame:
    """Return a `Frame` as a PyAV frame, with its timing and colour tags."""
    image = av.VideoFrame(frame.width, frame.height, frame.pixel_format.name)
    for index, plane in enumerate(frame.planes):
        _view(image.planes[index], frame.pixel_format, plane.shape)[...] = plane
    image.pts = frame.pts
    image.duration = frame.duration
    image.time_base = frame.time_base
    image.colorspace = frame.colour.matrix
    image.color_range = frame.colour.range
    image.color_primaries = frame.colour.primaries
    image.color_trc = frame.colour.transfer
    return image


def _view(plane: VideoPlane, form: PixelFormat, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = shape
    samples = np.frombuffer(memoryview(plane), form.dtype)
    stride = plane.line_size // form.dtype.itemsize
    return samples[: rows * stride].reshape(rows, stride)[:, :columns]
