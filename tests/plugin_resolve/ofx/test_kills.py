from __future__ import annotations

import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from brushreel import native

from .minihost import FAILED, OK, Image, MiniHost


def kill_during_the_next_frame(place, delay: float) -> Timer:
    def kill() -> None:
        if process := place.server():
            os.kill(process, signal.SIGKILL)

    timer = Timer(delay, kill)
    timer.start()
    return timer


def leftovers(place) -> dict[str, int]:
    """Count the resources that this process, as a host, and the user's other processes hold."""
    return {
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "memory": Path("/proc/self/maps").read_text().count("memfd:brushreel"),
        "named memory": len(list(Path("/dev/shm").glob("*brushreel*"))),  # noqa: S108
        "children": len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
        "servers": servers(place),
    }


def servers(place) -> int:
    """Find the processes that serve this user, even if nobody can connect to them any more."""
    mark = f"XDG_RUNTIME_DIR={place.root / 'run'}".encode()
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            about = (process / "environ").read_bytes().split(b"\0")
            count += b"serve" in (process / "cmdline").read_bytes() and mark in about
    return count


def render_among_kills(host, place, noise, *, frames: int, kills: int) -> dict[str, int]:
    """Render frames of all sizes with one effect; return how many of them came out right."""
    random = np.random.default_rng(5)
    doomed = set(random.choice(np.arange(2, frames), kills, replace=False).tolist())
    effect = host.create()
    effect.change(style="tiny")
    expected = effect.render(Image(noise()))[1].pixels
    before = leftovers(place)
    counts = {"frames": 0, "kills": 0, "stylized": 0, "left over": 0}
    for index in range(frames):
        source = Image(noise(size=(64 + 16 * (index % 8), 96), seed=index))
        timer = None
        if index in doomed:
            timer = kill_during_the_next_frame(place, random.uniform(0, 0.01))
        status, output = effect.render(source)
        if timer:
            timer.join()
        counts["frames"] += 1
        counts["kills"] += index in doomed
        changed = np.abs(output.pixels[..., :3] - source.pixels[..., :3]).mean() > 0.05
        counts["stylized"] += status == OK and bool(changed)
    assert (effect.render(Image(noise()))[1].pixels == expected).all()
    after = leftovers(place)
    # One connection with its memory, for the next frame; and the timers are gone.
    counts["left over"] = sum(after[what] - before[what] for what in before)
    effect.destroy()
    return counts


def test_frames_are_stylized_while_servers_are_killed(host, place, noise):
    counts = render_among_kills(host, place, noise, frames=60, kills=2)
    assert counts == {"frames": 60, "kills": 2, "stylized": 60, "left over": 0}


@pytest.mark.slow
def test_a_thousand_frames_while_servers_are_killed(host, place, noise, record_property):
    counts = render_among_kills(host, place, noise, frames=1000, kills=60)
    record_property("counts", str(counts))
    assert counts == {"frames": 1000, "kills": 60, "stylized": 1000, "left over": 0}


def test_nothing_is_held_without_an_effect(host, place, noise):
    effect = host.create()
    effect.change(style="tiny")
    assert effect.render(Image(noise()))[0] == OK
    effect.destroy()
    before = leftovers(place)
    effect = host.create()
    effect.change(style="tiny")
    assert effect.render(Image(noise()))[0] == OK
    assert leftovers(place)["memory"] == 1
    effect.destroy()
    assert leftovers(place) == before


def test_a_server_that_can_not_start_fails_the_render_with_its_words(host, place, noise):
    place.kill()
    effect = host.create()
    effect.change(style="tiny")
    run = place.root / "run"
    (run / "brushreel").rename(run / "aside")
    (run / "brushreel").write_text("in the way")
    try:
        status, output = effect.render(Image(noise()))
    finally:
        (run / "brushreel").unlink()
        (run / "aside").rename(run / "brushreel")
    assert status == FAILED
    assert "can't be started" in effect.shown
    assert not output.pixels.any()
    assert effect.render(Image(noise()))[0] == OK
    effect.destroy()


@pytest.fixture(scope="module")
def impatient(compiled, tmp_path_factory) -> Path:
    """The effect, compiled to wait for a server for a second, and with one that does nothing."""
    root = tmp_path_factory.mktemp("impatient")
    with pytest.MonkeyPatch.context() as patch:
        compiler = shlex.join(native.own_compiler() or [])
        patch.setenv("CC", f"{compiler} -DBR_START_SECONDS=1")
        native.build_own(root, [native.LIBRARY])
    bundle = root / native.EFFECT / native.BUNDLE
    command = bundle / "Contents" / "Resources" / "server"
    command.parent.mkdir()
    command.write_text("/no/styles\n/bin/sleep\n30\n")
    return bundle


@pytest.mark.parametrize("aborted", [False, True])
def test_a_server_that_hangs_at_its_start_does_not_hang_the_host(impatient, place, noise, aborted):
    place.kill()
    host = MiniHost(impatient)
    effect = host.create()
    effect.change(style="tiny")
    before = leftovers(place)
    answers: list[bool] = []
    effect.asked_to_abort = lambda: answers.append(aborted and len(answers) >= 9) or answers[-1]
    status, output = effect.render(Image(noise()))
    assert status == FAILED
    assert answers.count(True) == aborted
    started = "the render server can't be started: it does not start within 1 s"
    assert effect.shown == (None if aborted else started)
    assert not output.pixels.any()
    assert leftovers(place) == before
    host.unload()


def test_an_effect_that_was_only_copied_says_how_to_install_it(host, place, noise):
    place.kill()
    command = place.bundle / "Contents" / "Resources" / "server"
    effect = host.create()
    effect.change(style="tiny")
    command.rename(command.with_suffix(".aside"))
    try:
        status, _ = effect.render(Image(noise()))
    finally:
        command.with_suffix(".aside").rename(command)
    assert status == FAILED
    assert "brushreel resolve install --ofx" in effect.shown
    effect.destroy()
