"""The loss network's weights from their publisher, only when asked for: checked, then cut down."""

from __future__ import annotations

import hashlib
import http.client
import os
import pickle
import shutil
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import save as save_tensors
from torch import Tensor
from tqdm import tqdm

from ..core.atomic import atomic_write
from ..core.errors import TrainingError

BLOCK = 1 << 20
TIMEOUT = 30.0


@dataclass(frozen=True)
class Source:
    """A published file.

    Attributes:
        address: Where it is.
        size: Bytes.
        sha256: Of the whole file, in hexadecimal.
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
    """Fetch a PyTorch state dictionary and keep some of its tensors as safetensors.

    Says how large it is before it starts. Nothing of the file is read before its hash is checked,
    and then only tensors are (`weights_only`). The file itself is deleted. Of several processes
    that want the same target, as torchrun starts them, one fetches it and the others wait.

    Args:
        source: What to fetch.
        names: Of the tensors to keep.
        target: Where to keep them; has its name only when it is whole.

    Raises:
        TrainingError: Unreachable, cut off, another file than expected, or no space for it.
    """
    fetched = target.with_name(f".{target.name}.{os.getpid()}.download")
    lock = target.with_name(f".{target.name}.lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if target.is_file():
                return
            _check_space(source, target.parent)
            _check_hash(source, _fetch(source, fetched))
            with atomic_write(target) as file:
                file.write(save_tensors(_read(fetched, names, source)))
    except OSError as error:
        raise TrainingError(
            f"the loss network can't be written: {error.strerror or error}",
            path=target,
            hint="is the disk full?",
        ) from error
    finally:
        for path in (fetched, lock):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _check_space(source: Source, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < source.size:
        raise TrainingError(
            f"the download takes {_megabytes(source.size)} for a while, "
            f"and only {_megabytes(free)} are free",
            path=folder,
        )


def _fetch(source: Source, path: Path) -> str:
    """SHA-256 of what came."""
    tqdm.write(f"downloading {source.address}, {_megabytes(source.size)}", file=sys.stderr)
    digest = hashlib.sha256()
    with path.open("wb") as file, _bar(source) as bar:
        for block in _blocks(source):
            file.write(block)
            digest.update(block)
            bar.update(len(block))
        came = file.tell()
    if came != source.size:
        raise _unreachable(source, f"{came} bytes came of {source.size}")
    return digest.hexdigest()


def _bar(source: Source) -> tqdm:
    return tqdm(total=source.size, unit="B", unit_scale=True, desc="VGG-19", dynamic_ncols=True)


def _blocks(source: Source) -> Iterator[bytes]:
    """The file's bytes; failures of the connection are told apart from those of the disk."""
    try:
        # Some servers turn Python's own name away. The address is a constant of this file.
        headers = {"User-Agent": "brushreel"}
        request = urllib.request.Request(source.address, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            while block := response.read(BLOCK):
                yield block
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(source, str(getattr(error, "reason", None) or error)) from error


def _unreachable(source: Source, why: str) -> TrainingError:
    return TrainingError(
        f"{source.address} can't be downloaded: {why}",
        hint="try again, or give VGG-19 as safetensors with --loss-weights",
    )


def _check_hash(source: Source, digest: str) -> None:
    if digest != source.sha256:
        raise TrainingError(
            f"{source.address} is not the file that was expected: its SHA-256 is {digest}, "
            f"not {source.sha256}; nothing of it was read or kept"
        )


def _read(path: Path, names: Sequence[str], source: Source) -> dict[str, Tensor]:
    # What bytes that are no such file make torch raise.
    damage = (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError)
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensors[name].float().contiguous() for name in names}
    except (*damage, AttributeError, TypeError) as error:
        raise TrainingError(f"{source.address} does not hold VGG-19: {error}") from error


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
