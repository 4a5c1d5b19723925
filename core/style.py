"""A style: weights, network shape and provenance in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from .atomic import atomic_write
from .errors import StyleError
from .former_name import HINT, is_former
from .frames.stroke_size import LINES
from .network import NetworkSpec, StylizingNetwork

FORMAT_VERSION = "1"
SUFFIX = ".safetensors"
# The default network takes 1 MB; a file far beyond that is not a style.
MAX_FILE_BYTES = 256 * 2**20
LEAST_LINES, MOST_LINES = 64, 4320
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Painting:
    """The artwork that a style was trained from."""

    title: str
    artist: str
    year: str
    licence: str


@dataclass(frozen=True, eq=False)
class Style:
    """A trained style.

    Attributes:
        name: Its name on the command line: lower case letters, digits, "-" and "_".
        title: Its name for people.
        painting: Provenance of the painting.
        spec: Shape of the network.
        weights: Tensor name to float32 tensor on the CPU, as `StylizingNetwork.state_dict` has it.
        training: Command line, seed, settings and footage; "parent" (name and digest) if it started
            from another style, and "family", see `family`.
        figures: Measurements on held-out footage.
        lines: Lines of a frame's shorter side at which the strokes have their natural size.

    Raises:
        StyleError: The weights do not fit the spec, or the name is not allowed.
    """

    name: str
    title: str
    painting: Painting
    spec: NetworkSpec = field(repr=False)
    weights: Mapping[str, Tensor] = field(repr=False)
    training: Mapping[str, Any] = field(default_factory=dict, repr=False)
    figures: Mapping[str, Any] = field(default_factory=dict, repr=False)
    lines: int = LINES

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_weights(self.weights, self.spec)

    def network(self) -> StylizingNetwork:
        """Return this style's network, on the CPU in float32, for inference."""
        network = StylizingNetwork(self.spec)
        network.load_state_dict(dict(self.weights))
        return network.eval().requires_grad_(requires_grad=False)

    @property
    def digest(self) -> str:
        """SHA-256 over spec and weights: equal digests give equal frames."""
        return weights_digest(self.weights, about=json.dumps(self.spec.to_json(), sort_keys=True))

    @property
    def family(self) -> str:
        """The run from scratch that this style descends from; a family's weights can be mixed.

        A style without a note of it is the first of its own family.
        """
        return self.training.get("family") or weights_digest(self.weights)

    def save(self, path: Path) -> None:
        """Write the style file; no reader sees half of it.

        Raises:
            StyleError: The file can't be written.
        """
        about = {
            "name": self.name,
            "title": self.title,
            "painting": asdict(self.painting),
            "network": self.spec.to_json(),
            "lines": self.lines,
            "training": dict(self.training),
            "figures": dict(self.figures),
        }
        metadata = {"brushreel_format": FORMAT_VERSION, "style": json.dumps(about)}
        tensors = {name: tensor.contiguous() for name, tensor in self.weights.items()}
        try:
            with atomic_write(path) as file:
                file.write(save_tensors(tensors, metadata))
        except OSError as error:
            raise StyleError.because(error, "can't be written", path=path) from error

    @classmethod
    def load(cls, path: Path) -> Style:
        """Read a style file.

        Raises:
            StyleError: It is missing, truncated, not safetensors, not a style, of an unknown format
                version, or has tensors that are missing, misshapen or not finite.
        """
        content = read_style_file(path)
        try:
            tensors = load_tensors(content)
        except SafetensorError as error:
            raise StyleError(_damage(content), path=path) from error
        except KeyError as error:
            # A dtype that safetensors knows and PyTorch does not.
            what = f"contains numbers of an unknown type: {error.args[0]}"
            raise StyleError(what, path=path) from error
        about = _about(content, path)
        try:
            return cls(
                name=about["name"],
                title=about["title"],
                painting=Painting(**about["painting"]),
                spec=NetworkSpec.from_json(about["network"]),
                weights=tensors,
                training=dict(about["training"]),
                figures=dict(about["figures"]),
                lines=_lines(about.get("lines", LINES)),
            )
        except StyleError as error:
            raise StyleError(error.what, path=path, hint=error.hint) from error
        except KeyError as error:
            what = f"has a damaged description: it lacks {error.args[0]}"
            raise StyleError(what, path=path) from error
        except (TypeError, ValueError, AttributeError) as error:
            raise StyleError("has a damaged description", path=path) from error


def _lines(value: object) -> int:
    if not isinstance(value, int) or not LEAST_LINES <= value <= MOST_LINES:
        raise ValueError(f"lines must be {LEAST_LINES} to {MOST_LINES}, not {value!r}")
    return value


def check_name(name: str) -> None:
    """Refuse a name that no style may have.

    Raises:
        StyleError: The name is not valid.
    """
    if not _NAME.fullmatch(name):
        raise StyleError(
            f"{name!r} is not a valid style name", hint="use a-z, 0-9, - and _, at most 64"
        )


def weights_digest(weights: Mapping[str, Tensor], *, about: str = "") -> str:
    """Compute SHA-256, in hex, over `about` and the names and values of weights."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_style_file(path: Path) -> bytes:
    """Read a file of any content, up to the largest size of a style file.

    Raises:
        StyleError: It is missing, can't be read, or is too large for a style.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StyleError("is too large for a style file", path=path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StyleError("no such style file", path=path) from error
    except OSError as error:
        raise StyleError.because(error, "can't be read", path=path) from error


def _damage(content: bytes) -> str:
    """Describe a damaged file: a style file that is cut short, or a file of another kind.

    A safetensors file starts with the header's length (8 bytes, little endian) and a JSON object.
    """
    if not content:
        return "is empty"
    starts_right = len(content) < 9 or content[8:9] == b"{"
    plausible = int.from_bytes(content[:8], "little") < MAX_FILE_BYTES
    if starts_right and plausible:
        return "is a safetensors file that is cut short or damaged"
    return "is not a safetensors file"


def _about(content: bytes, path: Path) -> dict[str, Any]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = header.get("__metadata__", {})
    if is_former(metadata):
        raise StyleError("was written under Brushreel's former name", path=path, hint=HINT)
    version = metadata.get("brushreel_format")
    if version is None or "style" not in metadata:
        raise StyleError("is a safetensors file, but not a Brushreel style", path=path)
    if version != FORMAT_VERSION:
        raise StyleError(
            f"has format version {version}; this program reads version {FORMAT_VERSION}",
            path=path,
            hint="update Brushreel",
        )
    try:
        return json.loads(metadata["style"])
    except (ValueError, RecursionError) as error:
        raise StyleError.because(
            error, "has a damaged description", path=path, otherwise="a number is too long"
        ) from error


def _check_weights(weights: Mapping[str, Tensor], spec: NetworkSpec) -> None:
    # Checked before the network is built: 64 blocks of 1024 channels would take gigabytes.
    in_residuals = spec.residual_blocks * 2 * 9 * spec.channels[2] ** 2
    if sum(tensor.numel() for tensor in weights.values()) < in_residuals:
        raise StyleError("has fewer weights than its network")
    expected = StylizingNetwork(spec).state_dict()
    if missing := expected.keys() - weights.keys():
        raise StyleError(f"lacks the tensor {min(missing)}")
    if surplus := weights.keys() - expected.keys():
        raise StyleError(f"has a tensor that its network lacks: {min(surplus)}")
    for name, tensor in weights.items():
        shape = tuple(expected[name].shape)
        if tuple(tensor.shape) != shape:
            raise StyleError(f"{name} has shape {tuple(tensor.shape)} instead of {shape}")
        if tensor.dtype != torch.float32:
            raise StyleError(f"{name} is {tensor.dtype} instead of float32")
        if not tensor.isfinite().all():
            raise StyleError(f"{name} has values that are not finite")
