"""Conversion of a clip by the command, and comparison of every track with the source's.

Read by PyAV alone and by FFmpeg's command line: nothing of the package looks at its own work.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
from av.codec.context import Flags

from brushreel.batch.clips.inventory import missing, take
from brushreel.cli import main

from .read import Clip, Track, moving_picture, read_clip, side_data
from .remake import ffmpeg
from .torture import Odd

CLOCKED = (".ts", ".mpg")
# Their tracks have no dispositions to be kept.
PLAIN = (*CLOCKED, ".avi", ".flv", ".mxf", ".wmv", ".dv")
MILLISECOND = Fraction(1, 1000)
# Of the muxer, or of the source's file alone.
OWN_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "software", "duration"}
ADTS_HEADER = 7
# Mean difference of RGB codes in 0 to 1: a frame in another's place has five times as much.
SAME_PICTURE = 0.02
# What packets can't tell: the decoder finds it.
ON_THE_WAY = re.compile(
    r"damaged|has no packet here|^has \d+ interlaced frames?|of later frames are not kept"
)
# Side data of frames by FFmpeg's names, and the word with which its loss is said; other kinds are
# the codec's own.
SIDE_DATA = {
    "ICC_PROFILE": "ICC profile",
    "SPHERICAL": "spherical",
    "STEREO3D": "two views",
    "A53_CC": "closed captions",
    "AFD": "active format",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "AMBIENT_VIEWING_ENVIRONMENT": "ambient",
    "MASTERING_DISPLAY_METADATA": "mastering",
    "CONTENT_LIGHT_LEVEL": "mastering",
    "S12M_TIMECODE": "timecodes",
}
# Words with which the loss of a property is said, where its name is another.
WORDS = {
    "bits": "bits instead of",
    "chroma resolution": "written as",
    "fields": "interlaced",
    "crop": "cropped to",
    "stereo": "two views",
    "mastering display": "mastering",
    "content light level": "mastering",
    "transparency": "transparency",
}
# How many frames are compared.
PICTURES = 40


@dataclass
class Verdict:
    """Outcome of a clip.

    Attributes:
        frames_in, frames_out: As PyAV decodes them.
        largest: Seconds between the time of a source's frame and its output's, at most.
        tracks: What was kept beside the picture, in words.
        message: What was said where the clip was refused.
        said: What could not be kept, a line each.
        differences: What is not as it should be, a line each.
    """

    frames_in: int = 0
    frames_out: int = 0
    largest: Fraction = Fraction(0)
    tracks: str = "-"
    message: str = ""
    said: Sequence[str] = ()
    differences: list[str] = field(default_factory=list)


def stylize(source: Path, output: Path, flags: Sequence[str]) -> list[dict[str, Any]]:
    """Run ``brushreel stylize --json``, and return its events."""
    said, words = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(words):
        status = main(["stylize", str(source), "-o", str(output), "--json", *flags])
    if not said.getvalue():
        raise RuntimeError(f"exit status {status}: {words.getvalue()}")
    return [json.loads(line) for line in said.getvalue().splitlines()]


def check(odd: Odd, folder: Path, flags: Sequence[str], *, untouched: bool) -> Verdict:
    """Make a clip, convert it and compare.

    Args:
        odd: Which one.
        folder: An empty one for everything that is made.
        flags: Of ``brushreel stylize``, beside the clip's own.
        untouched: The flags ask for strength 0: pictures must look the same.
    """
    source, output = odd.make(folder), folder / "out"
    output.mkdir()
    # How long it would take is not asked here.
    with mock.patch("brushreel.batch.dry_run.network_speed", return_value=None):
        (planned,) = clip_events(stylize(source, output, [*flags, *odd.flags, "--dry-run"]))
    (ended,) = clip_events(stylize(source, output, [*flags, *odd.flags]))
    left = sorted(str(path) for path in output.iterdir())
    left += dry_run_differs(planned, ended)
    if ended["event"] == "clip_failed":
        return Verdict(message=ended["what"], differences=[*refusal_differs(odd, ended), *left])
    if odd.refused is not None:
        return Verdict(differences=["was not refused"])
    if left != [ended["output"]]:
        return Verdict(differences=left)
    verdict = compare(odd, source, Path(ended["output"]), "\n".join(ended["warnings"]))
    verdict.said = ended["warnings"]
    if untouched and not odd.pictures_differ:
        verdict.differences += pictures_differ(source, Path(ended["output"]))
    return verdict


def clip_events(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events that say what became of a clip, or would become."""
    return [e for e in events if e["event"] in ("clip_planned", "clip_done", "clip_failed")]


def dry_run_differs(planned: dict[str, Any], ended: dict[str, Any]) -> Iterator[str]:
    """Yield what a dry run does not say, or says wrongly; damage is found on the way."""
    if (planned["event"], ended["event"]) == ("clip_planned", "clip_failed"):
        yield f"a dry run did not refuse it: {ended['what']}"
    if (planned["event"], ended["event"]) == ("clip_failed", "clip_done"):
        yield f"a dry run refused it: {planned['what']}"
    for line in set(ended.get("warnings", ())) ^ set(planned.get("warnings", ())):
        if not ON_THE_WAY.search(line) and ended["event"] == "clip_done":
            yield f"said by only one of dry run and run: {line}"


def refusal_differs(odd: Odd, ended: dict[str, Any]) -> Iterator[str]:
    """Yield a fault if a clip is refused that should not be, or for another reason."""
    if odd.refused is None:
        yield f"refused: {ended['what']}"
    elif odd.refused not in str(ended):
        yield f"another reason: {ended['what']}"


def compare(odd: Odd, source: Path, output: Path, warnings: str) -> Verdict:
    """Compare everything but the look of the frames."""
    before = as_shown(read_clip(source, planes=False), source)
    after = read_clip(output, planes=False)
    kinds = Counter(track.type for track in after.others)
    largest, wrong = times_differ(before, after, source, output)
    wrong += tracks_differ(before, after, odd, warnings)
    wrong += facts_differ(before, after, odd)
    wrong += ffmpeg_differs(source, output, after)
    wrong += side_data_differs(source, output, warnings)
    wrong += inventory_differs(source, output, warnings)
    return Verdict(
        frames_in=len(before.times),
        frames_out=len(after.times),
        largest=largest,
        tracks=", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "-",
        differences=wrong,
    )


def side_data_differs(source: Path, output: Path, warnings: str) -> Iterator[str]:
    """Yield side data that the output's first frame does not have, and that nothing was said of."""
    before, after = first_frame(source), first_frame(output)
    for kind, word in SIDE_DATA.items():
        one, other = side_data(before, kind), side_data(after, kind)
        kept = one is None or (one == other if kind == "ICC_PROFILE" else other is not None)
        if not kept and word not in warnings:
            yield f"{kind} is lost, and nothing was said of it"


def first_frame(path: Path) -> av.VideoFrame:
    """Decode the first frame."""
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        return next(container.decode(moving_picture(container)))


def inventory_differs(source: Path, output: Path, warnings: str) -> Iterator[str]:
    """Yield what the inventories of source and output differ in, and nothing was said of."""
    before, after = take(source), take(output)
    left_out = {int(number) for number in re.findall(r"track (\d+) .*is left out", warnings)}
    left_out |= {int(number) for number in re.findall(r"track (\d+) .*no packet here", warnings)}
    paired = {}
    for kind in {own.type for own in before.streams}:
        wanted = [s.index for s in before.streams if s.type == kind and s.index not in left_out]
        written = [s.index for s in after.streams if s.type == kind]
        paired |= dict(zip(wanted, written, strict=False))
    for key, (value, other) in missing(before, after, paired).items():
        word = WORDS.get(key[-1], key[-1])
        stream = key[0] == "stream" and int(key[1]) in left_out
        if not stream and word not in warnings:
            yield f"{' '.join(key)}: {value} became {other}, and nothing was said of it"


def tolerance_of(source: Path, output: Path) -> Fraction:
    """Return the tolerance of times: Matroska counts in milliseconds."""
    with av.open(f"file:{source}", metadata_errors="replace") as container:
        exact = not (moving_picture(container).time_base / MILLISECOND) % 1
    return Fraction(0) if exact or output.suffix != ".mkv" else MILLISECOND / 2


def as_shown(clip: Clip, path: Path) -> Clip:
    """Return a clip with the times of AVI, which states none: a frame for each packet."""
    if path.suffix != ".avi":
        return clip
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        packets = container.demux(moving_picture(container))
        times = tuple(packet.dts * packet.time_base for packet in packets if packet.size)
    return replace(clip, times=times)


def times_differ(
    before: Clip, after: Clip, source: Path, output: Path
) -> tuple[Fraction, list[str]]:
    """Return the largest difference, and what is wrong with it."""
    if len(before.times) != len(after.times):
        return Fraction(0), [f"{len(before.times)} frames in, {len(after.times)} out"]
    shift = before.times[0] - after.times[0] if source.suffix in CLOCKED else Fraction(0)
    pairs = zip(before.times, after.times, strict=True)
    largest = max(abs(one - shift - other) for one, other in pairs)
    wrong = []
    if largest > tolerance_of(source, output):
        wrong.append(f"times differ by up to {float(largest):.6f} s")
    for number, (one, other) in enumerate(zip(before.audio, after.audio, strict=False)):
        if one.starts and other.starts:
            apart = abs(one.starts[0] - shift - other.starts[0])
            if apart > MILLISECOND:
                wrong.append(f"sound {number} starts {float(apart):.6f} s off")
    if before.duration and after.duration and output.suffix != ".mkv" and not shift:
        apart = abs(before.duration - after.duration)
        if apart > MILLISECOND:
            wrong.append(f"picture lasts {float(apart):.6f} s longer or shorter")
    return largest, wrong


def content(track: Track) -> bytes:
    """Return the metadata of a track, without what a container adds or takes away."""
    parts = list(track.contents)
    if track.codec == "aac":
        parts = [p[ADTS_HEADER:] if p[0] == 0xFF and p[1] >> 4 == 0xF else p for p in parts]
    if track.codec == "mov_text":
        parts = [part for part in parts if part != b"\0\0"]
    return b"".join(parts)


def tracks_differ(before: Clip, after: Clip, odd: Odd, warnings: str) -> Iterator[str]:
    """Yield what differs: all other tracks must be there, packet for packet, in order."""
    plain = odd.name.endswith(PLAIN)
    for kind in odd.left_out:
        if f"({kind}" not in warnings:
            yield f"nothing was said of the {kind} track that is left out"
    # MP4 and MOV write no track in which there is nothing.
    wanted = [t for t in before.others if t.type not in (*odd.left_out, "data") and content(t)]
    found = [t for t in after.others if t.type != "data"]
    if [t.type for t in wanted] != [t.type for t in found]:
        yield f"tracks {[t.type for t in wanted]} became {[t.type for t in found]}"
        return
    for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
        name = f"{one.type} track {number}"
        if one.codec[:2] != other.codec[:2] or content(one) != content(other):
            yield f"{name} differs"
        for key in ("language", "title", "filename", "mimetype"):
            if one.metadata.get(key, "und") != other.metadata.get(key, "und"):
                yield f"{name}: {key} {one.metadata.get(key)} became {other.metadata.get(key)}"
        if one.disposition != other.disposition and not plain:
            yield f"{name}: disposition {one.disposition} became {other.disposition}"
    # QuickTime's timecode and chapters are tracks, too, which its muxer writes itself.
    data = [t for t in before.others if t.type == "data" and "timecode" not in t.metadata]
    kept = [content(track) for track in after.others if track.type == "data"]
    lost = [t for t in data if content(t) not in kept and not before.chapters]
    if len(lost) > warnings.count("(data"):
        yield f"{len(lost)} data tracks are lost"


def facts_differ(before: Clip, after: Clip, odd: Odd) -> Iterator[str]:
    """Yield what differs in size, aspect ratio, rotation, colour, chapters and metadata."""
    for name in ("size", "sample_aspect_ratio", "display_matrix", "chapters"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other and not (name == "sample_aspect_ratio" and one in (None, 1)):
            yield f"{name} {one} became {other}"
    # Grey has no matrix.
    said = slice(int(before.pixel_format.startswith("gray")), None)
    for one, other in zip(before.colour[said], after.colour[said], strict=True):
        if one not in (0, 2, other):
            yield f"colour {before.colour} became {after.colour}"
            break
    bits = [av.VideoFormat(c.pixel_format).components[0].bits for c in (before, after)]
    if bits[1] < bits[0]:
        yield f"{bits[0]} bit became {bits[1]}"
    if before.pixel_format.startswith("yuva") and "a" not in after.pixel_format:
        yield "alpha is lost"
    if odd.name.endswith(PLAIN):
        return
    found = {key.lower(): value for key, value in after.metadata.items()}
    for key, value in before.metadata.items():
        if key.lower() in OWN_TAGS:
            continue
        if not same_text(value, found.get(key.lower(), "")):
            yield f"metadata {key}={value} became {found.get(key.lower())}"


def same_text(one: str, other: str) -> bool:
    """Return whether texts agree; ISO 6709 and ISO 8601 have several spellings."""

    def plain(text: str) -> str:
        numbers = re.sub(r"[+-]\d+\.\d+", lambda found: f"{float(found[0]):+g}", text)
        return re.sub(r"(\d\d:\d\d:\d\d)\.0+Z$", r"\1", numbers.replace("T", " "))

    return plain(one) == plain(other)


def ffmpeg_differs(source: Path, output: Path, after: Clip) -> Iterator[str]:
    """Yield what FFmpeg's command line sees differently in source and output."""
    one, other = ffmpeg_times(source), ffmpeg_times(output)
    if len(other) != len(after.times):
        yield f"FFmpeg decodes {len(other)} frames"
    if len(one) == len(other) and source.suffix not in (*CLOCKED, ".avi"):
        largest = max(abs(a - b) for a, b in zip(one, other, strict=True))
        if largest > tolerance_of(source, output):
            yield f"FFmpeg sees times that differ by {float(largest):.6f} s"


def ffmpeg_times(path: Path) -> list[Fraction]:
    """Return when FFmpeg shows each frame, in seconds."""
    lines = ffmpeg(
        *("-copyts", "-i", f"file:{path}", "-map", "0:V:0", "-fps_mode", "passthrough"),
        *("-enc_time_base", "demux", "-f", "framehash", "-hash", "adler32", "-"),
    ).splitlines()
    tick = next(Fraction(line.split(":")[1].strip()) for line in lines if line.startswith("#tb"))
    return [int(line.split(",")[2]) * tick for line in lines if not line.startswith("#")]


def pictures_differ(source: Path, output: Path) -> Iterator[str]:
    """Compare the first frames in RGB, and the metadata of HDR."""
    pairs = zip(range(PICTURES), pictures(source), pictures(output), strict=False)
    for number, one, other in pairs:
        difference = float(np.abs(one[0] - other[0]).mean())
        if difference > SAME_PICTURE:
            yield f"frame {number} is {difference:.3f} away from the source's"
            return
        if one[1] != other[1]:
            yield f"HDR metadata {sorted(one[1])} became {sorted(other[1])}"
            return


def pictures(path: Path) -> Iterator[tuple[np.ndarray, dict[str, bytes]]]:
    """Yield each frame as RGB or RGBA in 0 to 1, with its HDR metadata."""
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        stream = moving_picture(container)
        decoder = stream.codec_context
        if decoder.name == "vp9" and "alpha_mode" in {key.lower() for key in stream.metadata}:
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoder.flags |= Flags.unaligned
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                # Of 16 bit formats that are not planar FFmpeg writes odd widths wrong.
                alpha = frame.format.name.startswith(("yuva", "gbrap"))
                values = frame.to_ndarray(format="gbrap16le" if alpha else "gbrp16le") / 65535
                kinds = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
                said = {k: d for k in kinds if (d := side_data(frame, k)) is not None}
                yield values.astype(np.float32), said
