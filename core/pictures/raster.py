"""PNG and TIFF through FFmpeg's codecs, one file at a time, with their metadata."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np

from ..errors import MediaError, OutputError
from ..frames.av_frame import from_av, to_av, working_format
from ..frames.frame import Colour, Frame, Matrix, PixelFormat, Range
from ..frames.stroke_size import believable_aspect
from .metadata import TICK, Picture
from .picture_tags import PngChunks, TiffTags

# FFmpeg's encoders take packed formats; the samples are the same.
_PNG_FORMATS = {"gbrp": "rgb24", "gbrap": "rgba", "gbrp16le": "rgb48be", "gbrap16le": "rgba64be"}
_PNG_FORMATS |= {"gray": "gray", "gray16le": "gray16be"}
_TIFF_FORMATS = {"gbrp": "rgb24", "gbrap": "rgba", "gbrp16le": "rgb48le", "gbrap16le": "rgba64le"}
_TIFF_FORMATS |= {"gray": "gray", "gray16le": "gray16le"}
# Formats of grey with alpha, by depth and kind; no frame has them.
_GREY_FORMATS = {
    (8, "png"): "ya8",
    (8, "tiff"): "ya8",
    (16, "png"): "ya16be",
    (16, "tiff"): "ya16le",
}
_OPTIONS = {"png": {"pred": "paeth", "compression_level": "3"}, "tiff": {"compression_algo": "lzw"}}


def read_raster(path: Path, kind: str) -> Picture:
    """Read a PNG or TIFF file.

    Raises:
        MediaError: It is damaged, cut short, or has floating point samples.
    """
    content = path.read_bytes()
    kept = _tags(content, kind)
    image, aspect = _image(content, kind, kept)
    native = image.format
    form = working_format(native)
    if native.has_palette and kept.transparent:
        image = image.reformat(format="rgba")
        form = working_format(image.format)
    frame = from_av(
        image,
        pixel_format=form,
        colour=_colour(image, form),
        pts=0,
        duration=1,
        time_base=TICK,
    )
    return Picture(
        frame=frame,
        codec=kind,
        shown=(0, 0, frame.height, frame.width),
        sample_aspect_ratio=None if aspect == 1 else aspect,
        kept=kept,
        warnings=tuple(f"{name} is not kept" for name in kept.lost),
        alone=(*kept.names, *kept.lost),
        grey=native.name.startswith("ya"),
    )


def _tags(content: bytes, kind: str) -> PngChunks | TiffTags:
    return PngChunks.read(content) if kind == "png" else TiffTags.read(content)


def _image(content: bytes, kind: str, kept: PngChunks | TiffTags) -> tuple[av.VideoFrame, Fraction]:
    if isinstance(kept, PngChunks):
        return _decoded(content, kind)
    kept.layout.check()
    if kept.layout.is_plain:
        return _decoded(kept.layout.plain_file(content), kind)[0], kept.aspect
    return _from_samples(kept.layout.samples(content, _strip)), kept.aspect


def _strip(content: bytes, form: str) -> np.ndarray:
    """Decode a TIFF file of one strip to (height, width, samples), see `TiffLayout.samples`."""
    image, _ = _decoded(content, "tiff")
    if form.startswith("ya"):
        samples = _samples_of_grey_with_alpha(image)
        return samples.reshape(image.height, -1, 2)
    samples = image.to_ndarray(format=form)
    return samples.reshape(image.height, image.width, -1)


def _from_samples(samples: np.ndarray) -> av.VideoFrame:
    """Return an image of (height, width, 1 to 4) samples: grey, with alpha, RGB, RGBA."""
    height, width, parts = samples.shape
    deep = samples.dtype.itemsize > 1
    if parts == 2:
        image = av.VideoFrame(width, height, "ya16le" if deep else "ya8")
        _samples_of_grey_with_alpha(image)[...] = samples.reshape(height, -1)
        return image
    name = {1: "gray", 3: "rgb", 4: "rgba"}[parts]
    size = {1: "16le", 3: "48le", 4: "64le"}[parts] if deep else "24" * (parts == 3)
    return av.VideoFrame.from_ndarray(samples[..., 0] if parts == 1 else samples, f"{name}{size}")


def _decoded(content: bytes, kind: str) -> tuple[av.VideoFrame, Fraction]:
    decoder = av.CodecContext.create(kind, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode"}
    try:
        images = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError.because(error, "can't be decoded", otherwise="it is damaged") from error
    if not images or images[0].is_corrupt:
        raise MediaError("can't be decoded: it is damaged")
    return images[0], _aspect(decoder.sample_aspect_ratio, kind)


def _aspect(ratio: Fraction | None, kind: str) -> Fraction:
    """Correct a ratio: FFmpeg takes PNG's pixels per metre, across and down, for the ratio."""
    aspect = believable_aspect(ratio)
    return (1 / aspect if kind == "png" else aspect).limit_denominator(1000)


def _colour(image: av.VideoFrame, form: PixelFormat) -> Colour:
    """Return the colour of an image: full range unless tagged; the matrix of grey is irrelevant."""
    return Colour(
        matrix=Matrix.BT709 if form.family == "gray" else Matrix.RGB,
        range=Range.LIMITED if image.color_range == Range.LIMITED else Range.FULL,
        primaries=image.color_primaries,
        transfer=image.color_trc,
    )


def encode_raster(frame: Frame, kind: str, like: Picture | None, aspect: Fraction | None) -> bytes:
    """Encode a PNG or TIFF file's content, see `encode_picture`.

    Raises:
        OutputError: FFmpeg refuses it.
    """
    encoder = av.CodecContext.create(kind, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    image = _packed(frame, kind, grey=like is not None and like.grey)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, image.format.name
    encoder.time_base, encoder.options = frame.time_base, _OPTIONS[kind]
    encoder.color_range = frame.colour.range
    encoder.color_primaries, encoder.color_trc = frame.colour.primaries, frame.colour.transfer
    if aspect is not None:
        encoder.sample_aspect_ratio = _aspect(aspect, kind)
    try:
        packets = [*encoder.encode(image), *encoder.encode(None)]
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError.because(error, f"can't be encoded as {kind}") from error
    content = b"".join(map(bytes, packets))
    if like is None or like.codec != kind:
        return content
    return like.kept.into(content)


def _packed(frame: Frame, kind: str, *, grey: bool) -> av.VideoFrame:
    """Convert a frame to the format that an encoder takes; grey with alpha has one colour."""
    if grey:
        return _grey_with_alpha(frame, _GREY_FORMATS[frame.pixel_format.depth, kind])
    name = (_PNG_FORMATS if kind == "png" else _TIFF_FORMATS)[frame.pixel_format.name]
    same_range = int(frame.colour.range)
    return to_av(frame).reformat(
        format=name, src_color_range=same_range, dst_color_range=same_range
    )


def _grey_with_alpha(frame: Frame, name: str) -> av.VideoFrame:
    """Pack grey with alpha here: FFmpeg would weight the colours again, and round."""
    image = av.VideoFrame(frame.width, frame.height, name)
    image.pts, image.time_base = frame.pts, frame.time_base
    rows = _samples_of_grey_with_alpha(image)
    rows[:, 0::2], rows[:, 1::2] = frame.planes[0], frame.planes[3]
    return image


def _samples_of_grey_with_alpha(image: av.VideoFrame) -> np.ndarray:
    """Return a view of (height, 2 * width) samples, grey and alpha in turn."""
    name = image.format.name
    dtype = np.dtype(f"{'>' if name.endswith('be') else '<'}u{1 if name == 'ya8' else 2}")
    samples = np.frombuffer(memoryview(image.planes[0]), dtype)
    return samples.reshape(image.height, -1)[:, : 2 * image.width]
