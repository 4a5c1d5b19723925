"""Interlaced clips that stay interlaced: flagged as the source, and coded so."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings

WIDTH, HEIGHT = 96, 64
RATE = Fraction(25)


def through(image: av.VideoFrame, name: str, options: str) -> av.VideoFrame:
    """Return a frame as one of FFmpeg's filters gives it."""
    graph = Graph()
    source = graph.add_buffer(
        width=image.width, height=image.height, format=image.format, time_base=1 / RATE
    )
    graph.link_nodes(source, graph.add(name, options), graph.add("buffersink")).configure()
    graph.push(image)
    graph.push(None)
    found = graph.pull()
    assert isinstance(found, av.VideoFrame)
    return found


def luma(image: av.VideoFrame) -> np.ndarray:
    return image.to_ndarray(format="gray")


def order_of(image: av.VideoFrame) -> str:
    """Return "tff", "bff" or "prog"; the filter moves the lines of the other order."""
    if not image.interlaced_frame:
        return "prog"
    moved = luma(through(image, "fieldorder", "tff"))
    return "tff" if np.array_equal(moved, luma(image)) else "bff"


def combed(number: int) -> np.ndarray:
    """Return a frame whose fields are of two times: a bar that runs."""
    picture = np.full((HEIGHT, WIDTH), 60, np.uint8)
    picture[0::2, 4 * number : 4 * number + 20] = 200
    picture[1::2, 4 * number + 10 : 4 * number + 30] = 200
    return picture


@pytest.fixture
def source(tmp_path, request) -> Path:
    """A clip in FFV1 with the field order of the test's parameter."""
    path = tmp_path / f"{request.param}.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(combed(number), "gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / RATE
            frame = through(frame, "setfield", request.param)
            frame.pts, frame.time_base = number, 1 / RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


KEPT = [
    ("h264", "mp4"),
    ("h264", "mov"),
    ("h264", "mkv"),
    ("prores", "mov"),
    ("ffv1", "mkv"),
]


@pytest.mark.parametrize(("codec", "container"), KEPT)
@pytest.mark.parametrize("source", ["tff", "bff", "prog"], indirect=True)
def test_kept_frames_are_flagged_as_the_source_s(source, untouched, tmp_path, codec, container):
    output = tmp_path / f"o.{container}"
    report = convert(
        source,
        output,
        untouched,
        read=ReadSettings(interlaced="keep"),
        write=WriteSettings(encode=EncodeSettings(codec=codec), segment=0.12),
    )
    assert not any("progressive" in warning for warning in report.warnings)
    before, after = decoded(source), decoded(output)
    assert [order_of(image) for image in after] == [source.stem] * 6
    assert [order_of(image) for image in before] == [source.stem] * 6
    for one, other in zip(before, after, strict=True):
        difference = luma(one).astype(float) - luma(other)
        assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("source", ["tff"], indirect=True)
def test_the_container_says_so_too(source, untouched, tmp_path):
    output = tmp_path / "o.mkv"
    read = ReadSettings(interlaced="keep")
    convert(source, output, untouched, read=read)
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.field_order == 2


@pytest.mark.parametrize(("codec", "container"), [("hevc", "mp4"), ("av1", "mkv")])
@pytest.mark.parametrize("source", ["bff"], indirect=True)
def test_a_codec_without_fields_is_said(source, untouched, tmp_path, codec, container):
    report = convert(
        source,
        tmp_path / f"o.{container}",
        untouched,
        read=ReadSettings(interlaced="keep"),
        write=WriteSettings(encode=EncodeSettings(codec=codec)),
    )
    assert any(f"flagged as progressive: {codec} " in line for line in report.warnings)


@pytest.mark.parametrize("source", ["tff", "bff"], indirect=True)
def test_deinterlaced_frames_are_flagged_progressive(source, untouched, tmp_path):
    convert(source, tmp_path / "o.mp4", untouched)
    assert {order_of(image) for image in decoded(tmp_path / "o.mp4")} == {"prog"}
