"""Weights of the loss network, downloaded only when asked for: checked, then reduced."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import pickle
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.hub
from filelock import FileLock
from safetensors.torch import save as save_tensors
from torch import Tensor
from tqdm import tqdm

from ..core.atomic import atomic_write
from ..core.errors import TrainingError
from ..core.reasons import reason_of

TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Source:
    """A published file.

    Attributes:
        address: Its URL.
        size: Bytes.
        sha256: Hash of the whole file, in hexadecimal.
    """

    address: str
    size: int
    sha256: str


VGG_19 = Source(
    "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    574_673_361,
    "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
)


def download_tensors(source: Source, names: Sequence[str], target: Path) -> None:
    """Download a PyTorch state dictionary and keep some of its tensors as safetensors.

    The size is printed before the download starts. Nothing of the file is read before its hash is
    checked, and then only tensors are (`weights_only`). The file itself is deleted. Of several
    processes that want the same target, as torchrun starts them, one downloads it and the others
    wait.

    Args:
        source: The file to download.
        names: The tensors to keep.
        target: Where to keep them; it appears only when it is complete.

    Raises:
        TrainingError: The file can't be reached, breaks off, is not the one expected, or there is
            no space for it.
    """
    fetched = target.with_name(f".{target.name}.{os.getpid()}.download")
    lock = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if target.is_file():
                return
            _check_space(source, target.parent)
            _fetch(source, fetched)
            _check_file(source, fetched)
            with atomic_write(target) as file:
                file.write(save_tensors(_read(fetched, names, source)))
    except OSError as error:
        raise TrainingError.because(
            error, "the loss network can't be written", path=target
        ) from error
    finally:
        for path in (fetched, lock):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _check_space(source: Source, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < source.size:
        raise TrainingError(
            f"the download needs {_megabytes(source.size)} for a while, "
            f"and only {_megabytes(free)} are free",
            path=folder,
        )


def _fetch(source: Source, path: Path) -> None:
    """Download the file; PyTorch leaves nothing behind of one that breaks off with an error."""
    tqdm.write(f"downloading {source.address}, {_megabytes(source.size)}", file=sys.stderr)
    try:
        with _socket_timeout(TIMEOUT):
            torch.hub.download_url_to_file(source.address, str(path))
    except (OSError, http.client.HTTPException) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise _unreachable(source, reason_of(error).words) from error


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Set a timeout, so that a silent server raises TimeoutError; PyTorch sets none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _unreachable(source: Source, why: str) -> TrainingError:
    return TrainingError(
        f"{source.address} can't be downloaded: {why}",
        hint="try again, or give VGG-19 as safetensors with --loss-weights",
    )


def _check_file(source: Source, path: Path) -> None:
    """Refuse another file than the one expected, and one whose connection was closed too early."""
    size = path.stat().st_size
    if size < source.size:
        raise _unreachable(source, f"the connection broke off after {size} of {source.size} bytes")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != source.sha256:
        raise TrainingError(
            f"{source.address} is not the file that was expected: its SHA-256 is {digest}, "
            f"not {source.sha256}; nothing of it was read or kept"
        )


def _read(path: Path, names: Sequence[str], source: Source) -> dict[str, Tensor]:
    # What torch raises on bytes that are not such a file.
    damage = (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensors[name].float().contiguous() for name in names}
    except (*damage, AttributeError, TypeError) as error:
        raise TrainingError(f"{source.address} is not VGG-19") from error


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
