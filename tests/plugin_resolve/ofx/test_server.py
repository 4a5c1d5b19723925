from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brushreel.core.version import __version__
from brushreel.plugin_resolve.ofx.server.protocol import (
    DONE,
    HEADER,
    HELLO,
    MAX_BODY,
    MEMORY,
    PROTOCOL,
    REFUSED,
    RENDER,
)

from .minihost import OK, Image

SERVE = [sys.executable, "-P", "-m", "brushreel", "serve"]


def tell(connection, kind: int, body: bytes, files: tuple = ()) -> None:
    socket.send_fds(connection, [HEADER.pack(kind, len(body)) + body], files)


def answer(connection) -> tuple[int, str] | None:
    """Receive the server's answer; return None when it has hung up."""
    try:
        header = connection.recv(HEADER.size, socket.MSG_WAITALL)
        if len(header) < HEADER.size:
            return None
        kind, length = HEADER.unpack(header)
        return kind, connection.recv(length, socket.MSG_WAITALL).decode() if length else ""
    except ConnectionError:
        return None


def ask(connection, kind: int, body: bytes, files: tuple = ()) -> tuple[int, str]:
    tell(connection, kind, body, files)
    answered = answer(connection)
    assert answered is not None, "the server has hung up"
    return answered


def text(words: str | bytes) -> bytes:
    raw = words if isinstance(words, bytes) else words.encode()
    return struct.pack("<I", len(raw)) + raw


def frame(**changed) -> bytes:
    values: dict[str, Any] = {"width": 8, "height": 8, "depth": 4}
    values |= {"premultiplied": 0, "keep": 0, "draft": 0, "keep_bars": 1}
    values |= {"transform": 0, "strength": 0.0}
    values |= {"stroke_size": 1.0, "detail": 0.4, "full_width": 8.0, "full_height": 8.0}
    values |= {"style": "tiny", "colourspace": ""}
    *numbers, style, colourspace = (values | changed).values()
    return struct.pack("<8I5d", *numbers) + text(style) + text(colourspace)


def sealed(size: int, *, shrinkable: bool = False) -> int:
    file = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.truncate(file, size)
    if not shrinkable:
        import fcntl

        fcntl.fcntl(file, 1033, 2)
    return file


@pytest.fixture
def serving(place, host, noise):
    """A server that runs, and its user."""
    effect = host.create()
    effect.change(style="tiny", strength=0.0)
    assert effect.render(Image(noise()))[0] == OK
    effect.destroy()
    return place


@pytest.fixture
def let_in(serving):
    made = []

    def connect():
        connection, token = serving.connect()
        made.append(connection)
        assert ask(connection, HELLO, struct.pack("<I", PROTOCOL) + token)[0] == DONE
        return connection

    yield connect
    for connection in made:
        connection.close()


def test_says_its_version_to_who_knows_the_token(serving):
    connection, token = serving.connect()
    with connection:
        assert ask(connection, HELLO, struct.pack("<I", PROTOCOL) + token) == (DONE, __version__)


def test_hangs_up_on_who_does_not_know_the_token(serving):
    connection, token = serving.connect()
    with connection:
        wrong = token[:-1] + (b"0" if token[-1:] != b"0" else b"1")
        tell(connection, HELLO, struct.pack("<I", PROTOCOL) + wrong)
        assert answer(connection) is None


def test_hangs_up_on_who_does_not_say_hello_first(serving):
    connection, _ = serving.connect()
    with connection:
        tell(connection, RENDER, frame())
        assert answer(connection) is None


def test_another_version_is_told_what_to_do(serving):
    connection, token = serving.connect()
    with connection:
        kind, words = ask(connection, HELLO, struct.pack("<I", PROTOCOL + 1) + token)
    assert kind == REFUSED
    assert "different versions" in words
    assert "resolve install --ofx" in words


def test_the_folder_is_this_users_alone(serving):
    assert serving.serving.stat().st_mode & 0o777 == 0o700
    for path in serving.serving.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can be others")
@pytest.mark.parametrize("doors_open", [False, True])
def test_a_stranger_is_not_let_in_even_with_the_token(serving, doors_open):
    address, token = (serving.serving / "server").read_text().split()
    opened = [serving.root, serving.root / "run", serving.serving]
    modes = [path.stat().st_mode & 0o777 for path in opened]
    if doors_open:
        for path in opened:
            path.chmod(0o777)
        Path(address).chmod(0o777)
    program = (
        "import os, socket, struct, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "connection = socket.socket(socket.AF_UNIX)\n"
        "connection.settimeout(60)\n"
        "try:\n"
        "    connection.connect(sys.argv[1])\n"
        f"    connection.send(struct.pack('<III', {HELLO}, 68, {PROTOCOL}))\n"
        "    connection.send(sys.argv[2].encode())\n"
        "    sys.exit(2 if connection.recv(1) else 0)\n"
        "except (PermissionError, BrokenPipeError, ConnectionResetError):\n"
        "    sys.exit(0)\n"
    )
    try:
        ended = subprocess.run([sys.executable, "-c", program, address, token], check=False)
    finally:
        for path, mode in zip(opened, modes, strict=True):
            path.chmod(mode)
        Path(address).chmod(0o600)
    assert ended.returncode == 0


@pytest.mark.parametrize(
    "style", ["../tiny", "/etc/passwd", "tiny.safetensors", "", "TINY", "tiny+other", "a" * 99]
)
def test_only_names_of_the_library_are_styles(let_in, style):
    connection = let_in()
    memory = sealed(1024)
    assert ask(connection, MEMORY, struct.pack("<Q", 1024) + text(""), (memory,))[0] == DONE
    kind, words = ask(connection, RENDER, frame(strength=1.0, style=style))
    os.close(memory)
    assert kind == REFUSED
    assert "is not a valid style name" in words or "there is no style" in words


def test_memory_that_could_be_cut_off_is_refused(let_in):
    memory = sealed(4096, shrinkable=True)
    body = struct.pack("<Q", 4096) + text("")
    assert ask(let_in(), MEMORY, body, (memory,))[0] == REFUSED
    os.close(memory)


def test_a_file_is_no_memory(let_in):
    with tempfile.TemporaryFile() as file:
        file.truncate(4096)
        body = struct.pack("<Q", 4096) + text("")
        assert ask(let_in(), MEMORY, body, (file.fileno(),))[0] == REFUSED


def test_a_frame_must_fit_into_the_memory(let_in):
    connection = let_in()
    memory = sealed(4096)
    ask(connection, MEMORY, struct.pack("<Q", 1024) + text(""), (memory,))
    os.close(memory)
    assert ask(connection, RENDER, frame())[0] == DONE
    assert ask(connection, RENDER, frame(width=9)) == (
        REFUSED,
        "a frame is larger than the shared memory",
    )
    assert ask(connection, RENDER, frame())[0] == DONE


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 0},
        {"height": 2**31},
        {"depth": 0},
        {"depth": 5},
        {"premultiplied": 2},
        {"keep_bars": 2},
        {"transform": 7},
        {"strength": float("nan")},
        {"strength": 1.01},
        {"stroke_size": 0.2},
        {"stroke_size": float("nan")},
        {"detail": 1.1},
        {"full_width": 0.0},
        {"full_height": float("inf")},
        {"style": b"\xff"},
    ],
)
def test_numbers_out_of_range_end_the_connection(let_in, changed):
    connection = let_in()
    assert ask(connection, RENDER, frame(**changed))[0] == REFUSED
    assert answer(connection) is None


def nonsense(random: np.random.Generator) -> tuple[int, bytes]:
    """Make a message whose header or body is broken in one of several ways."""
    kinds = {HELLO: os.urandom(68), MEMORY: struct.pack("<Q", 64) + text(""), RENDER: frame()}
    kind = int(random.choice(list(kinds)))
    body = bytearray(kinds[kind])
    way = random.integers(5)
    if way == 0:
        body = bytearray(random.bytes(int(random.integers(0, 300))))
    elif way == 1:
        del body[int(random.integers(len(body))) :]
    elif way == 2:
        for place in random.integers(len(body), size=4):
            body[place] ^= int(random.integers(1, 256))
    elif way == 3:
        kind = int(random.integers(2**32))
    else:
        body += random.bytes(int(random.integers(1, MAX_BODY - len(body))))
    return kind, bytes(body)


def test_thousands_of_malformed_messages_do_no_harm(serving, let_in, host, noise):
    before = serving.server()
    random = np.random.default_rng(1)
    held = open_files(before)
    count = 0
    while count < 3_000:
        connection = let_in()
        # Several, one after the other: the server hangs up after one that makes no sense.
        for _ in range(20):
            count += 1
            kind, body = nonsense(random)
            length = len(body) if random.random() < 0.9 else int(random.integers(2**32))
            files = (0,) if random.random() < 0.1 else ()
            try:
                socket.send_fds(connection, [HEADER.pack(kind, length) + body], files)
                if length != len(body):
                    # The server waits for the rest, of this message or of the next.
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                break
            if answer(connection) is None or length != len(body):
                break
        connection.close()
    assert serving.server() == before
    effect = host.create()
    effect.change(style="tiny")
    assert effect.render(Image(noise()))[0] == OK
    effect.destroy()
    wait_for(lambda: open_files(before) <= held + 3)


def open_files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_client_that_dies_leaves_nothing_behind(serving, let_in):
    process = serving.server()
    wait_for(lambda: mappings(process) == 0)
    held = open_files(process)
    connection = let_in()
    memory = sealed(4096)
    ask(connection, MEMORY, struct.pack("<Q", 4096) + text(""), (memory,))
    os.close(memory)
    assert mappings(process) == 1
    tell(connection, RENDER, frame(strength=1.0))
    connection.close()
    wait_for(lambda: mappings(process) == 0 and open_files(process) <= held)


def mappings(process: int) -> int:
    return Path(f"/proc/{process}/maps").read_text().count("memfd:")


def test_ends_when_idle_and_tidies_up(place):
    place.kill()
    ended = subprocess.run([*SERVE, "--idle", "0.3"], timeout=60, capture_output=True, check=False)
    assert ended.returncode == 0
    assert [path.name for path in place.serving.iterdir()] == ["lock"]


def test_one_server_is_enough(serving):
    ended = subprocess.run(SERVE, timeout=60, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "running already" in ended.stderr
    ended = subprocess.run([*SERVE, "--detach"], timeout=60, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_server_outlives_a_host_that_does_not_wait_until_it_listens():
    program = (
        "import os\n"
        "from brushreel.plugin_resolve.ofx.server.serve_command import _release\n"
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "_release(writing)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert ended.returncode == 0


def test_a_folder_that_others_can_read_is_refused(place, tmp_path, monkeypatch):
    (tmp_path / "brushreel").mkdir(mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    ended = subprocess.run(
        [*SERVE, "--detach"], timeout=60, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "is open to others" in ended.stderr
    assert "Traceback" not in ended.stderr
