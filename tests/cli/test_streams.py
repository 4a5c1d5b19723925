"""Output of the command to a stream that is closed, full, or can't encode a name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brushreel.cli import _parser

COMMAND = [sys.executable, "-m", "brushreel"]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX streams and names")


def run(*arguments: str | bytes, **options) -> subprocess.CompletedProcess[bytes]:
    """Run with the buffering that output has by default where it is no terminal."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    options = {"env": env, "stderr": subprocess.PIPE} | options
    return subprocess.run([*COMMAND, *arguments], timeout=180, check=False, **options)


@posix
def test_a_reader_that_has_gone_before_the_first_line():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = run("styles", stdout=writing)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("wb") as full:
        ended = run("styles", stdout=full)
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"brushreel: the output can't be written: No space left")
    assert ended.stderr.count(b"\n") == 1


@posix
def test_no_output_at_all():
    ended = run("styles", preexec_fn=lambda: os.close(1))
    assert (ended.returncode, ended.stderr) == (0, b"")


@posix
def test_a_name_that_is_not_utf_8(style_file, tmp_path):
    library = tmp_path / "data/brushreel/styles"
    library.mkdir(parents=True)
    name = os.fsencode(library) + b"/caf\xe9.safetensors"
    try:
        Path(os.fsdecode(name)).write_bytes(style_file.read_bytes())
    except OSError:
        pytest.skip("names are UTF-8 here")
    given = {"XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONIOENCODING": "utf-8:strict"}
    ended = run("styles", stdout=subprocess.PIPE, env={**os.environ, **given})
    assert ended.returncode == 0, ended.stderr
    assert b"caf\\udce9" in ended.stdout


@pytest.mark.parametrize(
    ("given", "debug"),
    [
        (["resolve", "doctor"], False),
        (["resolve", "doctor", "--debug"], True),
        (["resolve", "--debug", "doctor"], True),
        (["resolve", "run", "--debug"], True),
        (["styles", "--debug"], True),
    ],
)
def test_debug_after_any_command(given, debug):
    assert _parser().parse_args(given).debug is debug
