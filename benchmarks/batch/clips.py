"""Convert clips, then read source and output with plain PyAV and print how they compare.

    python benchmarks/batch/clips.py FOLDER_OR_CLIPS... -s wave [-o OUT] [--json FILE]

Each clip runs in a process of its own, so that its peak memory is its own. Columns: frames in
and out; the largest difference between the timestamps of a source frame and its output frame, in
seconds, exact; sound tracks and whether their packets are byte for byte the same; wall time with
start-up; frames a second of wall time; peak resident memory.
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

import av

from housestyle.core.media import find_clips


def times(path: Path) -> list[Fraction]:
    """Presentation time of every frame of the first moving picture track, in seconds."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        found = [Fraction(frame.pts) * frame.time_base for frame in container.decode(stream)]
    clocked = container.format.name in ("mpegts", "mpeg")
    return [at - found[0] for at in found] if clocked else found


def sound(path: Path) -> list[tuple[int, str]]:
    """Packets and their hash for each sound track; ADTS headers, which MP4 drops, left out."""
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


def convert(source: Path, output: Path, options: list[str]) -> tuple[float, float, int]:
    """Wall seconds, peak memory in MiB and exit status of one `housestyle stylize`."""
    command = [sys.executable, "-m", "housestyle", "stylize", str(source), "-o", str(output)]
    started = time.monotonic()
    child = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - started, usage.ru_maxrss / 1024, child.returncode


def compare(source: Path, output: Path, options: list[str]) -> dict[str, object]:
    """One row of the table."""
    seconds, memory, status = convert(source, output, options)
    if status:
        return {"clip": source.name, "exit_status": status}
    before, after = times(source), times(output)
    differences = [abs(a - b) for a, b in zip(before, after, strict=False)]
    return {
        "clip": source.name,
        "frames_in": len(before),
        "frames_out": len(after),
        "max_time_difference": str(max(differences)),
        "audio_tracks": len(sound(source)),
        "audio_identical": sound(source) == sound(output),
        "seconds": round(seconds, 1),
        "fps": round(len(before) / seconds, 2),
        "peak_mib": round(memory),
    }


def main() -> None:
    """Print the table; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("-s", "--style", default="wave")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    clips = [
        clip
        for path in options.inputs
        for clip in (find_clips(path, recursive=True) if path.is_dir() else [path])
    ]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.output or Path(scratch)
        for clip in clips:
            suffix = clip.suffix.lower() if clip.suffix.lower() in (".mov", ".mkv") else ".mp4"
            suffix = ".mkv" if clip.suffix.lower() == ".webm" else suffix
            row = compare(clip, folder / (clip.stem + suffix), ["-s", options.style, "--overwrite"])
            rows.append(row)
            print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
