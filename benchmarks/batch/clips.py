"""Convert clips in one run, then read sources and outputs with plain PyAV and compare them.

    python benchmarks/batch/clips.py FOLDER_OR_CLIPS... -s wave [-o OUT] [--json FILE]

Columns: frames in and out; the largest difference between the timestamps of a source frame and
its output frame, in seconds, exact; audio streams, and whether their packets are identical byte for
byte; wall time of the clip; frames per second. The last line is the run's wall time with start-up
and its peak resident memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av


def times(path: Path) -> list[Fraction]:
    """Read the presentation time of every frame of the first video stream, in seconds."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        return [Fraction(f.pts or 0) * (f.time_base or 0) for f in container.decode(stream)]


def largest_difference(source: Path, output: Path) -> Fraction:
    """Compute the largest time difference of frames; one clock offset is allowed for .ts."""
    before, after = times(source), times(output)
    offset = before[0] - after[0] if source.suffix in (".ts", ".mpg") else Fraction(0)
    return max(abs(a - offset - b) for a, b in zip(before, after, strict=True))


def audio(path: Path) -> list[tuple[int, str]]:
    """Count and hash the packets of each audio stream, without ADTS headers, which MP4 drops."""
    with av.open(str(path), metadata_errors="replace") as container:
        tracks = {stream.index: [0, hashlib.sha256()] for stream in container.streams.audio}
        for packet in container.demux(*container.streams.audio) if tracks else ():
            if packet.size:
                content = bytes(packet)
                adts = content[0] == 0xFF and content[1] >> 4 == 0xF
                is_adts = adts and packet.stream.codec_context.name == "aac"
                tracks[packet.stream.index][1].update(content[7:] if is_adts else content)
                tracks[packet.stream.index][0] += 1
    return [(count, digest.hexdigest()) for count, digest in tracks.values()]


def convert(
    inputs: list[Path], output: Path, style: str
) -> tuple[list[dict[str, Any]], float, float]:
    """Run `brushreel stylize`; return its events, wall seconds and peak memory in MiB."""
    command = [sys.executable, "-m", "brushreel", "stylize", *map(str, inputs)]
    command += ["-s", style, "-o", str(output), "--recursive", "--overwrite", "--json"]
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    events = [json.loads(line) for line in child.stdout]
    _, _, usage = os.wait4(child.pid, 0)
    return events, time.monotonic() - started, usage.ru_maxrss / 1024


def row(event: dict[str, Any]) -> dict[str, Any]:
    """Return one row of the table."""
    source, output = Path(event["input"]), Path(event["output"])
    if event["event"] == "clip_failed":
        return {"clip": source.name, "failed": event["what"]}
    tracks = audio(source)
    return {
        "clip": source.name,
        "frames_in": len(times(source)),
        "frames_out": len(times(output)),
        "max_time_difference": str(largest_difference(source, output)),
        "audio": f"{len(tracks)} tracks, {sum(count for count, _ in tracks)} packets",
        "audio_identical": tracks == audio(output),
        "seconds": event["seconds"],
        "fps": event["fps"],
    }


def main() -> None:
    """Print the table; write JSON where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("-s", "--style", default="wave")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = options.output or Path(scratch)
        events, seconds, memory = convert(options.inputs, output, options.style)
        rows = [row(event) for event in events if event["event"] in ("clip_done", "clip_failed")]
    headings = ["clip", "frames_in", "frames_out", "max_time_difference", "audio"]
    headings += ["audio_identical", "seconds", "fps"]
    print("| " + " | ".join(headings) + " |\n" + "| --- " * len(headings) + "|")
    for line in rows:
        print("| " + " | ".join(str(line.get(key, line.get("failed"))) for key in headings) + " |")
    print(f"\nwhole run: {seconds:.1f} s, peak memory {memory:.0f} MiB")
    if options.json:
        report = {"clips": rows, "seconds": seconds, "peak_mib": memory}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
