"""Convert clips that break tools, and compare every track with its source's.

    python benchmarks/batch/torture.py [NAMES...] [--strength 0]

The clips are made: they are the tests' (tests/batch/media/torture.py). Each goes through
`housestyle stylize` and is read back by PyAV alone and by FFmpeg's command line. Columns: frames in
and out; the largest difference between the times of a source's frame and its output's, in seconds;
the tracks beside the picture, each compared byte for byte; what differs, or "as it should be".
Where a clip must be refused, its message stands there. With `--strength 0` every picture must look
like the source's, too. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "batch"))
from kills import random_style
from media.check import Verdict, check
from media.torture import TORTURE, Odd


def row(odd: Odd, verdict: Verdict) -> str:
    """One line of the table."""
    cells = [odd.name, odd.what]
    if verdict.message:
        cells += ["-"] * 3
    else:
        largest = f"{float(verdict.largest):.6f}".rstrip("0").rstrip(".")
        cells += [f"{verdict.frames_in} / {verdict.frames_out}", f"{largest} s", verdict.tracks]
    said = f"refused: {verdict.message}" if odd.refused else "as it should be"
    cells.append("; ".join(verdict.differences) or said)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help="of clips (default: all)")
    parser.add_argument("--strength", default="1", help="default: 1")
    options = parser.parse_args()
    print("| clip | what is odd | frames in / out | largest time difference | tracks | verdict |")
    print("| --- | --- | --- | --- | --- | --- |")
    chosen = [odd for odd in TORTURE if not options.names or odd.name in options.names]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        style = Path(folder) / "random.safetensors"
        random_style().save(style)
        flags = ["-s", str(style), "--device", "cpu", "--strength", options.strength]
        for number, odd in enumerate(chosen):
            place = Path(folder) / str(number)
            place.mkdir()
            verdict = check(odd, place, flags, untouched=float(options.strength) == 0)
            wrong += bool(verdict.differences)
            print(row(odd, verdict), flush=True)
    print(f"\n{len(chosen)} clips, {len(chosen) - wrong} as they should be")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
