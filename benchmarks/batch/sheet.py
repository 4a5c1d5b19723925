"""Draw a sheet: frames of clips, one a row, and what styles and others' networks make of them.

    python benchmarks/batch/sheet.py SHEET.jpg CLIP:FRAME ... --models NAME ... [--columns N]

Networks (.onnx) work at the height at which styles do. Burnt-in bars are cut off.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from stroke_pictures import frame_of, write

from brushreel.training.evaluation.models import open_models


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("frames", nargs="+", metavar="CLIP:FRAME")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--columns", type=int, help="Default: one row a frame.")
    options = parser.parse_args()
    models = open_models(options.models)[0]
    cells = []
    for place in options.frames:
        path, _, index = place.rpartition(":")
        frame = frame_of(Path(path), int(index))
        cells += [("source", frame), *((name, model(frame)) for name, model in models.items())]
    write(options.sheet, cells, options.columns or len(models) + 1, fit=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
