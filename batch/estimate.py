"""Frames, disk space and time that a clip takes, estimated."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from ..core.clips.clip_info import ClipInfo
from ..core.clips.sequence import Pattern
from ..core.errors import OutputError
from ..core.human import human_bytes
from ..core.pictures.picture import kind_of
from ..core.stylizer import Stylizer
from .clips.destination import destination
from .clips.mux import muxer_of
from .clips.work_folder import work_folder
from .encoding.encode import EncodeSettings, Encoding, choose

# Stylized frames at the default quality, in bytes a pixel; they have more detail than footage.
_BYTES_A_PIXEL = {"h264": 0.25, "hevc": 0.25, "vp9": 0.3, "av1": 0.3, "ffv1": 0.6}
# By what the encoder is told. ProRes goes beyond the rates that Apple states where frames are
# full of detail, DNxHR's are fixed.
_BYTES_A_PIXEL_OF_PROFILE = {
    **{"proxy": 0.14, "lt": 0.33, "standard": 0.47, "hq": 0.7, "4444": 1.0, "4444xq": 1.6},
    **{"dnxhr_lb": 0.09, "dnxhr_sq": 0.29, "dnxhr_hq": 0.44, "dnxhr_hqx": 0.44, "dnxhr_444": 0.89},
}
_BYTES_A_PIXEL_OF_IMAGES = {"png": 2.2, "tiff": 3.3, "exr": 2.7}  # of 8 bit; twice of 16
_AUDIO_BYTES_A_SECOND = 300_000  # a track of PCM, 24 bit stereo
_FRAME_RATE_ELSE = 25
_NOISE_SIZE = (360, 640)
_MEASURED_SECONDS = 1.0


@dataclass(frozen=True)
class Disk:
    """Bytes that a clip is likely to take.

    Attributes:
        finished: The written clip.
        meanwhile: Its segments, which are next to it until it is finished.
    """

    finished: int
    meanwhile: int

    @property
    def needed(self) -> int:
        """Peak of the bytes needed."""
        return self.finished + self.meanwhile


def frames_expected(info: ClipInfo) -> int | None:
    """Return the header's number, else duration times rate; None where neither is stated."""
    video = info.video
    if video.frames:
        return video.frames
    if video.duration is None or video.frame_rate is None:
        return None
    return round(video.duration * video.frame_rate)


def disk_expected(info: ClipInfo, output: Path, settings: EncodeSettings) -> Disk | None:
    """Estimate from size, length and codec; None where the length is not known.

    Raises:
        BrushreelError: As `choose`.
    """
    frames, video = frames_expected(info), info.video
    if frames is None:
        return None
    if Pattern.of(output) is not None:
        bits = 16 if kind_of(output) == "exr" else video.pixel_format.depth
        a_pixel = _BYTES_A_PIXEL_OF_IMAGES[kind_of(output)] * (1 if bits == 8 else 2)
        return Disk(finished=round(frames * video.width * video.height * a_pixel), meanwhile=0)
    seconds = float(frames / (video.frame_rate or _FRAME_RATE_ELSE))
    encoding = choose(video, settings, muxer_of(output))
    if settings.bitrate is not None:
        video_bytes = round(settings.bitrate / 8 * seconds)
    else:
        video_bytes = round(frames * video.width * video.height * _bytes_a_pixel(encoding))
    audio = round(len(info.audio) * _AUDIO_BYTES_A_SECOND * seconds)
    return Disk(finished=video_bytes + audio, meanwhile=video_bytes)


def _bytes_a_pixel(encoding: Encoding) -> float:
    stated = _BYTES_A_PIXEL_OF_PROFILE.get(encoding.options.get("profile", ""))
    return _BYTES_A_PIXEL[encoding.codec] if stated is None else stated


def free_disk_space(output: Path) -> int:
    """Return the bytes free on the disk of an output, whose folder need not exist yet."""
    return shutil.disk_usage(existing_folder(output)).free


def existing_folder(output: Path) -> Path:
    """Return the nearest folder above an output that exists."""
    return next(folder for folder in output.absolute().parents if folder.is_dir())


def check_space(output: Path, info: ClipInfo, settings: EncodeSettings) -> None:
    """Refuse a clip that won't fit on the disk, before its first frame.

    What an earlier run has left of it, segments or images, needs no more space.

    Raises:
        OutputError: The disk has less space than the clip is likely to take.
    """
    disk, free = disk_expected(info, output, settings), free_disk_space(output)
    if disk is None or destination(output).is_untidied:
        return
    needed = disk.needed - _bytes_there(output)
    if needed > free:
        raise OutputError(
            f"needs about {human_bytes(needed)} of disk, {human_bytes(free)} are free",
            path=output,
            hint="free some space, or write to another disk",
        )


def _bytes_there(output: Path) -> int:
    """Return the bytes of segments and images that an earlier run left, and that are reused."""
    pattern = Pattern.of(output)
    names = () if pattern is None else map(pattern.name, pattern.numbers())
    sizes = 0
    for path in (*work_folder(output).glob("*"), *names):
        with suppress(OSError):
            sizes += path.stat().st_size
    return sizes


def network_speed(stylizer: Stylizer) -> float | None:
    """Return how many pixels a second are stylized, measured on noise for about a second.

    None at strength 0, where the network does not run.
    """
    if stylizer.strength == 0:
        return None
    frame = torch.rand(1, 3, *_NOISE_SIZE, device=stylizer.device)
    stylizer(frame).cpu()  # the first one also prepares kernels
    count, started = 0, time.monotonic()
    while time.monotonic() - started < _MEASURED_SECONDS:
        stylizer(frame).cpu()
        count += 1
    return count * frame[0, 0].numel() / (time.monotonic() - started)
