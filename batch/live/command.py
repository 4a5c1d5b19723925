"""``brushreel live``: its options, and its way from the start to the end."""

from __future__ import annotations

import argparse
import re
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

from ...core.arguments import STYLE, add_device, add_strength, add_strokes
from ...core.errors import UsageError
from ...core.frame_rate import parse_rate
from ...core.moving import moving
from ...core.options import ENCODERS, LIVE_CODECS, PRECISIONS, RUNTIMES

if TYPE_CHECKING:
    from ...core.stylizer import Stylizer

# Imports of torch and of everything that needs it wait inside the functions: `--help` and a wrong
# flag answer at once.


def add_live(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel live``."""
    parser.description = (
        "Stylize a camera, a stream of the network or a file in real time, for a virtual camera, a "
        "stream or a file. What a machine is too slow for is left out, and nothing is late. "
        "Ctrl-C ends it."
    )
    add = parser.add_argument
    add(
        "input",
        metavar="INPUT",
        help="A camera (camera, camera:NAME, /dev/video0), a stream (rtsp://, srt://, udp://, "
        "rtmp://, http:// and others) or a clip.",
    )
    add(
        "-o",
        "--output",
        required=True,
        metavar="OUTPUT",
        help="A virtual camera (camera, camera:DEVICE), a stream (rtmp://, srt://, udp://, rtsp:// "
        "and others), a file (.mp4, .mov, .mkv, .ts) or an HLS list (.m3u8).",
    )
    _add_style(parser.add_argument_group("style"))
    _add_input(parser.add_argument_group("input"))
    _add_output(parser.add_argument_group("output"))
    add("--json", action="store_true", help="Print events on stdout, one JSON object a line.")


def _add_style(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-s", "--style", required=True, metavar="STYLE", help=f"Style to use: {STYLE}.")
    add_strength(add)
    add("--keep-colors", action="store_true", help="Keep the source's colours.")
    add_strokes(add)
    add_device(add)
    add(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="Number format of the network's arithmetic. Default: %(default)s, the fastest that "
        "keeps the style.",
    )
    add(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="Library that runs the network. Default: %(default)s, the fastest, measured once.",
    )
    add(
        "--threads",
        type=int,
        metavar="N",
        help="Cores that the network may use. Default: all.",
    )


def _add_input(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--loop", action="store_true", help="Begin a clip again at its end.")
    add(
        "--camera-size",
        type=size,
        metavar="WxH",
        help="Size that a camera is asked for, in pixels, such as 1280x720. Default: its own.",
    )
    add(
        "--camera-rate",
        metavar="FPS",
        help="Frames a second that a camera is asked for. Default: its own.",
    )
    add(
        "--camera-format",
        metavar="NAME",
        help="Format that a camera is asked for, such as mjpeg or yuyv422. Default: its own.",
    )
    add(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="Seconds that a stream may take to answer. Default: %(default)g.",
    )
    add(
        "--reconnect",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="Seconds for which a camera or stream that is lost is tried again. "
        "Default: %(default)g.",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--rate",
        metavar="FPS",
        help="Constant frames a second of the output: a frame that is missing is repeated. "
        "Default: none, every frame has its own time.",
    )
    add(
        "--codec",
        choices=LIVE_CODECS,
        default="auto",
        help="Video codec. Default: %(default)s, h264, and hevc for HDR.",
    )
    add(
        "--crf",
        type=int,
        metavar="N",
        help="Constant rate factor; lower is better and larger. Default: 18 for files.",
    )
    add(
        "--bitrate",
        metavar="RATE",
        help="Bits a second, such as 6M or 800k. Default for streams: by size and rate, 4M at "
        "1280x720 and 30 frames a second.",
    )
    add(
        "--preset",
        metavar="NAME",
        help="Effort of the encoder, from ultrafast to veryslow. Default: superfast, and ultrafast "
        "for hevc.",
    )
    add(
        "--encoder",
        choices=ENCODERS,
        default="software",
        help="Encoder; auto takes hardware where it works and loses nothing. Default: %(default)s.",
    )
    add(
        "--duration",
        metavar="TIME",
        help="Time after which it ends, as seconds (90) or time (1:30). Default: none, the "
        "input's end or Ctrl-C.",
    )
    add("--overwrite", action="store_true", help="Replace a file that exists.")


def size(text: str) -> tuple[int, int]:
    """Parse width and height in pixels.

    Raises:
        ArgumentTypeError: It is no such thing.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no size; write 1280x720")
    return int(found[1]), int(found[2])


def live(options: argparse.Namespace) -> int:
    """Run ``brushreel live``."""
    from ..encoding.encode import parse_bitrate
    from ..reporting.ndjson import JsonReporter
    from .address import input_address, output_address
    from .clock import Clock
    from .run import LiveJob, stylize_live
    from .settings import InputSettings, OutputSettings
    from .status_line import StatusLine

    read = InputSettings(
        loop=options.loop,
        camera_size=options.camera_size,
        camera_rate=None if options.camera_rate is None else parse_rate(options.camera_rate),
        camera_format=options.camera_format,
        timeout=options.timeout,
        reconnect=options.reconnect,
    )
    write = OutputSettings(
        rate=None if options.rate is None else parse_rate(options.rate),
        codec=options.codec,
        crf=options.crf,
        bitrate=None if options.bitrate is None else parse_bitrate(options.bitrate),
        preset=options.preset,
        encoder=options.encoder,
        overwrite=options.overwrite,
    )
    job = LiveJob(
        input_address(options.input),
        output_address(options.output),
        read,
        write,
        _duration(options.duration),
    )
    job.check()
    with moving("loading the style"):
        stylizer = _stylizer(options)
    terminal = StatusLine()
    reporter = JsonReporter() if options.json else terminal
    try:
        stylize_live(job, stylizer, reporter.handle, Clock())
    finally:
        terminal.close()
    if job.output.kind == "file" and not options.json:
        print(job.output.path)
        sys.stdout.flush()
    return 0


def _stylizer(options: argparse.Namespace) -> Stylizer:
    import torch

    from ...core.frames.stroke_size import check_stroke_size
    from ...core.stylizer import Stylizer

    if options.threads is not None:
        if options.threads < 1:
            raise UsageError(f"--threads {options.threads} computes nothing", hint="1 or more")
        torch.set_num_threads(options.threads)
    return Stylizer(
        options.style,
        device=options.device,
        precision=options.precision,
        runtime=options.runtime,
        strength=options.strength,
        keep_colors=options.keep_colors,
        stroke_size=check_stroke_size(options.stroke_size),
        detail=options.detail,
    )


def _duration(text: str | None) -> Fraction | None:
    from ...core.clips.range import parse_position

    if text is None:
        return None
    position = parse_position(text)
    if not isinstance(position, Fraction) or position <= 0:
        raise UsageError(f"--duration {text} is no time", hint="write seconds or minutes:seconds")
    return position
