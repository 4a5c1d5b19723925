"""Frames of the held-out footage in the style as it is trained so far, for whoever waits."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ...core.atomic import atomic_write
from ...core.errors import TrainingError
from ...core.frames.stroke_size import Size

if TYPE_CHECKING:
    from ..run import Run

MOST = 3
"""Frames that are stylized, one of a clip each."""
# They are looked at, not measured: a few hundred lines take a fraction of a second.
LINES = 360
_QUALITY = 88


@dataclass(frozen=True)
class _Shown:
    """A frame, (h, w, 3) RGB, uint8, and the size of the frame that it was scaled down from."""

    name: str
    frame: NDArray[np.uint8]
    full_size: Size


class SoFar:
    """Files of a few held-out frames, untouched and stylized, that are written over and over.

    Args:
        run: The run.
        folder: Folder of the files; created.

    Raises:
        TrainingError: They can't be written.
    """

    def __init__(self, run: Run, folder: Path):
        self._run, self._folder = run, folder
        self._shown = [_shown(name, frame) for name, frame in run.held_out_frames(MOST)]
        for number, shown in enumerate(self._shown):
            self._write(number, "before", shown.frame)

    def draw(self) -> list[dict[str, str]]:
        """Stylize the frames anew; return of each the clip's name and the paths of both files.

        Raises:
            TrainingError: They can't be written.
        """
        stylizer = self._run.stylizer(self._run.unmeasured_style())
        rows = []
        for number, shown in enumerate(self._shown):
            rgb = torch.from_numpy(shown.frame).permute(2, 0, 1)[None].float() / 255
            codes = (stylizer(rgb, full_size=shown.full_size)[0] * 255).round().byte()
            after = self._write(number, "after", codes.permute(1, 2, 0).numpy())
            before = self._path(number, "before")
            rows.append({"clip": shown.name, "before": str(before), "after": str(after)})
        return rows

    def _path(self, number: int, side: str) -> Path:
        return self._folder / f"{number}.{side}.jpg"

    def _write(self, number: int, side: str, codes: NDArray[np.uint8]) -> Path:
        path, content = self._path(number, side), BytesIO()
        Image.fromarray(codes).save(content, "JPEG", quality=_QUALITY)
        try:
            with atomic_write(path) as file:
                file.write(content.getvalue())
        except OSError as error:
            raise TrainingError.because(error, "can't be written", path=path) from error
        return path


def _shown(name: str, frame: NDArray[np.uint8]) -> _Shown:
    height, width = frame.shape[:2]
    scale = min(1.0, LINES / height)
    size = max(4, round(width * scale)), max(4, round(height * scale))
    small = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
    return _Shown(name, np.array(small), Size(height, width))
