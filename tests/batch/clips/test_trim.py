"""A part of a clip is that part of the whole, to the frame, in picture, sound and timecode."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.clips.clip import convert, stylize_clip
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.clips.source import span
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.clips.container_facts import _elements
from brushreel.core.clips.media import read
from brushreel.core.clips.range import FrameRange
from brushreel.core.clips.range_reader import RangeReader
from brushreel.core.errors import MediaError, UsageError
from brushreel.core.frames.frame import Frame

from ..listening import Listener

FRAMES = 40
NTSC = Fraction(30000, 1001)
OPEN_GOP = {"g": "12", "bf": "3", "x264-params": "open-gop=1:b-adapt=0", "preset": "medium"}
INTERLACED = {"flags": "+ildct+ilme", "x264-params": "tff=1:keyint=10"}
PARTS = [(0, 1), (1, 2), (13, 29), (24, 25), (FRAMES - 2, FRAMES)]


def _excerpt(path: Path, first: int, end: int) -> list[Frame]:
    with RangeReader(path, FrameRange(first, end)) as reader:
        return [item for item in reader if isinstance(item, Frame)]


@pytest.mark.parametrize(
    "clip",
    [
        {"name": "open_gop.mov", "options": OPEN_GOP, "rate": NTSC},
        {"name": "open_gop.ts", "options": OPEN_GOP},
        {"name": "b.mkv", "codec": "libx265"},
        {"name": "alternate_reference.webm", "codec": "libvpx-vp9"},
        {"name": "hidden_frames.webm", "codec": "libvpx"},
        {"name": "interlaced.mp4", "options": INTERLACED},
        {"name": "refresh.mp4", "options": {"x264-params": "keyint=12:intra-refresh=1"}},
        {"name": "packed.avi", "codec": "mpeg4", "options": {"bf": "2", "g": "9"}},
        {"name": "intra.mov", "codec": "prores_ks", "pixel_format": "yuv422p10le"},
        {"name": "mpeg2.ts", "codec": "mpeg2video", "options": {"bf": "2", "g": "9"}},
        {
            "name": "vfr.mp4",
            "times": [n * 100 + n * n for n in range(FRAMES)],
            "time_base": Fraction(1, 2500),
            "options": {"g": "10"},
        },
    ],
    ids=lambda clip: clip["name"],
)
def test_frames_of_an_excerpt_are_those_of_the_clip(make_clip, clip):
    path = make_clip(frames=FRAMES, **clip)
    whole = list(read(path))
    for first, end in PARTS:
        part, same = _excerpt(path, first, end), whole[first:end]
        assert [f.pts for f in part] == [f.pts - same[0].pts for f in same]
        assert [f.duration for f in part] == [f.duration for f in same]
        for one, other in zip(part, same, strict=True):
            assert all(map(np.array_equal, one.planes, other.planes))


def test_a_late_excerpt_is_not_decoded_from_the_start(make_clip, monkeypatch):
    path = make_clip("long.mp4", frames=60, options={"g": "10"})
    made: list[int | None] = []
    pictures = RangeReader._video_frames

    def counted(reader):
        for picture in pictures(reader):
            made.append(picture.pts)
            yield picture

    monkeypatch.setattr(RangeReader, "_video_frames", counted)
    assert len(_excerpt(path, 50, 52)) == 2
    assert len(made) < 20


def test_a_clip_is_read_once_for_many_excerpts(make_clip, monkeypatch):
    path = make_clip("a.mp4", frames=FRAMES)
    first = _excerpt(path, 3, 5)
    monkeypatch.setattr("brushreel.core.clips.frame_table.open_clip", None)
    assert len(_excerpt(path, 30, 35)) == 5
    assert len(first) == 2


@pytest.fixture
def cut(tmp_path, untouched, painter, read_clip) -> Callable:
    """Converts a part of a clip and reads it back."""

    def run(source: Path, start=None, end=None, *, name: str = "", paint=False, **read):
        output = tmp_path / "out" / (name or source.name)
        stylizer = painter if paint else untouched
        convert(
            source,
            output,
            stylizer,
            read=ReadSettings(range=span(start, end), **read),
            write=WriteSettings(verify="full", overwrite=True),
        )
        return read_clip(output)

    return run


def test_times_start_at_zero_and_keep_their_spacing(make_clip, read_clip, cut):
    ticks = [n * 100 + n * n for n in range(FRAMES)]
    source = make_clip("vfr.mp4", times=ticks, time_base=Fraction(1, 2500))
    whole, part = read_clip(source), cut(source, 0.5, 1.2)
    first = min(range(FRAMES), key=lambda n: abs(whole.times[n] - Fraction(1, 2)))
    count = len(part.times)
    assert part.times == tuple(t - whole.times[first] for t in whole.times[first : first + count])
    assert abs(whole.times[first + count] - Fraction(6, 5)) <= Fraction(1, 20)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_sound_is_the_packets_that_overlap_in_sync(make_clip, read_clip, cut, sound, name):
    source = make_clip(name, frames=FRAMES, sounds=(sound(seconds=Fraction(8, 5)),))
    whole, part = read_clip(source), cut(source, 0.4, 1.0)
    track, kept = whole.audio[0], part.audio[0]
    at = track.contents.index(kept.contents[0])
    count = len(kept.contents)
    assert kept.contents == track.contents[at : at + count]
    assert track.starts[at] <= Fraction(2, 5) < track.starts[at + 1]
    assert track.starts[at + count - 1] < 1 <= track.starts[at + count]
    moved = {start - other for start, other in zip(track.starts[at:], kept.starts, strict=False)}
    assert all(abs(shift - Fraction(2, 5)) <= Fraction(1, 1000) for shift in moved)


def test_a_track_that_lies_far_behind_in_the_file_is_read_too(make_clip, cut, sound):
    path = make_clip("a.mkv", frames=600, sounds=(sound(seconds=Fraction(24)),) * 2)
    apart = path.with_stem("apart")
    with (
        av.open(str(path)) as source,
        av.open(str(apart), "w", options={"max_interleave_delta": "1"}) as target,
    ):
        copies = [target.add_stream_from_template(stream) for stream in source.streams]
        packets = [packet for packet in source.demux() if packet.size]
        for packet in sorted(packets, key=lambda packet: packet.stream.index == 2):
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
    sounds = cut(apart, 1, 3).audio
    assert all(len(track.contents) >= 2 * 48_000 // 1024 for track in sounds)


def test_chapters_and_subtitles_go_with_the_part(make_clip, cut):
    chapters = [
        {"id": n, "start": 400 * n, "end": 400 * (n + 1), "time_base": Fraction(1, 1000)}
        | {"metadata": {"title": str(n)}}
        for n in range(4)
    ]
    source = make_clip("a.mkv", frames=FRAMES, chapters=chapters, subtitles=list("abcdefghi"))
    part = cut(source, 0.64, 1.04)
    assert [(float(s), float(e), title) for s, e, title in part.chapters] == [
        (0, 0.16, "1"),
        (0.16, 0.4, "2"),
    ]
    (track,) = part.others
    assert track.starts[0] == 0
    assert all(start < Fraction(2, 5) for start in track.starts)


@pytest.mark.parametrize(
    ("rate", "code", "start", "then"),
    [
        (Fraction(25), "10:00:00:00", "00:00:00:12", "10:00:00:12"),
        (NTSC, "01:00:59;20", "00:00:00:10", "01:01:00;02"),
        (NTSC, "01:00:59:20", "00:00:00:10", "01:01:00:00"),
        (Fraction(24000, 1001), "00:59:59:20", "0.5", "01:00:00:08"),
        (Fraction(25), None, "0.4", "00:00:00:10"),
    ],
)
def test_timecode_goes_on_to_the_excerpts_start(make_clip, read_clip, cut, rate, code, start, then):
    about = {"reel_name": "A001C002"} | ({"timecode": code} if code else {})
    source = make_clip("a.mov", frames=FRAMES, rate=rate, picture_metadata=about)
    (track,) = cut(source, start).others
    assert track.metadata["timecode"] == then
    assert code is None or track.metadata["reel_name"] == "A001C002"


def test_a_run_of_another_excerpt_is_not_used(make_clip, tmp_path, painter, read_clip):
    source, output = make_clip(frames=FRAMES), tmp_path / "o.mp4"

    def interrupted(first: int, end: int, stop_at: int | None) -> int:
        listener = Listener(stop_at)
        read, write = ReadSettings(range=FrameRange(first, end)), WriteSettings(segment=0.2)
        with suppress(KeyboardInterrupt):
            convert(source, output, painter, handle=listener.handle, read=read, write=write)
        return sum(listener.resumed)

    interrupted(0, 20, stop_at=17)
    assert interrupted(1, 21, stop_at=17) == 0
    assert interrupted(1, 21, stop_at=None) > 0
    assert len(read_clip(output).times) == 20


def test_painted_frames_are_those_of_the_whole_clip(make_clip, tmp_path, painter, read_clip):
    source = make_clip("a.mkv", frames=12, codec="ffv1")
    lossless = EncodeSettings(codec="ffv1")
    convert(source, tmp_path / "whole.mkv", painter, write=WriteSettings(encode=lossless))
    part = ReadSettings(range=FrameRange(5, 9))
    convert(source, tmp_path / "part.mkv", painter, read=part, write=WriteSettings(encode=lossless))
    whole, cut = read_clip(tmp_path / "whole.mkv"), read_clip(tmp_path / "part.mkv")
    for one, other in zip(cut.frames, whole.frames[5:9], strict=True):
        assert all(map(np.array_equal, one, other))


def test_for_a_timeline_the_picture_goes_alone(make_clip, cut, sound):
    source = make_clip("a.mov", frames=FRAMES, sounds=(sound(),))
    assert cut(source, 0.4, for_timeline=True).audio == ()


@pytest.mark.parametrize(
    ("start", "end", "error", "says"),
    [
        (9, None, MediaError, r"ends after 0\.4 s, before"),
        ("0:01", None, MediaError, r"ends after 0\.4 s, before"),
        ("00:00:09:00", None, MediaError, "ends after 00:00:00:10, before"),
        ("00:00:09;00", None, MediaError, "ends after 00:00:00:10, before"),
        (0.2, 0.1, UsageError, "does not come after"),
        ("soon", None, UsageError, "is not a valid time"),
        ("00:00:00:00", "00:00:00:00", UsageError, "does not come after"),
    ],
)
def test_an_excerpt_that_is_not_there_is_named(make_clip, style_file, start, end, error, says):
    source = make_clip()
    with pytest.raises(error, match=says):
        stylize_clip(source, source.with_stem("o"), style_file, start=start, end=end)
    assert not source.with_stem("o").exists()


def test_an_end_behind_the_clips_is_the_clips_end(make_clip, cut):
    assert len(cut(make_clip(), 0.2, 99).times) == 5


def audio_far_ahead(path: Path, seconds: int = 15) -> Path:
    """Write 30 s of video, with audio that is stored so many seconds before its video."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=5, options={"g": "5", "bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(150):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
            codes = np.full((1, 1600), number, np.int16)
            sound = av.AudioFrame.from_ndarray(codes, "s16", "mono")
            sound.sample_rate, sound.pts = 8000, 1600 * number
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    _shift_blocks(path, track=2, milliseconds=1000 * seconds)
    return path


def _shift_blocks(path: Path, track: int, milliseconds: int) -> None:
    """Move the times of a track's blocks (RFC 9559, 10.2: track, then time as int16)."""
    text = bytearray(path.read_bytes())
    masters = {0x18538067, 0x1F43B675, 0xA0}
    with path.open("rb") as file:
        waiting = [(0, len(text))]
        while waiting:
            for number, start, end in _elements(file, *waiting.pop()):
                if number in masters:
                    waiting.append((start, end))
                elif number in (0xA1, 0xA3) and text[start] == 0x80 | track:
                    time = int.from_bytes(text[start + 1 : start + 3], signed=True)
                    shifted = (time + milliseconds).to_bytes(2, signed=True)
                    text[start + 1 : start + 3] = shifted
    path.write_bytes(text)


def test_audio_that_lies_far_before_its_video_in_the_file(tmp_path, untouched):
    source = audio_far_ahead(tmp_path / "a.mkv")
    read = ReadSettings(range=span(20, 22))
    report = convert(source, tmp_path / "out.mkv", untouched, read=read)
    assert not [line for line in report.warnings if "no packet" in line]
    with av.open(str(tmp_path / "out.mkv")) as container:
        codes = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    # At 20 s the audio is what begins 5 s after its own start.
    assert np.unique(codes).tolist() == list(range(25, 35))
