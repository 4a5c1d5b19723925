"""Train the house recipe with one thing changed at a time; print the table of docs/training.md.

    python benchmarks/training/ablation.py PAINTING --clips FOLDER --held-out FOLDER
        --loss-weights FILE [--from STYLE] [--style-scale 1.25] [--iterations 600] [--pairs 1]
        [--only ROW ...] [-o FOLDER]

Every row has the same parent, seed, examples and steps, and is measured as users see it: frames of
the held-out clips at their own size, strokes of the natural size. The folder gets a strip of
frames of each row, its style, and ablation.json. Rows that are there are not trained again, nor are
those whose run diverged; a file that was begun with other options is refused. --held-out is never
trained on. Some rows have losses or a network that no recipe has; what their styles are is known
only here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from brushreel.core.allocator import keep_freed_memory
from brushreel.core.channels_last import InstanceNorm
from brushreel.core.errors import TrainingError
from brushreel.core.network import StylizingNetwork
from brushreel.core.style import Painting, Style
from brushreel.core.stylizer import Stylizer
from brushreel.training import losses, palette, run
from brushreel.training.data.painting import load_painting
from brushreel.training.evaluation.evaluate import PaintingLosses, measure, painting_losses
from brushreel.training.evaluation.levels import measure_levels
from brushreel.training.evaluation.sequences import FrameSequence, find_sequences
from brushreel.training.loss_network import LossNetwork
from brushreel.training.losses import Features
from brushreel.training.recipe import CALM, HOUSE, PAPER, TrainingSettings, scaled_size
from brushreel.training.run import Material
from brushreel.training.trainer import train

NO_SKIP, FAR = "no skip at full size", "tanh beyond black and white"
MOMENTS, SLICED = "means and covariances", "sliced Wasserstein"
FILTERS = "filter response normalisation"
NARROW = "hues over 8 x 8"
# Of activations, along so many random directions at so many places.
DIRECTIONS, PLACES = 64, 4096

# Name to figure, or "died" to the reason.
Row = dict[str, Any]


def rows() -> dict[str, TrainingSettings]:
    """Return the name of each row and its settings."""

    def weighing(**changes: float) -> TrainingSettings:
        return replace(HOUSE, weights=replace(HOUSE.weights, **changes))

    weights = HOUSE.weights
    return {
        "house": HOUSE,
        "overlay / 4": weighing(overlay=weights.overlay / 4),
        "temporal / 2": weighing(temporal=weights.temporal / 2),
        "content / 2": weighing(content=weights.content / 2),
        NO_SKIP: HOUSE,
        "layers 1 1 1 1": replace(HOUSE, layer_weights=(1.0, 1.0, 1.0, 1.0)),
        "layers as they are": replace(HOUSE, layer_weights=None),
        "no hues": weighing(hues=0.0),
        "no hues, no palette": weighing(hues=0.0, palette=0.0),
        NARROW: HOUSE,
        "palette x 4": weighing(palette=weights.palette * 4),
        "Adam": replace(HOUSE, optimizer="adam", learning_rate=1e-3),
        "no ramp": replace(HOUSE, temporal_ramp=0.0),
        "crop 192": replace(HOUSE, crop=192),
        "crop 384": replace(HOUSE, crop=384),
        FAR: HOUSE,
        MOMENTS: HOUSE,
        SLICED: HOUSE,
        FILTERS: HOUSE,
        "both frames judged": replace(HOUSE, both_judged=True),
        "overlay x 2": weighing(overlay=weights.overlay * 2),
        "calm": replace(CALM, crop=HOUSE.crop),
        "paper": replace(PAPER, crop=HOUSE.crop),
    }


def _moments(found: Tensor, wanted: Tensor) -> Tensor:
    """Compare covariances as Gram matrices are, and means (Li et al. 2017)."""
    (mean, covariance), (other, others) = (_mean_and_covariance(x) for x in (found, wanted))
    squares = (covariance - others).square().mean((1, 2)) + (mean - other).square().mean((1, 2))
    return squares.sum()


def _mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    pixels = features.float().flatten(2)
    mean = pixels.mean(2, keepdim=True)
    return mean, (pixels - mean) @ (pixels - mean).transpose(1, 2) / pixels.shape[2]


def _sliced(found: Tensor, wanted: Tensor) -> Tensor:
    """Compare distributions along random directions (Heitz et al. 2021)."""
    axes = F.normalize(torch.randn(found.shape[1], DIRECTIONS), dim=0)
    along, other = (_sorted_along(x, axes) for x in (found, wanted))
    return (along - other).square().mean((1, 2)).sum()


def _sorted_along(features: Tensor, axes: Tensor) -> Tensor:
    pixels = features.float().flatten(2)
    places = torch.randint(pixels.shape[2], (PLACES,))
    return (pixels[..., places].transpose(1, 2) @ axes).sort(1).values


@contextmanager
def _style_by(distance: Callable[[Tensor, Tensor], Tensor]) -> Iterator[None]:
    """Compare activations by another distance than that of their Gram matrices."""
    target: Features = {}
    targets = run.style_targets

    def kept(network: LossNetwork, painting: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            target.update(network(painting))
        return targets(network, painting)

    def compared(stylized: Features, grams: dict[str, Tensor]) -> dict[str, Tensor]:
        return {layer: distance(stylized[layer], target[layer]) for layer in grams}

    with ExitStack() as replaced:
        for module in (losses, run):
            replaced.enter_context(patch.object(module, "style_losses", compared))
        replaced.enter_context(patch.object(run, "style_targets", kept))
        # By autograd: the one by hand knows Gram matrices alone.
        replaced.enter_context(patch.object(run, "FastLossNetwork", lambda network: network))
        yield


def _without_full_skip(network: StylizingNetwork, full: Tensor, half: Tensor, x: Tensor) -> Tensor:
    to_half, to_full = network.decoder
    x = to_full(F.relu(to_half(x) + half))
    return (torch.tanh(network.output(F.relu(x)).float()) + 1) / 2


def _beyond(network: StylizingNetwork, full: Tensor, half: Tensor, x: Tensor) -> Tensor:
    for block, same_size in zip(network.decoder, (half, full), strict=True):
        x = F.relu(block(x) + same_size)
    # Johnson et al. 2016: 150 tanh + 127.5, in codes.
    return torch.tanh(network.output(x).float()) * 150 / 255 + 0.5


def _by_response(norm: InstanceNorm, x: Tensor) -> Tensor:
    """Divide by the root of the mean square (Singh and Krishnan 2020); the mean stays."""
    strength = x.float().square().mean((2, 3), keepdim=True) + norm.eps
    weight, bias = (values[:, None, None] for values in (norm.weight, norm.bias))
    return (x * strength.rsqrt() * weight + bias).to(x.dtype)


@contextmanager
def changed(row: str) -> Iterator[None]:
    """Put a row's own loss or network in place, if it has one."""
    decoders = {NO_SKIP: _without_full_skip, FAR: _beyond}
    distances = {MOMENTS: _moments, SLICED: _sliced}
    with ExitStack() as replaced:
        if decode := decoders.get(row):
            replaced.enter_context(patch.object(StylizingNetwork, "decode", decode))
        if distance := distances.get(row):
            replaced.enter_context(_style_by(distance))
        if row == NARROW:
            replaced.enter_context(patch.object(palette, "HUE_AREA", 8))
        if row == FILTERS:
            replaced.enter_context(patch.object(InstanceNorm, "forward", _by_response))
            # What bounds the gain reckons with variances.
            replaced.enter_context(patch.object(run, "_bounds_gain", lambda *_: False))
        yield


def trained(row: str, settings: TrainingSettings, options: argparse.Namespace) -> Path:
    """Train one row; return its style."""
    settings = replace(
        settings,
        iterations=options.iterations,
        seed=1,
        style_size=scaled_size(options.style_scale, TrainingSettings.style_size),
    )
    folder = options.output / row.replace(" / ", " over ").replace(" ", "-")
    path = folder.with_suffix(".safetensors")
    train(
        Material(
            options.painting,
            Painting(row, "", "", ""),
            options.clips,
            options.loss_weights,
            None if row == "paper" else Style.load(options.parent),
        ),
        settings,
        name="ablation",
        output=path,
        folder=folder,
    )
    return path


@torch.no_grad()
def figures(path: Path, sequences: Sequence[FrameSequence], judges: PaintingLosses) -> Row:
    """Measure the columns of a row, and draw its frames."""
    model = Stylizer(str(path), precision="fp32")
    mean = measure({"row": model}, sequences, losses=judges, stroke_size=1.0).models["row"].mean
    frames = [model(next(iter(sequence)).frames[1:]) for sequence in sequences]
    strip = torch.cat([F.interpolate(f, (360, 640), mode="area") for f in frames], 3)[0]
    pixels = (strip * 255).round().byte().permute(1, 2, 0)
    Image.fromarray(pixels.numpy()).save(path.with_suffix(".png"))
    return asdict(mean) | asdict(measure_levels(model))


def kept_rows(path: Path, measured_with: dict[str, Any]) -> dict[str, Row]:
    """Read the rows that are already there.

    Raises:
        SystemExit: They were measured with other options.
    """
    if not path.exists():
        return {}
    kept = json.loads(path.read_text())
    if kept.get("options") != measured_with:
        sys.exit(f"{path} was begun with {kept.get('options')}, not with {measured_with}")
    return kept["rows"]


def row_of(
    name: str,
    options: argparse.Namespace,
    sequences: Sequence[FrameSequence],
    judges: PaintingLosses,
) -> Row:
    """Train and measure a row; return the error if its run diverged."""
    try:
        with changed(name):
            return figures(trained(name, rows()[name], options), sequences, judges)
    except TrainingError as error:
        return {"died": str(error)}


COLUMNS = {
    "style distance": ("style_distance", 3),
    "palette": ("palette_distance", 2),
    "flat texture": ("flat_texture", 2),
    "content": ("content_loss", 1),
    "E_temporal at 432": ("judged_e_temporal", 4),
    "shimmer": ("judged_shimmer", 2),
    "E_temporal": ("e_temporal", 4),
    "shimmer at 1080": ("shimmer", 2),
    "black": ("black", 0),
    "grey": ("grey", 0),
    "white": ("white", 0),
    "noise on grey": ("noise_on_grey", 1),
}
HEADER = f"| | layers | {' | '.join(COLUMNS)} | fades |\n|{' --- |' * (len(COLUMNS) + 3)}"


def line(name: str, row: Row) -> str:
    """Return a row of the Markdown table."""
    if "died" in row:
        return f"| {name} | {row['died']}" + (len(COLUMNS) + 2) * " |"
    layers = " ".join(f"{distance:.2f}".lstrip("0") for distance in row["style_by_layer"])
    cells = [f"{row[key]:.{digits}f}" for key, digits in COLUMNS.values()]
    return f"| {name} | {layers} | {' | '.join(cells)} | {'yes' if row['fades'] else 'no'} |"


def main() -> None:
    """Train and measure the rows that are missing, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("painting", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument(
        "--from", dest="parent", type=Path, default=Path("benchmarks/training/parent.safetensors")
    )
    parser.add_argument("--style-scale", type=float, default=1.25)
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument(
        "--pairs", type=int, default=1, help="Pairs of each held-out sequence. Default: 1."
    )
    parser.add_argument("--only", nargs="*", choices=list(rows()))
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation"))
    options = parser.parse_args()
    keep_freed_memory()
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "ablation.json"
    measured_with = {
        name: getattr(options, name) for name in ("iterations", "style_scale", "pairs")
    }
    measured_with |= {"painting": options.painting.name, "parent": options.parent.name}
    results = kept_rows(path, measured_with)
    sequences = find_sequences(options.held_out, pairs=options.pairs)
    size = scaled_size(options.style_scale, TrainingSettings.style_size)
    painting = load_painting(options.painting, size)
    judges = painting_losses(
        LossNetwork(options.loss_weights), painting, sequences, stroke_size=1.0
    )
    for name in options.only or rows():
        if name not in results:
            results[name] = row_of(name, options, sequences, judges)
            kept = {"options": measured_with, "rows": results}
            path.write_text(json.dumps(kept, indent=1) + "\n")
    print(HEADER, *(line(name, results[name]) for name in rows() if name in results), sep="\n")


if __name__ == "__main__":
    main()
