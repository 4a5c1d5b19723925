from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from brushreel.core.consistency import warp
from brushreel.core.errors import MediaError
from brushreel.training.data import extraction
from brushreel.training.data.footage import Footage
from brushreel.training.evaluation.sequences import find_sequences, of_footage

INNER = np.s_[..., 24:-24, 24:-24]


def write_images(folder: Path, images: list[np.ndarray], name: str = "{:05}.png", first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, first):
        Image.fromarray(image).save(folder / name.format(number))


def write_flo(path: Path, flow: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack("<fii", 202021.25, flow.shape[1], flow.shape[0])
    path.write_bytes(header + flow.astype("<f4").tobytes())


def footage(gaps: list[int], name: str = "c.mp4") -> Footage:
    kind = [("frames", "u1", (2, 4, 6, 3)), ("flow", "f2", (4, 6, 2)), ("visible", "?", (4, 6))]
    pairs = np.zeros(len(gaps), np.dtype([*kind, ("gap", "u1")]))
    pairs["gap"] = gaps
    pairs["frames"][:, 0] = np.arange(len(gaps)).reshape(-1, 1, 1, 1)
    return Footage(Path(name), lambda: pairs, {})


def indices(sequence) -> list[int]:
    return [round(pair.frames[0, 0, 0, 0].item() * 255) for pair in sequence]


def mean_change(pair, *, moved: bool) -> float:
    previous = warp(pair.frames[:1], pair.flow) if moved else pair.frames[:1]
    return (previous - pair.frames[1:])[INNER].abs().mean().item() * 255


class TestFootage:
    def test_only_neighbours(self):
        (sequence,) = of_footage([footage([1, 1, 1, 2, 2, 4])])
        assert (sequence.name, indices(sequence)) == ("c.mp4", [0, 1, 2])

    def test_where_every_frame_is_doubled_the_next_pair(self):
        (sequence,) = of_footage([footage([2, 2, 4])])
        assert indices(sequence) == [0, 1]

    def test_evenly_spread(self):
        (sequence,) = of_footage([footage([1] * 21)], pairs=3)
        assert indices(sequence) == [0, 10, 20]
        assert len(sequence) == 3

    def test_clip_without_pairs_is_left_out(self):
        assert of_footage([footage([]), footage([1], "d.mp4")])[0].name == "d.mp4"

    def test_clips_of_a_folder(self, tmp_path, pan, write_footage, texture, monkeypatch):
        monkeypatch.setattr(extraction, "LONG_SIDE", 112)
        write_footage(tmp_path / "day" / "one.mkv", pan(5, 80, 112))
        write_footage(tmp_path / "two.mkv", pan(5, 80, 112, seed=1))
        write_images(tmp_path / "stills", [texture(80, 112)])
        sequences = find_sequences(tmp_path, pairs=1)
        assert [(s.name, len(s)) for s in sequences] == [("day/one.mkv", 1), ("two.mkv", 1)]
        (pair,) = sequences[0]
        assert pair.frames.shape == (2, 3, 80, 112)


class TestImageSequences:
    def test_previous_and_current_with_their_motion(self, tmp_path, pan):
        write_images(tmp_path / "swan", pan(3, 120, 160, step=3))
        (sequence,) = find_sequences(tmp_path)
        pairs = list(sequence)
        assert (sequence.name, len(pairs)) == ("swan", 2)
        for pair in pairs:
            assert pair.frames.shape == (2, 3, 120, 160)
            assert pair.frames.dtype == pair.flow.dtype == pair.mask.dtype == torch.float32
            assert (pair.flow.shape, pair.mask.shape) == ((1, 2, 120, 160), (1, 1, 120, 160))
            assert pair.mask[INNER].mean() > 0.9
            assert mean_change(pair, moved=True) < 2 < mean_change(pair, moved=False)
        assert torch.equal(pairs[0].frames[1], pairs[1].frames[0])

    def test_evenly_spread(self, tmp_path, texture):
        write_images(tmp_path / "a", [np.full((40, 40, 3), n, np.uint8) for n in range(12)])
        (sequence,) = find_sequences(tmp_path, pairs=3)
        assert indices(sequence) == [0, 5, 10]

    def test_numbers_that_are_left_out_part_neighbours(self, tmp_path):
        for first, count in ((0, 2), (10, 3), (99, 1)):
            flat = [np.full((40, 40, 3), first + n, np.uint8) for n in range(count)]
            write_images(tmp_path / "a", flat, first=first)
        (sequence,) = find_sequences(tmp_path)
        assert indices(sequence) == [0, 10, 11]

    def test_numbers_count_not_their_spelling(self, tmp_path):
        flat = [np.full((40, 40, 3), n, np.uint8) for n in range(8, 12)]
        write_images(tmp_path / "a", flat, "{}.png", first=8)
        (sequence,) = find_sequences(tmp_path)
        assert indices(sequence) == [8, 9, 10]

    def test_sequences_are_named_by_folder_and_prefix(self, tmp_path):
        flat = [np.zeros((40, 40, 3), np.uint8)] * 2
        write_images(tmp_path / "a" / "b", flat)
        write_images(tmp_path / "a" / "b", flat, "left_{}.jpg")
        write_images(tmp_path, flat, "{}.bmp")
        write_images(tmp_path, flat[:1], "alone{}.png")
        names = [sequence.name for sequence in find_sequences(tmp_path)]
        assert sorted(names) == sorted([tmp_path.name, "a/b", "a/b/left"])

    def test_large_ones_are_scaled_down(self, tmp_path, pan):
        write_images(tmp_path / "a", pan(2, 80, 120))
        for long_side, shape in ((60, (40, 60)), (640, (80, 120))):
            (sequence,) = find_sequences(tmp_path, long_side=long_side)
            (pair,) = sequence
            assert pair.frames.shape[2:] == shape

    def test_nothing_is_read_before_its_turn(self, tmp_path):
        write_images(tmp_path / "a", [np.zeros((40, 40, 3), np.uint8)] * 3)
        (tmp_path / "a" / "00002.png").write_bytes(b"damaged")
        (sequence,) = find_sequences(tmp_path)
        pairs = iter(sequence)
        next(pairs)
        with pytest.raises(MediaError, match="can't be read as an image") as caught:
            next(pairs)
        assert caught.value.path == tmp_path / "a" / "00002.png"

    def test_neighbours_of_different_sizes(self, tmp_path):
        write_images(tmp_path / "a", [np.zeros((n, 48, 3), np.uint8) for n in (40, 44)])
        (sequence,) = find_sequences(tmp_path)
        with pytest.raises(MediaError, match=r"is 48x44, but 00000\.png is 48x40"):
            list(sequence)


class TestGroundTruth:
    def scene(self, folder: Path, pan, flow=(3.0, 0.0), shape=(120, 160)) -> None:
        """Write frames 10 and 11; in the latter the world is 3 pixels further right."""
        write_images(folder, pan(2, 120, 160, step=3), "frame{}.png", first=10)
        write_flo(folder / "flow10.flo", np.broadcast_to(np.float32(flow), (*shape, 2)))

    def test_flow_belongs_to_the_first_frame(self, tmp_path, pan):
        self.scene(tmp_path / "whale", pan)
        (sequence,) = find_sequences(tmp_path)
        (pair,) = sequence
        first = np.array(Image.open(tmp_path / "whale" / "frame10.png"))
        assert sequence.name == "whale"
        assert torch.equal(pair.frames[1], torch.from_numpy(first).permute(2, 0, 1) / 255)
        assert pair.flow[:, 0].eq(3).all()
        assert mean_change(pair, moved=True) < 1e-3 < 2 < mean_change(pair, moved=False)
        assert pair.mask[INNER].mean() > 0.95
        assert not pair.mask[..., -3:].any()  # leaves the frame

    def test_unknown_motion_does_not_count(self, tmp_path, texture):
        write_images(tmp_path, [texture(120, 160)] * 2, "frame{}.png", first=10)
        flow = np.zeros((120, 160, 2))
        flow[50:60, 50:60] = 1.7e9
        write_flo(tmp_path / "flow10.flo", flow)
        (sequence,) = find_sequences(tmp_path)
        (pair,) = sequence
        expected = torch.ones(1, 1, 120, 160)
        expected[..., 50:60, 50:60] = 0
        assert torch.equal(pair.mask, expected)
        assert pair.flow.eq(0).all()

    def test_what_the_flow_back_contradicts_does_not_count(self, tmp_path, pan):
        self.scene(tmp_path, pan, flow=(9.0, 0.0))
        (sequence,) = find_sequences(tmp_path)
        (pair,) = sequence
        assert pair.mask[INNER].mean() < 0.05

    def test_pairs_of_one_folder_are_one_sequence(self, tmp_path, pan):
        self.scene(tmp_path / "a", pan)
        frames = pan(2, 120, 160, step=3)
        for pair in range(4):
            write_images(tmp_path / "b", frames, f"{pair}_img{{}}.ppm", first=1)
            write_flo(tmp_path / "b" / f"{pair}_flow.flo", np.zeros((120, 160, 2)))
        sequences = find_sequences(tmp_path, pairs=3)
        assert [(s.name, len(s)) for s in sequences] == [("a", 1), ("b", 3)]

    def test_comes_before_clips_and_images(self, tmp_path, pan, write_footage):
        write_footage(tmp_path / "clip.mkv", pan(5, 80, 112))
        write_images(tmp_path / "a", pan(3, 80, 112))
        self.scene(tmp_path / "truth", pan)
        assert [sequence.name for sequence in find_sequences(tmp_path)] == ["truth"]

    def test_own_size_whatever_the_long_side(self, tmp_path, pan):
        self.scene(tmp_path, pan)
        (sequence,) = find_sequences(tmp_path, long_side=64)
        assert next(iter(sequence)).frames.shape == (2, 3, 120, 160)

    def test_flow_of_another_size(self, tmp_path, pan):
        self.scene(tmp_path, pan, shape=(60, 80))
        (sequence,) = find_sequences(tmp_path)
        with pytest.raises(MediaError, match="is 80x60, its frames are 160x120") as caught:
            list(sequence)
        assert caught.value.path == tmp_path / "flow10.flo"


class TestConsecutiveFrames:
    def codes(self, sequence, count: int) -> list[int]:
        frames = list(sequence.consecutive(count))
        assert all(frame.dtype == torch.float32 and frame.shape[:2] == (1, 3) for frame in frames)
        return [round(frame[0, 0, 0, 0].item() * 255) for frame in frames]

    def test_of_a_clip_from_its_middle(self, tmp_path, pan, write_footage):
        images = pan(9, 80, 112)
        for index, image in enumerate(images):
            image[0, 0] = 60 + index
        write_footage(tmp_path / "c.mkv", images)
        (sequence,) = find_sequences(tmp_path, pairs=1)
        assert self.codes(sequence, 3) == [63, 64, 65]
        assert len(self.codes(sequence, 100)) == 9

    def test_of_images_until_one_is_missing(self, tmp_path):
        for first, count in ((1, 6), (20, 2)):
            flat = [np.full((40, 40, 3), first + n, np.uint8) for n in range(count)]
            write_images(tmp_path / "a", flat, first=first)
        (sequence,) = find_sequences(tmp_path)
        assert self.codes(sequence, 3) == [2, 3, 4]
        assert self.codes(sequence, 100) == [1, 2, 3, 4, 5, 6]

    def test_at_the_size_of_the_pairs(self, tmp_path, pan, write_footage):
        write_footage(tmp_path / "c.mkv", pan(4, 80, 112))
        (sequence,) = find_sequences(tmp_path, pairs=1, long_side=56)
        assert next(sequence.consecutive(1)).shape == (1, 3, 40, 56)

    def test_where_there_are_pairs_only(self):
        (sequence,) = of_footage([footage([1])])
        assert list(sequence.consecutive(3)) == []


class TestNothing:
    def test_missing_folder(self, tmp_path):
        with pytest.raises(MediaError, match="no such folder"):
            find_sequences(tmp_path / "none")

    def test_folder_without_anything_usable(self, tmp_path, texture):
        write_images(tmp_path, [texture(40, 40)], "portrait{:03}.png")
        write_images(tmp_path, [texture(40, 40)], "holiday.png")
        (tmp_path / "notes.txt").touch()
        with pytest.raises(MediaError, match="contains nothing to measure on") as caught:
            find_sequences(tmp_path)
        assert caught.value.path == tmp_path
