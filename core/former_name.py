"""Style files and the style library of Housestyle, Brushreel's name before its release."""

from __future__ import annotations

import json
from pathlib import Path

from .user_folders import data_folder

_FORMER = "housestyle"
_FORMAT_KEY = f"{_FORMER}_format"
HINT = "`brushreel styles --adopt PATH` adopts style files of that name"


def is_former(metadata: dict[str, str]) -> bool:
    """Return whether a style file's metadata carries the former name."""
    return _FORMAT_KEY in metadata


def former_library() -> Path | None:
    """Return the folder of the former style library; None where it has no style file."""
    folder = data_folder(_FORMER) / "styles"
    return folder if any(folder.glob("*.safetensors")) else None


def renamed(content: bytes) -> bytes:
    """Return a style file's content under the present name, weights and description unchanged.

    Args:
        content: A safetensors file: the header's length (8 bytes, little endian), the header as a
            JSON object, and the tensors.

    Raises:
        ValueError: It is not a style file of the former name.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.get("__metadata__", {})
    if not is_former(metadata):
        raise ValueError("not a style file of the former name")
    metadata["brushreel_format"] = metadata.pop(_FORMAT_KEY)
    code = json.dumps(header, separators=(",", ":")).encode()
    code += b" " * (-len(code) % 8)  # tensors stay aligned
    return len(code).to_bytes(8, "little") + code + content[start:]
