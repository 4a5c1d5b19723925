"""Command-line options of the subcommands on clips."""

from __future__ import annotations

import argparse
import re

from ..core.arguments import (
    STYLE,
    add_devices,
    add_strength,
    add_strokes,
    folder,
    path,
)
from ..core.options import (
    AUDIO_CODECS,
    BARS,
    CODECS,
    CONTAINERS,
    DECODERS,
    ENCODERS,
    INTERLACED,
    PRECISIONS,
    RUNTIMES,
    TIMESTAMPS,
    VERIFY_LEVELS,
)
from .config import Flags


def add_stylize(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel stylize``."""
    parser.add_argument(
        "inputs",
        nargs="+",
        type=path,
        metavar="INPUT",
        help="Clips, image sequences (such as shot.%%04d.png) and folders of them.",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="Write nothing; print what would be done, and an estimate of time and disk space.",
    )
    flags = Flags(parser)
    flags.add(
        "-o",
        "--output",
        type=path,
        metavar="PATH",
        help="Output file for one clip, otherwise a folder. Default: next to each input.",
    )
    _add_style(flags)
    _add_reading(flags)
    _add_range(flags)
    _add_encoding(flags)
    _add_outputs(flags)
    _add_run(flags)
    flags.add(
        "--segments",
        type=segment_numbers,
        metavar="A-B",
        help="Segments of a clip to make, counted from 0, such as 3-7 or 3: they stay in the work "
        "folder, and the same command without this option makes the rest and the output. "
        "Default: all, and the output.",
    )
    _add_cluster(flags)
    _switch(flags, "--fail-fast", "Start no clip after one that failed.")
    flags.add(
        "--report",
        type=path,
        metavar="FILE",
        help="Write a report on every clip to a JSON file, see docs/batch.md.",
    )
    _add_sources(flags)
    parser.set_defaults(flags=flags)


def add_farm_job(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel farm-job``."""
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        type=path,
        metavar="INPUT",
        help="Clips, image sequences (such as shot.%%04d.png) and folders of them.",
    )
    add("-o", "--output", type=folder, required=True, metavar="FOLDER", help="Folder of outputs.")
    add(
        "--bundle",
        type=folder,
        required=True,
        metavar="FOLDER",
        help="New folder for the job: template, parameters and style.",
    )
    add(
        "--chunk",
        type=int,
        default=1,
        metavar="N",
        help="Segments that a task makes. Default: %(default)d.",
    )
    flags = Flags(parser)
    _add_style(flags)
    _add_reading(flags)
    _add_range(flags)
    _add_encoding(flags)
    _add_outputs(flags)
    _add_sources(flags)
    parser.set_defaults(flags=flags)


def _add_range(flags: Flags) -> None:
    flags.add(
        "--start",
        metavar="TIME",
        help="Start of the range, as seconds (12.5), time (1:30, 00:01:30.5) or timecode "
        "(00:00:12:12) from the clip's start. Default: the clip's start.",
    )
    flags.add(
        "--end",
        metavar="TIME",
        help="End of the range, in the same notations and from the clip's start, too. "
        "Default: the clip's end.",
    )
    flags.add(
        "--sequence-fps",
        metavar="RATE",
        help="Frame rate of image sequences, in images a second, such as 25, 23.976 or "
        "24000/1001. Default: what the images state, otherwise 24.",
    )


def add_watch(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel watch``."""
    add = parser.add_argument
    add("inbox", type=path, metavar="IN", help="Folder in which clips arrive.")
    add("outbox", type=folder, metavar="OUT", help="Folder in which outputs are written.")
    add("--once", action="store_true", help="Stylize the clips that are there, and end.")
    flags = Flags(parser)
    _add_style(flags)
    _add_reading(flags)
    _add_encoding(flags)
    _add_outputs(flags)
    flags.group("watching")
    flags.add(
        "--settle",
        dest="settle_seconds",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="Seconds without a change after which a file counts as complete. "
        "Default: %(default)g.",
    )
    flags.add(
        "--poll",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="Seconds between two looks into the folder. Default: %(default)g.",
    )
    _add_run(flags)
    _add_sources(flags)
    parser.set_defaults(flags=flags)


def _add_style(flags: Flags) -> None:
    flags.group("style")
    flags.add("-s", "--style", metavar="STYLE", help=f"Style to use: {STYLE}.")
    add_strength(flags.add)
    _switch(flags, "--keep-colors", "Keep the source's colours, and stylize its lightness alone.")
    add_strokes(flags.add)
    add_devices(flags.add)
    flags.add(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="Number format of the network's arithmetic. Default: %(default)s, the fastest that "
        "keeps the style.",
    )
    flags.add(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="Library that runs the network. Default: %(default)s, the fastest, measured once.",
    )
    flags.add(
        "--tile",
        type=tile,
        default="auto",
        metavar="PIXELS",
        help="Side of the tiles in which frames larger than memory are stylized, in pixels; or "
        "off. Default: %(default)s, as memory allows.",
    )


def tile(text: str) -> str | int:
    """Parse the value of ``--tile``; argparse names it by this function if it is wrong."""
    return text if text in ("auto", "off") else int(text)


def segment_numbers(text: str) -> range:
    """Parse the value of ``--segments``, both ends included.

    Raises:
        ArgumentTypeError: It is no number, and no two of them in order.
    """
    first, _, last = text.partition("-")
    if re.fullmatch(r"\d+(-\d+)?", text) is None or int(first) > int(last or first):
        raise argparse.ArgumentTypeError(f"{text} is no range of segments; write 3-7 or 3")
    return range(int(first), int(last or first) + 1)


def _add_reading(flags: Flags) -> None:
    flags.group("reading")
    _switch(flags, "--recursive", "Search subfolders for clips, too.")
    flags.add(
        "--interlaced",
        choices=INTERLACED,
        default="deinterlace",
        help="Treatment of interlaced clips: keep stylizes each frame as one, and leaves it "
        "interlaced. Default: %(default)s, frame for frame.",
    )
    flags.add(
        "--timestamps",
        choices=TIMESTAMPS,
        default="repair",
        help="Treatment of clips with frames that by their times do not come after the one before: "
        "repair puts each a tick after it and keeps every frame, refuse refuses the clip. "
        "Default: %(default)s.",
    )
    flags.add(
        "--bars",
        choices=BARS,
        default="keep",
        help="Treatment of burnt-in black bars: keep passes them through untouched, style takes "
        "them for a part of the picture. Default: %(default)s.",
    )
    flags.add(
        "--decoder",
        choices=DECODERS,
        default="software",
        help="Decoder; auto takes hardware whose frames are bit-exact. Default: %(default)s.",
    )


def _add_encoding(flags: Flags) -> None:
    flags.group("encoding")
    flags.add(
        "--codec",
        choices=CODECS,
        default="auto",
        help="Video codec. Default: %(default)s, h264 for 8 bit, hevc for more, prores or ffv1 "
        "with transparency, vp9 or av1 in WebM.",
    )
    flags.add(
        "--profile",
        metavar="NAME",
        help="Profile of the codec, such as hq, 4444, hqx, high422 or main10. Default: by pixel "
        "format.",
    )
    flags.add(
        "--crf",
        type=int,
        metavar="N",
        help="Constant rate factor of h264, hevc, vp9 and av1; lower is better and larger. "
        "Default: by codec, visually like the source.",
    )
    flags.add(
        "--bitrate",
        metavar="RATE",
        help="Bits a second instead of --crf, such as 8M or 800k. Default: none.",
    )
    flags.add(
        "--preset",
        metavar="NAME",
        default="auto",
        help="Effort of the encoder, from ultrafast to veryslow, or auto: the fastest settings "
        "that keep the quality of the default --crf. Default: %(default)s.",
    )
    flags.add(
        "--encoder",
        choices=ENCODERS,
        default="software",
        help="Encoder; auto takes hardware where it works and loses nothing. Default: %(default)s.",
    )


def _add_outputs(flags: Flags) -> None:
    flags.group("outputs")
    flags.add(
        "--container",
        choices=CONTAINERS,
        help="Container of the outputs. Default: the source's if it can be written, otherwise mp4.",
    )
    flags.add(
        "--audio",
        choices=AUDIO_CODECS,
        default="copy",
        help="Codec to which audio is converted that the container does not support. "
        "Default: %(default)s, which converts none.",
    )
    _switch(flags, "--drop-unsupported", "Leave out streams that the container does not support.")
    _switch(flags, "--overwrite", "Replace outputs that exist.")
    _switch(flags, "--skip-existing", "Skip clips whose output exists.")
    flags.add(
        "--verify",
        choices=VERIFY_LEVELS,
        default="standard",
        help="Checks of a finished output: standard decodes its video and compares its audio, "
        "full compares every copied packet. Default: %(default)s.",
    )
    flags.add(
        "--segment",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="Seconds of a clip in one segment, fewer of frames beyond HD: the most that an "
        "interruption costs. "
        "Default: %(default)g.",
    )
    _switch(
        flags,
        "--resume",
        "Continue with the segments that an interrupted run has left. Default: on.",
        default=True,
    )


def _add_run(flags: Flags) -> None:
    flags.group("run")
    flags.add(
        "--jobs",
        type=int,
        metavar="N",
        help="Clips that are converted in parallel. Default: one for each device.",
    )
    flags.add(
        "--log",
        type=path,
        metavar="FILE",
        help="Append a line for each event, with its time, to a file.",
    )
    _switch(flags, "--json", "Print events on stdout, one JSON object a line, see docs/events.md.")


def _add_cluster(flags: Flags) -> None:
    flags.group("cluster")
    flags.add(
        "--ray",
        metavar="ADDRESS",
        help="Have a Ray cluster stylize, see docs/cluster.md: its head as HOST:PORT, or auto for "
        "the cluster of this machine. Default: this machine alone.",
    )
    flags.add(
        "--map",
        type=places,
        metavar="FROM=TO",
        help="Beginning of paths here, and what it is on the nodes of the cluster, such as "
        "/mnt/rushes=/data/rushes; several are separated by commas. Default: the same paths.",
    )


def places(text: str) -> tuple[tuple[str, str], ...]:
    """Parse the value of ``--map``.

    Raises:
        ArgumentTypeError: It is no pair of paths.
    """
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(start and to for start, _, to in pairs):
        raise argparse.ArgumentTypeError(f"{text} is no pair of paths; write FROM=TO")
    return tuple((start, to) for start, _, to in pairs)


def _add_sources(flags: Flags) -> None:
    flags.group("configuration")
    flags.add_sources()


def _switch(flags: Flags, name: str, text: str, *, default: bool = False) -> None:
    """Add a switch that --no-... takes back, so that the command line can undo the file's."""
    flags.add(name, action=argparse.BooleanOptionalAction, default=default, help=text)
