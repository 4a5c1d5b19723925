"""Train the styles that ship, by the usual command.

    python benchmarks/training/shipped.py --paintings FOLDER --clips FOLDER --loss-weights FILE
        [--only NAME ...] [--device auto] [--dry-run]

Run it in the repository's root, as the commands that the styles store. A parent is trained from
scratch and copied to where the styles start from. Five styles are trained from it with the recipe
`calm`, which finds stable strokes, and go on with the recipe `house`, which makes them rich; the
others start from one of these.
Results are written to the user's style library. The files in core/weights went the same way in more
runs; each stores the command, seed and footage of its last one, and the parent of that.
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
    """Two training runs: the painting's file, its provenance, settings other than the defaults.

    Attributes:
        iterations: Steps with the recipe `calm`, from the parent; 0 for none.
        rich: Steps with the recipe `house`.
        rich_scale: The painting's scale in these.
        rich_from: The style that they start from, if not itself.
        rich_weights: Their options for weights that are not the recipe's.
    """

    name: str
    file: str
    title: str
    artist: str
    year: str
    iterations: int = 3000
    style_scale: float = 1.25
    style_weight: float = CALM.weights.style
    temporal_weight: float = CALM.weights.temporal
    rich: int = 1000
    rich_scale: float = 1.25
    rich_from: str = ""
    rich_weights: tuple[str, ...] = ()


WAVE = Shipped(
    "wave",
    "great_wave.jpg",
    "The Great Wave off Kanagawa",
    "Katsushika Hokusai",
    "c. 1831",
    iterations=0,
    rich_scale=2.0,  # its lines are thin
    rich_weights=("--temporal-weight", "4e4"),
    rich_from="metzinger",  # from its own strokes it never gets rid of rings
)
PARENT = replace(WAVE, name="parent", iterations=7000, style_scale=1.0)
STYLES = (
    PARENT,
    Shipped(
        "starry-night",
        "starry_night.jpg",
        "The Starry Night",
        "Vincent van Gogh",
        "1889",
        iterations=18000,
        rich_weights=("--temporal-weight", "3e4"),
    ),
    # With paintings of low contrast or few colors the default style weight gives only a tint.
    Shipped(
        "scream",
        "the_scream.jpg",
        "The Scream",
        "Edvard Munch",
        "1893",
        style_weight=3 * CALM.weights.style,
        rich_weights=("--style-weight", "1000", "--palette-weight", "3e3"),
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
        rich_weights=(
            *("--style-weight", "1260", "--temporal-weight", "2.5e4"),
            *("--palette-weight", "3e3"),
        ),
    ),
    Shipped(
        "composition-vii", "composition_vii.jpg", "Composition VII", "Wassily Kandinsky", "1913"
    ),
    Shipped("water-lilies", "water_lilies_1919.jpg", "Water Lilies", "Claude Monet", "1919"),
    Shipped(
        "metzinger",
        "delaunay_metzinger_portrait.jpg",
        "Portrait of Jean Metzinger",
        "Robert Delaunay",
        "1906",
        iterations=0,
        rich_from="starry-night",
    ),
    WAVE,
    Shipped(
        "saint-clair",
        "cross_river_saint_clair.jpg",
        "River in Saint-Clair",
        "Henri-Edmond Cross",
        "1908",
        iterations=0,
        rich_scale=2.25,  # its dots are small
        rich_from="metzinger",
    ),
    Shipped(
        "blue-horse",
        "franz_marc_blue_horse.jpg",
        "The Little Blue Horse",
        "Franz Marc",
        "1912",
        iterations=0,
        rich_scale=1.0,
        rich_from="udnie",
    ),
    Shipped(
        "edtaonisl",
        "edtaonisl.jpg",
        "Edtaonisl",
        "Francis Picabia",
        "1913",
        iterations=0,
        rich_from="udnie",
    ),
)


PARENT_FILE = Path("benchmarks/training/parent.safetensors")
"""Where the stored commands start from."""


def commands(style: Shipped, options: argparse.Namespace) -> list[list[str]]:
    """Return the training commands of a style, the parent's alone for the parent."""
    start = [] if style is PARENT else ["--from", str(PARENT_FILE)]
    calm = [*start, "--recipe", "calm", "--iterations", str(style.iterations)]
    calm += ["--style-scale", f"{style.style_scale:g}"]
    if style.style_weight != CALM.weights.style:
        calm += ["--style-weight", f"{style.style_weight:g}"]
    if style.temporal_weight != CALM.weights.temporal:
        calm += ["--temporal-weight", f"{style.temporal_weight:g}"]
    rich = ["--from", style.rich_from or style.name, "--iterations", str(style.rich)]
    rich += ["--style-scale", f"{style.rich_scale:g}", *style.rich_weights]
    about = ["--title", style.title, "--artist", style.artist, "--year", style.year]
    usual = ["train", str(options.paintings / style.file), "--clips", str(options.clips)]
    usual += ["--name", style.name, "--seed", "1", "--loss-weights", str(options.loss_weights)]
    usual += ["--device", options.device, *about, "--licence", "public domain", "--overwrite"]
    stages = [calm] if style is PARENT else [calm, rich] if style.iterations else [rich]
    return [[*usual, *words] for words in stages]


def main() -> None:
    """Run the commands one after the other; stop at the first that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=[style.name for style in STYLES])
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--dry-run", action="store_true", help="Print the commands and train nothing."
    )
    options = parser.parse_args()
    for style in STYLES:
        if options.only and style.name not in options.only:
            continue
        for words in commands(style, options):
            print(shlex.join(["brushreel", *words]), flush=True)
            if not options.dry_run:
                subprocess.run([sys.executable, "-m", "brushreel", *words], check=True)
        if style is PARENT and not options.dry_run:
            shutil.copy(user_styles() / f"{style.name}.safetensors", PARENT_FILE)


if __name__ == "__main__":
    main()
