"""Scalars of a training run for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ...core.errors import TrainingError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Scalars:
    """Log of scalars for TensorBoard; does nothing where TensorBoard is not installed.

    A context manager; TensorBoard shows the log during the run.

    Args:
        folder: The run's folder; the log is written to its subfolder "tensorboard".
        step: Steps done before. What was logged for later steps is hidden.

    Raises:
        TrainingError: The log can't be written.
    """

    def __init__(self, folder: Path, *, step: int = 0):
        self._folder = folder / "tensorboard"
        self._writer: SummaryWriter | None = None
        with suppress(ImportError), self._one_line():
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra

            self._writer = SummaryWriter(str(self._folder), purge_step=step + 1)

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Log scalars, each under its name.

        Args:
            step: Steps done.
            values: Name ("loss/style") to number.

        Raises:
            TrainingError: They can't be written.
        """
        if self._writer:
            with self._one_line():
                for name, value in values.items():
                    self._writer.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            with self._one_line():
                self._writer.close()

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError.because(
                error,
                "the TensorBoard log can't be written",
                path=self._folder,
            ) from error
