"""The command where nobody watches: cron, a daemon, a service manager, no account, no terminal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import pytest

from .namespaces import NOBODY, missing_namespaces, namespace

pty = pytest.importorskip("pty", reason="needs POSIX processes")

COMMAND = [sys.executable, "-m", "brushreel"]
PATIENCE = 60
# What cron and systemd set: no home, no locale, no terminal.
BARE = {"PATH": "/usr/bin:/bin"}
SETTLED_HERE = ["--runtime", "auto", "--precision", "auto", "--strength", "1"]
"""Measures which runtime is fastest, converts the network, and would keep both."""
# Forks twice and leads a session of its own, in the root folder, with all streams closed.
DAEMON = """
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
os.umask(0)
for descriptor in range(256):
    try:
        os.close(descriptor)
    except OSError:
        pass
os.execv(sys.executable, [sys.executable, "-m", "brushreel", *sys.argv[1:]])
"""


@pytest.fixture
def namespaces() -> None:
    if why := missing_namespaces():
        pytest.skip(why)


@pytest.fixture
def flags(style_file) -> list[str]:
    fast = ["--device", "cpu", "--precision", "fp32", "--runtime", "torch", "--strength", "0"]
    return ["-s", str(style_file), *fast]


def _bare(**more: str) -> dict[str, str]:
    # Where the package itself is found is no part of the environment that is tested.
    found = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {**BARE, **found, **more}


def _frames(path: Path) -> int:
    with av.open(f"file:{path}") as container:
        return sum(1 for _ in container.decode(video=0))


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def _run(
    command: Sequence[str], env: dict[str, str], **options: Any
) -> subprocess.CompletedProcess[bytes]:
    given: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    } | options
    return subprocess.run(command, **given, env=env, timeout=PATIENCE, check=False)


def test_cron(clip, flags, tmp_path):
    # Its shell has a home, no locale and no terminal, and mails what was printed.
    source = clip.rename(clip.with_name("née.mp4"))
    env = _bare(HOME=str(tmp_path), LOGNAME="somebody", SHELL="/bin/sh")
    line = [*COMMAND, "stylize", str(source), "-o", str(tmp_path / "out"), *flags]
    ended = _run(["/bin/sh", "-c", '"$@"', "sh", *line], env)
    assert ended.returncode == 0
    (said,) = ended.stdout.decode().splitlines()
    assert said.startswith(f"{tmp_path}/out/née.mp4: ") and "\r" not in said
    assert _frames(tmp_path / "out" / "née.mp4") == _frames(source)


@pytest.mark.usefixtures("namespaces")
def test_a_user_without_home_and_account(clip, flags, tmp_path):
    line = [*COMMAND, "stylize", str(clip), "-o", str(tmp_path / "out"), *flags, *SETTLED_HERE]
    ended = _run(namespace(*line), _bare(TMPDIR=str(tmp_path)))
    assert ended.returncode == 0, ended.stdout
    first, second = ended.stdout.decode().splitlines()
    kept = f"{tmp_path}/brushreel-of-{NOBODY}"
    assert first == (
        f"brushreel: this account has no home folder: styles and caches are kept in {kept}"
    )
    assert second.startswith(f"{tmp_path}/out/a.mp4: ")


@pytest.mark.usefixtures("namespaces")
def test_a_service_that_may_write_to_its_own_folder_only(clip, flags, tmp_path):
    # As with ProtectSystem=strict: no home, no account, no folder for temporary files.
    out = tmp_path / "out"
    out.mkdir()
    line = [*COMMAND, "stylize", str(clip), "-o", str(out), *flags, *SETTLED_HERE]
    ended = _run(namespace(*line, alone=out), _bare(), cwd="/")
    assert ended.returncode == 0, ended.stdout
    first, second = ended.stdout.decode().splitlines()
    assert first == (
        "brushreel: this account has no home folder, and there is no folder for temporary files: "
        "styles and caches are not kept"
    )
    assert second.startswith(f"{out}/a.mp4: ")
    assert _frames(out / "a.mp4") == _frames(clip)


@pytest.mark.usefixtures("namespaces")
def test_an_output_that_may_not_be_written_is_one_line(clip, flags, tmp_path):
    alone, out = tmp_path / "alone", tmp_path / "out"
    alone.mkdir()
    line = [*COMMAND, "stylize", str(clip), "-o", str(out), *flags]
    ended = _run(namespace(*line, alone=alone), _bare(), cwd="/")
    assert ended.returncode == 1
    assert ended.stdout.decode().splitlines() == [
        f"brushreel: {out}/a.mp4: can't be written: the disk is read-only (choose another folder)"
    ]


def test_a_daemon_that_watches_until_it_is_asked_to_end(clip, flags, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    line = ["watch", str(clip.parent), str(out), *flags, "--settle", "0", "--poll", "0.2"]
    line += ["--log", str(log)]
    started = _run([sys.executable, "-c", DAEMON, *line], _bare(HOME=str(tmp_path)))
    assert (started.returncode, started.stdout) == (0, b"")
    _wait((out / "a.mp4").exists)
    assert _frames(out / "a.mp4") == _frames(clip)
    daemon = _process_of(str(out))
    # Nothing of it is where a stream was.
    assert {Path(f"/proc/{daemon}/fd/{n}").readlink() for n in (0, 1, 2)} == {Path(os.devnull)}
    os.kill(daemon, signal.SIGTERM)
    _wait(lambda: not Path(f"/proc/{daemon}").exists())
    assert "Traceback" not in log.read_text()


def _process_of(argument: str) -> int:
    """Return the process that has this argument."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(argument) in words:
                return int(folder.name)
    pytest.skip("this system does not list its processes")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_service_is_asked_to_end(long_clip, flags, tmp_path, number):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("nohup, under which these tests run, is for every child too")
    # By its manager, or because the terminal of an ssh session is gone.
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, "stylize", str(long_clip), "-o", str(out), *flags, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_bare(HOME=str(tmp_path)),
    ) as process:
        assert process.stdout is not None
        while b"clip_progress" not in process.stdout.readline():
            pass
        process.send_signal(number)
        printed, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (130, b"")
    assert json.loads(printed.splitlines()[-1])["event"] == "batch_interrupted"
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_nohup_goes_on_without_its_terminal(long_clip, flags, tmp_path):
    leader, terminal = pty.openpty()
    line = [*COMMAND, "stylize", str(long_clip), "-o", str(tmp_path / "out"), *flags]
    with subprocess.Popen(
        line,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # noqa: PLW1509
    ) as process:
        os.close(terminal)
        assert os.read(leader, 1)
        os.close(leader)
        os.kill(process.pid, signal.SIGHUP)
        assert process.wait(PATIENCE) == 0
    assert _frames(tmp_path / "out" / "long.mp4") == _frames(long_clip)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("gone", ["full", "reader"])
def test_a_log_that_can_not_be_written_ends_no_work(clip, flags, tmp_path, gone):
    shutil.copy(clip, clip.with_name("b.mp4"))
    reading, writing = os.pipe() if gone == "reader" else (-1, os.open("/dev/full", os.O_WRONLY))
    if gone == "reader":
        os.close(reading)
    line = [*COMMAND, "stylize", str(clip.parent), "-o", str(tmp_path / "out"), *flags]
    try:
        ended = _run(line, dict(os.environ), stderr=writing)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_events_that_can_not_be_written_are_one_line(clip, flags, tmp_path):
    line = [*COMMAND, "stylize", str(clip), "-o", str(tmp_path / "out"), *flags, "--json"]
    with Path("/dev/full").open("wb") as full:
        ended = _run(line, dict(os.environ), stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 1
    assert ended.stderr == (
        b"brushreel: the events can't be written: the disk is full (free some space on it)\n"
    )
    assert not (tmp_path / "out").exists()
