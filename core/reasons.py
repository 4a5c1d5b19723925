"""Reasons of failures in plain words: what the system and the libraries report by number or type.

Their own texts are for programmers, name functions, and differ from version to version; they are
shown by ``--debug`` alone.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import socket
import ssl
import sys
import tomllib
from collections.abc import Iterator
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError
from xml.etree import ElementTree
from xml.parsers.expat import errors as expat

import av.error
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError


class Reason(NamedTuple):
    """A reason and the way out.

    Attributes:
        words: The reason, as the end of a sentence such as "can't be read: ...".
        way_out: What the user can do; None where only the place of the error knows.
    """

    words: str
    way_out: str | None = None


_NO_ANSWER = Reason("the network or the share does not answer", "check the connection")
_BROKEN_OFF = Reason("the connection broke off", "check the connection")
_NO_MEMORY = Reason("there is not enough memory", "close other programs, or take fewer --jobs")
_SYSTEM = {
    errno.EACCES: Reason("this account lacks the permission", "change its permissions"),
    errno.EPERM: Reason("the system does not permit it", "change its permissions"),
    errno.ENOENT: Reason("there is no such file or folder", "check the path"),
    errno.ENOTDIR: Reason("a part of the path is not a folder", "check the path"),
    errno.EISDIR: Reason("it is a folder", "name a file"),
    errno.EEXIST: Reason("a file of that name is there", "choose another name"),
    errno.ENOTEMPTY: Reason("the folder is not empty", "choose another name"),
    errno.ENAMETOOLONG: Reason("the name is too long", "choose a shorter one"),
    errno.ELOOP: Reason("its links lead in a circle", "remove one of them"),
    errno.ENOSPC: Reason("the disk is full", "free some space on it"),
    errno.EROFS: Reason("the disk is read-only", "choose another folder"),
    errno.EFBIG: Reason("it is larger than the disk's format allows", "choose another disk"),
    errno.EIO: Reason("a part can't be read or written", "check the drive and the file"),
    errno.ENODEV: Reason("the device is not there", "check its connection"),
    errno.ENXIO: Reason("the device is not there", "check its connection"),
    errno.EBUSY: Reason("another program is using it", "close that program"),
    errno.ETXTBSY: Reason("another program is using it", "close that program"),
    errno.EMFILE: Reason("too many files are open", "ulimit -n raises the limit"),
    errno.ENFILE: Reason("too many files are open on this machine", "close other programs"),
    errno.ENOMEM: _NO_MEMORY,
    errno.EINVAL: Reason("the system does not accept it", "check the path and the disk's format"),
    errno.ENOSYS: Reason("this system does not support it"),
    errno.EOPNOTSUPP: Reason("this disk does not support it", "choose another disk"),
    errno.EXDEV: Reason("it is on another disk", "choose a folder on the same one"),
    errno.EADDRINUSE: Reason("another program is using the address", "close that program"),
    errno.EADDRNOTAVAIL: Reason("this machine does not have that address"),
    errno.ECONNREFUSED: Reason("nobody accepts the connection", "check the connection"),
    errno.ECONNRESET: _BROKEN_OFF,
    errno.ECONNABORTED: _BROKEN_OFF,
    errno.EPIPE: _BROKEN_OFF,
    errno.ETIMEDOUT: _NO_ANSWER,
    errno.EHOSTUNREACH: _NO_ANSWER,
    errno.ENETUNREACH: _NO_ANSWER,
    errno.ENETDOWN: _NO_ANSWER,
    errno.ENOTCONN: _NO_ANSWER,
}
# Not every system has these.
for _name, _reason in {
    "EDQUOT": Reason("this account's share of the disk is used up", "free some space on it"),
    "ESTALE": _NO_ANSWER,
    "EHOSTDOWN": _NO_ANSWER,
    "EREMOTEIO": _NO_ANSWER,
}.items():
    if hasattr(errno, _name):
        _SYSTEM[getattr(errno, _name)] = _reason

_UNREAD = Reason("it has a feature that FFmpeg does not read yet")
_TOO_LARGE = Reason("it has a number that is too large")
# Where FFmpeg's error is one of the system, it is rarely the system's: what is read says so.
_FFMPEG = {
    av.error.InvalidDataError: Reason("its data are damaged"),
    av.error.EOFError: Reason("it ends too early"),
    av.error.PatchWelcomeError: _UNREAD,
    av.error.NotImplementedError: _UNREAD,
    av.error.ExperimentalError: _UNREAD,
    av.error.ArgumentError: Reason("it has values that contradict each other"),
    av.error.OverflowError: _TOO_LARGE,
    av.error.BufferTooSmallError: _TOO_LARGE,
    av.error.MemoryError: _NO_MEMORY,
    av.error.DemuxerNotFoundError: Reason("it is in no container that FFmpeg reads"),
    av.error.DecoderNotFoundError: Reason("this build of FFmpeg can't decode it", "reinstall av"),
    av.error.ProtocolNotFoundError: Reason("FFmpeg does not read from there", "name a file"),
    av.error.LookupError: Reason("this build of FFmpeg lacks a part for it", "reinstall av"),
    av.error.ExternalError: Reason("the codec's own library fails on it"),
}
_XML = {
    expat.XML_ERROR_TAG_MISMATCH: "a tag is closed that is not open",
    expat.XML_ERROR_NO_ELEMENTS: "it ends too early",
    expat.XML_ERROR_UNCLOSED_TOKEN: "it ends too early",
    expat.XML_ERROR_UNDEFINED_ENTITY: "it names an entity that it does not define",
    expat.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "something follows its last tag",
    expat.XML_ERROR_DUPLICATE_ATTRIBUTE: "an attribute is there twice",
    expat.XML_ERROR_BAD_CHAR_REF: "a character is not allowed",
    expat.XML_ERROR_UNKNOWN_ENCODING: "its encoding is not known",
    expat.XML_ERROR_AMPLIFICATION_LIMIT_BREACH: "its entities grow without bound",
}
_PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")


def reason_of(error: BaseException, otherwise: str | None = None) -> Reason:
    """Return what an error of the system or of a library means.

    Args:
        error: What was raised; also by FFmpeg, and by readers of images, safetensors, JSON, TOML
            and XML.
        otherwise: The reason where the error's number and type tell none: a decoder that raises
            whatever it likes fails on damaged data.

    Returns:
        The reason; of an error that nobody foresaw its type alone.
    """
    found = next(_known(error), None)
    if found is None and otherwise is not None:
        return Reason(otherwise)
    return found or Reason(f"unexpected {type(error).__name__}", "--debug shows where it came from")


def _known(error: BaseException) -> Iterator[Reason]:
    """Yield the reasons that fit, the best first."""
    yield from (reason for kind, reason in _FFMPEG.items() if isinstance(error, kind))
    yield from _of_text(error)
    yield from _of_network(error)
    number = getattr(error, "errno", None)
    if number in _SYSTEM:
        yield _SYSTEM[number]
    elif isinstance(error, av.error.FFmpegError):
        yield Reason("FFmpeg fails on it")
    elif isinstance(error, OSError) and number is not None:
        yield Reason(f"the system reports {errno.errorcode.get(number, number)}")
    if _is_shortage(error):
        yield _NO_MEMORY
    elif isinstance(error, Image.DecompressionBombError):
        yield Reason("it has more pixels than can be read", "scale it down")
    elif isinstance(error, UnidentifiedImageError):
        yield Reason("it is no image, or of a kind that is not read")
    elif isinstance(error, SafetensorError):
        yield Reason("it is cut short, or no safetensors file")
    elif isinstance(error, shutil.Error):
        yield Reason("not every file can be copied")
    elif isinstance(error, RecursionError):
        yield Reason("it is nested too deeply")
    elif isinstance(error, EOFError):
        yield Reason("it ends too early")


def _is_shortage(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from .memory import is_shortage  # noqa: PLC0415  imports torch

    return is_shortage(error)


def _of_text(error: BaseException) -> Iterator[Reason]:
    """Yield what is wrong with a text, and where."""
    if isinstance(error, UnicodeDecodeError):
        yield Reason(f"its byte {error.start} is not UTF-8", "save it as UTF-8")
    elif isinstance(error, json.JSONDecodeError):
        yield Reason(f"it goes wrong at line {error.lineno}, column {error.colno}")
    elif isinstance(error, tomllib.TOMLDecodeError):
        place = _PLACE.search(str(error))
        where = place[1].replace("end", "the end") if place else "a place that it does not name"
        yield Reason(f"it goes wrong at {where}")
    elif isinstance(error, ElementTree.ParseError):
        line, column = error.position
        what = _XML.get(expat.messages.get(error.code, ""), "it goes wrong")
        yield Reason(f"{what} at line {line}, column {column + 1}")


def _of_network(error: BaseException) -> Iterator[Reason]:
    # These are system errors with numbers of their own.
    if isinstance(error, HTTPError):
        yield Reason(f"the server answers with status {error.code}", "try again later")
    elif isinstance(error, ssl.SSLError):
        yield Reason("no secure connection can be made", "check the clock and the proxy")
    elif isinstance(error, socket.gaierror):
        yield Reason("its address is not found", "check the connection")
    elif isinstance(error, HTTPException):
        yield _BROKEN_OFF
    elif isinstance(error, TimeoutError):
        yield _NO_ANSWER
    elif isinstance(getattr(error, "reason", None), OSError):  # urllib's wrapping
        yield reason_of(error.reason)  # type: ignore[attr-defined]
