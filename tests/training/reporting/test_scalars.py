from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from brushreel.core.errors import TrainingError
from brushreel.training.reporting.scalars import Scalars


def read(folder: Path, name: str) -> list[tuple[int, float]]:
    """Read steps and values as TensorBoard does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


class TestWithTensorBoard:
    @pytest.fixture(autouse=True)
    def tensorboard(self):
        pytest.importorskip("tensorboard")

    def test_every_number_under_its_name(self, tmp_path):
        with Scalars(tmp_path) as log:
            log(20, {"loss/style": 2.0, "loss/temporal": 0.5})
            log(40, {"loss/style": 1.0, "loss/temporal": 0.25})
        assert read(tmp_path, "loss/style") == [(20, 2), (40, 1)]
        assert read(tmp_path, "loss/temporal") == [(20, 0.5), (40, 0.25)]

    def test_closes_when_the_run_fails(self, tmp_path):
        with pytest.raises(KeyboardInterrupt), Scalars(tmp_path) as log:
            log(1, {"a": 1.0})
            raise KeyboardInterrupt
        assert read(tmp_path, "a") == [(1, 1)]

    def test_resumed_run_goes_on_where_its_checkpoint_was(self, tmp_path):
        with Scalars(tmp_path) as log:
            for step in (1, 2, 3, 4, 5):
                log(step, {"a": 0.0})
        with Scalars(tmp_path, step=3) as log:
            log(4, {"a": 1.0})
        assert read(tmp_path, "a") == [(1, 0), (2, 0), (3, 0), (4, 1)]

    def test_new_run_hides_the_one_before(self, tmp_path):
        for value in (0.0, 1.0):
            with Scalars(tmp_path) as log:
                log(1 + int(value), {"a": value})
        assert read(tmp_path, "a") == [(2, 1)]

    def test_folder_that_can_t_be_made(self, tmp_path):
        (tmp_path / "tensorboard").touch()
        with pytest.raises(TrainingError, match="TensorBoard log can't be written") as caught:
            Scalars(tmp_path)
        assert caught.value.path == tmp_path / "tensorboard"

    @pytest.mark.parametrize("when", ["add_scalar", "close"])
    def test_full_disk(self, tmp_path, monkeypatch, when):
        from torch.utils.tensorboard import SummaryWriter

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with Scalars(tmp_path) as log:
            monkeypatch.setattr(SummaryWriter, when, full)
            with pytest.raises(TrainingError, match="can't be written: the disk is full"):
                log(1, {"a": 1.0})
                log.__exit__()
            monkeypatch.undo()


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with Scalars(tmp_path) as log:
        log(1, {"a": 1.0})
    assert not list(tmp_path.iterdir())
