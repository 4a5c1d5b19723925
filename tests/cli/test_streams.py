"""Output of the command to a stream that is closed, full, or can't encode a name."""

from __future__ import annotations

import json
import os
import shutil
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
    assert ended.stderr.startswith(b"brushreel: the output can't be written: the disk is full")
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


@posix
@pytest.mark.parametrize(
    ("closed", "jobs"),
    [((0,), "1"), ((1,), "1"), ((1,), "2"), ((2,), "1"), ((2,), "2"), ((0, 1, 2), "2")],
)
def test_clips_without_standard_streams(clip, options, tmp_path, closed, jobs):
    shutil.copy(clip, clip.with_name("b.mp4"))
    report = tmp_path / "report.json"
    command = ["stylize", str(clip.parent), *options, "--strength", "0", "--jobs", jobs]

    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    ended = subprocess.run(
        [*COMMAND, *command, "--report", str(report)], preexec_fn=close, timeout=180, check=False
    )
    assert ended.returncode == 0
    written = json.loads(report.read_text())
    assert [one["status"] for one in written["clips"]] == ["done", "done"]


@posix
def test_a_stderr_that_can_only_be_read(clip, options, tmp_path):
    """A shell script's own file may have its number, where the script was started without one."""
    other = tmp_path / "script"
    other.write_text("mine")
    with other.open("rb") as file:
        ended = run("stylize", str(clip), *options, "--strength", "0", stderr=file)
    assert ended.returncode == 0
    assert other.read_text() == "mine"


def test_a_file_gets_plain_lines(clip, options):
    ended = run("stylize", str(clip), *options, "--strength", "0")
    assert ended.returncode == 0
    (line,) = ended.stderr.splitlines()
    assert line.endswith(b"s") and b"\r" not in line and b" frames, " in line
