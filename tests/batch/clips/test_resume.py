"""A run that was cut off goes on, and its file is the one of a run that was not."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from housestyle.batch.clips import clip, segment
from housestyle.batch.clips.clip import Observer, convert
from housestyle.batch.clips.handling import ClipReport, Handling
from housestyle.batch.clips.work_folder import work_folder
from housestyle.batch.encoding.encode import EncodeSettings
from housestyle.core.errors import OutputError
from housestyle.core.stylizer import Stylizer

FRAMES, PER_SEGMENT = 23, 5
SHORT = Handling(segment=0.2)


@dataclass
class Heard:
    """What an observer heard; interrupts after a frame if told to."""

    stop_at: int | None = None
    frames: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    kept: list[tuple[Path, int]] = field(default_factory=list)

    def observer(self) -> Observer:
        return Observer(
            on_frame=self._frame,
            on_resume=self.resumed.append,
            on_kept=lambda folder, frames: self.kept.append((folder, frames)),
        )

    def _frame(self, count: int) -> None:
        self.frames.append(count)
        if count == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture
def source(make_clip, sound) -> Path:
    return make_clip("in/a.mp4", frames=FRAMES, sounds=(sound(), sound("libmp3lame")))


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "out" / "o.mp4"


@pytest.fixture
def run(source, output, painter) -> Callable[..., tuple[ClipReport, Heard]]:
    """Converts, and says what was heard."""

    def convert_it(stylizer: Stylizer = painter, handling: Handling = SHORT, **settings):
        heard = Heard()
        report = convert(
            source,
            output,
            stylizer,
            EncodeSettings(**settings),
            observer=heard.observer(),
            handling=handling,
        )
        return report, heard

    return convert_it


@pytest.fixture
def interrupted(source, output, painter) -> Callable[[int], Heard]:
    """Converts up to a frame, and interrupts there."""

    def interrupt(frames: int = 14, **settings) -> Heard:
        heard = Heard(stop_at=frames)
        with pytest.raises(KeyboardInterrupt):
            convert(
                source,
                output,
                painter,
                EncodeSettings(**settings),
                observer=heard.observer(),
                handling=SHORT,
            )
        return heard

    return interrupt


@pytest.fixture
def whole(source, painter, tmp_path, read_clip) -> Callable:
    """The clip of a run that nobody disturbed."""

    def uninterrupted(name: str = "whole.mp4", stylizer: Stylizer = painter, **settings):
        path = tmp_path / "whole" / name
        convert(source, path, stylizer, EncodeSettings(**settings), handling=SHORT)
        return read_clip(path)

    return uninterrupted


def assert_same(one, other) -> None:
    """Frames, times and sound, to the last bit."""
    assert one.times == other.times
    assert one.others == other.others
    assert (one.duration, one.frame_rate) == (other.duration, other.frame_rate)
    for mine, theirs in zip(one.frames, other.frames, strict=True):
        assert all(map(np.array_equal, mine, theirs))


# Segments


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("o.mp4", "h264"),
        ("o.mp4", "hevc"),
        ("o.mkv", "hevc"),
        ("o.mov", "prores"),
        ("o.mkv", "ffv1"),
    ],
)
def test_segments_are_seamless(make_clip, sound, painter, tmp_path, read_clip, name, codec):
    source = make_clip(frames=FRAMES, rate=Fraction(24000, 1001), sounds=(sound(),))
    report = convert(source, tmp_path / name, painter, EncodeSettings(codec=codec), handling=SHORT)
    assert (report.segments, report.segments_reused) == (5, 0)
    before, after = read_clip(source), read_clip(tmp_path / name)
    tolerance = Fraction(1, 2000) if name.endswith("mkv") else 0
    assert len(after.times) == FRAMES
    assert max(abs(a - b) for a, b in zip(after.times, before.times, strict=True)) <= tolerance
    assert [track.contents for track in after.audio] == [track.contents for track in before.audio]


def test_lossless_segments_hold_every_frame(make_clip, untouched, tmp_path, read_clip):
    source = make_clip("a.mkv", codec="ffv1", frames=FRAMES)
    convert(source, tmp_path / "o.mkv", untouched, EncodeSettings(codec="ffv1"), handling=SHORT)
    for mine, theirs in zip(
        read_clip(tmp_path / "o.mkv").frames, read_clip(source).frames, strict=True
    ):
        assert all(map(np.array_equal, mine, theirs))


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_last_segment_of_a_frame_or_two(make_clip, painter, tmp_path, read_clip, codec, last):
    source = make_clip(frames=PER_SEGMENT + last)
    convert(source, tmp_path / "o.mp4", painter, EncodeSettings(codec=codec), handling=SHORT)
    assert read_clip(tmp_path / "o.mp4").times == read_clip(source).times


def test_variable_rates_stay_exact_over_segments(make_clip, painter, tmp_path, read_clip):
    steps = 3000 + np.random.default_rng(3).integers(-200, 2000, FRAMES)
    times = [7000, *(7000 + np.cumsum(steps[1:])).tolist()]
    source = make_clip(time_base=Fraction(1, 90_000), times=times)
    convert(source, tmp_path / "o.mp4", painter, EncodeSettings(), handling=SHORT)
    before, after = read_clip(source), read_clip(tmp_path / "o.mp4")
    assert after.times == before.times
    assert after.duration == before.duration


# Going on


def test_an_interrupted_run_goes_on(run, interrupted, whole, output, read_clip, listing):
    stopped = interrupted(14)
    folder, frames = stopped.kept[0]
    assert folder == work_folder(output) == output.parent / ".o.mp4.housestyle"
    assert frames in (5, 10)
    assert not output.exists()
    report, heard = run()
    assert heard.resumed == [frames]
    assert heard.frames == list(range(frames + 1, FRAMES + 1))
    assert (report.frames, report.segments, report.segments_reused) == (23, 5, frames // 5)
    assert heard.kept == []
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


def test_interrupted_again_and_again(run, interrupted, whole, output, read_clip):
    for frames in (8, 13, 18, 22):
        assert interrupted(frames).frames[-1] == frames
    report, _ = run()
    assert report.segments_reused >= 3
    assert_same(read_clip(output), whole())


def test_within_the_first_segment_nothing_is_kept(interrupted, output, listing):
    assert interrupted(3).kept == []
    assert not output.parent.exists()


def test_no_resume_starts_anew(run, interrupted, whole, output, read_clip):
    interrupted(14)
    report, heard = run(handling=replace(SHORT, resume=False))
    assert (report.segments_reused, heard.resumed, len(heard.frames)) == (0, [], FRAMES)
    assert_same(read_clip(output), whole())


def test_everything_done_but_the_last_step(run, output, monkeypatch, whole, read_clip):
    def no_disk(*_arguments) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(clip.FinishedFile, "write", no_disk)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        run()
    assert "the same command goes on" in str(caught.value)
    assert not any(path.stem == "whole" for path in work_folder(output).iterdir())
    monkeypatch.undo()
    report, heard = run()
    assert (report.segments_reused, heard.resumed, heard.frames) == (5, [FRAMES], [])
    assert_same(read_clip(output), whole())


@pytest.mark.parametrize("full_at", [1, 2, 3, 4, 5, 6, 8])
def test_a_full_disk_at_any_file(run, output, monkeypatch, whole, read_clip, full_at, listing):
    """Segments and manifests take turns; each of them may be the one that does not fit."""
    opened = iter(range(1, 100))
    original = segment.whole_file

    def no_disk(path: Path):
        if next(opened) == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path)

    for module in ("segment", "resume"):
        monkeypatch.setattr(f"housestyle.batch.clips.{module}.whole_file", no_disk)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        run()
    assert caught.value.path == output
    monkeypatch.undo()
    if full_at == 1:
        assert not output.parent.exists()
    report, _ = run()
    # A segment that was not noted is not trusted.
    assert report.segments_reused == (full_at - 1) // 2
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


@pytest.fixture
def untidy(run, monkeypatch, output) -> None:
    """A run that was cut off between giving the file its name and removing the folder."""

    def cut_off(_work) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("housestyle.batch.clips.resume.Work.remove", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.undo()
    assert output.exists()
    assert segments(output)


def test_a_finished_file_is_only_tidied_up_after(run, untidy, output, listing, fingerprint):
    before = fingerprint(output)
    segments(output)[0].unlink()
    report, heard = run()
    assert (heard.resumed, heard.frames) == ([FRAMES], [])
    assert (report.frames, report.audio_tracks) == (FRAMES, 2)
    assert (report.segments, report.segments_reused) == (5, 5)
    assert fingerprint(output) == before
    assert listing(output.parent) == ["o.mp4"]


def test_with_other_settings_a_finished_file_exists_already(run, untidy, output, fingerprint):
    before = fingerprint(output)
    for other in ({"crf": 30}, {"handling": replace(SHORT, resume=False)}):
        with pytest.raises(OutputError, match="exists already"):
            run(**other)
    assert fingerprint(output) == before


def test_a_file_that_was_changed_since_exists_already(run, untidy, output):
    output.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        run()
    assert output.read_bytes() == b"precious"


# What is not trusted


def segments(output: Path) -> list[Path]:
    return sorted(work_folder(output).glob("*.segment"))


DAMAGE = {
    "absent": lambda path: path.unlink(),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another's": lambda path: path.write_bytes(path.with_name("000001.segment").read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_segment_is_done_again(run, interrupted, whole, output, read_clip, damage):
    kept = interrupted(18).kept[0][1]
    damage(segments(output)[0])
    report, heard = run()
    assert report.segments_reused == kept // 5 - 1
    # It lies before the ones that are kept, and comes first.
    assert heard.resumed == [kept - 5]
    assert len(heard.frames) == FRAMES - kept + 5
    assert_same(read_clip(output), whole())


def test_files_of_half_segments_are_not_taken_by_their_name(
    run, interrupted, whole, output, read_clip, listing
):
    kept = interrupted(14).kept[0][1] // 5
    folder = work_folder(output)
    for number in range(kept, 5):
        (folder / f"{number:06}.segment").write_bytes(segments(output)[0].read_bytes())
    (folder / ".000004.segment.77.partial").write_bytes(b"half")
    (folder / "whole.mp4").write_bytes(b"half")
    report, _ = run()
    assert report.segments_reused == kept
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


MANIFESTS = {
    "absent": None,
    "empty": b"",
    "half": b'{"housestyle_segments": 1, "key": {',
    "no object": b"[1, 2]",
    "another format": b'{"housestyle_segments": 2, "key": {}, "segments": []}',
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_is_not_believed(run, interrupted, whole, output, read_clip, content):
    interrupted(14)
    manifest = work_folder(output) / "manifest.json"
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    report, _ = run()
    assert report.segments_reused == 0
    assert_same(read_clip(output), whole())


def test_a_manifest_that_claims_more_is_found_out(run, interrupted, output):
    interrupted(14)
    manifest = work_folder(output) / "manifest.json"
    about = json.loads(manifest.read_text())
    about["segments"][0]["last"] += 1
    manifest.write_text(json.dumps(about))
    with pytest.raises(OutputError, match="other frames than before"):
        run()
    report, _ = run()
    assert report.segments_reused == 0


def test_another_source_of_the_same_name_is_done_anew(
    run, interrupted, make_clip, sound, whole, output, read_clip
):
    interrupted(14)
    make_clip("in/a.mp4", frames=FRAMES, first=50, sounds=(sound(), sound("libmp3lame")))
    report, _ = run()
    assert report.segments_reused == 0
    assert_same(read_clip(output), whole())


def test_a_source_that_was_touched_is_done_anew(run, interrupted, source):
    interrupted(14)
    os.utime(source, ns=(1, 1))
    assert run()[0].segments_reused == 0


@pytest.mark.parametrize(
    "other",
    [{"strength": 0.5}, {"keep_colors": True}, {"precision": "bf16"}],
    ids=["strength", "colours", "precision"],
)
def test_another_stylizer_starts_anew(
    run, interrupted, tiny_style, whole, output, read_clip, other
):
    interrupted(14)
    stylizer = Stylizer(tiny_style, **({"device": "cpu", "precision": "fp32"} | other))
    assert run(stylizer)[0].segments_reused == 0
    assert_same(read_clip(output), whole(stylizer=stylizer))


def test_another_style_starts_anew(run, interrupted, tiny_style):
    interrupted(14)
    weights = {name: weight.clone() for name, weight in tiny_style.weights.items()}
    next(iter(weights.values())).view(-1)[0] += 1
    other = replace(tiny_style, weights=weights)
    stylizer = Stylizer(other, device="cpu", precision="fp32")
    assert run(stylizer)[0].segments_reused == 0


@pytest.mark.parametrize(
    "settings", [{"crf": 20}, {"codec": "hevc"}, {"handling": replace(SHORT, segment=0.4)}], ids=str
)
def test_other_settings_start_anew(run, interrupted, settings):
    interrupted(14)
    assert run(**settings)[0].segments_reused == 0


@pytest.mark.parametrize(
    "library", ["housestyle.batch.clips.resume.__version__", "torch.__version__"]
)
def test_other_versions_start_anew(run, interrupted, monkeypatch, library):
    interrupted(14)
    monkeypatch.setattr(library, "0.0.0")
    assert run()[0].segments_reused == 0


def test_how_it_is_verified_does_not_matter(run, interrupted):
    interrupted(14)
    assert run(handling=replace(SHORT, verify="full"))[0].segments_reused > 0


def test_files_of_others_in_the_work_folder_stay(run, interrupted, output, listing):
    interrupted(14)
    mine = work_folder(output) / "notes.txt"
    mine.write_text("precious")
    run()
    assert mine.read_text() == "precious"
    assert listing(work_folder(output)) == ["notes.txt"]


# Two processes


HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(run, interrupted, output, source):
    interrupted(14)
    lock = work_folder(output) / "lock"
    before = sorted(path.name for path in work_folder(output).iterdir())
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="is being written by another process") as caught:
            run()
        assert caught.value.path == output
        assert sorted(path.name for path in work_folder(output).iterdir()) == before
        holder.kill()
        holder.wait()
        # The lock went with the process.
        assert run()[0].segments_reused > 0


def test_the_same_process_is_refused_as_well(run, source, output, painter):
    inner: list[OutputError] = []

    def again(_count: int) -> None:
        if not inner:
            with pytest.raises(OutputError, match="another process") as caught:
                convert(source, output, painter, EncodeSettings(), handling=SHORT)
            inner.append(caught.value)

    convert(
        source,
        output,
        painter,
        EncodeSettings(),
        observer=Observer(on_frame=again),
        handling=SHORT,
    )
    assert inner
    assert output.exists()
