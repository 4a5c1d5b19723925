"""Convert damaged files, and count the outcomes.

    python benchmarks/batch/fuzz.py [KIND ...] [--files 400] [--seed 0]

Kinds are clips; png, tiff, jpeg, exr and painting (what training reads); xml, fcpxml, otio and edl.
Intact files of each are damaged at random: bits flipped, files truncated, headers and blocks of
zeros, blocks swapped, lost and repeated; in images also fields of headers and chunks with their
check sums; in timelines also values, elements and their nesting.

Clips, of fifteen kinds of container and codec, are converted by one `brushreel stylize FOLDER`; of
images and timelines each by a command of its own. Every file must be done or refused, in this
program's words; what has its final name must be read without this package, and nothing else may be
left beside it; no process may crash, hang, take gigabytes or end with a traceback. Exit status 1
otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "batch"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "plugin_resolve" / "timelines"))
from cuts import at_25
from kills import random_style
from media.fuzz import Outcome, fuzz
from media.fuzz_timelines import fuzz_timelines
from media.images import fuzz_images

_IMAGES = ("png", "tiff", "jpeg", "exr", "painting")
_TIMELINES = ("xml", "fcpxml", "otio", "edl")


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    kinds = ("clips", *_IMAGES, *_TIMELINES)
    parser.add_argument("kinds", nargs="*", choices=[*kinds, []], default=["clips"])
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        style = Path(folder) / "random.safetensors"
        random_style().save(style)
        wrong = 0
        for kind in options.kinds:
            place = Path(folder) / kind
            place.mkdir()
            outcome = _run(kind)(place, style, count=options.files, seed=options.seed)
            _show(kind, outcome)
            wrong += len(outcome.wrong)
    return int(wrong > 0)


def _run(kind: str) -> Callable[..., Outcome]:
    if kind == "clips":
        return fuzz
    if kind in _IMAGES:
        return partial(fuzz_images, kinds=[kind])
    return partial(fuzz_timelines, formats={f".{kind}": at_25()[f".{kind}"]})


def _show(kind: str, outcome: Outcome) -> None:
    print(f"{kind}: {outcome.files} damaged files")
    print(f"  done, and read back: {outcome.done}")
    for what, count in outcome.failed.most_common():
        print(f"  {what}: {count}")
    print(f"  decoders that brought their process down, named: {len(outcome.crashed)}")
    print(f"  what must not be: {len(outcome.wrong)}")
    for line in (*outcome.crashed, *outcome.wrong):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
