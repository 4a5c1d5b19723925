"""Compare blends of two styles, weight by weight and pixel by pixel, in figures and an image.

    python benchmarks/training/blends.py STYLE PAINTING STYLE PAINTING --clips FOLDER
        --loss-weights FILE [--pairs 2] [--image blends.png]

Both styles are of one family. Style losses are against each painting; detail is the mean gradient
of the stylized frames, as a ratio to the weighted mean of the two styles' own: strokes that are
blended pixel by pixel overlap at half their contrast (ghosts).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from brushreel.core.blend import blend
from brushreel.core.library import load_style
from brushreel.core.style import Style
from brushreel.training.data.extraction import LONG_SIDE
from brushreel.training.data.painting import load_painting
from brushreel.training.evaluation.evaluate import PaintingLosses, measure, painting_losses
from brushreel.training.evaluation.sequences import FrameSequence, find_sequences
from brushreel.training.loss_network import LossNetwork
from brushreel.training.losses import style_targets
from brushreel.training.recipe import HOUSE

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
Model = Callable[[Tensor], Tensor]


def by_weights(first: Style, second: Style, share: float) -> Model:
    """Make one network between the two, at the cost of one."""
    parts = [(first, 1 - share), (second, share)]
    return blend([part for part in parts if part[1]]).network()


def by_pixels(first: Style, second: Style, share: float) -> Model:
    """Mix the outputs of both networks, at the cost of two."""
    networks = first.network(), second.network()
    return lambda frames: torch.lerp(networks[0](frames), networks[1](frames), share)


WAYS = {"weights": by_weights, "pixels": by_pixels}


@torch.no_grad()
def detail(model: Model, sequences: list[FrameSequence]) -> float:
    """Measure the mean gradient of the first stylized pair of every sequence, 1/255 a pixel."""
    gradients = []
    for sequence in sequences:
        stylized = model(next(iter(sequence)).frames[1:])
        gradients += [stylized.diff(dim=axis).abs().mean().item() * 255 for axis in (-1, -2)]
    return float(np.mean(gradients))


@torch.no_grad()
def draw(rows: list[list[Model]], frame: Tensor) -> Image.Image:
    """Draw a row for each way of blending, a column for each share."""
    stylized = torch.cat([torch.cat([model(frame)[0] for model in row], 2) for row in rows], 1)
    codes = (stylized.clamp(0, 1) * 255).round().byte()
    return Image.fromarray(codes.permute(1, 2, 0).numpy())


def main() -> None:
    """Measure, print the table, and draw the image if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for number in ("first", "second"):
        parser.add_argument(f"{number}")
        parser.add_argument(f"{number}_painting", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--image", type=Path)
    options = parser.parse_args()
    styles = load_style(options.first), load_style(options.second)
    sequences = find_sequences(options.clips, pairs=options.pairs, long_side=LONG_SIDE)
    paintings = [
        load_painting(path, HOUSE.style_size)
        for path in (options.first_painting, options.second_painting)
    ]
    losses = painting_losses(LossNetwork(options.loss_weights), paintings[0], sequences)
    others = PaintingLosses(losses.network, style_targets(losses.network, paintings[1]))
    rows = [[way(*styles, share) for share in SHARES] for way in WAYS.values()]
    ends = [detail(rows[0][index], sequences) for index in (0, -1)]
    print(
        f"| {styles[1].name} | mixed by | style loss {styles[0].name} | {styles[1].name} ", end=""
    )
    print("| content loss | E_temporal | detail |\n|" + 7 * " --- |")
    for way, row in zip(WAYS, rows, strict=True):
        for share, model in zip(SHARES, row, strict=True):
            to_first, to_second = (
                measure({"": model}, sequences, losses=each).models[""].mean
                for each in (losses, others)
            )
            expected = ends[0] + share * (ends[1] - ends[0])
            print(
                f"| {share:.2f} | {way} | {to_first.style_loss:.1f} | {to_second.style_loss:.1f} "
                f"| {to_first.content_loss:.1f} | {to_first.e_temporal:.4f} "
                f"| {detail(model, sequences) / expected:.2f} |",
                flush=True,
            )
    if options.image:
        draw(rows, next(iter(sequences[0])).frames[1:]).save(options.image)


if __name__ == "__main__":
    main()
