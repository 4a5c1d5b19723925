"""Two processes of a run, as torchrun starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed

from brushreel.core.style import Style
from brushreel.training.processes import Processes, joined

TRAIN = """
import os, sys
from dataclasses import replace
from pathlib import Path
import torch
from brushreel.core.network import NetworkSpec
from brushreel.core.style import Painting
from brushreel.training import run
from brushreel.training.data import extraction
from brushreel.training.recipe import HOUSE
from brushreel.training.trainer import train

torch.set_num_threads(1)
extraction.LONG_SIDE, run.CALIBRATION_PAIRS = 112, 2
run.held_out_figures = lambda *_: {}
painting, clips, weights, folder = map(Path, sys.argv[1:5])
iterations, resume = map(int, sys.argv[5:])
network = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)
changes = {"crop": 48, "style_size": 64, "precision": "fp32", "network": network}
style = train(
    run.Material(painting, Painting("", "", "", ""), clips, weights),
    replace(HOUSE, iterations=iterations, **changes),
    name="new",
    output=folder / "new.safetensors",
    folder=folder,
    resume=bool(resume),
    checkpoint_minutes=0,
)
(folder / f"{os.environ.get('RANK', 'lone')}.digest").write_text(style.digest)
"""
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def test_without_torchrun_there_is_one(monkeypatch):
    """A cluster may set other variables, too."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "3")
    with joined(torch.device("cpu")) as processes:
        assert processes == Processes(0, 1, torch.device("cpu"))
        assert processes.first
        with processes.first_alone():
            pass
    assert not distributed.is_initialized()


def test_the_others_wait_as_long_as_footage_may_take(monkeypatch):
    asked: dict[str, object] = {}
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(
        distributed, "init_process_group", lambda _, **options: asked.update(options)
    )
    monkeypatch.setattr(distributed, "new_group", lambda **options: options)
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: None)
    with joined(torch.device("cpu")) as processes:
        assert asked == {"timeout": timedelta(minutes=10)}
        assert processes.patient == {"timeout": timedelta(days=1), "backend": "gloo"}


@pytest.fixture
def begin(material, tmp_path):
    """A function that starts training in processes of its own; it returns them and their folder."""

    def begin(
        name: str, *launcher: str, iterations: int = 3, resume: bool = False
    ) -> tuple[subprocess.Popen[str], Path]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (tmp_path / "train.py").write_text(TRAIN)
        script = (*launcher, str(tmp_path / "train.py"))
        inputs = map(str, (material.painting, material.clips, material.loss_weights, folder))
        run = subprocess.Popen(
            [sys.executable, *script, *inputs, str(iterations), str(int(resume))],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return run, folder

    return begin


@pytest.fixture
def start(begin):
    """A function that trains in processes of its own and returns the folder that they leave."""

    def start(
        name: str, *launcher: str, iterations: int = 3, resume: bool = False, stop: bool = False
    ) -> Path:
        run, folder = begin(name, *launcher, iterations=iterations, resume=resume)
        if stop:
            wait_for(folder / "checkpoint.safetensors")
            os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=300)
        assert (run.returncode != 0) == stop, said
        return folder

    return start


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_train_one_network(start):
    lone, both = start("lone"), start("both", *TORCHRUN)
    digests = [(both / f"{rank}.digest").read_text() for rank in (0, 1)]
    assert digests[0] == digests[1] == Style.load(both / "new.safetensors").digest
    # Half of what it learns is from the other's pairs.
    assert digests[0] != (lone / "lone.digest").read_text()
    assert Style.load(both / "new.safetensors").training["processes"] == 2
    files = [{path.name for path in folder.iterdir()} for folder in (lone, both)]
    assert files[1] - {"0.digest", "1.digest"} == files[0] - {"lone.digest"}


@pytest.mark.slow
def test_ctrl_c_stops_both_at_one_step_and_both_go_on(start, material, tmp_path):
    """The terminal sends it to all of them, torchrun once more to its own."""
    whole = start("whole", *TORCHRUN, iterations=80)
    folder = start("parts", *TORCHRUN, iterations=80, stop=True)
    assert (folder / "checkpoint.safetensors").exists()
    assert not list(folder.glob("*.digest"))
    start("parts", *TORCHRUN, iterations=80, resume=True)
    assert (folder / "0.digest").read_text() == (whole / "0.digest").read_text()


@pytest.mark.slow
def test_a_lost_node_ends_the_others_and_all_go_on(begin, start):
    """Two machines, as far as they know: each has a launcher of its own."""
    whole = start("whole", *TORCHRUN, iterations=80)
    nodes = [begin("parts", *node, iterations=80) for node in both_nodes()]
    (first, folder), (second, _) = nodes
    wait_for(folder / "checkpoint.safetensors")
    # Its launcher and it: a launcher alone would leave it running.
    for child in children(second.pid):
        os.kill(child, signal.SIGKILL)
    os.kill(second.pid, signal.SIGKILL)
    _, said = first.communicate(timeout=120)
    second.communicate()
    assert first.returncode != 0
    assert "TrainingError: another process of this run is gone" in said
    again = [begin("parts", *node, iterations=80, resume=True) for node in both_nodes()]
    for run, _ in again:
        _, said = run.communicate(timeout=300)
        assert run.returncode == 0, said
    assert (folder / "0.digest").read_text() == (whole / "0.digest").read_text()


def both_nodes() -> list[tuple[str, ...]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    run = ("-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1")
    meeting = ("--master-addr", "127.0.0.1", "--master-port", port)
    return [(*run, *meeting, "--node-rank", str(rank)) for rank in (0, 1)]


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listed in found for child in listed.read_text().split()]
