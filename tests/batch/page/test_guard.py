"""The guard: its own page gets in, everybody else does not."""

from __future__ import annotations

import pytest

from brushreel.batch.page.guard import PARTS, Guard, files_in

HOST = "127.0.0.1:8000"


def test_only_the_page_names_what_is_below_the_root():
    guard = Guard(HOST)
    assert guard.name(f"{guard.root}clips", HOST) == "clips"
    assert guard.name("/clips", HOST) is None
    assert guard.name(f"{guard.root}clips", "evil.example") is None
    assert guard.name(f"{guard.root}clips", None) is None
    assert guard.name(f"/{'x' * 43}/clips", HOST) is None


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"https://{HOST}"])
def test_other_origins_are_not_its_own(origin):
    assert not Guard(HOST).is_own_origin(origin)
    assert Guard(HOST).is_own_origin(f"http://{HOST}")


def test_address_is_good_once_and_for_this_host():
    guard = Guard(HOST)
    path = guard.address.removeprefix(f"http://{HOST}")
    assert not guard.admits(path, "evil.example")
    assert guard.admits(path, HOST)
    assert not guard.admits(path, HOST)
    assert not guard.admits(guard.root, HOST)


def test_policy_allows_no_inline_scripts_and_nothing_from_elsewhere():
    policy = Guard(HOST).headers()["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy


def test_files_of_a_page_are_plain_names_of_known_kinds(tmp_path):
    for name in ("a.js", "b.py", ".hidden"):
        (tmp_path / name).write_text("")
    assert set(files_in(tmp_path)) == {"a.js"}
    assert "base.css" in files_in(tmp_path, PARTS)
