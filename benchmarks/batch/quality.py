"""Measure the quality of each codec's defaults on real footage: encode, decode, compare.

    python benchmarks/batch/quality.py CLIPS... [--frames 48] [--codec h264 ...] [--encoder auto]
        [--preset superfast medium ...]

Every clip is encoded by every codec at default settings, in its own pixel format or the nearest
that the codec has, as `--strength 0` writes it; with `--preset` by every preset named, of the
codecs that have presets. Columns: the preset, the pixel format written; the mean and the worst
frame's SSIM over all planes (FFmpeg's ssim filter, against the source in the written format); bytes
written, as a ratio to the source's bytes for the same frames; frames encoded per second of
processor time, as a ratio to the first codec's.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from fractions import Fraction
from pathlib import Path

import av
from av.filter import Graph
from av.filter.context import FilterContext

from brushreel.batch.encoding.codecs import CODECS, PRESETS
from brushreel.batch.encoding.encode import EncodeSettings, Picture, add_video_stream
from brushreel.core.clips.clip_info import VideoInfo
from brushreel.core.clips.media import ClipReader
from brushreel.core.errors import BrushreelError
from brushreel.core.frames.av_frame import to_av
from brushreel.core.frames.frame import Frame
from brushreel.core.options import ENCODERS

_TICK = Fraction(1, 25)
MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}


def source_of(path: Path, count: int) -> tuple[VideoInfo, list[Frame], int]:
    """Read the first frames of the video stream, and the bytes of as many packets."""
    with ClipReader(path) as reader:
        frames = list(itertools.islice((f for f in reader if isinstance(f, Frame)), count))
        video = reader.info.video
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        packets = container.demux(container.streams[video.index])
        size = sum(packet.size for packet in itertools.islice(packets, len(frames)))
    return video, frames, size


def encode(
    video: VideoInfo, frames: list[Frame], settings: EncodeSettings
) -> tuple[bytes, Picture, float]:
    """Encode a file in memory; return it, its video format and its seconds of processor time."""
    file = io.BytesIO()
    muxer = MUXERS[CODECS[settings.codec].containers[0]]
    with av.open(file, "w", format=muxer) as container:
        stream, picture = add_video_stream(container, video, settings)
        started = time.process_time()
        for frame in frames:
            container.mux(stream.encode(repacked(frame, picture)))
        container.mux(stream.encode(None))
        seconds = time.process_time() - started
    return file.getvalue(), picture, seconds


def repacked(frame: Frame, picture: Picture) -> av.VideoFrame:
    """Convert a frame to the written format by swscale, independent of the package's own code."""
    before, after = int(frame.colour.range), int(picture.colour.range)
    matrix = int(frame.colour.matrix)
    result = to_av(frame).reformat(
        format=picture.pixel_format.name,
        src_colorspace=matrix or None,
        dst_colorspace=int(picture.colour.matrix) or None,
        src_color_range=before,
        dst_color_range=after,
    )
    result.pts, result.time_base = frame.pts, frame.time_base
    return result


def ssim(frames: list[av.VideoFrame], file: bytes) -> list[float]:
    """Measure FFmpeg's SSIM of every frame, over all planes."""
    with av.open(io.BytesIO(file), "r") as container:
        decoded = list(container.decode(container.streams.video[0]))
    graph, first = Graph(), decoded[0]
    inputs = [_input(graph, first) for _ in range(2)]
    measure, sink = graph.add("ssim"), graph.add("buffersink")
    for index, source in enumerate(inputs):
        source.link_to(measure, 0, index)
    measure.link_to(sink)
    graph.configure()
    values = []
    for number, (wanted, result) in enumerate(zip(frames, decoded, strict=True)):
        same = int(result.color_range)
        shown = wanted.reformat(
            format=first.format.name, src_color_range=same, dst_color_range=same
        )
        for feed, frame in zip(inputs, (shown, result), strict=True):
            frame.pts, frame.time_base = number, _TICK
            frame.colorspace, frame.color_range = result.colorspace, result.color_range
            frame.color_primaries, frame.color_trc = result.color_primaries, result.color_trc
            feed.push(frame)
        compared = sink.pull()
        assert isinstance(compared, av.VideoFrame)
        values.append(float(compared.metadata["lavfi.ssim.All"]))
    return values


def _input(graph: Graph, like: av.VideoFrame) -> FilterContext:
    return graph.add_buffer(
        width=like.width, height=like.height, format=like.format, time_base=_TICK
    )


def ways(codecs: list[str], presets: list[str]) -> list[tuple[str, str | None]]:
    """List the pairs of codec and preset; None stands for auto."""
    if not presets:
        return [(codec, None) for codec in codecs]
    named = [None if name == "auto" else name for name in presets]
    return [(codec, name) for codec in codecs if CODECS[codec].preset for name in named]


def rows_of(path: Path, count: int, rows: list[tuple[str, str | None]], encoder: str) -> None:
    """Print the rows of one clip."""
    video, frames, size = source_of(path, count)
    pace = None
    for codec, preset in rows:
        try:
            settings = EncodeSettings(codec, preset=preset, encoder=encoder)
            file, picture, seconds = encode(video, frames, settings)
        except BrushreelError as error:
            print(f"| {path.name} | {codec} {preset or ''} | {error.what} |")
            continue
        values = ssim([repacked(frame, picture) for frame in frames], file)
        pace = pace or seconds
        cells = [path.name, codec, preset or "auto", picture.pixel_format.name]
        cells += [f"{sum(values) / len(values):.4f}", f"{min(values):.4f}"]
        cells += [f"{len(file) / size:.1f}", f"{pace / seconds:.2f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument(
        "--frames",
        type=int,
        default=48,
        help="Number of frames of each clip, from its start. Default: 48.",
    )
    parser.add_argument("--codec", nargs="+", choices=tuple(CODECS), default=list(CODECS))
    parser.add_argument("--encoder", choices=ENCODERS, default="software")
    parser.add_argument("--preset", nargs="+", choices=("auto", *PRESETS), default=[])
    options = parser.parse_args()
    rows = ways(options.codec, options.preset)
    print("| clip | codec | preset | written as | SSIM | worst frame | size ratio | fps ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for path in options.clips:
        rows_of(path, options.frames, rows, options.encoder)


if __name__ == "__main__":
    main()
