"""Readers: the same members, whatever the frames come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brushreel.core.clips.constant_rate import ConstantRateReader
from brushreel.core.clips.media import ClipReader
from brushreel.core.clips.range import FrameRange, TimeRange
from brushreel.core.clips.range_reader import RangeReader
from brushreel.core.clips.reader import Reader
from brushreel.core.clips.sequence import Pattern
from brushreel.core.clips.sequence_reader import SequenceReader

PART = FrameRange(2, 5)


@pytest.fixture
def clip(tmp_path, write_tracks) -> Path:
    return write_tracks(tmp_path / "c.mov", "video", "audio")


@pytest.fixture
def images(tmp_path) -> Pattern:
    for number in range(8, 15):
        Image.fromarray(np.full((4, 6, 3), number, np.uint8)).save(tmp_path / f"i.{number}.png")
    return Pattern(tmp_path / "i.%d.png")


@pytest.fixture(params=["clip", "range", "constant rate", "images", "range of images"])
def opened(request, clip, images) -> Reader:
    make: dict[str, Callable[[], Reader]] = {
        "clip": lambda: ClipReader(clip),
        "range": lambda: RangeReader(clip, PART),
        "constant rate": lambda: ConstantRateReader(clip, TimeRange()),
        "images": lambda: SequenceReader(images),
        "range of images": lambda: SequenceReader(images, part=PART),
    }
    return make[request.param]()


def test_every_reader_has_every_member(opened):
    members = [name for name in vars(Reader) if name == "__iter__" or not name.startswith("_")]
    assert "numbered" in members
    with opened as reader:
        assert [name for name in members if not hasattr(reader, name)] == []


def test_frames_are_counted_from_zero_and_numbered(opened):
    with opened as reader:
        items = list(reader.numbered())
        frames = [item.frame for item in items]
    assert len(frames) == reader.info.video.frames
    assert frames[0].pts == 0
    assert all(frame.time_base == reader.info.video.time_base for frame in frames)
    first = min(reader.images, default=1)
    assert [item.number for item in items] == list(range(first, first + len(frames)))
    assert all((item.image is None) == (not reader.images) for item in items)


def test_streams_are_those_of_the_facts(opened):
    with opened as reader:
        kinds = [stream.type for stream in reader.streams]
        assert kinds == [other.type for other in reader.info.others]
        indices = {packet.stream.index for packet in reader.packets()}
    assert indices == {other.index for other in reader.info.others}


def test_a_range_is_told_apart_from_the_whole(clip, images):
    whole, part = ClipReader(clip), RangeReader(clip, PART)
    assert (whole.range, part.range) == (None, PART)
    assert whole.identity["excerpt"] != part.identity["excerpt"]
    sequence, some = SequenceReader(images), SequenceReader(images, part=PART)
    assert (sequence.range, some.range) == (None, PART)
    assert sequence.identity["pictures"] != some.identity["pictures"]
    for reader in (whole, part, sequence, some):
        reader.close()


def test_images_have_nothing_next_to_them(images):
    with SequenceReader(images) as reader:
        assert (reader.streams, list(reader.packets()), reader.chapters) == ((), [], [])
        assert (reader.metadata, reader.video_metadata, reader.timecode) == ({}, {}, None)
        assert (reader.damaged_frames, reader.interlaced_frames) == (0, 0)


def test_skipped_images_are_not_read(images):
    images.name(9).write_bytes(images.name(9).read_bytes()[:60])
    with SequenceReader(images) as reader:
        numbers = [item.number for item in reader.numbered(skip=frozenset({9, 10}))]
    assert numbers == [8, 11, 12, 13, 14]
