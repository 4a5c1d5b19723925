"""The script and its child where nobody watches: no streams, a full disk, no home, no account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from brushreel.plugin_resolve.script.dialog_choice import Choice
from brushreel.plugin_resolve.script.install import SCRIPTS

from ...cli.namespaces import missing_namespaces, namespace
from .test_bridge import PATIENCE, Browser

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes")

# What stands for Resolve's process; it writes the names of the tracks at the end.
HOST = """
import json, sys
from pathlib import Path
root, scripts, folder = sys.argv[1:]
sys.path[:0] = [root, scripts]
import brushreel_bridge
from tests.plugin_resolve.script.fake.cut import build, make_clips
from tests.plugin_resolve.script.fake.model import Lies
folder = Path(folder)
cut = build(make_clips(folder / "media"), Lies())
settings = {"python": sys.executable, "log": ".local/state/resolve.log"}
settings["arguments"] = ["-P", "-m", "brushreel", "resolve", "run"]
brushreel_bridge.run(settings, {"resolve": cut.resolve})
names = [track.name for track in cut.timeline.tracks]
(folder / "tracks").write_text(json.dumps(names))
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path, style_file) -> Path:
    """Media, videos, and a library with one quick style."""
    styles = tmp_path / "data" / "brushreel" / "styles"
    styles.mkdir(parents=True)
    style_file.replace(styles / "tiny.safetensors")
    (tmp_path / "media").mkdir()
    return tmp_path


@contextmanager
def host(
    folder: Path, wrapped: Callable[..., list[str]] = lambda *command: [*command], **options: Any
) -> Iterator[subprocess.Popen]:
    """Run the script as Resolve does, with a program for a browser."""
    browser = folder / "browser.py"
    note = str(folder / "address")
    browser.write_text(
        "import sys\n"
        "assert sys.stdin.read() == ''\n"  # else it would take messages from the pipe
        f"open({note!r}, 'w').write(sys.argv[1] + chr(10))"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    del env["HOME"]
    env |= {"BROWSER": f"{sys.executable} {browser} %s", "XDG_DATA_HOME": str(folder / "data")}
    env |= {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    command = wrapped(sys.executable, "-c", HOST, str(ROOT), str(SCRIPTS), str(folder))
    with subprocess.Popen(command, env=env, cwd="/", **options) as process:
        try:
            yield process
        finally:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def finish_a_job(folder: Path) -> None:
    browser = Browser(folder / "address")
    browser.wait("choose")
    choice = asdict(Choice(style="tiny", extent="playhead", handles=2))
    assert browser.ask("POST", "start", choice)[0] == 204
    assert browser.wait("done")["text"] == "1 shot is in place"


def tracks(folder: Path) -> list[str]:
    return json.loads((folder / "tracks").read_text())


def test_a_host_without_standard_streams(folder):
    def close() -> None:
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    home = folder / "home"
    home.mkdir()
    with host(folder, preexec_fn=close, env={"HOME": str(home)}):
        finish_a_job(folder)
    assert "Brushreel: tiny" in tracks(folder)
    assert (home / ".local/state/resolve.log").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_console_that_can_not_be_written_and_a_home_that_can_not(folder):
    env = {"HOME": "/proc", "XDG_VIDEOS_DIR": str(folder / "videos")}
    with Path("/dev/full").open("wb") as full, host(folder, stdout=full, env=env):
        finish_a_job(folder)
    assert "Brushreel: tiny" in tracks(folder)
    assert [path.read_bytes() for path in folder.glob("brushreel-*.log")] == [b""]


@pytest.mark.skipif(missing_namespaces() != "", reason=missing_namespaces())
def test_a_user_without_an_account_is_told_where_shots_may_lie(folder):
    no_browser = {"BROWSER": "false", "DISPLAY": "", "WAYLAND_DISPLAY": "", "TERM": ""}
    with host(folder, namespace, stdout=subprocess.PIPE, env=no_browser) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert said.decode().splitlines()[-1] == (
        "Brushreel: this account has no home folder (set HOME or XDG_VIDEOS_DIR)"
    )
    assert "Brushreel: tiny" not in tracks(folder)
    assert not list(folder.rglob("~"))


@pytest.mark.parametrize("sent", [b"", b"[1]\n"])
def test_a_person_who_starts_the_child_is_told_what_does(sent):
    ended = subprocess.run(
        [sys.executable, "-m", "brushreel", "resolve", "run"],
        input=sent,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.decode().splitlines() == [
        "brushreel: this command is started by the script inside Resolve "
        "(Workspace > Scripts > Brushreel; brushreel resolve install puts it there)"
    ]
