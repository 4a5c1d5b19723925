from __future__ import annotations

import struct

import numpy as np
import pytest

from brushreel.core.errors import MediaError
from brushreel.training.evaluation.ground_truth import GroundTruth, find_ground_truth, read_flo

FLOW = np.arange(2 * 3 * 2, dtype="<f4").reshape(2, 3, 2)
CONTENT = struct.pack("<fii", 202021.25, 3, 2) + FLOW.tobytes()


class TestReadFlo:
    def test_width_and_height_then_rows_of_x_and_y(self, tmp_path):
        path = tmp_path / "a.flo"
        path.write_bytes(CONTENT)
        flow, known = read_flo(path)
        assert flow.dtype == np.float32
        np.testing.assert_array_equal(flow, FLOW)
        assert known.shape == (2, 3)
        assert known.all()

    @pytest.mark.parametrize("mark", [1.7e9, -1.7e9, np.nan, np.inf])
    def test_unknown_motion_is_told(self, tmp_path, mark):
        flow = FLOW.copy()
        flow[1, 2, 0] = mark
        path = tmp_path / "a.flo"
        path.write_bytes(CONTENT[:12] + flow.tobytes())
        flow, known = read_flo(path)
        assert flow[1, 2].tolist() == [0, 0]
        assert known.sum() == 5
        assert not known[1, 2]

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b"", "truncated"),
            (CONTENT[:11], "truncated"),
            (CONTENT[:-1], "truncated: 59 bytes instead of 60 for 3x2"),
            (CONTENT + b"\0", "extra bytes at its end: 61 bytes instead of 60"),
            (struct.pack("<f", 202021.0) + CONTENT[4:], "is not a .flo file"),
            (struct.pack("<fii", 202021.25, -3, 2) + FLOW.tobytes(), "is not a .flo file"),
            (struct.pack("<fii", 202021.25, 3, 0), "is not a .flo file"),
        ],
    )
    def test_damage_is_one_line(self, tmp_path, content, what):
        path = tmp_path / "a.flo"
        path.write_bytes(content)
        with pytest.raises(MediaError, match=what) as caught:
            read_flo(path)
        assert str(caught.value).startswith(f"{path}: ")


class TestFindGroundTruth:
    @pytest.mark.parametrize(
        ("flo", "current", "other"),
        [
            ("flow10.flo", "frame10.png", "frame11.png"),
            ("frame_0001.flo", "frame_0001.png", "frame_0002.png"),
            ("frame_0009.flo", "frame_0009.ppm", "frame_0010.ppm"),
            ("flow/frame_0001.flo", "frame_0001.png", "frame_0002.png"),
            ("00001_flow.flo", "00001_img1.ppm", "00001_img2.ppm"),
            ("0000000-gt.flo", "0000000-img0.ppm", "0000000-img1.ppm"),
            ("flow/alley/frame_0001.flo", "final/alley/frame_0001.png", "frame_0002.png"),
            ("other-gt-flow/Wood/flow10.flo", "other-data/Wood/frame10.png", "frame11.png"),
        ],
    )
    def test_known_layouts(self, tmp_path, flo, current, other):
        paths = [tmp_path / flo, tmp_path / current, (tmp_path / current).with_name(other)]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        assert find_ground_truth(tmp_path) == [GroundTruth(*paths)]

    def test_final_frames_before_clean_ones(self, tmp_path):
        for tree in ("clean", "final"):
            for number in (1, 2):
                (tmp_path / tree / "a").mkdir(parents=True, exist_ok=True)
                (tmp_path / tree / "a" / f"frame_000{number}.png").touch()
        (tmp_path / "flow" / "a").mkdir(parents=True)
        (tmp_path / "flow" / "a" / "frame_0001.flo").touch()
        (truth,) = find_ground_truth(tmp_path)
        assert truth.current == tmp_path / "final" / "a" / "frame_0001.png"

    @pytest.mark.parametrize("name", ["flow10.flo", "other.flo"])
    def test_without_its_frames_it_is_an_error(self, tmp_path, name):
        (tmp_path / name).touch()
        (tmp_path / "frame10.png").touch()
        with pytest.raises(MediaError, match="its frames are missing") as caught:
            find_ground_truth(tmp_path)
        assert caught.value.path == tmp_path / name

    def test_none(self, tmp_path):
        assert find_ground_truth(tmp_path) == []
