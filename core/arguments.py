"""Command-line options that several subcommands share.

Each function takes what adds an option: `ArgumentParser.add_argument` or anything of its shape.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .frames.stroke_size import DETAIL, NATURAL
from .options import nearest

STYLE = "a name of the library, a style file, or a blend such as wave:0.6+udnie:0.4"
_DEVICES = "auto, cpu, cuda, cuda:1 or mps"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_OTHER_FILES = {".gif", ".htm", ".html", ".jpeg", ".jpg", ".json", ".log", ".txt", ".webp"}

Add = Callable[..., object]


class Parser(argparse.ArgumentParser):
    """Parser whose complaints are one line, with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Print a complaint, and end with exit status 2."""
        self.exit(2, f"brushreel: {message} ({self.prog} --help shows {self._takes()})\n")

    def _takes(self) -> str:
        commands = any(action.metavar == "COMMAND" for action in self._actions)
        return "the commands" if commands else "the flags"

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401
        """Refuse a value that is no choice; called for each value."""
        if action.choices is None or value in action.choices:
            return
        near = nearest(str(value), map(str, action.choices))
        known = f"did you mean {near}?" if near else f"choose from {', '.join(action.choices)}"
        raise argparse.ArgumentError(action, f"there is no {value}; {known}")

    def parse(self, words: Sequence[str] | None) -> argparse.Namespace:
        """Parse a command line; a flag that is unknown is refused by the command it was given to.

        Args:
            words: None for those of this process.
        """
        given, unknown = self.parse_known_args(words)
        if unknown:
            given.parser.refuse(unknown[0])
        return given

    def refuse(self, unknown: str) -> NoReturn:
        """Refuse a flag or word that there is no place for."""
        name = unknown.split("=", maxsplit=1)[0]
        near = nearest(name, self._option_string_actions) if name.startswith("-") else None
        self.error(f"unknown: {name}" + (f"; did you mean {near}?" if near else ""))


class Formatter(argparse.HelpFormatter):
    """Help as argparse prints it, with more room for the options' names."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=28)


def add_strength(add: Add) -> None:
    """Add ``--strength``."""
    add(
        "--strength",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="Share of the stylized frame in the output, from 0 (the source) to 1. "
        "Default: %(default)g.",
    )


def add_strokes(add: Add) -> None:
    """Add ``--stroke-size`` and ``--detail``."""
    add(
        "--stroke-size",
        default=NATURAL,
        metavar="SIZE",
        help="Size of strokes, from 0.25 to 4, as a share of the frame and relative to the style's "
        "own size; or native, for the style's own size in pixels. Default: %(default)g.",
    )
    add(
        "--detail",
        type=float,
        default=DETAIL,
        metavar="SHARE",
        help="Share of the source's finest detail (grain, eyelashes, titles) that comes back, "
        "from 0 to 1. Default: %(default)g.",
    )


def add_device(add: Add) -> None:
    """Add ``--device`` for a command that uses one device."""
    add(
        "--device",
        default="auto",
        metavar="NAME",
        help=f"Device that runs the network: {_DEVICES}. Default: %(default)s, the fastest.",
    )


def add_devices(add: Add) -> None:
    """Add ``--device`` for a command that can use several devices."""
    add(
        "--device",
        default="auto",
        metavar="NAMES",
        help=f"Device that runs the network: {_DEVICES}; several for clips in parallel, such as "
        "cuda:0,cuda:1. Default: %(default)s, the fastest.",
    )


def add_overwrite(add: Add, what: str) -> None:
    """Add ``--overwrite``, which replaces `what`."""
    add("--overwrite", action="store_true", help=f"Replace {what}.")


def add_json_lines(add: Add) -> None:
    """Add ``--json`` for a command that prints an object a line."""
    add("--json", action="store_true", help="Print one JSON object a line.")


def add_loss_network(add: Add) -> None:
    """Add the options that name the weights of the loss network."""
    add(
        "--loss-weights",
        type=path,
        metavar="FILE",
        help="Weights of the loss network VGG-19, a safetensors file. Default: the user's copy.",
    )
    add(
        "--download-loss-network",
        action="store_true",
        help="Download the weights of VGG-19 if they are missing.",
    )


def path(text: str) -> Path:
    """Parse the name of a file or folder.

    Raises:
        ArgumentTypeError: It is a URL.
    """
    if _URL.match(text):
        raise argparse.ArgumentTypeError(
            f"{text} is a URL; name a file or folder of this machine, downloaded if need be"
        )
    return Path(text)


def folder(text: str) -> Path:
    """Parse the name of a folder that is written to.

    Raises:
        ArgumentTypeError: It is plainly that of a file, or a URL.
    """
    named = path(text)
    if names_file(named) and not named.is_dir():
        stem = named.with_suffix("")
        raise argparse.ArgumentTypeError(f"{text} names a file; name a folder, such as {stem}")
    return named


def names_file(name: Path) -> bool:
    """Return whether a name has the suffix of a clip, an image or a text file."""
    from .clips.recognition import CLIP_SUFFIXES  # noqa: PLC0415  not for --help
    from .clips.sequence import IMAGE_SUFFIXES  # noqa: PLC0415

    return name.suffix.lower() in CLIP_SUFFIXES | IMAGE_SUFFIXES | _OTHER_FILES


def every_parser(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and the parsers of all its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from every_parser(inner)
