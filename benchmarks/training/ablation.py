"""Train the recipe with one hyperparameter changed at a time; print the table of docs/training.md.

    python benchmarks/training/ablation.py PAINTING --clips FOLDER --held-out FOLDER
        --loss-weights FILE [--iterations 400] [--crop 128] [--pairs 4] [--only ROW ...]
        [-o ablation.json]

Every row has the same seed, examples and steps. Rows that are already in ablation.json are not
trained again, nor are those whose run diverged; a file that was begun with other options is
refused. --held-out is never trained on. Two rows, of ReCoNet (Gao et al. 2018), have losses of
their own, which no recipe uses.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from brushreel.core.allocator import keep_freed_memory
from brushreel.core.consistency import warp
from brushreel.core.errors import TrainingError
from brushreel.core.frames.colour import BT709_LUMA
from brushreel.core.network import StylizingNetwork
from brushreel.core.style import Painting
from brushreel.training import run
from brushreel.training.data.disturbance import Example
from brushreel.training.data.extraction import LONG_SIDE
from brushreel.training.data.painting import load_painting
from brushreel.training.evaluation.evaluate import PaintingLosses, measure, painting_losses
from brushreel.training.evaluation.sequences import FrameSequence, find_sequences
from brushreel.training.loss_network import LossNetwork
from brushreel.training.losses import HybridLoss, hybrid_loss
from brushreel.training.recipe import CALM, PAPER, TrainingSettings
from brushreel.training.run import Material
from brushreel.training.trainer import train

# The baseline of the paper's own comparison: a network that is trained on single frames.
TWIN = "plain network, temporal 0 (twin)"
LUMINANCE, FEATURES = "luminance constraint", "encoder features"
# The calm recipe when the table was begun; one of its rows is today's.
BASE = replace(CALM, weights=replace(CALM.weights, temporal=6e4, overlay=4e4))
# Makes it about as large as the change of pixels.
_FEATURE_SHARE = 0.01

# Name to figure, or "died" to the reason.
Row = dict[str, Any]


def rows() -> dict[str, TrainingSettings]:
    """Return the name of each row and its settings."""

    def disturbing(**changes: float) -> TrainingSettings:
        return replace(BASE, disturbances=replace(BASE.disturbances, **changes))

    def weighing(**changes: float) -> TrainingSettings:
        return replace(BASE, weights=replace(BASE.weights, **changes))

    def shaped(**changes: str | float | bool) -> TrainingSettings:
        return replace(BASE, network=replace(BASE.network, **changes))

    def unsettled(**changes: str | float) -> TrainingSettings:
        return replace(shaped(**changes), settled=False)

    plain = shaped(downsampling="strided", upsampling="nearest", skips=False)
    return {
        "base": BASE,
        TWIN: replace(weighing(temporal=0.0), network=plain.network),
        "temporal 0": weighing(temporal=0.0),
        "plain network": plain,
        "no skips": shaped(skips=False),
        "strided": shaped(downsampling="strided"),
        "nearest": shaped(upsampling="nearest"),
        "no shifts": disturbing(shifted=0.0),
        "no overlays": disturbing(overlays=0.0),
        "norm everywhere, 1e-5": unsettled(normalization="everywhere", norm_epsilon=1e-5),
        "no noise": disturbing(noise=0.0),
        "no synthetic motion": disturbing(synthetic=0.0),
        "gaps up to 4": replace(BASE, longest_gap=4),
        "temporal x 2": weighing(temporal=BASE.weights.temporal * 2),
        "norm everywhere, 0.1": unsettled(normalization="everywhere", norm_epsilon=0.1),
        "norm nowhere": shaped(normalization="none"),
        "not settled": unsettled(),
        "not settled, epsilon 0.01": unsettled(norm_epsilon=0.01),
        "not settled, epsilon 1": unsettled(norm_epsilon=1.0),
        "transposed convolution": shaped(upsampling="transposed"),
        "no compression": disturbing(compression=0.0),
        "both frames judged": replace(BASE, both_judged=True),
        "no ramp": replace(BASE, temporal_ramp=0.0),
        "overlay / 4": weighing(overlay=BASE.weights.overlay / 4),
        "overlay / 4, temporal x 2: calm": CALM,
        LUMINANCE: BASE,
        FEATURES: BASE,
        "paper": PAPER,
    }


def luminance_constraint(
    network: LossNetwork,
    example: Example,
    stylized: Tensor,
    grams: dict[str, Tensor],
    **judged: Any,  # noqa: ANN401  whatever else `hybrid_loss` takes
) -> HybridLoss:
    """Compute the loss with stylized frames allowed to change their luma as the scene does."""
    previous, current = stylized.float().chunk(2)
    seen = (example.clean * torch.tensor(BT709_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    before, now = seen.chunk(2)
    expected = warp(previous, example.flow) + now - warp(before, example.flow)
    loss = hybrid_loss(network, example, stylized, grams, **judged)
    return replace(loss, temporal=_over_pairs(current - expected, example.mask, example))


class EncoderFeatureLoss:
    """Loss that also makes the encoder's features stable, in proportion to their variance."""

    def __init__(self) -> None:
        self._features = torch.empty(0)
        self._encode = StylizingNetwork.encode

    def encode(self, network: StylizingNetwork, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode frames as the network does, and keep the features."""
        features = self._encode(network, frames)
        self._features = features[-1]
        return features

    def __call__(
        self,
        network: LossNetwork,
        example: Example,
        stylized: Tensor,
        grams: dict[str, Tensor],
        **judged: Any,  # noqa: ANN401  whatever else `hybrid_loss` takes
    ) -> HybridLoss:
        """Compute the loss, in place of `hybrid_loss`."""
        previous, current = self._features.float().chunk(2)
        smaller = example.flow.shape[-1] // current.shape[-1]
        flow = F.avg_pool2d(example.flow, smaller) / smaller
        mask = -F.max_pool2d(-example.mask, smaller)
        spread = self._features.detach().float().std()
        change = _over_pairs((current - warp(previous, flow)) / spread, mask, example)
        loss = hybrid_loss(network, example, stylized, grams, **judged)
        return replace(loss, temporal=loss.temporal + _FEATURE_SHARE * change)


def _over_pairs(change: Tensor, mask: Tensor, example: Example) -> Tensor:
    return ((mask * change.square()).mean((1, 2, 3)) * ~example.overlaid).mean()


@contextmanager
def hyperparameter(row: str) -> Iterator[None]:
    """Replace the loss of the package by the row's own, if it has one."""
    with ExitStack() as replaced:
        if row == LUMINANCE:
            replaced.enter_context(patch.object(run, "hybrid_loss", luminance_constraint))
        if row == FEATURES:
            loss = EncoderFeatureLoss()
            replaced.enter_context(patch.object(run, "hybrid_loss", loss))

            def encode(network: StylizingNetwork, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
                return loss.encode(network, frames)

            replaced.enter_context(patch.object(StylizingNetwork, "encode", encode))
        yield


def trained(row: str, settings: TrainingSettings, options: argparse.Namespace) -> StylizingNetwork:
    """Train one row."""
    about = Painting("ablation", "", "", "")
    settings = replace(settings, iterations=options.iterations, crop=options.crop, seed=1)
    with tempfile.TemporaryDirectory() as folder, hyperparameter(row):
        style = train(
            Material(options.painting, about, options.clips, options.loss_weights),
            settings,
            name="ablation",
            output=Path(folder) / "style.safetensors",
            folder=Path(folder),
        )
    return style.network()


@torch.no_grad()
def figures(
    network: StylizingNetwork, sequences: Sequence[FrameSequence], losses: PaintingLosses
) -> Row:
    """Measure the columns of a row."""
    evaluation = measure({"row": network}, sequences, losses=losses)
    source = evaluation.source.mean.e_temporal
    black = torch.zeros(1, 3, 180, 320)
    return asdict(evaluation.models["row"].mean) | {
        "source": source,
        "black": 255 * network(black).mean().item(),
        "white": 255 * network(1 - black).mean().item(),
        "black_noise": _shimmer(network, black, 2 / 255),
        "grey_noise": _shimmer(network, black + 0.5, 0.5 / 255),
    }


def _shimmer(network: StylizingNetwork, frame: Tensor, sigma: float) -> float:
    generator = torch.Generator().manual_seed(0)
    noisy = [frame + sigma * torch.randn(frame.shape, generator=generator) for _ in range(2)]
    first, second = (network(draw.clamp(0, 1)) for draw in noisy)
    return 255 * (first - second).abs().mean().item()


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
    losses: PaintingLosses,
) -> Row:
    """Train and measure a row; return the error if its run diverged."""
    try:
        return figures(trained(name, rows()[name], options), sequences, losses)
    except TrainingError as error:
        return {"died": str(error)}


def line(name: str, row: Row, twin: Row) -> str:
    """Return a row of the Markdown table."""
    if "died" in row:
        return f"| {name} | {row['died']}" + 11 * " |"
    above = [max(r["e_temporal"] ** 2 - r["source"] ** 2, 0) for r in (row, twin)]
    cells = (
        f"{row['style_loss']:.1f}",
        f"{row['content_loss']:.2f}",
        f"{row['e_temporal']:.4f}",
        f"{row['e_temporal'] / twin['e_temporal']:.2f}",
        f"{(above[0] / above[1]) ** 0.5:.2f}",
        f"{1e3 * row['warping_error']:.2f}",
        f"{row['shimmer']:.2f}",
        f"{row['black']:.0f}",
        f"{row['white']:.0f}",
        f"{row['black_noise']:.1f}",
        f"{row['grey_noise']:.1f}",
    )
    return f"| {name} | " + " | ".join(cells) + " |"


HEADER = (
    "| hyperparameter | style | content | E_temporal | / twin | excess | warping x 1e3 | shimmer "
    "| black | white | noise on black | on grey |\n| --- |" + 11 * " --- |"
)


def main() -> None:
    """Train and measure the rows that are missing, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("painting", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument(
        "--pairs", type=int, default=4, help="Pairs of each held-out sequence. Default: 4."
    )
    parser.add_argument("--only", nargs="*", choices=list(rows()))
    parser.add_argument("-o", "--output", type=Path, default=Path("ablation.json"))
    options = parser.parse_args()
    keep_freed_memory()
    measured_with = {name: getattr(options, name) for name in ("iterations", "crop", "pairs")}
    measured_with["painting"] = options.painting.name
    results = kept_rows(options.output, measured_with)
    sequences = find_sequences(options.held_out, pairs=options.pairs, long_side=LONG_SIDE)
    painting = load_painting(options.painting, CALM.style_size)
    losses = painting_losses(LossNetwork(options.loss_weights), painting, sequences)
    for name in options.only or rows():
        if name not in results:
            results[name] = row_of(name, options, sequences, losses)
            kept = {"options": measured_with, "rows": results}
            options.output.write_text(json.dumps(kept, indent=1) + "\n")
    twin = results.get(TWIN, {"died": "not trained"})
    if "died" not in twin:
        measured = {name: results[name] for name in rows() if name in results}
        print(HEADER, *(line(name, row, twin) for name, row in measured.items()), sep="\n")


if __name__ == "__main__":
    main()
