"""The written file: its name, what else lies there, and what a failure leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.verify import verify
from brushreel.batch.clips.work_folder import work_folder
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.errors import MediaError, OutputError, UsageError

from ..listening import on_frame


@pytest.fixture
def broken(make_clip) -> Path:
    """Reads well for longer than the stages can run ahead of each other, then changes its size.

    Motion JPEG has no header that would tell it before.
    """
    mjpeg = {"codec": "mjpeg", "pixel_format": "yuvj420p"}
    parts = [
        make_clip("a.mkv", frames=40, **mjpeg),
        make_clip("b.mkv", times=list(range(40, 45)), size=(64, 48), **mjpeg),
    ]
    path = parts[0].with_name("broken.mkv")
    with av.open(str(path), "w") as target:
        copy = None
        for part in parts:
            with av.open(str(part)) as source:
                copy = copy or target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = copy
                        target.mux(packet)
    return path


def test_nothing_but_the_output_is_left(make_clip, sound, painter, tmp_path, listing):
    source = make_clip(sounds=(sound(),))
    convert(source, tmp_path / "out" / "o.mp4", painter)
    assert listing(tmp_path / "out") == ["o.mp4"]
    assert (tmp_path / "out" / "o.mp4").stat().st_mode & 0o444


def test_nothing_is_left_after_a_failure(broken, painter, tmp_path, listing):
    frames: list[int] = []
    with pytest.raises(MediaError, match="changes its size"):
        convert(broken, tmp_path / "out" / "o.mkv", painter, handle=on_frame(frames.append))
    assert frames
    assert listing(tmp_path / "out") == []


def test_the_old_output_survives_a_failure(broken, painter, tmp_path, listing):
    output = tmp_path / "out" / "o.mkv"
    output.parent.mkdir()
    output.write_bytes(b"precious")
    with pytest.raises(MediaError):
        convert(broken, output, painter, write=WriteSettings(overwrite=True))
    assert output.read_bytes() == b"precious"
    assert listing(output.parent) == ["o.mkv"]


def test_an_output_that_exists_is_not_replaced_unasked(make_clip, painter, tmp_path):
    output = tmp_path / "o.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists") as caught:
        convert(make_clip(), output, painter)
    assert "--overwrite" in str(caught.value)
    assert output.read_bytes() == b"precious"


def test_overwriting_replaces_the_file_only_at_the_end(make_clip, painter, tmp_path, read_clip):
    output = tmp_path / "o.mp4"
    output.write_bytes(b"precious")
    seen: list[bytes] = []
    handle = on_frame(lambda _count: seen.append(output.read_bytes()))
    convert(make_clip(), output, painter, handle=handle, write=WriteSettings(overwrite=True))
    assert seen == [b"precious"] * 10
    assert len(read_clip(output).times) == 10


@pytest.mark.parametrize("old", [[], ["o.mov"]], ids=["new", "overwriting"])
def test_a_file_that_does_not_verify_gets_no_name(
    make_clip, painter, tmp_path, listing, monkeypatch, old
):
    output = tmp_path / "out" / "o.mov"
    output.parent.mkdir()
    for name in old:
        output.with_name(name).write_bytes(b"precious")

    def damage_first(partial: Path, *arguments) -> None:
        with partial.open("r+b") as file:
            file.seek(40)
            file.write(bytes(10_000))
        verify(partial, *arguments)

    monkeypatch.setattr("brushreel.batch.clips.container_sink.verify", damage_first)
    source = make_clip(frames=8, size=(320, 240))
    write = WriteSettings(encode=EncodeSettings(codec="prores"), overwrite=True)
    with pytest.raises(OutputError, match="did not read back") as caught:
        convert(source, output, painter, write=write)
    assert caught.value.path == output
    assert all(output.with_name(name).read_bytes() == b"precious" for name in old)
    assert [path.name for path in output.parent.glob("o*")] == old
    # What was written is there to be looked at, where the message says.
    folder = work_folder(output)
    assert str(folder) in str(caught.value)
    assert (folder / "whole.mov").stat().st_size > 10_000
    # And the next run writes it anew from what is intact.
    monkeypatch.undo()
    assert convert(source, output, painter, write=write).segments_reused == 1
    assert listing(output.parent) == ["o.mov"]


@pytest.mark.parametrize("kind", ["same", "relative", "symlink", "hardlink", "linked folder"])
def test_the_input_is_never_the_output(
    make_clip, painter, tmp_path, monkeypatch, kind, fingerprint
):
    source = make_clip("in/a.mp4")
    before = fingerprint(source)
    output = source
    if kind == "relative":
        monkeypatch.chdir(source.parent)
        output = Path("../in/a.mp4")
    elif kind == "symlink":
        output = tmp_path / "link.mp4"
        output.symlink_to(source)
    elif kind == "hardlink":
        output = tmp_path / "link.mp4"
        os.link(source, output)
    elif kind == "linked folder":
        (tmp_path / "folder").symlink_to(source.parent)
        output = tmp_path / "folder" / "a.mp4"
    with pytest.raises(UsageError, match="same file"):
        convert(source, output, painter, write=WriteSettings(overwrite=True))
    assert fingerprint(source) == before


def test_the_input_is_not_touched(make_clip, sound, painter, tmp_path, fingerprint):
    source = make_clip(sounds=(sound(),))
    before = fingerprint(source), source.stat().st_mtime_ns
    convert(source, tmp_path / "o.mp4", painter)
    assert (fingerprint(source), source.stat().st_mtime_ns) == before


def test_ctrl_c_leaves_nothing(make_clip, painter, tmp_path, listing):
    def interrupt(count: int) -> None:
        if count == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(make_clip(), tmp_path / "out" / "o.mp4", painter, handle=on_frame(interrupt))
    assert listing(tmp_path / "out") == []


@pytest.mark.parametrize(
    "name", ["a" * 251 + ".mp4", "\u7247" * 83 + ".mp4"], ids=["ascii", "wide"]
)
def test_a_name_that_just_fits(make_clip, painter, tmp_path, listing, name):
    convert(make_clip(frames=2), tmp_path / "out" / name, painter)
    assert listing(tmp_path / "out") == [name]
