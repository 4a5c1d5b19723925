"""Animated GIF: made of a finished lossless clip, with one palette for all of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import ffmpeg

from ...core.clips.clip_info import ClipInfo
from ...core.errors import OutputError, UsageError
from ..encoding.encode import EncodeSettings
from ..ffmpeg_process import run_graph

SUFFIX = ".gif"
ENCODE = EncodeSettings(codec="ffv1")
"""Encoding of the clip that a GIF is made of."""

# GIF counts in hundredths of a second, and players take less than two of them for ten.
_TICK = Fraction(1, 100)
_MOST_FRAMES = 50


def check_gif(info: ClipInfo, encode: EncodeSettings, path: Path) -> None:
    """Refuse what no GIF can be.

    Raises:
        UsageError: A codec, quality or profile is asked for.
        OutputError: The clip has more than 50 frames a second.
    """
    if encode != EncodeSettings():
        raise UsageError(
            "a GIF has no codec, profile, quality or preset", path=path, hint="leave these out"
        )
    rate = info.video.frame_rate
    if rate is not None and rate > _MOST_FRAMES:
        raise OutputError(
            f"GIF has at most {_MOST_FRAMES} frames a second, not {float(rate):g}",
            path=path,
            hint="write .webm or .mp4",
        )


def gif_losses() -> Iterator[str]:
    """Yield what becomes of every clip, a line each."""
    yield "becomes 256 colours, with times in hundredths of a second"


def write_gif(clip: Path, output: Path) -> None:
    """Write a clip as a GIF that loops, and verify that every frame is there at its time.

    Args:
        clip: A finished clip.
        output: The file to write; its folder is used for the palette.

    Raises:
        OutputError: It can't be written, or a frame is missing or at another time.
    """
    palette = output.with_name("palette.partial")
    source = ffmpeg.input(f"file:{clip}")
    found = ffmpeg.filter(source["v"], "palettegen")
    one = {"frames:v": 1, "update": 1}
    run_graph(ffmpeg.output(found, f"file:{palette}", format="image2", vcodec="png", **one))
    colours = ffmpeg.input(f"file:{palette}", format="png_pipe")
    shown = ffmpeg.filter([source["v"], colours], "paletteuse", dither="sierra2_4a")
    times = {"fps_mode": "passthrough", "enc_time_base": "1/100"}
    run_graph(ffmpeg.output(shown, f"file:{output}", format="gif", loop=0, **times))
    palette.unlink()
    _check(_times(clip), _times(output))


def _check(wanted: list[Fraction], found: list[Fraction]) -> None:
    if len(found) != len(wanted):
        raise OutputError(f"has {len(found)} frames instead of {len(wanted)}")
    for index, (time, meant) in enumerate(zip(found, wanted, strict=True)):
        if abs((time - found[0]) - (meant - wanted[0])) > _TICK:
            raise OutputError(f"frame {index} is at {float(time):.2f} s")


def _times(path: Path) -> list[Fraction]:
    try:
        with av.open(f"file:{path}") as container:
            frames = container.decode(video=0)
            return [Fraction(frame.pts or 0) * (frame.time_base or _TICK) for frame in frames]
    except av.error.FFmpegError as error:
        raise OutputError.because(error, "did not read back") from error
