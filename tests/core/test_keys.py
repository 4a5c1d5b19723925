"""Keys of resumed work, and identities of files."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from brushreel.core.file_identity import clip_identity, file_identity, image_identity
from brushreel.core.keys import key_digest, stored
from brushreel.core.stylizer import Stylizer


def test_stored_facts_compare_equal_to_what_a_file_gives_back():
    facts = stored({"range": (1, 2), "rate": Fraction(24000, 1001), "none": None})
    assert facts == {"range": [1, 2], "rate": "24000/1001", "none": None}
    assert stored(facts) == facts


def test_a_digest_ignores_the_order_of_names_only_where_told_to():
    one, other = {"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}
    assert key_digest(one) == key_digest(other)
    assert key_digest(one, sort=False) != key_digest(other, sort=False)
    assert key_digest({"b": [2, 1], "a": 1}) != key_digest(one)
    assert (len(key_digest(one)), len(key_digest(one, size=5))) == (64, 10)


def test_every_argument_of_a_stylizer_is_a_setting(tiny_style):
    stylizer = Stylizer(tiny_style, device="cpu", precision="fp32")
    arguments = set(Stylizer.__init__.__annotations__) - {"return"}
    # They don't change pixels, or keys store them apart.
    assert arguments - set(stylizer.settings()) == {"style", "device", "parallel"}
    assert stylizer.settings()["strength"] == 1.0


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 64)
    return path


@pytest.mark.parametrize("change", ["size", "start", "end", "time"])
def test_a_changed_file_has_another_identity(path, change):
    before, clip, image = file_identity(path, sample=64), clip_identity(path), image_identity(path)
    time, content = path.stat().st_mtime_ns, path.read_bytes()
    changed = {"size": content + b"x", "start": b"x" + content[1:], "end": content[:-1] + b"x"}
    path.write_bytes(changed.get(change, content))
    os.utime(path, ns=(time, time + (change == "time")))
    assert file_identity(path, sample=64) != before
    assert clip_identity(path) != clip
    assert image_identity(path) != image


def test_the_same_file_has_the_same_identity(path):
    assert file_identity(path) == file_identity(path)
    assert file_identity(path).ends is None
    assert clip_identity(path.parent / "." / path.name) == clip_identity(path)
