"""Job bundle of a batch for render farms, by Open Job Description.

Specification: https://github.com/OpenJobDescription/openjd-specifications, revision 2023-09, with
its extension TASK_CHUNKING. Each clip has a step whose tasks make its segments, and one after it
that makes the output of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ...core.errors import OutputError, UsageError
from ...core.style import SUFFIX, Style
from ..clips.clip import count_segments, inspect_clip
from ..clips.settings import JobSettings
from ..plan import Job

# Of AWS Deadline Cloud, which reads it from the parameters of a bundle.
_RETRIES = 3
# The specification's bound on a step's name is 64; the rest says which of a clip's steps it is.
_LONGEST_NAME = 48


@dataclass(frozen=True)
class Arithmetic:
    """Device, precision and runtime of a job: segments of other arithmetic are not joined.

    Attributes:
        device: Type of device.
        precision: Number format.
        runtime: What runs the network.
    """

    device: str
    precision: str
    runtime: str

    @classmethod
    def of(cls, settings: JobSettings, device: str) -> Self:
        """Return what the settings state, and for "auto" what is fastest on this machine.

        Raises:
            BrushreelError: A value is "auto", and this machine can't run the others.
        """
        if "auto" not in (device, settings.precision, settings.runtime):
            return cls(device, settings.precision, settings.runtime)
        stylizer = settings.stylizer(device)
        runtime, lines = settings.runtime, stylizer.style.lines
        if runtime == "auto":
            # Every runtime's identity begins with its name.
            identity = stylizer.runtime_for(lines, lines * 16 // 9).identity
            runtime = identity.split()[0]
        kind = stylizer.device.type if device == "auto" else device
        return cls(kind, stylizer.precision, runtime)

    def arguments(self) -> list[str]:
        """Return the command's arguments that ask for it."""
        names = ("device", "precision", "runtime")
        return [word for name in names for word in (f"--{name}", getattr(self, name))]


@dataclass(frozen=True)
class ClipParts:
    """A clip of a job.

    Attributes:
        job: Its names.
        segments: Number of its segments; None where images are written, which have none.
    """

    job: Job
    segments: int | None


def parts_of(job: Job, settings: JobSettings) -> ClipParts:
    """Open a clip, and count its segments.

    Raises:
        BrushreelError: It can't be converted so.
    """
    inspect_clip(job.source, job.output, read=settings.read, write=settings.write)
    count = count_segments(job.source, job.output, read=settings.read, write=settings.write)
    return ClipParts(job, count)


def write_bundle(
    folder: Path,
    clips: Sequence[ClipParts],
    style: Style,
    arguments: Sequence[str],
    *,
    output: Path,
    chunk: int,
) -> None:
    """Write a job bundle: ``template.json``, its values, and the style.

    ``parameter_values.json`` has the values as AWS Deadline Cloud reads them, ``folders.json`` as
    ``openjd run`` does.

    Args:
        folder: A new folder, or an empty one.
        clips: The clips.
        style: Their style, which travels in the bundle.
        arguments: Further arguments of ``brushreel stylize``, the same for every clip.
        output: Folder of the outputs.
        chunk: Segments that a task makes unless the farm decides otherwise.

    Raises:
        OutputError: The folder can't be written, or there is something in it.
        UsageError: A name has braces, which the specification reads as its own.
    """
    root = Path(os.path.commonpath([item.job.source.absolute().parent for item in clips]))
    template = job_template(clips, style, arguments, root=root, output=output, chunk=chunk)
    folders = {"Input": str(root), "Output": str(output.absolute())}
    values = {**folders, "deadline:maxRetriesPerTask": _RETRIES}
    named = [{"name": name, "value": value} for name, value in values.items()]
    try:
        if folder.exists() and any(folder.iterdir()):
            raise OutputError("is not empty", path=folder, hint="name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        style.save(folder / f"{style.name}{SUFFIX}")
        for name, content in (
            ("template.json", template),
            ("parameter_values.json", {"parameterValues": named}),
            ("folders.json", folders),
        ):
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=folder) from error


def job_template(
    clips: Sequence[ClipParts],
    style: Style,
    arguments: Sequence[str],
    *,
    root: Path,
    output: Path,
    chunk: int,
) -> dict[str, Any]:
    """Return the job template, see `write_bundle`.

    Args:
        clips: The clips.
        style: Their style.
        arguments: Further arguments of ``brushreel stylize``, the same for every clip.
        root: Folder that all sources are below.
        output: Folder of the outputs.
        chunk: Segments that a task makes unless the farm decides otherwise.

    Raises:
        UsageError: See `write_bundle`.
    """
    names = _step_names(clips)
    steps: list[dict[str, Any]] = []
    for item, name in zip(clips, names, strict=True):
        command = _command(item.job, arguments, root, output)
        if item.segments is not None:
            steps.append(
                {
                    "name": f"{name}: segments",
                    "parameterSpace": {"taskParameterDefinitions": [_numbers(item, chunk)]},
                    "script": _script([*command, "--segments", "{{Task.Param.Segments}}"]),
                }
            )
        last: dict[str, Any] = {"name": f"{name}: output", "script": _script(command)}
        if item.segments is not None:
            last["dependencies"] = [{"dependsOn": f"{name}: segments"}]
        steps.append(last)
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": f"Brushreel {style.name}, {root.name}"[:128],
        "parameterDefinitions": [
            _folder("Input", "IN", "Folder that all sources are below."),
            _folder("Output", "OUT", "Folder of the outputs."),
            {
                "name": "Style",
                "type": "PATH",
                "objectType": "FILE",
                "dataFlow": "IN",
                "default": f"{style.name}{SUFFIX}",
                "description": "Style file, in the bundle.",
            },
            {
                "name": "Brushreel",
                "type": "STRING",
                "default": "brushreel",
                "description": "Brushreel's command on the workers, of one version on all.",
            },
        ],
        "steps": steps,
    }


def _numbers(item: ClipParts, chunk: int) -> dict[str, Any]:
    assert item.segments is not None
    return {
        "name": "Segments",
        "type": "CHUNK[INT]",
        "range": f"0-{item.segments - 1}" if item.segments > 1 else "0",
        "chunks": {"defaultTaskCount": chunk, "rangeConstraint": "CONTIGUOUS"},
    }


def _folder(name: str, flow: str, text: str) -> dict[str, str]:
    # Without a default: those of paths are below the bundle, by the specification.
    facts = {"type": "PATH", "objectType": "DIRECTORY", "dataFlow": flow}
    return {"name": name, **facts, "description": text}


def _command(job: Job, arguments: Sequence[str], root: Path, output: Path) -> list[str]:
    source = job.source.absolute().relative_to(root).as_posix()
    written = job.output.absolute().relative_to(output.absolute()).as_posix()
    for text in (source, written, *arguments):
        if "{{" in text:
            raise UsageError("has braces that job templates read as their own", path=text)
    inputs = [f"{{{{Param.Input}}}}/{source}", "-s", "{{Param.Style}}"]
    outputs = ["-o", f"{{{{Param.Output}}}}/{written}"]
    # A task that is given out once more leaves alone what is finished.
    again = [] if "--overwrite" in arguments else ["--skip-existing"]
    return ["stylize", *inputs, *outputs, *again, *arguments]


def _script(arguments: Sequence[str]) -> dict[str, Any]:
    # What is told to end tidies up, and keeps its segments.
    ending = {"mode": "NOTIFY_THEN_TERMINATE"}
    run = {"command": "{{Param.Brushreel}}", "args": list(arguments), "cancelation": ending}
    return {"actions": {"onRun": run}}


def _step_names(clips: Sequence[ClipParts]) -> list[str]:
    """Return a name for each clip: its output's, and a number where they are long or alike."""
    names = [
        "".join(letter for letter in item.job.output.name if letter.isprintable())[:_LONGEST_NAME]
        for item in clips
    ]
    alike = {name for name in names if names.count(name) > 1}
    return [
        f"{number} {name}"[:_LONGEST_NAME] if name in alike else name
        for number, name in enumerate(names, 1)
    ]
