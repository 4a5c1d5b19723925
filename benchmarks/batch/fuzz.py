"""Convert damaged media files, and count the outcomes.

    python benchmarks/batch/fuzz.py [--files 400] [--seed 0]

Intact clips of fifteen kinds of container and codec are damaged at random (bits flipped, files
truncated, headers and blocks of zeros, blocks swapped, lost and repeated) and converted by one
`brushreel stylize FOLDER`. Every file must be reported, done or failed; every file with a final
name must decode completely with PyAV alone; no process may end with a traceback. Exit status 1
otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "batch"))
from kills import random_style
from media.fuzz import fuzz


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        style = Path(folder) / "random.safetensors"
        random_style().save(style)
        place = Path(folder) / "files"
        place.mkdir()
        outcome = fuzz(place, style, options.files, options.seed)
    print(f"{outcome.files} damaged files")
    print(f"  converted, verified and read back: {outcome.done}")
    for what, count in outcome.failed.most_common():
        print(f"  {what}: {count}")
    print(f"decoders that brought their process down, named: {len(outcome.crashed)}")
    print(f"tracebacks, unnamed files, files that do not read back: {len(outcome.wrong)}")
    for line in (*outcome.crashed, *outcome.wrong):
        print(line)
    return int(bool(outcome.wrong))


if __name__ == "__main__":
    sys.exit(main())
