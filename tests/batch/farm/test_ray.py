"""A Ray cluster of three nodes on this machine: `make test-ray`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import JobSettings, WriteSettings
from brushreel.batch.farm.cluster_run import run_on_cluster
from brushreel.batch.farm.orders import Source
from brushreel.batch.farm.ray_crew import RayCrew, connect, style_file
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import ClipProgress, NodeJoined, NodeLeft, SegmentDone
from brushreel.core.file_identity import FileIdentity
from brushreel.core.version import __version__

from ..resume.interruption import assert_same, segments
from .heard import Heard

pytest.importorskip("ray", reason="needs the extra farm")
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).parents[3]
SHORT = WriteSettings(segment=0.4)
FRAMES = 60
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


class Nodes:
    """Nodes of a cluster on this machine."""

    def __init__(self):
        from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

        # Ray makes workers give way to everything else: on a busy machine they would never start.
        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
        self.cluster = Cluster()
        self.head = self.cluster.add_node(**NODE)
        self.others = []

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, **facts):
        self.others.append(self.cluster.add_node(wait=False, **{**NODE, **facts}))
        return self.others[-1]

    def kill(self, node) -> None:
        self.others.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def three():
    nodes = Nodes()
    yield nodes
    nodes.cluster.shutdown()


@pytest.fixture
def nodes(three):
    """Three nodes, whatever a test before has done."""
    while len(three.others) < 2:
        three.add()
    three.cluster.wait_for_nodes()
    return three


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def on_ray(nodes, tiny_style, heard):
    def run(*jobs: Job, **settings):
        own = JobSettings(
            tiny_style,
            **{"device": "cpu", "precision": "fp32", "stroke_size": "native", "write": SHORT},
            **settings,
        )
        connect(nodes.address)
        crew = RayCrew(replace(own, style="tiny"), style_file(own), "cpu")
        return run_on_cluster(jobs, own, crew, heard)

    return run


@pytest.fixture
def source(make_clip, sound) -> Path:
    return make_clip("in/a.mp4", frames=FRAMES, size=(640, 360), sounds=(sound(),))


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "out" / "a.mp4"


@pytest.fixture
def whole(painter, tmp_path, read_clip):
    def convert_it(source: Path, name: str | None = None):
        path = tmp_path / "whole" / (name or source.name)
        convert(source, path, painter, write=SHORT)
        return read_clip(path)

    return convert_it


def workers() -> list[int]:
    """Return the processes of workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"ray::Worker" in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def folders() -> list[Path]:
    return list(Path("/tmp").glob("brushreel-worker-*"))  # noqa: S108


def test_the_files_of_one_machine(source, make_clip, whole, tmp_path, on_ray, read_clip, heard):
    steps = 3000 + np.random.default_rng(3).integers(-200, 2000, FRAMES)
    times = [7000, *(7000 + np.cumsum(steps[1:])).tolist()]
    variable = make_clip("in/v.mkv", time_base=Fraction(1, 90_000), times=times)
    deep = make_clip("in/d.mp4", codec="libx265", pixel_format="yuv420p10le", frames=24)
    sequence = images(tmp_path / "in", 24)
    sources = [source, variable, deep, sequence]
    outputs = [*(tmp_path / "out" / own.name for own in sources[:3]), tmp_path / "out" / "s.mov"]
    before = set(folders())
    result = on_ray(*map(Job, sources, outputs))
    assert result.exit_status == 0, result.failed
    for own, made in zip(sources, outputs, strict=True):
        assert_same(read_clip(made), whole(own, made.name))
    assert len(heard.of(NodeJoined)) == 3
    assert sum(heard.makers.values()) == 6 + 6 + 3 + 3
    wait_for(lambda: set(folders()) <= before)


def images(folder: Path, count: int) -> Path:
    from PIL import Image

    rng = np.random.default_rng(5)
    for number in range(count):
        pixels = rng.integers(0, 256, (32, 48, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"s.{number:03}.png")
    return folder / "s.%03d.png"


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_all_workers_are_killed_in_mid_segment(source, output, whole, on_ray, read_clip, heard):
    def kill(event):
        if isinstance(event, ClipProgress) and not killed:
            killed.extend(workers())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    killed, before = [], set(folders())
    heard.on_event = kill
    assert on_ray(Job(source, output)).exit_status == 0
    assert_same(read_clip(output), whole(source))
    assert len(killed) == 3
    reasons = [event.reason for event in heard.of(NodeLeft)]
    assert reasons == ["its worker process ended"] * 3
    wait_for(lambda: set(folders()) <= before)


def test_a_node_dies_and_one_is_added(source, output, whole, on_ray, read_clip, heard, nodes):
    def swap(event):
        if isinstance(event, ClipProgress) and len(nodes.others) == 2 and not swapped:
            swapped.append(nodes.others[0])
            nodes.kill(nodes.others[0])
            nodes.add()

    swapped = []
    heard.on_event = swap
    assert on_ray(Job(source, output)).exit_status == 0
    assert_same(read_clip(output), whole(source))
    assert heard.of(NodeLeft)


def test_the_driver_is_killed_and_continues(
    source, output, style_file, whole, read_clip, nodes, tmp_path
):
    command = [sys.executable, "-m", "brushreel", "stylize", str(source), "-s", str(style_file)]
    command += ["-o", str(output), "--ray", nodes.address, "--device", "cpu", "--precision"]
    command += ["fp32", "--stroke-size", "native", "--segment", "0.4"]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path)
    wait_for(lambda: len(segments(output)) >= 2, 120)
    driver.kill()
    driver.wait()
    kept = len(segments(output))
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert f"continuing after frame {kept * 10}" in ended.stderr
    assert_same(read_clip(output), whole(source))
    wait_for(lambda: not workers())


def test_no_shared_folder(source, output, whole, on_ray, read_clip, heard, monkeypatch):
    seen = Source.of

    def of(*arguments):
        own = seen(*arguments)
        return replace(own, files={name: FileIdentity(0, 0) for name in own.files})

    monkeypatch.setattr(Source, "of", of)
    assert on_ray(Job(source, output)).exit_status == 0
    assert_same(read_clip(output), whole(source))
    assert all(event.sent for event in heard.of(SegmentDone))


def other_version(folder: Path) -> Path:
    """Make a Brushreel of another version, for `PYTHONPATH`."""
    core = folder / "brushreel" / "core"
    core.mkdir(parents=True)
    for here, there in ((ROOT, core.parent), (ROOT / "core", core)):
        for path in here.iterdir():
            if not path.name.startswith(".") and path.name not in ("core", "version.py"):
                (there / path.name).symlink_to(path)
    text = (ROOT / "core" / "version.py").read_text()
    (core / "version.py").write_text(re.sub('__version__ = ".*"', '__version__ = "0.0.1"', text))
    return folder


def test_a_node_of_another_version_is_left_out_and_named(
    source, output, on_ray, heard, nodes, tmp_path, capsys
):
    from brushreel.cli import main

    other = nodes.add(env_vars={"PYTHONPATH": str(other_version(tmp_path / "other"))})
    nodes.cluster.wait_for_nodes()
    try:
        assert main(["doctor", "--ray", nodes.address, "--sees", str(source)]) == 1
        shown = capsys.readouterr().out
        assert on_ray(Job(source, output)).exit_status == 0
    finally:
        nodes.kill(other)
    reason = f"it has Brushreel 0.0.1 instead of {__version__}"
    assert reason in shown
    assert shown.count(f"sees {source}") == 4
    assert [event.reason for event in heard.of(NodeLeft)] == [reason]
