"""Errors of the system and of libraries, in this program's words."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import socket
import ssl
import tomllib
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError
from xml.etree import ElementTree

import av
import av.error
import pytest
import torch
from PIL import Image
from safetensors import torch as safetensors

from brushreel.core.errors import MediaError, OutputError, unexpected
from brushreel.core.reasons import reason_of


def _raised(act: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        act()
    return caught.value


@pytest.mark.parametrize(
    ("number", "words", "way_out"),
    [
        (errno.EACCES, "this account lacks the permission", "change its permissions"),
        (errno.EPERM, "the system does not permit it", "change its permissions"),
        (errno.ENOENT, "there is no such file or folder", "check the path"),
        (errno.ENOTDIR, "a part of the path is not a folder", "check the path"),
        (errno.EISDIR, "it is a folder", "name a file"),
        (errno.EEXIST, "a file of that name is there", "choose another name"),
        (errno.ENAMETOOLONG, "the name is too long", "choose a shorter one"),
        (errno.ELOOP, "its links lead in a circle", "remove one of them"),
        (errno.ENOSPC, "the disk is full", "free some space on it"),
        (errno.EROFS, "the disk is read-only", "choose another folder"),
        (errno.EIO, "a part can't be read or written", "check the drive and the file"),
        (errno.EBUSY, "another program is using it", "close that program"),
        (errno.EMFILE, "too many files are open", "ulimit -n raises the limit"),
        (errno.ETIMEDOUT, "the network or the share does not answer", "check the connection"),
        (errno.EPIPE, "the connection broke off", "check the connection"),
        (errno.EPROTO, "the system reports EPROTO", None),
        (987_654, "the system reports 987654", None),
    ],
)
def test_every_number_of_the_system(number, words, way_out):
    assert reason_of(OSError(number, "as the system says it")) == (words, way_out)


def test_no_number_is_left_to_the_system_s_own_words():
    for number in errno.errorcode:
        words = reason_of(OSError(number, os.strerror(number))).words
        assert os.strerror(number).lower() not in words.lower()


@pytest.mark.parametrize("kind", sorted(map(int, av.error.ErrorType)))  # type: ignore[attr-defined]
def test_no_number_of_ffmpeg_is_left_to_its_own_words(kind):
    error = _raised(lambda: av.error.err_check(-kind))
    assert isinstance(error, av.error.FFmpegError)
    assert error.strerror and error.strerror.lower() not in reason_of(error).words.lower()
    assert "unexpected" not in reason_of(error).words


def _make(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _xml(text: str) -> None:
    ElementTree.fromstring(text)  # noqa: S314  it is the test's own


def _bomb() -> None:
    raise Image.DecompressionBombError


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda at: av.open(_make(at, "a.mp4", b"text")), "its data are damaged"),
        (lambda at: av.open(at / "none.mp4"), "there is no such file or folder"),
        (av.open, "it is a folder"),
        (lambda _: av.error.err_check(-errno.EINVAL), "it has values that contradict each other"),
        (lambda _: av.error.err_check(-errno.ENOSPC), "the disk is full"),
        (lambda _: av.error.err_check(-errno.ENOMEM), "there is not enough memory"),
        (lambda _: json.loads('{"a":\n ,}'), "it goes wrong at line 2, column 2"),
        (lambda _: tomllib.loads("a = 1\nb = ;"), "it goes wrong at line 2, column 5"),
        (lambda _: tomllib.loads("a"), "it goes wrong at the end of document"),
        (lambda _: _xml("<a>\n<b></a>"), "a tag is closed that is not open at "
         "line 2, column 6"),
        (lambda _: _xml("<a>&b;</a>"), "it names an entity that it does not "
         "define at line 1, column 4"),
        (lambda _: b"a\xff".decode(), "its byte 1 is not UTF-8"),
        (lambda _: safetensors.load(b"no"), "it is cut short, or no safetensors file"),
        (lambda _: Image.open(io.BytesIO(b"no")), "it is no image, or of a kind that is not read"),
        (lambda _: _bomb(), "it has more pixels than can be read"),
        (lambda _: socket.getaddrinfo("", 1, type=-1), "its address is not found"),
        (lambda _: json.loads("[" * 100_000), "it is nested too deeply"),
    ],
)  # fmt: skip
def test_what_libraries_raise(tmp_path, act, words):
    assert reason_of(_raised(lambda: act(tmp_path))).words == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (HTTPError("http://a", 503, "Down", None, None), "the server answers with status 503"),  # type: ignore[arg-type]
        (URLError(ConnectionRefusedError(errno.ECONNREFUSED, "")), "nobody accepts the connection"),
        (URLError(ssl.SSLCertVerificationError(1, "")), "no secure connection can be made"),
        (TimeoutError("timed out"), "the network or the share does not answer"),
        (IncompleteRead(b""), "the connection broke off"),
        (MemoryError(), "there is not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "there is not enough memory"),
        (EOFError(), "it ends too early"),
        (shutil.Error([("a", "b", "No such file")]), "not every file can be copied"),
        (ZeroDivisionError("division by zero"), "unexpected ZeroDivisionError"),
    ],
)
def test_what_the_network_memory_and_nobody_foresaw(error, words):
    assert reason_of(error).words == words


def test_an_error_has_the_file_the_reason_and_the_way_out(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    made = OutputError.because(full, "can't be written", path="/a/b.mp4")
    assert str(made) == "/a/b.mp4: can't be written: the disk is full (free some space on it)"
    own = OutputError.because(full, "can't be written", hint="take another")
    assert str(own) == "can't be written: the disk is full (take another)"
    odd = MediaError.because(ValueError("Struct"), "can't be read", otherwise="it is damaged")
    assert str(odd) == "can't be read: it is damaged"


def test_what_nobody_met_names_its_file_if_it_has_one(tmp_path):
    missing = _raised((tmp_path / "none").read_bytes)
    assert isinstance(missing, OSError)
    expected = f"{tmp_path / 'none'}: there is no such file or folder (check the path)"
    assert str(unexpected(missing)) == expected
    assert str(unexpected(KeyError("key"), "a.mp4")) == (
        "a.mp4: unexpected KeyError (--debug shows where it came from)"
    )
