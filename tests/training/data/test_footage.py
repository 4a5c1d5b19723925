from __future__ import annotations

import os
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from brushreel.core.errors import MediaError, TrainingError
from brushreel.training.data import extraction
from brushreel.training.data.extraction import Evenly
from brushreel.training.data.footage import (
    Footage,
    footage_report,
    load_evenly,
    load_footage,
    not_footage,
    survey_footage,
)
from brushreel.training.data.sampler import PairSampler


@pytest.fixture
def small(monkeypatch) -> None:
    """Footage of 160 pixels and consecutive frames only, to be quick."""
    monkeypatch.setattr(extraction, "LONG_SIDE", 160)
    monkeypatch.setattr(extraction, "PAIRS_PER_CLIP", {1: 24})


def indices(clip: Footage, images: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Return the indices of each pair's images in the clip."""
    numbers = {image.tobytes(): index for index, image in enumerate(images)}
    return [tuple(numbers[frame.tobytes()] for frame in pair["frames"]) for pair in clip.pairs]


@pytest.mark.usefixtures("small")
def test_pairs_to_measure_on_are_not_those_of_training(tmp_path, pan, write_footage, monkeypatch):
    write_footage(tmp_path / "c.mkv", pan(8, 120, 200))
    Image.fromarray(pan(1, 120, 200)[0]).save(tmp_path / "still.png")
    shapes = {(1, 2, 120, 200, 3): Evenly(1), (3, 2, 60, 100, 3): Evenly(3, 100)}
    for _ in range(2):  # made, then from the cache
        for shape, evenly in shapes.items():
            (clip,) = load_evenly(tmp_path, evenly)
            assert clip.pairs["frames"].shape == shape
        monkeypatch.setattr(extraction, "FlowEstimator", None)
    assert load_evenly(tmp_path, Evenly(1))[0].path == tmp_path / "c.mkv"


@pytest.mark.usefixtures("small")
class TestLoadFootage:
    def test_pairs_are_consecutive_frames_with_their_motion(self, tmp_path, pan, write_footage):
        images = pan(12, 90, 160, step=2)
        write_footage(tmp_path / "clips" / "c.mkv", images)
        (clip,) = load_footage(tmp_path / "clips")
        assert clip.path == tmp_path / "clips" / "c.mkv"
        assert clip.left_out == {}
        assert indices(clip, images) == [(n, n + 1) for n in (1, 3, 5, 7, 9)]
        for record in clip.pairs:
            assert record["flow"].shape == (90, 160, 2)
            inner = record["flow"][20:-20, 20:-20].astype(float)
            assert np.abs(inner - [-2, 0]).max() < 0.3  # the world moves right under the camera
            assert record["visible"][20:-20, 20:-20].mean() > 0.95

    @pytest.mark.parametrize(("size", "scaled"), [((45, 80), (90, 160)), ((80, 45), (160, 90))])
    def test_the_longer_side_is_scaled(self, tmp_path, pan, write_footage, size, scaled):
        write_footage(tmp_path / "c.mkv", pan(4, *size))
        (clip,) = load_footage(tmp_path)
        assert clip.pairs["frames"].shape == (1, 2, *scaled, 3)

    def test_pairs_are_spread_over_a_long_clip(self, tmp_path, pan, write_footage, monkeypatch):
        monkeypatch.setattr(extraction, "PAIRS_PER_CLIP", {1: 4})
        images = pan(41, 90, 160, step=1)
        write_footage(tmp_path / "c.mkv", images)
        (clip,) = load_footage(tmp_path)
        assert indices(clip, images) == [(5, 6), (15, 16), (25, 26), (35, 36)]

    def test_what_can_t_be_used_is_reported(self, tmp_path, pan, texture, write_footage):
        flat = np.full((90, 160, 3), 80, np.uint8)
        one, other = texture(90, 160, 5), texture(90, 160, 6)
        moving = pan(4, 90, 160)
        # Every second pair is looked at: (1, 2), (3, 4), (5, 6), (7, 8), (9, 10).
        images = [flat, *moving[:2], flat, flat, one, one, one, other, flat, flat + 9]
        write_footage(tmp_path / "c.mkv", images)
        (clip,) = load_footage(tmp_path)
        assert clip.left_out == {"flat": 2, "duplicate": 1, "cut": 1}
        assert len(clip.pairs) == 1
        np.testing.assert_array_equal(clip.pairs[0]["frames"], np.stack(moving[:2]))

    def test_no_usable_footage(self, tmp_path, texture, pan, write_footage):
        write_footage(tmp_path / "still.mkv", 6 * [texture(90, 160)])
        write_footage(tmp_path / "short.mkv", pan(1, 90, 160))
        with pytest.raises(TrainingError, match="no usable footage here") as caught:
            load_footage(tmp_path)
        assert caught.value.path == tmp_path
        assert "still.mkv: 2 duplicate" in str(caught.value)
        assert "short.mkv: too short" in str(caught.value)

    def test_clips_without_a_usable_pair_are_left_out(self, tmp_path, texture, pan, write_footage):
        write_footage(tmp_path / "still.mkv", 6 * [texture(90, 160)])
        write_footage(tmp_path / "deep" / "down" / "good.mkv", pan(4, 90, 160))
        assert [clip.path.name for clip in load_footage(tmp_path)] == ["good.mkv"]

    def test_empty_folder(self, tmp_path):
        with pytest.raises(TrainingError, match="no usable footage"):
            load_footage(tmp_path)

    def test_no_folder(self, tmp_path):
        with pytest.raises(MediaError, match="no such folder"):
            load_footage(tmp_path / "none")

    def test_clips_that_can_t_be_read_are_left_out(self, tmp_path, pan, write_footage):
        write_footage(tmp_path / "good.mkv", pan(4, 90, 160))
        (tmp_path / "notes.mp4").write_text("not a clip\n" * 20)
        write_audio(tmp_path / "audio.mp4")
        assert [clip.path.name for clip in load_footage(tmp_path)] == ["good.mkv"]

    def test_clips_that_can_t_be_read_are_reported(self, tmp_path):
        (tmp_path / "notes.mp4").write_text("not a clip\n" * 20)
        write_audio(tmp_path / "audio.mp4")
        with pytest.raises(TrainingError, match="no usable footage") as caught:
            load_footage(tmp_path)
        assert "audio.mp4: 1 unreadable; notes.mp4: 1 unreadable" in str(caught.value)

    def test_frames_before_the_damage_are_used(self, tmp_path, pan, write_footage):
        path = write_footage(tmp_path / "c.mov", pan(12, 90, 160), "png", "rgb24")
        content = bytearray(path.read_bytes())
        with av.open(str(path)) as container:
            eighth = [packet.pos for packet in container.demux(video=0)][7]
        assert eighth is not None
        content[eighth + 60 : eighth + 900] = bytes(840)
        path.write_bytes(content)
        (clip,) = load_footage(tmp_path)
        assert clip.left_out == {"unreadable": 1}
        assert len(clip.pairs) == 3

    def test_size_that_changes(self, tmp_path, pan, write_footage):
        parts = [pan(4, 90, 160), pan(4, 64, 96)]
        paths = [
            write_footage(tmp_path / f"{n}.ts", part, "mpeg2video", "yuv420p")
            for n, part in enumerate(parts)
        ]
        joined = b"".join(path.read_bytes() for path in paths)
        for path in paths:
            path.unlink()
        (tmp_path / "joined.ts").write_bytes(joined)
        assert load_footage(tmp_path)[0].left_out == {"of a different size": 2}

    def test_smaller_than_the_crop(self, tmp_path, pan, write_footage):
        write_footage(tmp_path / "wide.mkv", pan(4, 60, 160))
        write_footage(tmp_path / "good.mkv", pan(4, 90, 160))
        assert len(load_footage(tmp_path)) == 2
        (clip,) = load_footage(tmp_path, least_side=61)
        assert clip.path.name == "good.mkv"
        with pytest.raises(TrainingError, match=r"wide\.mkv: 1 smaller than the crop of 91 at"):
            load_footage(tmp_path, least_side=91)


@pytest.mark.usefixtures("small")
class TestReport:
    def test_states_what_was_used_and_why_not_the_rest(
        self, tmp_path, pan, texture, write_footage, monkeypatch
    ):
        monkeypatch.setattr(extraction, "PAIRS_PER_CLIP", {1: 24, 2: 8, 4: 8})
        write_footage(tmp_path / "a.mkv", pan(12, 90, 160, step=1))
        write_footage(tmp_path / "b.mkv", [*pan(4, 90, 160), *3 * [texture(90, 160, 4)]])
        barred = [np.pad(p, ((20, 20), (0, 0), (0, 0))) for p in pan(4, 90, 160)]
        write_footage(tmp_path / "c.mkv", barred)
        write_footage(tmp_path / "d.mkv", pan(1, 90, 160))
        (tmp_path / "e.mp4").write_text("not a clip\n" * 20)
        (tmp_path / "notes.txt").write_text("day one")
        found = survey_footage(tmp_path)
        lines = footage_report(found, not_footage(tmp_path, found)).splitlines()
        assert lines[0] == "a.mkv: 5 pairs, 2 over 2 frames, 1 over 4 frames"
        assert lines[1].startswith("b.mkv: 1 pairs; left out: 3 cut, ")
        assert lines[2].endswith("; 44 rows of black bars cropped")
        assert lines[3:] == [
            "d.mkv: 0 pairs; left out: too short",
            "e.mp4: 0 pairs; left out: 1 unreadable",
            "notes.txt: passed over: is not a clip",
        ]


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def write_audio(path: Path) -> None:
    """Write a file with silent audio and no video stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, 9 * 1024, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.usefixtures("small")
class TestCache:
    def test_that_cannot_be_written_is_named(self, tmp_path, home, pan, write_footage):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        (home / "cache").write_text("not a folder")
        with pytest.raises(TrainingError, match="cache can't be written") as caught:
            load_footage(tmp_path)
        assert "a part of the path is not a folder (check the path)" in str(caught.value)

    @pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_leaves_nothing_half_written(
        self, tmp_path, home, pan, write_footage, monkeypatch, stop
    ):
        def stopped(file, *_, **__):
            file.write(b"half")
            raise stop

        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        monkeypatch.setattr(np, "save", stopped)
        with pytest.raises((TrainingError, KeyboardInterrupt)):
            load_footage(tmp_path)
        assert not [path for path in home.rglob("*") if path.is_file()]

    def test_is_used_the_second_time(self, tmp_path, pan, write_footage):
        path = write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        (first,) = load_footage(tmp_path)
        facts = path.stat()
        path.write_bytes(bytes(facts.st_size))  # the clip can no longer be decoded
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        (second,) = load_footage(tmp_path)
        assert second.pairs.dtype == first.pairs.dtype
        assert second.pairs.tobytes() == first.pairs.tobytes()
        assert second.left_out == first.left_out

    @pytest.mark.skipif(not Path("/dev/fd").exists(), reason="open files can't be counted here")
    def test_keeps_no_file_open(self, tmp_path, texture):
        """A process may have no more than 1,024, often no more than 256."""
        for index in range(12):
            Image.fromarray(texture(45, 80, index)).save(tmp_path / f"{index}.png")
        before = open_files()
        sampler = PairSampler(load_footage(tmp_path, least_side=40), crop=40)
        for seed in range(12):
            sampler.draw(np.random.default_rng(seed))
        assert open_files() == before

    def test_what_was_not_read_for_a_month_is_deleted(self, tmp_path, pan, write_footage, home):
        first, second = (write_footage(tmp_path / n / "c.mkv", pan(6, 90, 160)) for n in "ab")
        load_footage(first.parent)
        kept = {path for path in home.rglob("*") if path.is_file()}
        load_footage(second.parent)
        month_ago = time.time() - 31 * 24 * 3600
        for path in home.rglob("*.*"):
            os.utime(path, (month_ago, month_ago))
        load_footage(first.parent)
        assert {path for path in home.rglob("*") if path.is_file()} == kept

    def test_that_disappears_while_it_is_used(self, tmp_path, pan, write_footage, home):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        (clip,) = load_footage(tmp_path)
        next(home.rglob("*.npy")).unlink()
        with pytest.raises(TrainingError, match="no longer in the footage cache") as caught:
            PairSampler([clip], crop=40)
        assert caught.value.path == clip.path

    def test_keeps_why_pairs_were_left_out(self, tmp_path, texture, pan, write_footage):
        write_footage(tmp_path / "c.mkv", [*pan(4, 90, 160), *3 * [texture(90, 160, 4)]])
        for _ in range(2):
            (clip,) = load_footage(tmp_path)
            assert clip.left_out == {"cut": 1, "duplicate": 1}

    def test_of_a_clip_without_pairs(self, tmp_path, texture, write_footage):
        write_footage(tmp_path / "still.mkv", 6 * [texture(90, 160)])
        for _ in range(2):
            with pytest.raises(TrainingError, match=r"still\.mkv: 2 duplicate"):
                load_footage(tmp_path)

    def test_changed_file_is_read_again(self, tmp_path, pan, write_footage):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160, seed=1))
        (first,) = load_footage(tmp_path)
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160, seed=2))
        (second,) = load_footage(tmp_path)
        assert second.pairs.tobytes() != first.pairs.tobytes()

    def test_file_of_another_time_is_read_again(self, tmp_path, pan, write_footage, home):
        path = write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        load_footage(tmp_path)
        os.utime(path, (1e9, 1e9))  # it might have changed and kept its size
        load_footage(tmp_path)
        assert len(list(home.rglob("*.npy"))) == 2

    def test_other_settings_are_measured_again(self, tmp_path, pan, write_footage, monkeypatch):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        load_footage(tmp_path)
        monkeypatch.setattr(extraction, "LONG_SIDE", 128)
        (clip,) = load_footage(tmp_path)
        assert clip.pairs["frames"].shape[2:] == (72, 128, 3)

    def test_is_stored_in_the_user_s_cache(self, tmp_path, pan, write_footage, home):
        write_footage(tmp_path / "clips" / "c.mkv", pan(4, 90, 160))
        load_footage(tmp_path / "clips")
        kept = sorted(path.suffix for path in home.rglob("*") if path.is_file())
        assert kept == [".json", ".npy"]
        assert [path.name for path in (tmp_path / "clips").iterdir()] == ["c.mkv"]

    @pytest.mark.parametrize("keep", [0, 50, 300, -1])
    @pytest.mark.parametrize("suffix", [".npy", ".json"])
    def test_truncated_entry_is_made_again(self, tmp_path, pan, write_footage, home, suffix, keep):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        expected = load_footage(tmp_path)[0].pairs.tobytes()
        (kept,) = home.rglob(f"*{suffix}")
        kept.write_bytes(kept.read_bytes()[:keep])
        assert load_footage(tmp_path)[0].pairs.tobytes() == expected
        assert not list(home.rglob("*.partial"))

    @pytest.mark.parametrize("content", [b"[]", b"{}", b"\xff\xfe", bytes(40), b"null"])
    def test_damaged_entry_is_made_again(self, tmp_path, pan, write_footage, home, content):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        expected = load_footage(tmp_path)[0].pairs.tobytes()
        for kept in [path for path in home.rglob("*") if path.is_file()]:
            kept.write_bytes(content)
            assert load_footage(tmp_path)[0].pairs.tobytes() == expected

    def test_that_lost_pairs_is_made_again(self, tmp_path, pan, write_footage, home):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        expected = load_footage(tmp_path)[0].pairs.copy()
        (kept,) = home.rglob("*.npy")
        np.save(kept, expected[:1])
        assert load_footage(tmp_path)[0].pairs.tobytes() == expected.tobytes()

    def test_never_unpickles(self, tmp_path, pan, write_footage, home):
        write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        load_footage(tmp_path)
        (kept,) = home.rglob("*.npy")
        np.save(kept, np.array([print], object), allow_pickle=True)
        assert load_footage(tmp_path)[0].pairs["frames"].dtype == np.uint8

    def test_does_not_keep_that_a_clip_was_unreadable(self, tmp_path, pan, write_footage, home):
        path = write_footage(tmp_path / "c.mkv", pan(6, 90, 160))
        write_footage(tmp_path / "good.mkv", pan(6, 90, 160))
        content, facts = path.read_bytes(), path.stat()
        path.write_bytes(bytes(len(content)))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert len(load_footage(tmp_path)) == 1
        path.write_bytes(content)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert len(load_footage(tmp_path)) == 2
