"""Command lines of what is chosen on the page: they are run, and shown to be copied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..core.style import check_name
from ..core.user_folders import videos_folder
from ..training.recipe import RECIPES
from .command_options import STYLIZE, TRAIN, WATCH
from .job import KINDS, Kind
from .look import Look
from .player import words_of
from .shelf import Shelf

FACTORS = (0.25, 4.0)
"""Least and most of what a training's strength and stroke size are multiplied by."""
_ABOUT = ("title", "artist", "year", "licence")
_LONGEST = 200


@dataclass(frozen=True)
class CommandLine:
    """A command line and what the queue says of it.

    Attributes:
        kind: What it does.
        source: The clip's id; empty where there is none.
        title: Name for people.
        words: Its arguments, the subcommand first.
    """

    kind: Kind
    source: str
    title: str
    words: list[str]

    @classmethod
    def read(cls, fields: Mapping[str, Any], shelf: Shelf) -> CommandLine:
        """Return the command line of what the page has sent.

        Raises:
            BrushreelError: There is no such clip or folder, or something else makes no sense.
        """
        kind = fields.get("kind", "render")
        if kind not in KINDS or not isinstance(fields.get("options", {}), dict):
            raise UsageError("the page sent no valid request")
        return {"render": _render, "watch": _watch, "train": _train}[kind](fields, shelf)


def _render(fields: Mapping[str, Any], shelf: Shelf) -> CommandLine:
    clip = shelf.clip(str(fields.get("clip")))
    words = ["stylize", str(clip.path), *_look(fields)]
    folder = _text(fields, "folder")
    if not folder and clip.folder == shelf.dropped:
        folder = str(videos_folder() / "Brushreel")
    if folder:
        words += ["--output", str(_output_folder(folder))]
    words += STYLIZE.words(fields.get("options", {}))
    return CommandLine("render", clip.id, clip.name, words)


def _watch(fields: Mapping[str, Any], shelf: Shelf) -> CommandLine:
    inbox = shelf.inside(_text(fields, "inbox"), "the folder to watch")
    folder = _text(fields, "folder")
    if not inbox.is_dir():
        raise UsageError("no such folder", path=inbox)
    if not folder:
        raise UsageError("name the folder that outputs are written to")
    options = WATCH.words(fields.get("options", {}))
    words = ["watch", str(inbox), str(_output_folder(folder)), *_look(fields), *options]
    return CommandLine("watch", "", inbox.name, words)


def _train(fields: Mapping[str, Any], shelf: Shelf) -> CommandLine:
    painting = shelf.inside(_text(fields, "painting"), "the painting")
    footage = shelf.inside(_text(fields, "footage"), "the footage")
    name, options = _text(fields, "name"), fields.get("options", {})
    check_name(name)
    words = ["train", str(painting), "--clips", str(footage), f"--name={name}"]
    if parent := _text(fields, "parent"):
        words += [f"--from={parent}"]
    if (scale := _factor(fields, "scale")) != 1:
        words += ["--style-scale", f"{scale:g}"]
    if (strength := _factor(fields, "strength")) != 1:
        recipe = RECIPES.get(str(options.get("--recipe") or "house"))
        if recipe is not None:
            words += ["--style-weight", f"{recipe.weights.style * strength:g}"]
    words += _length(fields)
    words += [f"--{part}={_text(fields, part)}" for part in _ABOUT if _text(fields, part)]
    return CommandLine("train", "", name, [*words, *TRAIN.words(options)])


def _length(fields: Mapping[str, Any]) -> list[str]:
    unit, flag = ("minutes", "--minutes") if "minutes" in fields else ("steps", "--iterations")
    value = _number(fields, unit)
    if not value > 0 or (unit == "steps" and value != int(value)):
        raise UsageError(f"{unit} must be a number above 0, not {fields.get(unit)}")
    return [flag, f"{value:.10g}"]


def _look(fields: Mapping[str, Any]) -> list[str]:
    look = fields.get("look")
    if not isinstance(look, dict):
        raise UsageError("the page sent no valid request")
    return Look.read(words_of(look)).flags()


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields.get(name) or ""
    if not isinstance(text, str) or not text.isprintable():
        raise UsageError("the page sent no valid request")
    if name in _ABOUT and len(text) > _LONGEST:
        raise UsageError(f"the {name} is too long: {_LONGEST} letters at most")
    return text


def _number(fields: Mapping[str, Any], name: str) -> float:
    try:
        value = float(fields.get(name, 1))
    except (TypeError, ValueError):
        value = math.nan
    return value if math.isfinite(value) else math.nan


def _factor(fields: Mapping[str, Any], name: str) -> float:
    value, (least, most) = _number(fields, name), FACTORS
    if not least <= value <= most:
        raise UsageError(f"{name} must be between {least:g} and {most:g}, not {fields.get(name)}")
    return value


def _output_folder(text: str) -> Path:
    """Return the folder that outputs are written to.

    Raises:
        UsageError: It is not named from the root on, or it is a file.
    """
    folder = Path(text).expanduser()
    if not folder.is_absolute():
        raise UsageError("the folder must be named from the root on", path=text)
    if folder.exists() and not folder.is_dir():
        raise UsageError("is a file; name a folder to write outputs to", path=folder)
    return folder
