"""A clip's sound as WAV, any part of it: browsers play few of the codecs that clips have.

Nothing is stored. The size of the file is known from the clip's duration, so that a range of its
bytes is a time of the clip: what a browser asks for is decoded from there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from ..core.clips.media import open_clip

RATE = 48000
"""Samples a second."""
FRAME = 4
"""Bytes of a sample of both channels."""
HEADER = 44
# Seconds that decoders get to settle before the first sample that is wanted.
_LEAD = Fraction(1, 2)
_PIECE = RATE // 4
# Samples that a clip's own clock may be off without a click being put in.
_TOLERANCE = RATE // 100
_LONGEST = (1 << 32) - 64


class Sound:
    """The first audio stream of a clip as stereo WAV of 16 bits, as long as its video.

    Attributes:
        size: Bytes of the whole file.

    Args:
        path: The clip.
        duration: Seconds.
        origin: Seconds at which the clip's clock starts, see `ClipInfo`.
    """

    def __init__(self, path: Path, duration: float, origin: Fraction = Fraction(0)):
        self._path, self._origin = path, origin
        self._samples = min(round(duration * RATE), (_LONGEST - HEADER) // FRAME)
        self.size = HEADER + FRAME * self._samples

    def content(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to, not including, `end`."""
        if start < HEADER:
            yield self._header()[start:end]
        first, skipped = divmod(max(0, start - HEADER), FRAME)
        left = end - max(start, HEADER)
        for piece in self._pieces(first):
            if left <= 0:
                return
            content = piece.tobytes()[skipped : skipped + left]
            skipped, left = 0, left - len(content)
            yield content

    def _header(self) -> bytes:
        size = FRAME * self._samples
        return b"".join(
            (
                struct.pack("<4sI4s", b"RIFF", size + 36, b"WAVE"),
                struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, RATE, RATE * FRAME, FRAME, 16),
                struct.pack("<4sI", b"data", size),
            )
        )

    def _pieces(self, first: int) -> Iterator[NDArray[np.int16]]:
        """Yield samples, (n, 2), from a sample on: silence where the clip has none."""
        at, near = first, 0
        try:
            for start, samples in self._decoded(Fraction(first, RATE)):
                if start - at > near:
                    silence = min(start, self._samples) - at
                    yield from _silence(silence)
                    at += silence
                piece = samples[at - start :] if at - start > near else samples
                if len(piece):
                    yield piece
                    # From now on the clip's clock is trusted only as far as no click comes of it.
                    at, near = at + len(piece), _TOLERANCE
        except (av.error.FFmpegError, OSError):
            pass  # the rest is silent: the frames say what is wrong with the clip
        yield from _silence(self._samples - at)

    def _decoded(self, time: Fraction) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """Yield decoded samples from about a time on, with the number of their first one."""
        with open_clip(self._path) as container:
            stream = container.streams.audio[0]
            assert stream.time_base is not None
            if time > _LEAD:
                moment = time - _LEAD + self._origin
                container.seek(int(moment / stream.time_base), stream=stream)
            resampler = AudioResampler(format="s16", layout="stereo", rate=RATE)
            for decoded in container.decode(stream):
                if decoded.pts is None:
                    continue
                start = round((decoded.pts * stream.time_base - self._origin) * RATE)
                for part in resampler.resample(decoded):
                    samples = part.to_ndarray().astype(np.int16, copy=False).reshape(-1, 2)
                    yield start, samples
                    start += len(samples)


def _silence(count: int) -> Iterator[NDArray[np.int16]]:
    for begin in range(0, count, _PIECE):
        yield np.zeros((min(_PIECE, count - begin), 2), np.int16)
