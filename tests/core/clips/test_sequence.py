"""Image sequences: which images belong to one, and what is missing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from brushreel.core.clips.sequence import ImageSequence, Pattern, find_patterns
from brushreel.core.errors import MediaError, UsageError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


class TestPattern:
    @pytest.mark.parametrize(
        ("name", "number", "expected"),
        [
            ("shot.%06d.exr", 86400, "shot.086400.exr"),
            ("shot.%04d.png", 123456, "shot.123456.png"),
            ("shot_%d.tif", 7, "shot_7.tif"),
            ("100 %a.%02d.PNG", 3, "100 %a.03.PNG"),
            ("still.png", 5, "still.png"),
        ],
    )
    def test_names(self, tmp_path, name, number, expected):
        pattern = Pattern.of(tmp_path / name)
        assert pattern is not None
        assert pattern.name(number) == tmp_path / expected

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.%04d.mov", "notes.txt", "shot.%04d"])
    def test_what_is_no_picture(self, tmp_path, name):
        assert Pattern.of(tmp_path / name) is None

    def test_a_file_of_that_very_name_is_a_picture(self, tmp_path):
        touch(tmp_path, "odd.%04d.png", "odd.0001.png", "odd.0002.png")
        pattern = Pattern.of(tmp_path / "odd.%04d.png")
        assert pattern is not None
        assert not pattern.numbered
        assert ImageSequence.find(pattern).files() == [tmp_path / "odd.%04d.png"]

    def test_two_places(self, tmp_path):
        with pytest.raises(UsageError, match="several places"):
            Pattern.of(tmp_path / "a.%04d.%04d.png")

    def test_numbers_are_those_that_are_written_so(self, tmp_path):
        touch(tmp_path, "a.0002.png", "a.0003.png", "a.10000.png", "a.4.png", "a.00005.png")
        touch(tmp_path, "b.0004.png", "a.0004.exr", ".a.0001.png", "a.x0006.png", "a.0007.png.bak")
        assert Pattern(tmp_path / "a.%04d.png").numbers() == [2, 3, 10000]


class TestFind:
    def test_from_the_first_number_there_is(self, tmp_path):
        touch(tmp_path, *(f"a.{number:06}.png" for number in range(86398, 86403)))
        found = ImageSequence.find(Pattern(tmp_path / "a.%06d.png"))
        assert found.numbers == range(86398, 86403)
        assert [path.name for path in found.files()][::4] == ["a.086398.png", "a.086402.png"]

    @pytest.mark.parametrize(
        ("numbers", "gaps"),
        [
            ([1, 2, 4], "but not 3"),
            ([1, 5, 6, 8], "but not 2-4, 7"),
            (range(0, 60, 2), "but not 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and 17 more gaps"),
        ],
    )
    def test_gaps_are_named(self, tmp_path, numbers, gaps):
        touch(tmp_path, *(f"a.{number:04}.png" for number in numbers))
        with pytest.raises(MediaError, match=gaps):
            ImageSequence.find(Pattern(tmp_path / "a.%04d.png"))

    @pytest.mark.parametrize("name", ["a.%04d.png", "a.png", "no/folder/a.%04d.png"])
    def test_nothing_there(self, tmp_path, name):
        with pytest.raises(MediaError, match=r"no image has such a name|no such file"):
            ImageSequence.find(Pattern(tmp_path / name))


class TestFindPatterns:
    def names(self, folder: Path) -> list[str]:
        return [str(path.relative_to(folder)) for path in find_patterns(folder, recursive=True)]

    def test_each_kind_is_one(self, tmp_path):
        touch(tmp_path, "a.0001.exr", "a.0002.exr", "a.0001.png", "a.0002.png", "b7.tif", "b8.tif")
        touch(tmp_path, "a.0001.mov", "alone.0001.png", "alone.png")
        assert self.names(tmp_path) == ["a.%04d.exr", "a.%04d.png", "b%d.tif"]

    def test_numbers_that_outgrow_their_zeros(self, tmp_path):
        touch(tmp_path, "a.0998.png", "a.0999.png", "a.1000.png", "a.10000.png")
        assert self.names(tmp_path) == ["a.%04d.png"]

    def test_numbers_without_zeros(self, tmp_path):
        touch(tmp_path, "a9.png", "a10.png", "a11.png", "a100.png")
        assert self.names(tmp_path) == ["a%d.png"]

    def test_two_paddings_are_two(self, tmp_path):
        touch(tmp_path, "a.001.png", "a.002.png", "a.0001.png", "a.0002.png")
        assert self.names(tmp_path) == ["a.%03d.png", "a.%04d.png"]

    def test_gaps_do_not_hide_it(self, tmp_path):
        touch(tmp_path, "a.0001.png", "a.0005.png")
        assert self.names(tmp_path) == ["a.%04d.png"]

    def test_folders_and_hidden_files(self, tmp_path):
        for folder in (tmp_path / "b", tmp_path / ".c"):
            folder.mkdir()
            touch(folder, "a.1.png", "a.2.png")
        touch(tmp_path, ".x.1.png", ".x.2.png")
        assert self.names(tmp_path) == ["b/a.%d.png"]
        assert not find_patterns(tmp_path, recursive=False)
        with pytest.raises(MediaError, match="no such folder"):
            find_patterns(tmp_path / "none", recursive=False)


class TestOtherPrograms:
    @pytest.mark.parametrize(
        ("name", "usual"),
        [
            ("shot.####.exr", "shot.%04d.exr"),
            ("shot.@@@@.exr", "shot.%04d.exr"),
            ("shot.$F4.exr", "shot.%04d.exr"),
            ("shot.$F.exr", "shot.%d.exr"),
            ("shot.#.exr", "shot.%d.exr"),
            ("shot.[0990-1001].exr", "shot.%04d.exr"),
            ("shot.%04d.exr", "shot.%04d.exr"),
        ],
    )
    def test_their_places(self, tmp_path, name, usual):
        touch(tmp_path, "shot.0001.exr", "shot.0002.exr")
        pattern = Pattern.of(tmp_path / name)
        assert pattern is not None
        assert pattern.path == tmp_path / usual
        assert pattern.numbers() == ([1, 2] if "4" in usual else [])

    def test_a_file_of_that_name_is_itself(self, tmp_path):
        touch(tmp_path, "take #1.png")
        pattern = Pattern.of(tmp_path / "take #1.png")
        assert pattern is not None
        assert not pattern.numbered


class TestNegativeNumbers:
    def test_they_come_first(self, tmp_path):
        touch(tmp_path, *(f"shot.{number:04}.png" for number in range(-3, 3)))
        (found,) = find_patterns(tmp_path, recursive=False)
        assert found.name == "shot.%04d.png"
        sequence = ImageSequence.find(Pattern(found))
        assert sequence.numbers == range(-3, 3)
        names = [path.name for path in sequence.files()]
        assert names[:4] == ["shot.-003.png", "shot.-002.png", "shot.-001.png", "shot.0000.png"]

    def test_after_letters_a_minus_is_a_joint(self, tmp_path):
        touch(tmp_path, "shot-001.png", "shot-002.png")
        (found,) = find_patterns(tmp_path, recursive=False)
        assert found.name == "shot-%03d.png"
        assert Pattern(found).numbers() == [1, 2]
