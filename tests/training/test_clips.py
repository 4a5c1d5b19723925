from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from housestyle.core.consistency import temporal_error
from housestyle.core.errors import MediaError, TrainingError
from housestyle.training import clips
from housestyle.training.clips import Footage, PairSampler, load_footage, to_pair
from housestyle.training.motion import Motion


@pytest.fixture
def small(monkeypatch) -> int:
    """Footage of 160 pixels, to be quick."""
    monkeypatch.setattr(clips, "LONG_SIDE", 160)
    return 160


def footage_of(*pairs: tuple[np.ndarray, np.ndarray, tuple[float, float]]) -> Footage:
    """A clip of pairs that are given as previous frame, current frame and uniform flow."""
    records = []
    for previous, current, flow in pairs:
        shape = previous.shape[:2]
        motion = Motion(np.full((*shape, 2), flow, np.float32), np.ones(shape, bool))
        records.append((np.stack((previous, current)), motion))
    return Footage(Path("made.mp4"), clips._pack(records), {})


def indices(clip: Footage, pictures: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Which of the pictures of a clip its pairs hold."""
    numbers = {picture.tobytes(): index for index, picture in enumerate(pictures)}
    return [tuple(numbers[frame.tobytes()] for frame in pair["frames"]) for pair in clip.pairs]


@pytest.fixture
def panned(texture) -> Footage:
    """What moved 3 pixels to the right and 1 up."""
    world = texture(104, 134)
    return footage_of((world[2:98, 6:126], world[3:99, 3:123], (-3, 1)))


@pytest.mark.usefixtures("small")
class TestLoadFootage:
    def test_pairs_are_consecutive_frames_with_their_motion(self, tmp_path, pan, write_footage):
        pictures = pan(12, 90, 160, step=2)
        write_footage(tmp_path / "clips" / "c.mkv", pictures)
        (clip,) = load_footage(tmp_path / "clips")
        assert clip.path == tmp_path / "clips" / "c.mkv"
        assert clip.left_out == {}
        assert indices(clip, pictures) == [(n, n + 1) for n in (1, 3, 5, 7, 9)]
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
        monkeypatch.setattr(clips, "PAIRS_PER_CLIP", 4)
        pictures = pan(41, 90, 160, step=1)
        write_footage(tmp_path / "c.mkv", pictures)
        (clip,) = load_footage(tmp_path)
        assert indices(clip, pictures) == [(5, 6), (15, 16), (25, 26), (35, 36)]

    def test_what_can_t_be_used_is_reported(self, tmp_path, pan, texture, write_footage):
        flat = np.full((90, 160, 3), 80, np.uint8)
        one, other = texture(90, 160, 5), texture(90, 160, 6)
        moving = pan(4, 90, 160)
        # Every second pair is looked at: (1, 2), (3, 4), (5, 6), (7, 8), (9, 10).
        pictures = [flat, *moving[:2], flat, flat, one, one, one, other, flat, flat + 9]
        write_footage(tmp_path / "c.mkv", pictures)
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
        write_sound(tmp_path / "sound.mp4")
        assert [clip.path.name for clip in load_footage(tmp_path)] == ["good.mkv"]

    def test_clips_that_can_t_be_read_are_reported(self, tmp_path):
        (tmp_path / "notes.mp4").write_text("not a clip\n" * 20)
        write_sound(tmp_path / "sound.mp4")
        with pytest.raises(TrainingError, match="no usable footage") as caught:
            load_footage(tmp_path)
        assert "notes.mp4: 1 unreadable; sound.mp4: 1 unreadable" in str(caught.value)

    def test_what_lies_before_the_damage_is_used(self, tmp_path, pan, write_footage):
        path = write_footage(tmp_path / "c.mov", pan(12, 90, 160), "png", "rgb24")
        content = bytearray(path.read_bytes())
        with av.open(str(path)) as container:
            eighth = [packet.pos for packet in container.demux(video=0)][7]
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
        assert load_footage(tmp_path)[0].left_out == {"of another size": 2}


def write_sound(path: Path) -> None:
    """A clip of silence without a picture."""
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
        assert caught.value.hint == "is the disk full?"

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
        monkeypatch.setattr(clips, "LONG_SIDE", 128)
        (clip,) = load_footage(tmp_path)
        assert clip.pairs["frames"].shape[2:] == (72, 128, 3)

    def test_lies_in_the_user_s_cache(self, tmp_path, pan, write_footage, home):
        write_footage(tmp_path / "clips" / "c.mkv", pan(4, 90, 160))
        load_footage(tmp_path / "clips")
        kept = sorted(path.suffix for path in home.rglob("*") if path.is_file())
        assert kept == [".json", ".npy"]
        assert [path.name for path in (tmp_path / "clips").iterdir()] == ["c.mkv"]


class TestToPair:
    def test_previous_then_current_in_range(self, panned):
        pair = to_pair(panned.pairs[0])
        assert pair.frames.shape == (2, 3, 96, 120)
        assert pair.flow.shape == (1, 2, 96, 120)
        assert pair.mask.shape == (1, 1, 96, 120)
        assert {t.dtype for t in (pair.frames, pair.flow, pair.mask)} == {torch.float32}
        expected = panned.pairs[0]["frames"].transpose(0, 3, 1, 2) / 255
        np.testing.assert_allclose(pair.frames, expected, atol=1e-6)

    def test_crop_is_cut_from_everything_alike(self, panned):
        panned.pairs[0]["flow"][..., 0] = np.arange(120)
        panned.pairs[0]["visible"][:, :50] = False
        pair = to_pair(panned.pairs[0], slice(5, 37), slice(40, 72))
        whole = to_pair(panned.pairs[0])
        for part, full in zip(vars(pair).values(), vars(whole).values(), strict=True):
            assert torch.equal(part, full[..., 5:37, 40:72])

    def test_does_not_share_memory_with_the_record(self, panned):
        pair = to_pair(panned.pairs[0])
        for tensor in vars(pair).values():
            tensor.zero_()
        assert panned.pairs[0]["frames"].any()
        assert panned.pairs[0]["visible"].all()


class TestPairSampler:
    def test_same_seed_draws_the_same_crops(self, panned):
        one, same, other = (PairSampler([panned], crop=32, seed=seed) for seed in (5, 5, 6))
        drawn = [[sampler.draw().frames for _ in range(6)] for sampler in (one, same, other)]
        assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))
        assert not torch.equal(drawn[0][0], drawn[0][1])

    def test_mirrored_pairs_move_the_other_way(self, panned):
        sampler = PairSampler([panned], crop=40, seed=0)
        directions = []
        for _ in range(24):
            pair = sampler.draw()
            assert pair.frames.shape == (2, 3, 40, 40)
            (x,), (y,) = (pair.flow[0, axis].unique().tolist() for axis in (0, 1))
            assert (abs(x), y) == (3, 1)
            directions.append(x)
            pair.mask[..., :3], pair.mask[..., -3:], pair.mask[..., -1:, :] = 0, 0, 0
            # The flow fits the pictures: previous, fetched along it, is current.
            error = temporal_error(pair.frames[1:], pair.frames[:1], pair.flow, pair.mask)
            assert error < 1e-9
        assert set(directions) == {-3.0, 3.0}

    def test_mask_is_mirrored_too(self, panned):
        panned.pairs[0]["visible"][:] = panned.pairs[0]["frames"][1, ..., 0] > 127
        sampler = PairSampler([panned], crop=40, seed=0)
        for _ in range(8):
            pair = sampler.draw()
            assert torch.equal(pair.mask[0, 0] > 0, pair.frames[1, 0] > 127.5 / 255)

    def test_crops_reach_every_corner(self, panned):
        panned.pairs[0]["flow"][..., 1] = np.arange(96)[:, None]
        panned.pairs[0]["flow"][..., 0] = 0
        sampler = PairSampler([panned], crop=90, seed=0)
        tops = {int(sampler.draw().flow[0, 1].min()) for _ in range(80)}
        assert tops == set(range(7))

    def test_flat_crops_are_left_out(self, texture):
        picture = texture(64, 200)
        picture[:, 60:] = 90
        sampler = PairSampler([footage_of((picture, picture, (0, 0)))], crop=32, seed=0)
        for _ in range(20):
            assert sampler.draw().frames.std() >= clips.LEAST_DEVIATION

    def test_every_clip_counts_alike(self, texture):
        bright, dark = texture(40, 40) // 2 + 120, texture(40, 40) // 4
        many = footage_of(*9 * [(bright, bright, (0, 0))])
        one = footage_of((dark, dark, (0, 0)))
        sampler = PairSampler([many, one], crop=32, seed=0)
        drawn = [sampler.draw().frames.mean() < 0.35 for _ in range(100)]
        assert 35 < sum(map(int, drawn)) < 65

    def test_whole_frame_as_crop(self, texture):
        clip = footage_of((texture(40, 40), texture(40, 40), (0, 0)))
        assert PairSampler([clip], crop=40, seed=0).draw().frames.shape == (2, 3, 40, 40)

    def test_clip_smaller_than_the_crop(self, panned):
        with pytest.raises(
            TrainingError, match="120x96 it is smaller than the crop of 97"
        ) as caught:
            PairSampler([panned], crop=97, seed=0)
        assert caught.value.path == panned.path
