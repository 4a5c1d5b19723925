"""Files in real time to files: times, audio, what is left out, what remains on errors."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import pytest

from brushreel.batch.clips.destination import FileDestination
from brushreel.batch.live import run
from brushreel.batch.live.address import input_address, output_address
from brushreel.batch.live.clock import Clock
from brushreel.batch.live.run import LiveJob, stylize_live
from brushreel.batch.live.settings import InputSettings, OutputSettings
from brushreel.core.errors import OutputError, UsageError
from brushreel.core.source_stylizer import SourceStylizer

from .doubles import PatientClock, SteppedClock, wait_until


def job(source: Path, output: Path, *, loop=False, duration=None, **write) -> LiveJob:
    return LiveJob(
        input_address(str(source)),
        output_address(str(output)),
        InputSettings(loop=loop),
        OutputSettings(**write),
        duration,
    )


@pytest.fixture
def go(untouched, monkeypatch):
    """Does a job by a patient clock, and returns its events."""

    def run_job(wanted: LiveJob) -> list:
        clock, events = PatientClock(), []

        class Counted(SourceStylizer):
            def __call__(self, frame, **form):
                made = super().__call__(frame, **form)
                # The first one gets the network ready.
                clock.stylized += bool(events)
                return made

        monkeypatch.setattr(run, "SourceStylizer", Counted)
        stylize_live(wanted, untouched, events.append, clock)
        return events

    return run_job


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_every_frame_has_its_time_and_audio_its_bytes(
    suffix, make_clip, read_clip, sound, go, tmp_path, listing
):
    source = make_clip(frames=12, rate=Fraction(24000, 1001), sounds=(sound(),))
    output = tmp_path / "out" / f"live{suffix}"
    events = go(job(source, output))
    before, after = read_clip(source), read_clip(output)
    # Matroska counts in milliseconds.
    tolerance = Fraction(1, 2000) if suffix == ".mkv" else 0
    for wanted, written in zip(before.times, after.times, strict=True):
        assert abs(written - wanted) <= tolerance
    assert packets(output, "audio") == packets(source, "audio")
    assert [event.name for event in events] == ["live_started", "live_done"]
    assert (events[0].audio_tracks, events[1].frames, events[1].left_out) == (1, 12, 0)
    assert listing(tmp_path / "out") == [output.name]


def packets(path: Path, kind: str) -> list[tuple[bytes, Fraction]]:
    """Return the packets of a stream with their times, rounded to Matroska's."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (bytes(packet), round(packet.pts * packet.time_base, 3))
            for packet in container.demux(stream)
            if packet.size
        ]


def test_an_audio_that_the_container_does_not_take_becomes_aac(make_clip, sound, go, tmp_path):
    source = make_clip("pcm.mkv", frames=6, sounds=(sound("pcm_s16le"),))
    output = tmp_path / "live.ts"
    events = go(job(source, output))
    (line,) = events[0].warnings
    assert line == "audio (pcm_s16le) is converted to AAC: the output does not take it"
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_a_file_begins_again_at_its_end(make_clip, read_clip, sound, go, tmp_path):
    source = make_clip(frames=5, sounds=(sound(seconds=Fraction(1, 5)),))
    output = tmp_path / "live.mkv"
    go(job(source, output, loop=True, duration=Fraction(1, 2)))
    assert list(read_clip(output).times) == [Fraction(number, 25) for number in range(13)]
    starts = [time for _, time in packets(output, "audio")]
    assert starts == sorted(starts)
    assert starts[-1] > 0.4


def test_a_list_of_hls_grows_in_its_folder(make_clip, sound, go, tmp_path, listing):
    source = make_clip(frames=75, sounds=(sound(seconds=Fraction(3)),))
    output = tmp_path / "hls" / "live.m3u8"
    go(job(source, output))
    assert listing(tmp_path / "hls") == ["live.m3u8", "live0.ts", "live1.ts"]
    assert output.read_text().splitlines()[-1] == "#EXT-X-ENDLIST"
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 75
    with pytest.raises(OutputError, match="exists already"):
        go(job(source, output))


def test_a_constant_rate_repeats_what_is_missing_and_says_so(make_clip, read_clip, go, tmp_path):
    source = make_clip(frames=5, rate=Fraction(10))
    output = tmp_path / "live.mkv"
    events = go(job(source, output, rate=Fraction(25)))
    assert list(read_clip(output).times) == [Fraction(number, 25) for number in range(11)]
    assert (events[-1].frames, events[-1].repeated, events[-1].left_out) == (5, 6, 0)
    events = go(job(source, tmp_path / "slow.mkv", rate=Fraction(5)))
    assert events[-1].left_out == 2


def test_a_slow_machine_leaves_frames_out_and_takes_the_newest(
    make_clip, read_clip, untouched, tmp_path, monkeypatch
):
    """While one frame is stylized all others come: the next is the last one, not the second."""
    source, output, events = make_clip(frames=20), tmp_path / "live.mkv", []
    calls = []

    class Slow(SourceStylizer):
        def __call__(self, frame, **form):
            calls.append(frame.pts * frame.time_base)
            if len(calls) == 2:  # the first one gets the network ready
                wait_until(lambda: "_read" not in {thread.name for thread in threading.enumerate()})
            return super().__call__(frame, **form)

    monkeypatch.setattr(run, "SourceStylizer", Slow)
    stylize_live(job(source, output), untouched, events.append, SteppedClock())
    last = read_clip(source).times[-1]
    assert list(read_clip(output).times) == sorted({calls[1], last})
    assert events[-1].frames + events[-1].left_out == 20
    assert events[-1].left_out >= 18


def test_a_full_disk_is_one_line_that_names_what_is_left(
    make_clip, go, tmp_path, monkeypatch, listing
):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    source, output = make_clip(frames=10), tmp_path / "out" / "live.mkv"
    monkeypatch.setattr(FileDestination, "hidden", property(lambda _: Path("/dev/full")))
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        go(job(source, output))
    assert "\n" not in str(caught.value)
    assert listing(tmp_path / "out") == []


def test_an_output_that_fails_half_way_stays_under_its_hidden_name(
    make_clip, go, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("brushreel.batch.live.stream_sink.FileDestination.give_name", full)
    output = tmp_path / "live.mkv"
    with pytest.raises(OutputError, match=r"what was written until then is in .*\.partial\.mkv"):
        go(job(make_clip(frames=5), output))
    (hidden,) = tmp_path.glob(".live.*")
    with av.open(str(hidden)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_what_is_refused_before_anything_is_opened(make_clip, untouched, tmp_path):
    source = make_clip(frames=2)
    for wanted, words in (
        (job(source, source), "is the input"),
        (LiveJob(input_address("udp://127.0.0.1:1"), output_address("a.mkv"),
                 InputSettings(loop=True)), "--loop is for files"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            stylize_live(wanted, untouched, lambda _: None, Clock())
    existing = tmp_path / "there.mkv"
    existing.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        stylize_live(job(source, existing), untouched, lambda _: None, Clock())
    assert existing.read_bytes() == b"mine"
