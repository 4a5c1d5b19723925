"""A batch on a cluster whose workers are threads: the frames of one machine, whatever happens."""

from __future__ import annotations

import errno
import shutil
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.container_sink import SegmentWriter
from brushreel.batch.clips.piece import Made
from brushreel.batch.clips.settings import JobSettings, ReadSettings
from brushreel.batch.clips.source import span
from brushreel.batch.clips.work_folder import work_folder
from brushreel.batch.farm import cluster_run, dispatch
from brushreel.batch.farm.crew import LeftOut
from brushreel.batch.farm.introduction import introduce
from brushreel.batch.farm.orders import Failed, Source, Unfit
from brushreel.batch.farm.ray_crew import connect, slots_of, style_file, unfit
from brushreel.batch.farm.survey import SurveyedNode, findings, spread
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import (
    ClipDone,
    ClipFailed,
    ClipKept,
    ClipProgress,
    ClusterFinished,
    NodeLeft,
    SegmentDone,
)
from brushreel.cli import main
from brushreel.core.errors import ClusterError, MediaError
from brushreel.core.version import __version__

from ..listening import Listener
from ..resume.interruption import FRAMES, SHORT, assert_same, segments
from .heard import Heard
from .threads import ThreadCrew

SETTINGS = {"device": "cpu", "precision": "fp32", "stroke_size": "native"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(dispatch, "PATIENCE", 0.3)
    monkeypatch.setattr(dispatch, "_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(cluster_run, "_STEP_SECONDS", 0.02)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def cluster(tiny_style, heard):
    """Runs jobs on nodes of that name; a test may meddle with the crew before."""

    def run(*jobs: Job, nodes=("a", "b"), meddle=lambda crew: None, **settings):
        own = JobSettings(tiny_style, **{"write": SHORT, **SETTINGS, **settings})
        crew = ThreadCrew(replace(own, style="tiny"), style_file(own), *nodes)
        meddle(crew)
        try:
            return cluster_run.run_on_cluster(jobs, own, crew, heard)
        finally:
            assert crew.is_closed

    return run


@pytest.fixture
def source(make_clip, sound) -> Path:
    return make_clip("in/a.mp4", frames=FRAMES, sounds=(sound(),))


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "out" / "o.mp4"


@pytest.fixture
def whole(source, painter, tmp_path, read_clip):
    path = tmp_path / "whole" / "o.mp4"
    convert(source, path, painter, write=SHORT)
    return read_clip(path)


def test_the_file_of_one_machine(source, output, cluster, whole, read_clip, heard, listing):
    result = cluster(Job(source, output))
    assert_same(read_clip(output), whole)
    assert listing(output.parent) == ["o.mp4"]
    (report,) = result.done
    assert (report.frames, report.segments, report.segments_reused) == (FRAMES, 5, 0)
    assert result.exit_status == 0
    assert sum(heard.makers.values()) == 5
    (figures,) = heard.of(ClusterFinished)
    assert figures.frames == sum(node.frames for node in figures.nodes) == FRAMES
    shown = [event.frames for event in heard.of(ClipProgress)]
    assert shown == sorted(shown)
    assert shown[-1] == FRAMES


def test_variable_rate_ten_bit_and_ranges(make_clip, painter, tmp_path, read_clip, cluster):
    steps = 3000 + np.random.default_rng(3).integers(-200, 2000, FRAMES)
    times = [7000, *(7000 + np.cumsum(steps[1:])).tolist()]
    variable = make_clip("v.mkv", time_base=Fraction(1, 90_000), times=times)
    deep = make_clip("d.mp4", codec="libx265", pixel_format="yuv420p10le", frames=12)
    for number, (source, part) in enumerate(
        [(variable, None), (variable, span(0.2, 0.7)), (deep, None)]
    ):
        one, other = tmp_path / f"one{number}.mp4", tmp_path / f"other{number}.mp4"
        read = ReadSettings(range=part)
        convert(source, one, painter, read=read, write=SHORT)
        assert cluster(Job(source, other), read=read).exit_status == 0
        assert_same(read_clip(one), read_clip(other))


def images(folder: Path, count: int = 30) -> Path:
    rng = np.random.default_rng(5)
    folder.mkdir(exist_ok=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (32, 48, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"a.{number + 7:03}.png")
    return folder / "a.%03d.png"


def test_images_to_a_clip_and_to_images(tmp_path, painter, cluster, read_clip):
    source = images(tmp_path / "in")
    for name in ("o.mov", "o.%03d.png"):
        one, other = tmp_path / "one" / name, tmp_path / "other" / name
        convert(source, one, painter, write=SHORT)
        assert cluster(Job(source, other)).exit_status == 0
    assert_same(read_clip(tmp_path / "one/o.mov"), read_clip(tmp_path / "other/o.mov"))
    ours, theirs = (sorted((tmp_path / name).glob("*.png")) for name in ("other", "one"))
    assert [path.name for path in ours] == [path.name for path in theirs]
    assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]
    assert len(ours) == 30


def test_a_clip_to_images(source, tmp_path, painter, cluster):
    one, other = tmp_path / "one" / "o.%03d.exr", tmp_path / "other" / "o.%03d.exr"
    convert(source, one, painter)
    cluster(Job(source, other))
    ours, theirs = (sorted((tmp_path / name).glob("*.exr")) for name in ("other", "one"))
    assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]
    assert len(ours) == FRAMES


def test_a_worker_dies_in_a_segment(source, output, cluster, whole, read_clip, heard):
    def meddle(crew):
        def lose(node, method, answer):
            if isinstance(answer, Made) and not lost:
                lost.append(node)
                crew.kill(node)
            return answer

        lost = []
        crew.on_answer = lose

    assert cluster(Job(source, output), meddle=meddle).exit_status == 0
    assert_same(read_clip(output), whole)
    assert "its worker process ended" in [event.reason for event in heard.of(NodeLeft)]
    assert sum(heard.makers.values()) == 5


def test_a_node_goes_and_another_comes(source, output, cluster, whole, read_clip, heard):
    def meddle(crew):
        def swap(event):
            if isinstance(event, SegmentDone) and event.node == "a":
                crew.nodes[:] = ["b"]
                crew.kill("a")

        heard.on_event = swap

    assert cluster(Job(source, output), nodes=["a"], meddle=meddle).exit_status == 0
    assert_same(read_clip(output), whole)
    assert set(heard.makers) == {"a", "b"}


def test_all_nodes_are_gone(source, output, cluster, painter, whole, read_clip, heard):
    def meddle(crew):
        def vanish(event):
            if isinstance(event, SegmentDone) and len(heard.of(SegmentDone)) == 2:
                crew.nodes.clear()

        heard.on_event = vanish

    result = cluster(Job(source, output), nodes=["a"], meddle=meddle)
    ((_, error),) = result.failed
    assert "no node of the cluster is left" in str(error)
    assert "the same command continues" in str(error)
    kept = len(segments(output))
    assert kept >= 2
    listener = Listener()
    convert(source, output, painter, write=SHORT, handle=listener.handle)
    assert listener.resumed
    assert_same(read_clip(output), whole)


def test_no_segment_is_made_twice_after_a_stop(source, output, cluster, whole, read_clip, heard):
    def stop(event):
        if isinstance(event, SegmentDone):
            raise KeyboardInterrupt

    heard.on_event = stop
    with pytest.raises(KeyboardInterrupt):
        cluster(Job(source, output))
    kept = len(segments(output))
    assert kept >= 1
    (left,) = heard.of(ClipKept)
    assert left.folder == work_folder(output)
    heard.events.clear()
    heard.on_event = lambda event: None
    result = cluster(Job(source, output))
    assert result.done[0].segments_reused == kept
    assert sum(heard.makers.values()) == 5 - kept
    assert_same(read_clip(output), whole)


def test_a_clip_that_fails_costs_no_other(source, output, make_clip, cluster, heard):
    other = output.with_name("b.mp4")

    def meddle(crew):
        def fail(node, method, answer):
            # Of the one clip that has a segment 4.
            if isinstance(answer, Made) and answer.number == 4:
                failures.append(node)
                return Failed(MediaError("has gone", path=source))
            return answer

        crew.on_answer = fail

    failures = []
    jobs = [Job(source, output), Job(make_clip("in/b.mp4", frames=12), other)]
    result = cluster(*jobs, meddle=meddle)
    assert len(failures) == 4
    ((job, error),) = result.failed
    assert (job.source, error.what) == (source, "has gone")
    assert [event.input for event in heard.of(ClipFailed)] == [source]
    assert len(segments(output)) == 4
    assert not output.exists()
    assert other.exists()


def test_no_more_is_made_of_a_clip_that_can_not_be_kept(source, output, cluster, monkeypatch):
    def full(writer, made):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SegmentWriter, "take", full)
    crews = []
    result = cluster(Job(source, output), nodes=["a"], meddle=crews.append)
    assert "disk is full" in str(result.failed[0][1])
    assert sum(method == "make" for _, method, _ in crews[0].asked) < 4


def test_a_slow_worker_is_overtaken(source, output, cluster, whole, read_clip, heard):
    wake = threading.Event()

    def meddle(crew):
        def hold(node, method, answer):
            if node == "a" and isinstance(answer, Made):
                wake.wait(300)
            return answer

        def end(event):
            if isinstance(event, ClipDone):
                wake.set()

        crew.on_answer, heard.on_event = hold, end

    assert cluster(Job(source, output), meddle=meddle).exit_status == 0
    assert_same(read_clip(output), whole)
    assert set(heard.makers) == {"b"}


def test_a_worker_of_other_arithmetic_is_left_out(source, output, cluster, heard):
    def meddle(crew):
        def differ(node, method, answer):
            if node == "b" and method == "prepare":
                return Unfit("runtime other 1 instead of torch")
            return answer

        crew.on_answer = differ

    assert cluster(Job(source, output), meddle=meddle).exit_status == 0
    assert set(heard.makers) == {"a"}
    assert ("b, for a.mp4", "runtime other 1 instead of torch") in [
        (event.node, event.reason) for event in heard.of(NodeLeft)
    ]


def test_nodes_that_are_left_out_are_named(source, output, cluster, heard):
    def meddle(crew):
        crew.left_out = [LeftOut("c", "it has Brushreel 0.0.9 instead of 0.2.0")]

    result = cluster(Job(source, output), nodes=[], meddle=meddle)
    ((_, error),) = result.failed
    assert "c: it has Brushreel 0.0.9" in str(error)
    assert [event.node for event in heard.of(NodeLeft)] == ["c"]


def test_content_that_changed_on_its_way_is_made_again(source, output, cluster, heard):
    def meddle(crew):
        crew.on_answer = lambda node, method, answer: (
            replace(answer, content=answer.content[:-1] + b"!")
            if isinstance(answer, Made)
            else answer
        )

    result = cluster(Job(source, output), meddle=meddle)
    assert "arrived damaged" in str(result.failed[0][1])
    assert not segments(output)


def test_places_for_workers():
    def found(cpus, gpus, device):
        return [
            (slot.device, slot.cpus, slot.gpus) for slot in slots_of("n", "n", cpus, gpus, device)
        ]

    assert found(8, 0, "auto") == [("cpu", 8, 0)]
    assert found(40, 0, "auto") == [("cpu", 13, 0)] * 3
    assert found(8, 2, "auto") == [("cuda", 4, 1)] * 2
    assert found(8, 2, "cpu") == [("cpu", 8, 0)]
    assert found(8, 0, "cuda") == found(0, 0, "auto") == []


@pytest.fixture
def hidden(monkeypatch):
    monkeypatch.setattr(Source, "is_at", lambda source, path: False)


@pytest.mark.usefixtures("hidden")
def test_packets_go_to_nodes_that_do_not_see_the_source(
    source, output, cluster, whole, read_clip, heard
):
    assert cluster(Job(source, output)).exit_status == 0
    assert_same(read_clip(output), whole)
    sent = [event.sent for event in heard.of(SegmentDone)]
    assert all(0 < size < source.stat().st_size for size in sent)


@pytest.mark.usefixtures("hidden")
def test_files_go_there_where_packets_are_not_enough(
    make_clip, tmp_path, painter, cluster, read_clip, heard, monkeypatch
):
    monkeypatch.setattr(dispatch, "_CHUNK", 1000)
    avi = make_clip("in/a.avi", codec="mpeg4", frames=12)
    sequence = images(tmp_path / "in", 10)
    outputs = [tmp_path / "out" / name for name in ("a.mp4", "s.mov", "s.%03d.png")]
    for own, output in zip([avi, sequence, sequence], outputs, strict=True):
        one = tmp_path / "one" / output.name
        convert(own, one, painter, write=SHORT)
        heard.events.clear()
        assert cluster(Job(own, output), nodes=["a"]).exit_status == 0
        if output.suffix == ".png":
            assert (
                output.with_name("s.007.png").read_bytes()
                == one.with_name("s.007.png").read_bytes()
            )
        else:
            assert_same(read_clip(output), read_clip(one))
        sizes = [event.sent for event in heard.of(SegmentDone)]
        if own == avi:
            # Once for all of its segments.
            assert sizes == [avi.stat().st_size, 0, 0]
        else:
            files = tmp_path.glob("in/a.*.png")
            assert sum(sizes) == sum(path.stat().st_size for path in files)


def test_a_source_under_another_path(source, output, cluster, heard, tmp_path, monkeypatch):
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy2(source, there)
    (asked, is_at) = ([], Source.is_at)

    def elsewhere(own, path):
        asked.append(path)
        return path.is_relative_to(there) and is_at(own, path)

    monkeypatch.setattr(Source, "is_at", elsewhere)

    def meddle(crew):
        crew.places = ((str(source.parent), str(there)),)

    assert cluster(Job(source, output), meddle=meddle).exit_status == 0
    assert asked[0] == there / source.name
    assert {event.sent for event in heard.of(SegmentDone)} == {0}


def test_a_changed_source_is_not_taken_for_it(source, tmp_path):
    from brushreel.batch.clips.source import open_reader
    from brushreel.core.frames.bars import Bars

    with open_reader(source, ReadSettings()) as reader:
        own = Source.of(reader, Bars())
    copy = Path(shutil.copy2(source, tmp_path))
    assert own.is_at(copy)
    assert not own.is_at(tmp_path / "none" / "a.mp4")
    content = copy.read_bytes()
    copy.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    shutil.copystat(source, copy)
    assert not own.is_at(copy)


def test_without_ray_there_is_one_line(source, output, style_file, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    command = ["stylize", str(source), "-s", str(style_file), "-o", str(output)]
    assert main([*command, "--ray", "auto"]) == 1
    error = capsys.readouterr().err.strip()
    assert "ray is not installed" in error
    assert "pip install -c constraints.txt '.[farm]'" in error
    assert len(error.splitlines()) == 1


def test_no_cluster(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with pytest.raises(ClusterError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        connect("127.0.0.1:1")
    with pytest.raises(ClusterError, match="not supported"):
        connect("ray://127.0.0.1:1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--device", "cuda:1"], "names a device of one machine"),
        (["--jobs", "2"], "--jobs is for one machine"),
        (["--segments", "1"], "--segments is for one machine"),
    ],
)
def test_options_of_one_machine_are_refused(source, style_file, capsys, options, words):
    assert main(["stylize", str(source), "-s", str(style_file), "--ray", "auto", *options]) == 2
    assert words in capsys.readouterr().err


def test_the_doctor_on_nodes(capsys):
    facts = introduce(["/", "/none"])
    nodes = [
        SurveyedNode("a", 8, 0, facts, unfit(facts)),
        SurveyedNode("b", 8, 1, facts | {"brushreel": "0"}, unfit(facts | {"brushreel": "0"})),
        SurveyedNode("c", 1, 0, None, "it does not answer"),
    ]
    found = [(one.subject, one.status, one.detail) for one in findings(nodes)]
    assert ("a", "ok", "sees /") in found
    assert ("a", "ok", "does not see /none") in found
    assert ("b", "broken", f"it has Brushreel 0 instead of {__version__}") in found
    assert ("c", "broken", "it does not answer") in found
    assert list(spread(nodes, "auto"))[:2] == [
        "cluster: 3 nodes, 1 workers",
        "  a: 1 of the workers",
    ]
