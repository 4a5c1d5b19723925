from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.training.data import extraction
from brushreel.training.data.extraction import Evenly, _spread, extract


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(extraction, "LONG_SIDE", 160)


def indices(pairs: np.ndarray, images: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Return the gap of each pair, and the indices of its images in the clip."""
    numbers = {image.tobytes(): index for index, image in enumerate(images)}
    return [
        (int(pair["gap"]), *(numbers[frame.tobytes()] for frame in pair["frames"]))
        for pair in pairs
    ]


def barred(images: list[np.ndarray], rows: int, columns: int) -> list[np.ndarray]:
    border = ((rows, rows), (columns, columns), (0, 0))
    return [np.pad(image, border, constant_values=3) for image in images]


class TestGaps:
    def test_nearer_pairs_come_first(self, tmp_path, pan, write_footage, monkeypatch):
        monkeypatch.setattr(extraction, "PAIRS_PER_CLIP", {1: 3, 2: 2, 4: 1})
        images = pan(20, 90, 160, step=1)
        extracted = extract(write_footage(tmp_path / "c.mkv", images))
        assert indices(extracted.pairs, images) == [
            *((1, 3, 4), (1, 9, 10), (1, 15, 16)),
            *((2, 4, 6), (2, 13, 15)),
            (4, 8, 12),
        ]

    def test_motion_is_that_of_the_gap(self, tmp_path, pan, write_footage):
        extracted = extract(write_footage(tmp_path / "c.mkv", pan(16, 90, 160, step=1)))
        assert set(extracted.pairs["gap"]) == {1, 2, 4}
        for record in extracted.pairs:
            inner = record["flow"][20:-20, 20:-20].astype(float)
            assert np.abs(inner - [-int(record["gap"]), 0]).mean() < 0.1

    def test_too_fast_for_its_gap(self, tmp_path, pan, write_footage):
        extracted = extract(write_footage(tmp_path / "c.mkv", pan(10, 90, 160, step=12)))
        assert set(extracted.pairs["gap"]) == {1}
        assert extracted.left_out

    @pytest.mark.parametrize(("length", "expected"), [(0, 0), (-3, 0), (1, 1), (4, 2), (900, 5)])
    def test_spread(self, length, expected):
        chosen = sorted(_spread(length, 5, 2))
        assert len(chosen) == expected
        assert all(0 <= index < length for index in chosen)
        assert min(np.diff(chosen), default=2) >= 2


class TestEvenly:
    def test_neighbours_at_their_own_size(self, tmp_path, pan, write_footage):
        images = pan(13, 80, 112)
        extracted = extract(write_footage(tmp_path / "c.mkv", images), Evenly(3))
        assert indices(extracted.pairs, images) == [(1, 2, 3), (1, 6, 7), (1, 10, 11)]

    def test_the_next_one_instead_of_one_that_can_t_be_used(self, tmp_path, pan, write_footage):
        images = pan(13, 80, 112)
        images[3:5] = [images[2]] * 2
        extracted = extract(write_footage(tmp_path / "c.mkv", images), Evenly(2))
        assert extracted.pairs["gap"].tolist() == [1, 1]
        np.testing.assert_array_equal(extracted.pairs["frames"][0], np.stack(images[4:6]))
        np.testing.assert_array_equal(extracted.pairs["frames"][1], np.stack(images[9:11]))
        assert extracted.left_out == {"duplicate": 1}

    def test_scaled_down_but_never_up(self, tmp_path, pan, write_footage):
        clip = write_footage(tmp_path / "c.mkv", pan(4, 80, 112))
        for long_side, size in ((56, (40, 56)), (200, (80, 112))):
            extracted = extract(clip, Evenly(1, long_side))
            assert extracted.pairs["frames"].shape == (1, 2, *size, 3)


class TestBars:
    @pytest.mark.parametrize(("rows", "columns"), [(20, 0), (0, 30), (16, 16)])
    def test_are_cropped_away(self, tmp_path, pan, write_footage, rows, columns):
        images = barred(pan(6, 90, 160), rows, columns)
        extracted = extract(write_footage(tmp_path / "c.mkv", images))
        assert len(extracted.pairs)
        frames = extracted.pairs["frames"]
        assert frames[..., 0, :, :].mean() > 60
        assert min(frames[:, :, edge].max() for edge in (0, -1)) > 60
        assert min(frames[:, :, :, edge].max() for edge in (0, -1)) > 60
        height, width = (90 - 4 * bool(rows), 160 - 4 * bool(columns))
        scale = 160 / width
        assert frames.shape[2:4] == (round(height * scale), 160)
        cropped = {"rows": rows, "columns": columns}
        assert extracted.notes == tuple(
            f"{2 * count + 4} {side} of black bars cropped"
            for side, count in cropped.items()
            if count
        )

    def test_none_where_a_frame_is_lit(self, tmp_path, pan, write_footage):
        images = pan(6, 90, 160)
        for image in images[:-1]:
            image[:20] = 0  # a dark sky until the last frame
        extracted = extract(write_footage(tmp_path / "c.mkv", images))
        assert extracted.notes == ()
        assert extracted.pairs["frames"].shape[2:4] == (90, 160)


class TestUpright:
    def test_clip_that_is_shown_rotated(self, tmp_path, pan, write_footage, rotate):
        images = pan(4, 90, 160)
        path = rotate(write_footage(tmp_path / "flat.mov", images, "png", "rgb24"))
        extracted = extract(path)
        np.testing.assert_array_equal(extracted.pairs["frames"][0, 0], np.rot90(images[1], -1))

    @pytest.mark.parametrize("rotated", [False, True])
    def test_pixels_that_are_not_square(self, tmp_path, pan, rotate, rotated):
        path = tmp_path / "wide.mov"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("png", rate=25)
            stream.width, stream.height, stream.pix_fmt = 80, 96, "rgb24"
            stream.codec_context.sample_aspect_ratio = Fraction(2)
            for image in pan(4, 96, 80):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode(None))
        extracted = extract(rotate(path) if rotated else path)
        shape = (160, 96) if rotated else (96, 160)
        assert extracted.pairs["frames"].shape[2:4] == shape


class TestColour:
    @pytest.mark.parametrize(("height", "matrix"), [(160, 5), (592, 1)])
    def test_without_tags_follows_the_size(self, tmp_path, pan, height, matrix):
        """BT.601 for small frames, BT.709 for large ones, as players choose."""
        tint = np.array((60, 200, 40)) / 255
        images = [(image * tint).astype(np.uint8) for image in pan(4, height, 320)]
        path = tmp_path / "c.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 320, height, "yuv420p"
            for image in images:
                rgb = av.VideoFrame.from_ndarray(image, "rgb24")
                frame = rgb.reformat(format="yuv420p", dst_colorspace=matrix)
                frame.colorspace = 2  # unspecified
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        frames = extract(path).pairs["frames"]
        colour, expected = frames.mean((0, 1, 2, 3)), np.mean(images, (0, 1, 2))
        assert np.abs(colour - expected).max() < 3

    def test_that_has_no_conversion(self, tmp_path, pan):
        path = tmp_path / "c.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
            stream.codec_context.colorspace = 14  # ICtCp
            for image in pan(4, 90, 160):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode(None))
        assert extract(path).left_out == {"unreadable": 1}


@pytest.fixture
def rotate():
    """A function that copies a clip to one that is shown rotated by 90 degrees clockwise."""

    def rotate(path: Path) -> Path:
        rotated = path.with_name("rotated.mov")
        with av.open(str(path)) as source, av.open(str(rotated), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            stream.set_display_matrix((0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30))
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
        return rotated

    return rotate


class TestShots:
    def test_cut_between_flat_shots(self, tmp_path, write_footage):
        ramp = np.broadcast_to(np.linspace(0, 60, 160, dtype=np.uint8)[:, None], (90, 160, 3))
        images = [ramp + 30, ramp + 31, ramp + 130, ramp + 131]
        path = write_footage(tmp_path / "c.mkv", images)
        assert extract(path).left_out == {"cut": 2}

    def test_flow_without_texture_is_not_a_cut(self, tmp_path, write_footage):
        noise = np.random.default_rng(0)
        ramp = np.broadcast_to(np.linspace(90, 150, 160)[:, None], (90, 160, 3))
        images = [(ramp + noise.normal(0, 4, ramp.shape)).astype(np.uint8) for _ in range(4)]
        path = write_footage(tmp_path / "c.mkv", images)
        assert extract(path).left_out.keys() == {"with unreliable motion"}

    def test_changing_light_is_not_a_cut(self, tmp_path, pan, write_footage):
        images = [image // 2 + 4 * n for n, image in enumerate(pan(4, 90, 160))]
        extracted = extract(write_footage(tmp_path / "c.mkv", images))
        assert extracted.left_out == {}

    def test_interlaced(self, tmp_path, pan):
        path = tmp_path / "c.mpg"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme"})
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            for image in pan(6, 96, 160):
                frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        extracted = extract(path)
        assert extracted.left_out == {"interlaced": 1}
        assert not len(extracted.pairs)

    def test_too_narrow_for_flow(self, tmp_path, pan, write_footage):
        path = write_footage(tmp_path / "c.mkv", pan(4, 16, 160))
        assert extract(path).left_out == {"too narrow": 2}
