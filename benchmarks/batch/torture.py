"""Convert clips that break tools, and compare every track with its source's.

    python benchmarks/batch/torture.py [--strength 0] [--clips FILES... [--flags ...]]

The clips are made: they are the tests' (tests/batch/media/torture.py). With `--clips` it is these
files instead. Each goes through `brushreel stylize` and is read back by PyAV alone and by FFmpeg's
command line. Columns: frames in and out; the largest difference between the times of a source's
frame and its output's, in seconds; the tracks beside the picture, each compared byte for byte; what
differs, or "as it should be". Where a clip is refused, its message stands there. With
`--strength 0` pictures must look like the source's, too (the first 40 of each clip). Exit status 1
if anything differs that should not.
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


def found(path: Path) -> Odd:
    """A clip of others; what is odd about it its name may say, before two underscores."""
    what, _, name = path.name.rpartition("__")
    return Odd(name, what.replace("-", " ") or "-", lambda _folder: path)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--strength", default="1", help="default: 1")
    parser.add_argument("--clips", nargs="+", type=Path, default=[], help="others than the tests'")
    parser.add_argument(
        "--flags", nargs=argparse.REMAINDER, default=[], help="of stylize, the last"
    )
    options = parser.parse_args()
    print("| clip | what is odd | frames in / out | largest time difference | tracks | verdict |")
    print("| --- | --- | --- | --- | --- | --- |")
    chosen = [found(path) for path in options.clips] or TORTURE
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        style = Path(folder) / "random.safetensors"
        random_style().save(style)
        flags = [
            "-s",
            str(style),
            "--device",
            "cpu",
            "--strength",
            options.strength,
            *options.flags,
        ]
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
