from __future__ import annotations

from pathlib import Path

import pytest

from brushreel.core.runtimes.model_cache import kept_model


class Converter:
    def __init__(self):
        self.runs = 0

    def make(self, folder: Path) -> None:
        self.runs += 1
        (folder / "network").write_text("whole")

    def read(self, folder: Path) -> str:
        content = (folder / "network").read_text()
        if content != "whole":
            raise RuntimeError
        return content

    def get(self, *key: str) -> str:
        return kept_model(key, make=self.make, read=self.read)


def kept(home: Path) -> list[Path]:
    return sorted((home / "cache/brushreel/models").glob("*"))


def test_converted_once(home):
    converter = Converter()
    assert [converter.get("a"), converter.get("a")] == ["whole", "whole"]
    assert converter.runs == 1
    assert len(kept(home)) == 1


def test_another_key_is_another_model(home):
    converter = Converter()
    converter.get("a", "b")
    converter.get("ab")
    assert len(kept(home)) == 2


def test_what_is_damaged_is_made_again(home):
    converter = Converter()
    converter.get("a")
    (kept(home)[0] / "network").write_text("half")
    assert converter.get("a") == "whole"
    assert Converter().get("a") == "whole"
    assert converter.runs == 2


def test_what_is_missing_is_made_again(home):
    converter = Converter()
    converter.get("a")
    (kept(home)[0] / "network").unlink()
    assert converter.get("a") == "whole"
    assert converter.runs == 2


def test_a_cache_that_can_t_be_written_is_done_without(home):
    (home / "cache").write_text("a file in the place of the folder")
    assert Converter().get("a") == "whole"


def test_nothing_is_kept_of_a_conversion_that_failed(home):
    def fail(folder: Path) -> None:
        (folder / "network").write_text("half")
        raise RuntimeError("no such operation")

    with pytest.raises(RuntimeError, match="no such operation"):
        kept_model(["a"], make=fail, read=Path.read_text)
    assert kept(home) == []
