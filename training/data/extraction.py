"""Frame pairs of one clip with their motion: frames chosen, rotated upright, without bars."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, pairwise
from math import ceil
from pathlib import Path

import av
import av.error
import numpy as np
import torch
from numpy.typing import NDArray

from ...core.clips.clip_info import display_matrix
from ...core.clips.opening import open_clip, video_stream
from ...core.consistency import warp
from ...core.errors import MediaError
from ...core.frames.av_frame import working_format
from ...core.frames.bars import Bars
from ...core.frames.frame import Colour
from ...core.frames.orientation import oriented
from .motion import FlowEstimator, Motion, nchw

# 16:9 footage has 432 lines then, the height at which styles paint. The longer side, so that
# portrait clips train at the same scale.
LONG_SIDE = 768
# Candidate pairs of a clip, by the number of frames that they are apart.
PAIRS_PER_CLIP = {1: 24, 2: 8, 4: 8}
# A flat crop has nothing to stylize; with the paper's normalisation its gradients explode, too.
LEAST_DEVIATION = 0.03
# On skies and asphalt optical flow often finds no texture to follow.
LEAST_VISIBLE = 0.5
LEAST_CHANGE = 0.25 / 255
# Mean change that motion does not explain; measured: at most 0.053 in one shot, 0.13 and more
# across a cut.
MOST_UNEXPLAINED = 0.08
# Pixels; optical flow needs as many.
LEAST_SIDE = 32
# Scaling and subsampled chroma blend the rows next to a bar with it.
BESIDE_BARS = 2
# Frames that are searched for bars and fields; where keyframes are fewer, all frames count.
LEAST_JUDGED, MOST_JUDGED = 8, 32

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Extraction:
    """The training data of one file; pairs, left_out and notes are as in `Footage`."""

    pairs: NDArray[np.void]
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evenly:
    """Choice of neighbouring frames to measure on, evenly spread over a clip.

    Attributes:
        count: Most pairs; one that can't be used is replaced by the next one that can.
        long_side: Frames whose longer side has more pixels are scaled down to it; None for their
            own size.
    """

    count: int
    long_side: int | None = None


def extract(path: Path, evenly: Evenly | None = None) -> Extraction:
    """Extract the usable pairs of a clip, those of consecutive frames first.

    Args:
        path: The clip.
        evenly: Which pairs to measure on; by default those that are trained on.

    Raises:
        TrainingError: OpenCV is not installed.
    """
    estimate = FlowEstimator()
    left_out: Counter[str] = Counter()
    records: list[NDArray[np.void]] = []
    notes: tuple[str, ...] = ()
    try:
        shape = _survey(path)
        if shape.interlaced:
            return Extraction(join([]), {"interlaced": 1})
        notes = _notes(shape.bars)
        shape.evenly = evenly
        if evenly:
            candidates = _neighbours(path, shape.frames, evenly.count, records)
        else:
            candidates = _candidates(path, shape.frames)
        for previous, current, gap in candidates:
            record = _record(previous, current, gap, shape, estimate)
            if isinstance(record, str):
                left_out[record] += 1
            else:
                records.append(record)
    except (MediaError, av.error.FFmpegError, OSError):
        # What was read before stays usable: one damaged clip must not stop a run of hours.
        left_out["unreadable"] += 1
    return Extraction(join(records), dict(left_out), notes)


def consecutive_frames(path: Path, count: int, long_side: int | None = None) -> Iterator[Pixels]:
    """Yield frames from the middle of a clip, (H, W, 3) RGB, upright and without bars.

    Args:
        path: The clip.
        count: Most frames; a damaged clip yields those that can be read.
        long_side: See `Evenly`.
    """
    with suppress(MediaError, av.error.FFmpegError, OSError):
        shape = _survey(path)
        shape.evenly = Evenly(1, long_side)
        first = max(0, (shape.frames - count) // 2)
        with open_clip(path) as container:
            stream = video_stream(container, path)
            stream.thread_type = "AUTO"
            for frame in islice(container.decode(stream), first, first + count):
                if (frame.width, frame.height) == shape.size:
                    yield _upright(frame, shape)


@dataclass(eq=False)
class _Shape:
    """Properties of a whole clip.

    Attributes:
        frames: Number of frames, as far as it can be read.
        judged: Number of frames that the following was measured on.
        fields: How many of them are interlaced.
        size: Width and height, pixels.
        aspect: Sample aspect ratio, width over height.
        matrix: From YUV to RGB, H.273 code point; the players' default where it is not stated.
        brightest: (H, W), see `Bars.of_brightest`.
        evenly: See `extract`.
    """

    frames: int
    judged: int = 0
    fields: int = 0
    size: tuple[int, int] = (0, 0)
    aspect: float = 1.0
    matrix: int = 0
    brightest: Pixels = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    bars: Bars = field(default_factory=Bars)
    evenly: Evenly | None = None

    @property
    def interlaced(self) -> bool:
        return self.fields > self.judged / 2

    def judge(self, frame: av.VideoFrame) -> None:
        if not self.judged:
            self.size = (frame.width, frame.height)
            self.matrix = _matrix(frame)
            self.brightest = np.zeros((frame.height, frame.width), np.uint8)
        if (frame.width, frame.height) == self.size:
            self.judged += 1
            self.fields += frame.interlaced_frame
            codes = frame.to_ndarray(format="rgb24").max(-1)
            np.maximum(self.brightest, codes, out=self.brightest)


def _matrix(frame: av.VideoFrame) -> int:
    """Return the H.273 code point; raise ColourError where there is no conversion."""
    colour = Colour.resolve(
        matrix=frame.colorspace,
        range=frame.color_range,
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
        pixel_format=working_format(frame.format),
        width=frame.width,
        height=frame.height,
    )
    return int(colour.matrix)


def _survey(path: Path) -> _Shape:
    """Measure a clip, on keyframes alone where there are enough: they decode by themselves."""
    frames, keys = _count(path)
    by_keys = keys >= LEAST_JUDGED
    shape = _Shape(frames)
    with open_clip(path) as container, suppress(av.error.FFmpegError, OSError):
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        shape.aspect = float(stream.sample_aspect_ratio or 1)
        stream.codec_context.skip_frame = "NONKEY" if by_keys else "DEFAULT"
        step = max(1, (keys if by_keys else frames) // MOST_JUDGED)
        for frame in islice(container.decode(stream), 0, None, step):
            shape.judge(frame)
    shape.bars = Bars.of_brightest(shape.brightest).wider(BESIDE_BARS)
    return shape


def _notes(bars: Bars) -> tuple[str, ...]:
    """Return what was cropped, in words; nothing where there are no bars."""
    sides = (("rows", bars.top + bars.bottom), ("columns", bars.left + bars.right))
    return tuple(f"{count} {what} of black bars cropped" for what, count in sides if count)


def _count(path: Path) -> tuple[int, int]:
    """Count frames and keyframes by packets: what headers state is often wrong or missing."""
    frames = keys = 0
    with open_clip(path) as container, suppress(av.error.FFmpegError, OSError):
        for packet in container.demux(video_stream(container, path)):
            frames += packet.size > 0
            keys += packet.size > 0 and packet.is_keyframe
    return frames, keys


def _candidates(path: Path, count: int) -> Iterator[tuple[av.VideoFrame, av.VideoFrame, int]]:
    """Yield previous frame, current frame and their gap, evenly spread over the clip."""
    wanted = {gap: _spread(count - gap, pairs, 2 * gap) for gap, pairs in PAIRS_PER_CLIP.items()}
    recent: deque[av.VideoFrame] = deque(maxlen=max(wanted) + 1)
    with open_clip(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        for index, current in enumerate(container.decode(stream)):
            recent.append(current)
            for gap, previous in wanted.items():
                if index - gap in previous:
                    yield recent[-1 - gap], current, gap


def _neighbours(
    path: Path, count: int, wanted: int, used: Sequence[object]
) -> Iterator[tuple[av.VideoFrame, av.VideoFrame, int]]:
    """Yield neighbours from evenly spread places on, from each until `used` has one more."""
    places, before = _spread(count - 1, wanted, 1), -1
    with open_clip(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        for index, (previous, current) in enumerate(pairwise(container.decode(stream))):
            if index in places:
                before = len(used)
            if len(used) == before:
                yield previous, current, 1


def _spread(length: int, most: int, least_distance: int) -> set[int]:
    """Return up to `most` of the indices below `length`, each in the middle of its share."""
    if length < 1:
        return set()
    count = min(most, max(1, length // least_distance))
    return {int((index + 0.5) * length / count) for index in range(count)}


def _record(
    previous: av.VideoFrame,
    current: av.VideoFrame,
    gap: int,
    shape: _Shape,
    estimate: FlowEstimator,
) -> NDArray[np.void] | str:
    """Return a pair with its motion, or why it can't be used."""
    if any((frame.width, frame.height) != shape.size for frame in (previous, current)):
        return "of a different size"
    frames = np.stack([_upright(frame, shape) for frame in (previous, current)])
    if why := _unusable(frames):
        return why
    motion = estimate(frames[0], frames[1])
    if _unexplained(frames, motion) > MOST_UNEXPLAINED:
        return "cut"
    if motion.visible.mean() < LEAST_VISIBLE:
        return "with unreliable motion"
    return pair_record(frames, motion, gap)


def _unusable(frames: Pixels) -> str | None:
    if min(frames.shape[1:3]) < LEAST_SIDE:
        return "too narrow"
    if frames.std() / 255 < LEAST_DEVIATION:
        return "flat"
    change = np.abs(frames[0].astype(np.int16) - frames[1]).mean() / 255
    return "duplicate" if change < LEAST_CHANGE else None


def _unexplained(frames: Pixels, motion: Motion) -> float:
    """Return the mean change, pixels in [0, 1], that remains after motion is compensated."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    moved = warp(pixels[:1], nchw(motion.flow))
    return (pixels[1] - moved[0]).abs().mean().item()


def _upright(frame: av.VideoFrame, shape: _Shape) -> Pixels:
    """Return (H, W, 3) RGB, scaled, as a player would show it."""
    bars = shape.bars
    width, height = bars.active_size(frame.width, frame.height)
    down = _scale(max(width * shape.aspect, height), shape.evenly)
    across = down * shape.aspect
    whole = (max(1, round(frame.width * across)), max(1, round(frame.height * down)))
    scaled = frame.reformat(
        *whole, format="rgb24", interpolation="AREA", src_colorspace=shape.matrix
    )
    pixels = np.asarray(scaled.to_ndarray(), np.uint8)
    top, left = ceil(bars.top * down), ceil(bars.left * across)
    rows = slice(top, top + max(1, round(height * down)))
    columns = slice(left, left + max(1, round(width * across)))
    return oriented(pixels[rows, columns], display_matrix(frame))


def _scale(longer: float, evenly: Evenly | None) -> float:
    if evenly is None:
        return LONG_SIDE / longer
    return min(1.0, (evenly.long_side or longer) / longer)


def pair_record(frames: Pixels, motion: Motion, gap: int = 1) -> NDArray[np.void]:
    """Make a (1,) record of `Footage.pairs`.

    Args:
        frames: (2, H, W, 3) RGB, previous then current.
        motion: Motion from current into previous.
        gap: How many frames they are apart.
    """
    record = np.zeros(1, _record_type(*frames.shape[1:3]))
    record["frames"], record["flow"] = frames, motion.flow
    record["visible"], record["gap"] = motion.visible, gap
    return record


def join(records: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Join records, sorted by gap, else in their order."""
    if not records:
        return np.zeros(0, _record_type(1, 1))
    return np.concatenate(sorted(records, key=lambda record: int(record["gap"][0])))


def _record_type(height: int, width: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("frames", np.uint8, (2, height, width, 3)),
            ("flow", np.float16, (height, width, 2)),
            ("visible", np.bool_, (height, width)),
            ("gap", np.uint8),
        ]
    )
