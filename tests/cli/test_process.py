"""The command as a process: streams, signals, a full disk, a reader that goes away."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import pytest

from brushreel import __version__
from brushreel.batch.demo.clip import make_demo_clip
from brushreel.cli import WELCOME, _parser, main
from brushreel.core.errors import BrushreelError
from brushreel.core.version import commit

from .called import COMMAND, PATIENCE, everything_in, run_command, validated

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")


def test_version_and_help_do_not_wait_for_torch():
    code = (
        "import sys, brushreel.cli as cli\n"
        "assert cli.main([]) == 0\n"
        "slow = {'torch', 'av', 'numpy', 'moviepy', 'PIL', 'ffmpeg'}\n"
        "for flag, few in (('--help', set()), ('--version', {'av', 'numpy'})):\n"
        "    try: cli.main([flag])\n"
        "    except SystemExit as ended: assert ended.code == 0\n"
        "    assert not slow & sys.modules.keys() - few, sys.modules.keys()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert f"\nbrushreel {__version__}\n" in ended.stdout


def test_the_module_is_the_command():
    ended = run_command("--version")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert lines[0] == f"brushreel {__version__}"
    assert f"FFmpeg {av.ffmpeg_version_info} (PyAV {av.__version__})" in lines
    assert f"torch {metadata.version('torch')}" in lines
    assert re.fullmatch(r"commit [0-9a-f]{12}|commit unknown", lines[1])
    assert re.fullmatch(r"runtimes: .*torch, openvino [\d.]+.*, onnxruntime .+", lines[-1])


def test_the_commit_is_that_of_a_checkout_or_the_one_it_was_built_from(tmp_path, monkeypatch):
    monkeypatch.setattr("brushreel.core.version._COMMIT", tmp_path / "commit.txt")
    assert commit(tmp_path) is None
    (tmp_path / "commit.txt").write_text("0123456789ab\n")
    assert commit(tmp_path) == "0123456789ab"
    (tmp_path / ".git").write_text("no checkout")
    assert commit(tmp_path) is None


def test_errors_name_pages_that_exist(tmp_path):
    kinds = [BrushreelError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    pages = {kind.page for kind in kinds} - {None}
    assert len(pages) > 3
    assert all((Path(__file__).parents[2] / page).is_file() for page in pages)
    painting = tmp_path / "a.png"
    painting.write_text("no image")
    ended = run_command("train", painting, "--clips", tmp_path, "--name", "mine")
    assert ended.stderr.splitlines()[-1].endswith("; see docs/training.md")


def test_alone_it_shows_commands_that_work():
    ended = run_command()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{WELCOME}\n"
    examples = [line.split("   ")[0] for line in WELCOME.splitlines() if line.startswith("  b")]
    assert len({words.split()[1] for words in examples}) == 5
    for words in examples:
        _parser().parse_args(words.split()[1:])


def test_events_and_nothing_else_on_stdout(clip, options, tmp_path):
    second = clip.with_name("b.mp4")
    second.write_text("no clip")
    ended = run_command("stylize", clip.parent, *options, "--json")
    assert ended.returncode == 1
    events = validated(ended.stdout)
    assert [event["event"] for event in events] == [
        "batch_started",
        *("clip_started", *["clip_progress"] * 12, "clip_done"),
        "clip_failed",
        "batch_finished",
    ]
    assert "Traceback" not in ended.stderr
    assert everything_in(tmp_path / "out") == ["a.mp4"]


def test_any_name_in_a_plain_locale(clip, options, tmp_path):
    odd = clip.rename(clip.with_name("中文 it's 50%: ü.mp4"))
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = run_command("stylize", odd, *options, env=plain)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert "12 frames" in ended.stderr
    assert everything_in(tmp_path / "out") == [odd.name]


def test_debug_shows_where_an_error_came_from(tmp_path, options):
    ended = run_command("stylize", tmp_path / "none.mp4", *options, "--debug")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert f"brushreel: {tmp_path / 'none.mp4'}: no such file" in ended.stderr


def default_signals() -> None:
    # A test run in the background hands down that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@posix
@pytest.mark.parametrize(("kind", "number"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupting_leaves_nothing(long_clip, options, tmp_path, kind, number, jobs):
    clips = [shutil.copy(long_clip, tmp_path / f"{index}.mp4") for index in range(number)]
    with subprocess.Popen(
        [*COMMAND, "stylize", *map(str, clips), *options, "--json", "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,  # noqa: PLW1509  no threads are under way
    ) as process:
        assert process.stdout is not None
        seen = ""
        while seen.count("clip_started") < min(number, jobs) or "clip_progress" not in seen:
            seen += process.stdout.readline()
        process.send_signal(kind)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in err
    events = validated(seen + out)
    assert events[-1]["event"] == "batch_interrupted"
    assert sorted(events[-1]["unfinished"]) == [str(source) for source in clips[:jobs]]
    assert {event["input"] for event in events if "input" in event} <= set(map(str, clips[:jobs]))
    assert everything_in(tmp_path / "out") == []


@posix
def test_a_reader_that_goes_away(long_clip, options, tmp_path):
    with subprocess.Popen(
        [*COMMAND, "stylize", str(long_clip), *options, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(PATIENCE) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert everything_in(tmp_path / "out") == []


DISK_FULL = """
import json, resource, sys
from brushreel.cli import main
from brushreel.core.options import Precision
from brushreel.training.recipe import RECIPES
for limit in json.loads(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    print("limit", limit, main(sys.argv[2:]), flush=True)
    print("limit", limit, file=sys.stderr, flush=True)
"""


@posix
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_full_disk(clip, options, tmp_path, suffix):
    output = tmp_path / "out" / f"a.{suffix}"
    arguments = ["stylize", str(clip), *options, "--container", suffix]
    assert main(arguments) == 0
    size = output.stat().st_size
    output.write_bytes(b"precious")
    limits = [0, 1000, size // 2, size - 2000, size - 1]
    ended = subprocess.run(
        [sys.executable, "-c", DISK_FULL, json.dumps(limits), *arguments, "--overwrite"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.stdout.splitlines() == [f"limit {limit} 1" for limit in limits]
    assert "Traceback" not in ended.stderr
    lines = ended.stderr.replace("\r", "\n").splitlines()
    complaints = [line for line in lines if line.startswith("brushreel: ")]
    assert len(complaints) == len(limits)
    assert all(str(output) in line and "larger than" in line for line in complaints)
    assert output.read_bytes() == b"precious"
    assert main([*arguments, "--overwrite"]) == 0
    assert output.stat().st_size == size
    assert everything_in(output.parent) == [output.name]


MEMORY = """
import resource, sys
from brushreel import stylize_clip
stylize_clip(*sys.argv[1:], device="cpu", precision="fp32")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(source: Path, style: Path) -> int:
    output = source.with_name(f"{source.stem}.out.mp4")
    ended = subprocess.run(
        [sys.executable, "-c", MEMORY, str(source), str(output), str(style)],
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE,
        check=True,
    )
    return int(ended.stdout)


@posix
@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(style_file, tmp_path):
    size: dict[str, Any] = {"width": 320, "height": 180}
    short = make_demo_clip(tmp_path / "short.mp4", seconds=5, **size)
    long = make_demo_clip(tmp_path / "long.mp4", seconds=30, **size)
    assert peak_memory(long, style_file) < 1.1 * peak_memory(short, style_file)


def test_what_nobody_foresaw_is_one_line(monkeypatch, capsys):
    def gone() -> None:
        raise RuntimeError("the driver\nis gone")

    monkeypatch.setattr("brushreel.core.library.style_paths", gone)
    assert main(["styles"]) == 1
    error = capsys.readouterr().err
    assert error == "brushreel: unexpected RuntimeError (--debug shows where it came from)\n"


def test_the_handler_of_sigterm_is_the_caller_s_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    main(["styles"])
    assert signal.getsignal(signal.SIGTERM) is before
