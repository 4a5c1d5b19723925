"""OpenEXR files through their library: parts, each with a header and channels."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import OpenEXR

from ..errors import MediaError, OutputError

_log = logging.getLogger(__name__)
# DWA, of the compressions that OpenEXR has, takes one byte for 10 000 of an even image.
_MOST_COMPRESSED = 1 << 15
_FLAT = (OpenEXR.scanlineimage, OpenEXR.tiledimage)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a file; most files have one.

    Attributes:
        header: All attributes except the list of channels.
        channels: (H, W) of the data window, by name: float16, float32 or uint32.
    """

    header: Mapping[str, Any]
    channels: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        """Name in the header; empty in files of one part."""
        return self.header.get("name", "")


def read_parts(path: Path) -> list[Part]:
    """Read a whole file.

    Raises:
        MediaError: It is damaged, or has deep or subsampled data.
        OSError: It can't be opened.
    """
    path.open("rb").close()  # the library does not tell a file that may not be read from others
    with _captured() as said:
        try:
            headers = OpenEXR.File(str(path), header_only=True).parts
            _check(headers, path.stat().st_size)
            parts = OpenEXR.File(str(path), separate_channels=True).parts
        except (RuntimeError, ValueError) as error:
            raise MediaError("can't be decoded: it is damaged, or cut short") from error
    # The library leaves out a part that can't be decoded, and only prints the reason.
    if len(parts) < len(headers):
        _log.debug("%s: %s", path, "".join(said))
        raise MediaError("can't be decoded: it is damaged, or cut short")
    return [_part(part) for part in parts]


def _check(parts: Sequence[Any], file_bytes: int) -> None:
    if any(part.header["type"] not in _FLAT for part in parts):
        raise MediaError("has deep data, which can't be stylized")
    channels = [channel for part in parts for channel in part.header["channels"]]
    if any((channel.xSampling, channel.ySampling) != (1, 1) for channel in channels):
        raise MediaError("has subsampled channels (luminance and chroma)", hint="write it as RGB")
    # Before memory is taken for what a damaged header states.
    for part in parts:
        (left, top), (right, bottom) = part.header["dataWindow"]
        width, height = int(right) - int(left) + 1, int(bottom) - int(top) + 1
        least = 2 * width * height * len(part.header["channels"])
        if not 0 < least <= _MOST_COMPRESSED * file_bytes:
            raise MediaError(f"is damaged: {width}x{height} pixels are not in so small a file")


def _part(part: Any) -> Part:  # noqa: ANN401  the library has no types
    header = {name: value for name, value in part.header.items() if name != "channels"}
    return Part(header, {name: channel.pixels for name, channel in part.channels.items()})


def encode_parts(parts: Sequence[Part]) -> bytes:
    """Encode a file's content.

    Raises:
        OutputError: The library refuses it.
    """
    # The library modifies the dictionaries that it gets.
    copies = [
        (dict(part.header), {n: np.ascontiguousarray(a) for n, a in part.channels.items()})
        for part in parts
    ]
    content = io.BytesIO()
    try:
        if len(copies) == 1:
            file = OpenEXR.File(*copies[0])
        else:
            file = OpenEXR.File(
                [OpenEXR.Part(*both, part.name) for both, part in zip(copies, parts, strict=True)]
            )
        # Written to memory: the library does not report a full disk.
        file.write(content)
    except (RuntimeError, ValueError) as error:
        raise OutputError("can't be encoded as OpenEXR", hint="write PNG or TIFF") from error
    return content.getvalue()


_capturing = threading.Lock()


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Collect what the library prints in this thread: programs read our standard output."""
    with _capturing:
        captured = _Captured(sys.stdout)
        with redirect_stdout(captured):
            yield captured.texts


class _Captured:
    """A standard output that keeps what its own thread writes and passes on the rest."""

    def __init__(self, stdout: TextIO):
        self.texts: list[str] = []
        self._stdout = stdout
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        """Write like a text stream."""
        if threading.get_ident() != self._thread:
            return self._stdout.write(text)
        self.texts.append(text)
        return len(text)

    def flush(self) -> None:
        """Flush like a text stream; what is kept needs none."""
        if threading.get_ident() != self._thread:
            self._stdout.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a stream has
        return getattr(self._stdout, name)
