"""Train the styles that ship, or their twins, by the usual command.

    python benchmarks/training/shipped.py --paintings FOLDER --clips FOLDER --loss-weights FILE
        [--only NAME ...] [--twins] [--device auto] [--dry-run]

Run it in the repository's root, as the commands that the styles store. A parent is trained from
scratch and copied to where they start from, the eight styles from it. A twin is the same run with
temporal weight 0, from the parent's twin. Results are written to the user's style library; the
eight styles are stored in core/weights, the twins in benchmarks/twins, there without the "-twin"
of their names.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from brushreel.core.library import user_styles
from brushreel.training.recipe import CALM


@dataclass(frozen=True)
class Shipped:
    """Training run: the painting's file, its provenance, and settings other than the defaults."""

    name: str
    file: str
    title: str
    artist: str
    year: str
    iterations: int = 3000
    style_scale: float = 1.25
    style_weight: float = CALM.weights.style
    temporal_weight: float = CALM.weights.temporal


WAVE = Shipped(
    "wave",
    "great_wave.jpg",
    "The Great Wave off Kanagawa",
    "Katsushika Hokusai",
    "c. 1831",
    iterations=1000,  # the parent was trained on this painting: more do nothing
    style_scale=1.0,
)
PARENT = replace(WAVE, name="parent", iterations=7000)
STYLES = (
    PARENT,
    WAVE,
    Shipped(
        "starry-night",
        "starry_night.jpg",
        "The Starry Night",
        "Vincent van Gogh",
        "1889",
        iterations=18000,
    ),
    # With paintings of low contrast or few colors the default style weight gives only a tint.
    Shipped(
        "scream",
        "the_scream.jpg",
        "The Scream",
        "Edvard Munch",
        "1893",
        style_weight=3 * CALM.weights.style,
    ),
    Shipped(
        "udnie",
        "udnie.jpg",
        "Udnie",
        "Francis Picabia",
        "1913",
        iterations=7000,
        style_scale=1.0,
        style_weight=4 * CALM.weights.style,
        temporal_weight=CALM.weights.temporal * 2 / 3,  # the painting flickers less than others
    ),
    Shipped(
        "composition-vii", "composition_vii.jpg", "Composition VII", "Wassily Kandinsky", "1913"
    ),
    Shipped("water-lilies", "water_lilies_1919.jpg", "Water Lilies", "Claude Monet", "1919"),
    Shipped("tree-of-life", "klimt_tree_of_life.jpg", "The Tree of Life", "Gustav Klimt", "1909"),
    Shipped(
        "red-chalk",
        "red_chalk_woman_old_master.jpg",
        "Woman in Peasant Dress, red chalk",
        "an old master",
        "17th century",
        iterations=1500,
    ),
)


def parent_file(*, twin: bool) -> Path:
    """Return the file of the parent in this repository, from which the stored commands start."""
    return Path("benchmarks/twins" if twin else "benchmarks/training") / "parent.safetensors"


def command(style: Shipped, options: argparse.Namespace, *, twin: bool) -> list[str]:
    """Return the training command of a style or of its twin."""
    suffix = "-twin" if twin else ""
    words = ["train", str(options.paintings / style.file), "--clips", str(options.clips)]
    words += ["--name", style.name + suffix]
    words += [] if style is PARENT else ["--from", str(parent_file(twin=twin))]
    words += ["--recipe", "calm", "--iterations", str(style.iterations), "--seed", "1"]
    words += ["--style-scale", str(style.style_scale)]
    if style.style_weight != CALM.weights.style:
        words += ["--style-weight", f"{style.style_weight:g}"]
    temporal_weight = 0 if twin else style.temporal_weight
    if temporal_weight != CALM.weights.temporal:
        words += ["--temporal-weight", f"{temporal_weight:g}"]
    words += ["--loss-weights", str(options.loss_weights), "--device", options.device]
    words += ["--title", style.title, "--artist", style.artist, "--year", style.year]
    return [*words, "--licence", "public domain", "--overwrite"]


def main() -> None:
    """Run the commands one after the other; stop at the first that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=[style.name for style in STYLES])
    parser.add_argument(
        "--twins", action="store_true", help="Train the twins instead of the styles."
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--dry-run", action="store_true", help="Print the commands and train nothing."
    )
    options = parser.parse_args()
    for style in STYLES:
        if options.only and style.name not in options.only:
            continue
        words = command(style, options, twin=options.twins)
        print(shlex.join(["brushreel", *words]), flush=True)
        if not options.dry_run:
            subprocess.run([sys.executable, "-m", "brushreel", *words], check=True)
            if style is PARENT:
                trained = user_styles() / f"{words[words.index('--name') + 1]}.safetensors"
                shutil.copy(trained, parent_file(twin=options.twins))


if __name__ == "__main__":
    main()
