"""Packets that are cut out of a clip decode to the frames that the clip gives."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest

from brushreel.core.clips.packet_reader import PacketReader, cut, decodes_alike
from brushreel.core.clips.range import FrameRange
from brushreel.core.clips.range_reader import RangeReader
from brushreel.core.errors import MediaError

FRAMES = 24
GOP = {"bf": "2", "g": "8", "preset": "fast"}
KINDS = {
    "b-frames": {"options": GOP},
    "open gop": {"options": GOP | {"x264-params": "open-gop=1"}},
    "variable": {
        "name": "v.mkv",
        "options": GOP,
        "time_base": Fraction(1, 90_000),
        "times": [7000 + 3600 * number + number * number * 13 for number in range(FRAMES)],
    },
    "ten bit": {
        "codec": "libx265",
        "pixel_format": "yuv420p10le",
        "options": {"x265-params": "keyint=8:bframes=2:log-level=error"},
    },
    "interlaced": {"options": GOP | {"flags": "+ildct+ilme", "x264-params": "tff=1"}},
    "prores": {"name": "p.mov", "codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "full range": {"options": GOP, "colour": (1, 2, 1, 1)},
    "mjpeg": {"name": "m.mov", "codec": "mjpeg", "pixel_format": "yuvj420p"},
}


def assert_same_frames(ours, theirs) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert (one.pts, one.duration, one.time_base) == (
            other.pts,
            other.duration,
            other.time_base,
        )
        assert (one.pixel_format, one.colour) == (other.pixel_format, other.colour)
        assert all(map(np.array_equal, one.planes, other.planes))


@pytest.mark.parametrize("kind", KINDS)
def test_the_frames_of_any_range(make_clip, kind):
    path = make_clip(**{"frames": FRAMES, **KINDS[kind]})
    size = path.stat().st_size
    for part in [FrameRange(0, 5), FrameRange(7, 9), FrameRange(10, 17), FrameRange(17, FRAMES)]:
        with RangeReader(path, part) as reader:
            packets = cut(reader)
        assert packets is not None
        assert packets.size < 0.9 * size
        sent = pickle.loads(pickle.dumps(packets))  # noqa: S301
        with PacketReader(sent) as ours, RangeReader(path, part) as theirs:
            assert_same_frames(ours, theirs)
        with RangeReader(path, part) as theirs:
            assert decodes_alike(theirs, packets)


def test_where_a_decoder_needs_more(make_clip):
    path = make_clip("a.avi", codec="mpeg4", frames=8)
    with RangeReader(path, FrameRange(4, 6)) as reader:
        assert cut(reader) is None


def test_packets_that_lack_their_key_frame_are_refused(make_clip):
    from dataclasses import replace

    path = make_clip(frames=FRAMES, options=GOP)
    with RangeReader(path, FrameRange(9, 12)) as reader:
        packets = cut(reader)
    assert packets is not None
    broken = replace(packets, packets=packets.packets[1:])
    with pytest.raises(MediaError):
        list(PacketReader(broken))
    with RangeReader(path, FrameRange(9, 12)) as reader:
        assert not decodes_alike(reader, broken)
