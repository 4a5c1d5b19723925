"""A sequence that was cut off goes on, and nothing that was not asked for is replaced."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from brushreel.batch.clips.clip import convert, inspect_clip, stylize_clip
from brushreel.batch.clips.destination import destination
from brushreel.batch.clips.sequences.journal import Journal
from brushreel.batch.clips.sequences.writer import ImageWriter
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.clips.work_folder import work_folder
from brushreel.core.clips.range import FrameRange
from brushreel.core.clips.sequence import Pattern
from brushreel.core.errors import BrushreelError, OutputError
from brushreel.core.pictures.picture import encode_picture
from brushreel.core.stylizer import Stylizer

from ..listening import Listener, on_frame
from .drawn import codes, names_in, same_pictures


class TestResume:
    def stop(self, source: Path, output: Path, stylizer: Stylizer, after: int) -> int:
        """Interrupt a run; gives how many pictures are kept."""
        listener = Listener(stop_at=after)
        with pytest.raises(KeyboardInterrupt):
            convert(source, output, stylizer, handle=listener.handle)
        return listener.kept[0].frames if listener.kept else 0

    def stylized(self, monkeypatch) -> list[int]:
        """Return the numbers of the images that are stylized from now on."""
        numbers: list[int] = []
        original = ImageWriter.form

        def form(self, item):
            numbers.append(item.number)
            return original(self, item)

        monkeypatch.setattr(ImageWriter, "form", form)
        return numbers

    @pytest.mark.parametrize("writers", [1, 4])
    @pytest.mark.parametrize("kind", ["png", "exr"])
    def test_goes_on(self, tmp_path, make, run, painter, monkeypatch, kind, writers):
        monkeypatch.setattr("brushreel.batch.clips.sequences.writer.WRITERS", writers)
        source, output = make(f"in/a.%04d.{kind}", range(10, 26)), tmp_path / f"o/a.%04d.{kind}"
        kept = self.stop(source, output, painter, after=12)
        assert 0 < kept <= 12
        info, _ = inspect_clip(source, output)
        assert info.video.frames == 16
        numbers = self.stylized(monkeypatch)
        report = run(source, f"o/a.%04d.{kind}", painter)
        assert numbers == list(range(10 + kept, 26))
        assert (report.frames, report.segments_reused) == (16, kept)
        run(source, f"whole/a.%04d.{kind}", painter)
        same_pictures(output, tmp_path / f"whole/a.%04d.{kind}", range(10, 26))
        assert len(names_in(output.parent)) == 16

    def test_clip_goes_on(self, tmp_path, make_clip, run, painter, monkeypatch):
        source, output = make_clip("a.mp4", frames=16), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=12)
        numbers = self.stylized(monkeypatch)
        assert run(source, "o/a.%04d.png", painter).frames == 16
        assert numbers == list(range(1 + kept, 17))

    def test_another_part_of_a_clip_trusts_nothing(self, tmp_path, make_clip, run, painter):
        source, output = make_clip("a.mp4", frames=16), tmp_path / "o/a.%04d.png"
        assert self.stop(source, output, painter, after=6)
        later = ReadSettings(range=FrameRange(4, 9))
        with pytest.raises(OutputError, match="exist already"):
            run(source, "o/a.%04d.png", painter, read=later)

    def test_another_style_trusts_nothing(self, tmp_path, make, run, painter, untouched):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=12)
        with pytest.raises(OutputError, match="exist already"):
            run(source, "o/a.%04d.png", untouched)
        run(source, "o/a.%04d.png", untouched, write=WriteSettings(overwrite=True))
        same_pictures(source, output, range(16))

    def test_a_refused_run_leaves_anothers_notes(self, tmp_path, make, run, painter, untouched):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=12)
        for resume in (True, False):
            with pytest.raises(OutputError, match="exist already"):
                run(source, "o/a.%04d.png", untouched, write=WriteSettings(resume=resume))
        assert not destination(output).is_finished
        assert run(source, "o/a.%04d.png", painter).segments_reused == kept

    def test_what_waits_to_be_painted_again_stays_its_own(self, tmp_path, make, run, painter):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=14)
        for number in range(16):
            os.utime(tmp_path / f"in/a.{number:04}.png", ns=(1, 1))
        self.stop(source, output, painter, after=3)
        assert run(source, "o/a.%04d.png", painter).frames == 16

    def test_changed_sources_and_outputs_are_done_again(
        self, tmp_path, make, run, painter, monkeypatch
    ):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=14)
        assert kept > 3
        (tmp_path / "in/a.0001.png").write_bytes(encode_picture(codes("gbrp16le", 99), "png"))
        (tmp_path / "o/a.0002.png").unlink()
        numbers = self.stylized(monkeypatch)
        run(source, "o/a.%04d.png", painter)
        assert numbers == [1, 2, *range(kept, 16)]

    def test_an_output_that_someone_changed_is_theirs(self, tmp_path, make, run, painter):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=12)
        (tmp_path / "o/a.0001.png").write_bytes(encode_picture(codes("gray", 3), "png"))
        with pytest.raises(OutputError, match="1 of its images exist already"):
            run(source, "o/a.%04d.png", painter)

    def test_without_resume(self, tmp_path, make, run, painter, monkeypatch):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=12)
        numbers = self.stylized(monkeypatch)
        run(source, "o/a.%04d.png", painter, write=WriteSettings(resume=False, overwrite=True))
        assert numbers == list(range(16))

    def test_a_torn_note_costs_its_picture_only(self, tmp_path, make, run, painter, monkeypatch):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=12)
        journal = work_folder(output) / "pictures.jsonl"
        journal.write_bytes(journal.read_bytes()[:-9])
        (tmp_path / f"o/a.{kept - 1:04}.png").unlink()
        numbers = self.stylized(monkeypatch)
        run(source, "o/a.%04d.png", painter)
        assert numbers == list(range(kept - 1, 16))

    def test_nothing_is_left_where_nothing_was_done(self, tmp_path, make, run, painter):
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        source = make("in/a.%04d.png", range(4))
        with pytest.raises(KeyboardInterrupt):
            run(source, "o/deep/a.%04d.png", painter, handle=stop)
        assert not (tmp_path / "o").exists()

    def test_a_second_process_is_refused(self, tmp_path, make, run, painter):
        source = make("in/a.%04d.png", range(4))
        refused: list[BrushreelError] = []

        def meanwhile(_count: int) -> None:
            with pytest.raises(OutputError, match="another process") as raised:
                run(source, "o/a.%04d.png", painter)
            refused.append(raised.value)

        run(source, "o/a.%04d.png", painter, handle=on_frame(meanwhile))
        assert len(refused) == 4

    @pytest.mark.parametrize("writers", [1, 4])
    def test_disk_full(self, tmp_path, make, run, painter, monkeypatch, writers):
        monkeypatch.setattr("brushreel.batch.clips.sequences.writer.WRITERS", writers)
        source = make("in/a.%04d.png", range(6))
        calls, real = [], os.fsync

        def fsync(file: int) -> None:
            calls.append(file)
            if len(calls) == 8:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(file)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputError, match="the disk is full") as raised:
            run(source, "o/a.%04d.png", painter)
        assert "\n" not in str(raised.value)
        monkeypatch.setattr(os, "fsync", real)
        assert not [name for name in names_in(tmp_path / "o") if name.endswith(".partial")]
        named = [name for name in names_in(tmp_path / "o") if name.startswith("a.")]
        assert 0 < len(named) < 6
        assert run(source, "o/a.%04d.png", painter).segments_reused == len(named)

    def test_those_still_being_written_when_one_fails_leave_nothing(
        self, tmp_path, make, run, painter, monkeypatch
    ):
        monkeypatch.setattr("brushreel.batch.clips.sequences.writer.WRITERS", 4)
        prepare, add = Journal.prepare, Journal.add

        def slowly(work: Journal, number: int, *others: Any) -> str:
            if number > 1:
                time.sleep(0.3)
            return prepare(work, number, *others)

        def add_one(work: Journal, number: int, *others: Any) -> None:
            if number == 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            add(work, number, *others)

        monkeypatch.setattr(Journal, "prepare", slowly)
        monkeypatch.setattr(Journal, "add", add_one)
        with pytest.raises(OutputError, match="the disk is full"):
            run(make("in/a.%04d.png", range(6)), "o/a.%04d.png", painter)
        time.sleep(0.5)
        assert [n for n in names_in(tmp_path / "o") if "brushreel" not in n] == ["a.0000.png"]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
    def test_a_journal_that_can_not_be_written_can_be_closed(self, tmp_path):
        work = Journal(Pattern(tmp_path / "a.%04d.png"), {}, resume=False)
        work._file = Path("/dev/full").open("wb")  # noqa: SIM115  what is tested closes it
        work._file.write(b"a line")
        work.close()
        assert work._file.closed

    def test_a_picture_that_appears_in_the_meantime_stays(self, tmp_path, make, run, painter):
        source, late = make("in/a.%04d.png", range(16)), tmp_path / "o/a.0015.png"

        def appear(count: int) -> None:
            if count == 2:
                late.write_bytes(b"precious")

        with pytest.raises(OutputError, match="1 of its images exist already"):
            run(source, "o/a.%04d.png", painter, handle=on_frame(appear))
        assert late.read_bytes() == b"precious"

    def test_what_was_not_written_right_gets_no_name(self, tmp_path, make, run, monkeypatch):
        source = make("in/a.%04d.png", range(3))
        monkeypatch.setattr(
            "brushreel.batch.clips.sequences.maker.encode_picture",
            lambda frame, kind, *_: encode_picture(codes("gbrp16le", 77), kind),
        )
        with pytest.raises(OutputError, match="failed verification") as raised:
            run(source, "o/a.%04d.png")
        assert raised.value.path == tmp_path / "o/a.0000.png"
        assert not (tmp_path / "o").exists()


def test_killed_again_and_again(tmp_path, make, run, painter, tiny_style):
    source, output = make("in/a.%04d.png", range(24)), tmp_path / "o/a.%04d.png"
    tiny_style.save(tmp_path / "tiny.safetensors")
    # Its server imports PyTorch once; a process of it begins at once.
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["brushreel.batch.clips.clip", "torch._dynamo"])
    job = {"device": "cpu", "precision": "fp32", "stroke_size": "native"}
    for wanted in (1, 9, None):
        process = forks.Process(
            target=stylize_clip, args=(source, output, tmp_path / "tiny.safetensors"), kwargs=job
        )
        process.start()
        while wanted and process.is_alive() and len(list(tmp_path.glob("o/a.*.png"))) < wanted:
            time.sleep(0.002)
        if wanted:
            process.kill()
        process.join()
        if process.exitcode == 0:
            break  # on a busy machine it may be done before it is killed
    assert process.exitcode == 0
    run(source, "whole/a.%04d.png", painter)
    same_pictures(output, tmp_path / "whole/a.%04d.png", range(24))
    assert len(names_in(output.parent)) == 24
