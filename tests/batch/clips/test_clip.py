"""A converted clip's times, sound, and every other track."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.clips.clip import convert, stylize_clip
from brushreel.batch.clips.settings import WriteSettings
from brushreel.core.clips.media import read
from brushreel.core.errors import OutputError, UsageError
from brushreel.core.frames.colour import from_rgb, to_rgb

from ..listening import Listener, on_frame


def assert_same_times(before, after, tolerance: Fraction = Fraction(0)) -> None:
    assert len(after.times) == len(before.times)
    differences = [abs(a - b) for a, b in zip(after.times, before.times, strict=True)]
    assert max(differences) <= tolerance


def assert_same_sound(before, after, tolerance: Fraction = Fraction(0)) -> None:
    assert len(after.audio) == len(before.audio) > 0
    for ours, theirs in zip(after.audio, before.audio, strict=True):
        assert ours.codec == theirs.codec
        assert ours.contents == theirs.contents
        assert len(ours.starts) == len(theirs.starts)
        for start, wanted in zip(ours.starts, theirs.starts, strict=True):
            assert abs(start - wanted) <= tolerance


# Time


RATES = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(60), Fraction(12, 5)]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_constant_rates_are_exact(make_clip, read_clip, painter, converted, rate, suffix):
    source = make_clip(f"a.{suffix}", rate=rate)
    before, after = read_clip(source), converted(source, painter)
    assert_same_times(before, after)
    assert after.times[-1] == 9 / rate
    assert after.duration == before.duration == 10 / rate
    assert after.frame_rate == rate


VARIABLE = [0, 3003, 4000, 9009, 9010, 20001, 21000, 50000]


@pytest.mark.parametrize("options", [{}, {"preset": "medium", "x264-params": "bframes=3"}])
@pytest.mark.parametrize("codec", ["auto", "hevc", "prores"])
def test_variable_rate_is_exact(make_clip, read_clip, painter, converted, options, codec):
    source = make_clip("a.mov", time_base=Fraction(1, 90000), times=VARIABLE, options=options)
    before, after = read_clip(source), converted(source, painter, codec=codec)
    assert before.times == tuple(Fraction(pts, 90000) for pts in VARIABLE)
    assert_same_times(before, after)
    assert after.duration == before.duration


def jittered(frames: int) -> list[int]:
    """Return the times of a phone: about 30 frames a second, never quite, in 1/90000 s."""
    steps = 3000 + np.random.default_rng(3).integers(-200, 200, frames)
    return [0, *np.cumsum(steps[1:]).tolist()]


@pytest.mark.parametrize(
    "times",
    [
        jittered(20),
        [0, 180_000, *range(183_000, 200_000, 3000)],
        [*range(0, 30_000, 3000), 100_000],
        [*range(0, 30_000, 3000), *range(30_000, 36_000, 750)],
        [0, 5000],
        [0],
    ],
    ids=["jitter", "long first", "long last", "speeds up", "two frames", "one frame"],
)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_variable_rates_last_as_long_as_the_source(
    make_clip, read_clip, painter, converted, times, codec
):
    source = make_clip(time_base=Fraction(1, 90000), times=times)
    before, after = read_clip(source), converted(source, painter, codec=codec)
    assert_same_times(before, after)
    assert after.duration == before.duration
    assert after.frame_rate == before.frame_rate


@pytest.mark.parametrize("name", ["a.mkv", "b.ts"])
def test_rounded_and_clocked_times_go_into_mp4(make_clip, read_clip, painter, converted, name):
    source = make_clip(name, rate=Fraction(30000, 1001), frames=20)
    before, after = read_clip(source), converted(source, painter, "o.mp4")
    origin = before.times[0]
    assert after.times == tuple(time - origin for time in before.times)


def test_reordered_frames_come_out_in_order(make_clip, read_clip, painter, converted):
    options = {"preset": "medium", "x264-params": "bframes=3:b-adapt=0:scenecut=0"}
    source = make_clip(frames=12, options=options)
    with av.open(str(source)) as container:
        dts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert dts != sorted(dts)
    assert_same_times(read_clip(source), converted(source, painter))
    pictures = converted(source, painter, "o.mkv", codec="ffv1").frames
    for frame, written in zip(read(source), pictures, strict=True):
        painted = from_rgb(painter(to_rgb(frame)), frame)
        assert all(map(np.array_equal, painted.planes, written))


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24000, 1001)], ids=str)
def test_matroska_is_exact_to_half_a_millisecond(make_clip, read_clip, painter, converted, rate):
    source = make_clip(rate=rate)
    after = converted(source, painter, "o.mkv")
    assert_same_times(read_clip(source), after, Fraction(1, 2000))


def test_rounding_by_matroska_is_said_before_the_first_frame(make_clip, painter, tmp_path):
    heard = Listener()
    source = make_clip(rate=Fraction(24000, 1001), frames=2)
    report = convert(source, tmp_path / "o.mkv", painter, handle=heard.handle)
    [warning] = heard.warnings
    assert "millisecond" in warning
    assert heard.frames == [1, 2]
    assert report.warnings == (warning,)


def test_webm_and_mkv_keep_their_milliseconds(make_clip, read_clip, sound, painter, converted):
    times = [0, 33, 67, 100, 180, 181, 300]
    for name, codec, audio in (("a.webm", "libvpx-vp9", "libopus"), ("b.mkv", "libx264", "aac")):
        source = make_clip(
            name, codec=codec, times=times, time_base=Fraction(1, 1000), sounds=(sound(audio),)
        )
        before, after = read_clip(source), converted(source, painter, f"{name}.mkv")
        assert_same_times(before, after)
        assert_same_sound(before, after)
        assert after.times == tuple(Fraction(time, 1000) for time in times)


def test_webm_to_mp4(make_clip, read_clip, sound, painter, converted):
    source = make_clip("a.webm", codec="libvpx-vp9", sounds=(sound("libopus"),))
    before, after = read_clip(source), converted(source, painter, "o.mp4")
    assert_same_times(before, after)
    assert_same_sound(before, after)


# Sound


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("a.mp4", ("aac", "libmp3lame")),
        ("a.mov", ("aac", "pcm_s16le")),
        ("a.mkv", ("aac", "flac", "libmp3lame")),
    ],
)
def test_every_sound_track_is_copied(make_clip, read_clip, sound, painter, converted, name, codecs):
    tracks = [sound(codec, hertz=300 + 100 * index) for index, codec in enumerate(codecs)]
    source = make_clip(name, sounds=tracks)
    before, after = read_clip(source), converted(source, painter)
    assert len(after.audio) == len(codecs)
    assert_same_sound(before, after)
    assert_same_times(before, after)


def test_mkv_with_flac_to_mp4(make_clip, read_clip, sound, painter, converted):
    source = make_clip("a.mkv", sounds=(sound("flac"), sound()))
    before, after = read_clip(source), converted(source, painter, "o.mp4")
    # Matroska gives times in milliseconds, MP4 counts samples.
    assert_same_sound(before, after, Fraction(1, 1000))


@pytest.mark.parametrize("start", [Fraction(1, 2), Fraction(24001, 48000), Fraction(1, 3)], ids=str)
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_sound_that_starts_later(make_clip, read_clip, sound, painter, converted, start, name):
    source = make_clip(
        name,
        sounds=(sound("libmp3lame", start=start),),
        muxer_options={"movie_timescale": "48000"},
        rate=Fraction(24000, 1001),
    )
    before, after = read_clip(source), converted(source, painter)
    assert abs(before.audio[0].starts[0] - start) < Fraction(3, 100)
    assert before.times[0] == 0
    assert_same_sound(before, after)
    assert_same_times(before, after)


def test_sound_that_starts_half_a_second_later_in_mkv(
    make_clip, read_clip, sound, painter, converted
):
    source = make_clip("a.mkv", sounds=(sound("flac", start=Fraction(1, 2)),))
    before, after = read_clip(source), converted(source, painter)
    assert after.audio[0].starts[0] == Fraction(1, 2)
    assert_same_sound(before, after)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_picture_that_starts_later(make_clip, read_clip, sound, painter, converted, name):
    source = make_clip(name, times=list(range(10, 20)), sounds=(sound(),))
    before, after = read_clip(source), converted(source, painter)
    assert before.times[0] == Fraction(10, 25)
    assert_same_times(before, after)
    assert_same_sound(before, after)


def test_picture_longer_than_sound_and_shorter(make_clip, read_clip, sound, painter, converted):
    for name, seconds in (("short.mp4", Fraction(1, 10)), ("long.mp4", Fraction(2))):
        source = make_clip(name, sounds=(sound(seconds=seconds),))
        before, after = read_clip(source), converted(source, painter)
        assert_same_times(before, after)
        assert_same_sound(before, after)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_a_short_picture_with_longer_sound_in_mkv(
    make_clip, read_clip, sound, painter, converted, frames
):
    source = make_clip(frames=frames, sounds=(sound(),))
    before, after = read_clip(source), converted(source, painter, "o.mkv")
    assert_same_times(before, after)
    assert_same_sound(before, after, Fraction(1, 1000))


def test_clip_without_sound(make_clip, painter, converted):
    assert converted(make_clip(), painter).others == ()


@pytest.mark.parametrize("target", ["o.mp4", "o.mkv"])
@pytest.mark.parametrize("clock", ["0", "1000", "90000.5"])
def test_transport_stream(make_clip, read_clip, sound, painter, converted, clock, target):
    source = make_clip("a.ts", sounds=(sound(),), muxer_options={"output_ts_offset": clock})
    before, after = read_clip(source), converted(source, painter, target)
    tolerance = Fraction(1, 1000) if target == "o.mkv" else Fraction(0)
    origin = min(before.times[0], before.audio[0].starts[0])
    assert clock == "0" or origin > 999
    assert len(after.times) == 10
    for old, new in zip(before.times, after.times, strict=True):
        assert abs(old - origin - new) <= tolerance
    theirs, ours = before.audio[0], after.audio[0]
    # ADTS repeats a header of 7 bytes before every packet, which the written kinds leave out.
    assert [packet[7:] for packet in theirs.contents] == list(ours.contents)
    for old, new in zip(theirs.starts, ours.starts, strict=True):
        assert abs(old - origin - new) <= max(tolerance, Fraction(1, 48000))


# Everything else


CHAPTERS = [
    {
        "id": number,
        "start": 200 * number,
        "end": 200 * number + 200,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }
    for number, title in enumerate(("Überfahrt", "Ankunft"))
]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_title_languages_and_chapters_are_kept(
    make_clip, read_clip, sound, painter, converted, name
):
    source = make_clip(
        name,
        metadata={"title": "Die große Welle", "comment": "a = b; c"},
        sounds=(
            sound(metadata={"language": "ger"}),
            sound("libmp3lame", metadata={"language": "eng"}),
        ),
        chapters=CHAPTERS,
    )
    before, after = read_clip(source), converted(source, painter)
    assert before.metadata["title"] == "Die große Welle"
    assert after.metadata["title"] == before.metadata["title"]
    assert {k.lower(): v for k, v in after.metadata.items()}["comment"] == "a = b; c"
    assert [track.metadata["language"] for track in after.audio] == ["ger", "eng"]
    assert [title for _, _, title in before.chapters] == ["Überfahrt", "Ankunft"]
    assert after.chapters == before.chapters
    assert [t.disposition for t in after.others] == [t.disposition for t in before.others]


@pytest.mark.parametrize("written", [["fre", "deu"], ["fra", "ger"]])
def test_both_codes_of_a_language_are_kept_in_mov(make_clip, sound, painter, converted, written):
    source = make_clip("a.mkv", sounds=[sound(metadata={"language": code}) for code in written])
    after = converted(source, painter, "a.mov")
    assert [track.metadata["language"] for track in after.audio] == ["fra", "ger"]


def test_subtitles_are_kept_in_mkv(make_clip, read_clip, sound, painter, converted):
    source = make_clip("a.mkv", sounds=(sound(),), subtitles=["Grüße", "Wörld"])
    before, after = read_clip(source), converted(source, painter)
    ours, theirs = after.others[-1], before.others[-1]
    assert (ours.type, ours.codec) == ("subtitle", theirs.codec)
    assert ours.contents == theirs.contents
    assert ours.contents[0].decode() == "Grüße"
    assert (ours.starts, ours.durations) == (theirs.starts, theirs.durations)
    assert ours.metadata["language"] == "ger"


def test_what_is_dropped_is_said_before_the_first_frame(make_clip, sound, painter, tmp_path):
    source = make_clip("a.mkv", sounds=(sound(),), subtitles=["hello"], frames=3)
    heard = Listener()
    report = convert(
        source,
        tmp_path / "o.mp4",
        painter,
        handle=heard.handle,
        write=WriteSettings(drop_unsupported=True),
    )
    [warning] = heard.warnings
    assert "subtitle" in warning
    assert heard.frames == [1, 2, 3]
    assert report.audio_tracks == 1
    assert report.warnings == (warning,)


@pytest.mark.parametrize(
    ("name", "kind", "ways"),
    [
        (
            "a.avi",
            {"sounds": "adpcm_ms"},
            "--audio aac converts it; --drop-unsupported leaves it out",
        ),
        (
            "a.avi",
            {"sounds": "pcm_mulaw"},
            "write a .mov: -o NAME.mov, or --container mov; --audio aac converts it; "
            "--drop-unsupported leaves it out",
        ),
        (
            "a.mkv",
            {"subtitles": ["hello"]},
            "write a .mkv: -o NAME.mkv, or --container mkv; --drop-unsupported leaves it out",
        ),
    ],
    ids=["adpcm_ms", "pcm_mulaw", "srt"],
)
def test_what_the_container_cannot_hold_is_refused_at_once(
    make_clip, sound, painter, tmp_path, listing, name, kind, ways
):
    if "sounds" in kind:
        kind = {"sounds": (sound(kind["sounds"]),)}
    source, output = make_clip(name, **kind), tmp_path / "out" / "o.mp4"
    frames: list[int] = []
    with pytest.raises(OutputError, match="mp4 does not support") as caught:
        convert(source, output, painter, handle=on_frame(frames.append))
    assert f"({ways})" in str(caught.value)
    assert frames == []
    assert listing(tmp_path / "out") == []
    # And the advice is right.
    if "mkv" in ways or "mov" in ways:
        other = output.with_suffix("." + ways.split(";")[0].split()[-1])
        assert convert(source, other, painter).warnings == ()
    dropping = WriteSettings(drop_unsupported=True)
    report = convert(source, output, painter, write=dropping)
    assert "is left out" in report.warnings[0]
    assert report.audio_tracks == 0


@pytest.mark.parametrize(
    "name",
    ["it's here.mp4", "two  spaces .mp4", "100%d %s.mp4", "a:b.mp4", "中文 片段.mp4", "-dash.mp4"],
)
def test_names_with_anything_in_them(make_clip, sound, painter, converted, name, tmp_path, listing):
    folder = tmp_path / "out"
    source = make_clip(f"in put's/{name}", sounds=(sound(),), frames=3)
    after = converted(source, painter)
    assert len(after.times) == 3
    assert listing(folder) == [name]


def test_a_relative_name_with_a_colon(make_clip, painter, tmp_path, monkeypatch):
    make_clip("http:x.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    convert(Path("http:x.mp4"), Path("file:y.mp4"), painter)
    assert (tmp_path / "file:y.mp4").is_file()


# From Python


def test_progress_is_told_frame_by_frame(make_clip, style_file, tmp_path):
    told: list[tuple[int, int | None]] = []
    stylize_clip(
        make_clip(frames=4),
        tmp_path / "o.mp4",
        style_file,
        device="cpu",
        on_progress=lambda done, expected: told.append((done, expected)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_progress_raises_ends_the_call(make_clip, style_file, tmp_path, listing):
    def stop(done: int, expected: int | None) -> None:
        raise KeyError(done, expected)

    with pytest.raises(KeyError):
        stylize_clip(
            make_clip(), tmp_path / "out/o.mp4", style_file, device="cpu", on_progress=stop
        )
    assert listing(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("output", "options", "written", "codec"),
    [
        (None, {}, "clip.tiny.mp4", "h264"),
        (None, {"container": "mkv"}, "clip.tiny.mkv", "h264"),
        ("out", {"container": "mov"}, "out/clip.mov", "h264"),
        (None, {"delivery": "prores-master"}, "clip.tiny.mov", "prores"),
        ("out", {"delivery": "prores-master", "container": "mkv"}, "out/clip.mkv", "prores"),
        ("o.mp4", {"delivery": "h264-review", "codec": "h264", "crf": 30}, "o.mp4", "h264"),
    ],
)
def test_container_and_delivery(
    make_clip, read_clip, style_file, tmp_path, output, options, written, codec
):
    output = None if output is None else tmp_path / output
    report = stylize_clip(make_clip(), output, style_file, device="cpu", **options)
    assert report.output == tmp_path / written
    with av.open(str(report.output)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"delivery": "dvd"}, "delivery must be one of prores-master"),
        ({"container": "mkv"}, r"is not an \.mkv \(name it o\.mkv\)"),
        ({"delivery": "prores-master"}, r"is not an \.mov"),
    ],
)
def test_a_delivery_or_container_that_does_not_fit(make_clip, style_file, tmp_path, options, says):
    with pytest.raises(UsageError, match=says):
        stylize_clip(make_clip(), tmp_path / "o.mp4", style_file, device="cpu", **options)


def test_a_folder_is_no_clip(style_file, tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        stylize_clip(tmp_path, None, style_file)
