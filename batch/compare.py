"""Before and after in one clip: a wipe, side by side, or one above the other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import ffmpeg

from ..core.clips.clip_info import ClipInfo, VideoInfo
from ..core.clips.media import probe
from ..core.clips.opening import open_clip
from ..core.errors import BrushreelError, OutputError, UsageError
from ..core.frames.frame import UNSPECIFIED_TAG, Colour, Matrix
from ..core.frames.stroke_size import believable_aspect
from ..core.options import LAYOUTS, Layout
from .clips.destination import FileDestination
from .clips.mux import MUXERS
from .ffmpeg_process import run_graph

# Of the line's way there and back.
PERIOD = Fraction(8)
_LINE = 4
# As the scale filter calls them.
_MATRICES = {
    Matrix.BT709: "bt709",
    Matrix.FCC: "fcc",
    Matrix.BT470BG: "bt470bg",
    Matrix.SMPTE170M: "smpte170m",
    Matrix.SMPTE240M: "smpte240m",
    Matrix.BT2020_NCL: "bt2020",
}

Size = tuple[int, int]
Node = Any  # ffmpeg-python has no public types


def compare(
    before: Path,
    after: Path,
    output: Path,
    *,
    layout: Layout = "wipe",
    line: float | None = None,
    overwrite: bool = False,
) -> tuple[str, ...]:
    """Write a clip that shows two clips against each other, with the audio of the first.

    H.264, 8 bit 4:2:0, upright, with square pixels, as large as `before` (or twice that) and with
    its frames at its times; each has the frame of `after` that is nearest in time. `after` is
    scaled to `before`'s size; where it ends too early, its last frame stays.

    Args:
        before: Shown left of the line, left, or above.
        after: Shown right of the line, right, or below.
        output: .mp4, .mov, .mkv or .webm; appears only when it is whole.
        layout: "wipe" (a line between them), "side" (by side) or "stack" (above each other).
        line: Position of the wipe's line, 0 (left) to 1 (right); None moves it from right to left
            and back.
        overwrite: Replace an output that exists.

    Returns:
        Warnings about what is not as in the source, a line each.

    Raises:
        UsageError: An unknown layout, a line out of range, a clip against itself, or an output that
            is an input.
        MediaError: A clip that can't be read.
        OutputError: The output exists or can't be written.
    """
    _check_look(layout, line)
    if before.exists() and after.exists() and before.samefile(after):
        raise UsageError("is compared with itself", path=before)
    target = FileDestination(output, overwrite=overwrite)
    for clip in (before, after):
        target.check(clip)
    first, second = probe(before), probe(after)
    codec, warnings = _audio(first, output)
    left, right = _input(first), _input(second)
    size = even_size(first.video)
    upper, lower = _fitted(left, first, first, size), _fitted(right, second, first, size)
    # Where it has ended, its last frame stays, so that the first clip's end is the end.
    lower = ffmpeg.filter(lower, "tpad", stop=-1, stop_mode="clone")
    if layout == "wipe":
        shown = _wipe(upper, lower, size, _position(size[0], first, line))
    else:
        shown = _abutted(upper, lower, size, layout)
    with _written_whole(target) as partial:
        run_graph(_written(_tagged(shown, first.video.colour), left["a?"], partial, codec))
        probe(partial)
    return (*warnings, *_losses(first.video))


def _check_look(layout: str, line: float | None) -> None:
    if layout not in LAYOUTS:
        raise UsageError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout}")
    if line is not None and layout != "wipe":
        raise UsageError("only a wipe has a position")
    if line is not None and not 0 <= line <= 1:
        raise UsageError(f"the position must be between 0 and 1, not {line}")


def _losses(video: VideoInfo) -> Iterator[str]:
    if video.hdr:
        yield f"is {video.hdr}: written with its tags in 8 bit"


def _audio(info: ClipInfo, output: Path) -> tuple[str, list[str]]:
    """Choose the audio codec: "copy" where the container supports every track as it is."""
    muxer = MUXERS[output.suffix.lower()]
    with open_clip(info.path) as source, av.open(io.BytesIO(), "w", format=muxer) as trial:
        try:
            for stream in info.audio:
                trial.add_stream_from_template(source.streams[stream.index])
        except ValueError:
            names = ", ".join(stream.codec for stream in info.audio)
            written, name = ("libopus", "Opus") if muxer == "webm" else ("aac", "AAC")
            return written, [
                f"{output.suffix} does not support its audio ({names}): written as {name}"
            ]
    return "copy", []


def even_size(video: VideoInfo) -> Size:
    """Return width and height as a player shows them, in square pixels, made even for 4:2:0."""
    width = video.width * believable_aspect(video.sample_aspect_ratio)
    size = (video.height, width) if video.rotation % 180 else (width, video.height)
    return max(2, 2 * round(size[0] / 2)), max(2, 2 * round(size[1] / 2))


def _input(info: ClipInfo) -> Node:
    # "file:" keeps names with a colon or a percent sign from being read as something else.
    return ffmpeg.input(f"file:{info.path}")


def _fitted(clip: Node, info: ClipInfo, like: ClipInfo, size: Size) -> Node:
    """Scale the video of a clip, upright, to a size in 4:2:0, in the colour of another clip."""
    matrix, target = info.video.colour.matrix, _target_matrix(like.video.colour)
    scaled = ffmpeg.filter(
        clip[str(info.video.index)],
        "scale",
        *size,
        flags="lanczos+accurate_rnd+full_chroma_int",
        in_color_matrix=_MATRICES.get(matrix, "auto"),
        out_color_matrix=_MATRICES[target],
        out_range="limited",
    )
    return ffmpeg.filter(ffmpeg.filter(scaled, "format", "yuv420p"), "setsar", 1)


def _target_matrix(colour: Colour) -> Matrix:
    return Matrix.BT709 if colour.matrix == Matrix.RGB else colour.matrix


def _position(width: int, info: ClipInfo, line: float | None) -> str:
    """Return the line's position over time in pixels, even, as an expression of FFmpeg's."""
    if line is not None:
        return str(2 * round(line * width / 2))
    length = info.video.duration or PERIOD
    return f"2*floor({width}/4*(1+cos(2*PI*t/{float(min(length, PERIOD))}))+0.5)"


def _wipe(before: Node, after: Node, size: Size, position: str) -> Node:
    """Crop what is left of the line out of `before`, and overlay it on `after` in its place.

    A crop has one size: it takes a whole width, up to the line, of a video with as much nothing
    to its left.
    """
    width, height = size
    halves = ffmpeg.filter_multi_output(before, "split")
    padded = ffmpeg.filter(halves[0], "pad", 2 * width, height, width)
    cropped = ffmpeg.filter(padded, "crop", width, height, position, 0)
    left = width - _LINE
    lined = ffmpeg.filter(cropped, "drawbox", left, 0, _LINE, height, color="white", t="fill")
    return _laid(_laid(halves[1], after, "0", "0"), lined, f"{position}-{width}", "0")


def _abutted(before: Node, after: Node, size: Size, layout: Layout) -> Node:
    width, height = size
    if layout == "side":
        return _laid(ffmpeg.filter(before, "pad", 2 * width, height), after, str(width), "0")
    return _laid(ffmpeg.filter(before, "pad", width, 2 * height), after, "0", str(height))


def _laid(under: Node, over: Node, x: str, y: str) -> Node:
    """Overlay `over` on `under`: the frames of `under`, each with the nearest in time."""
    return ffmpeg.filter(
        [under, over], "overlay", x, y, format="yuv420", eof_action="endall", ts_sync_mode="nearest"
    )


def _tagged(shown: Node, colour: Colour) -> Node:
    tags = {"color_primaries": colour.primaries, "color_trc": colour.transfer}
    known = {name: code for name, code in tags.items() if code != UNSPECIFIED_TAG}
    return ffmpeg.filter(
        shown, "setparams", range="limited", colorspace=int(_target_matrix(colour)), **known
    )


def _written(shown: Node, audio: Node, partial: Path, codec: str) -> Node:
    return ffmpeg.output(
        *(shown, audio, f"file:{partial}"),
        format=MUXERS[partial.suffix.lower()],
        acodec=codec,
        **(_VP9 if partial.suffix.lower() == ".webm" else _H264),
        # Every frame at its own time, in the source's ticks.
        fps_mode="passthrough",
        enc_time_base="demux",
    )


_H264 = {"vcodec": "libx264", "crf": 16}
_VP9 = {
    **{"vcodec": "libvpx-vp9", "crf": 24, "b:v": 0},
    **{"deadline": "good", "cpu-used": 4, "row-mt": 1},
}


@contextmanager
def _written_whole(target: FileDestination) -> Iterator[Path]:
    """Yield a hidden path to write to; failures become `OutputError`s of the output."""
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        with target.partial() as partial:
            yield partial
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=target.path) from error
    except BrushreelError as error:
        error.path = target.path
        raise
