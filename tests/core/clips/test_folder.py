"""Folders: the clips in them, found by suffix and by content, and what is passed over."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from brushreel.core.clips.folder import find_clips, listing, passed_over
from brushreel.core.errors import MediaError


class TestFindClips:
    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        names = "b.MP4 a.mkv c.Mov notes.txt .hidden.mp4 noise.wav sub/d.webm sub/.x/e.mp4 .y/f.mp4"
        for name in names.split():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (tmp_path / "folder.mp4").mkdir()
        return tmp_path

    def test_one_level(self, folder):
        found = [str(path.relative_to(folder)) for path in find_clips(folder, recursive=False)]
        assert found == ["a.mkv", "b.MP4", "c.Mov"]

    def test_recursive(self, folder):
        found = [path.relative_to(folder) for path in find_clips(folder, recursive=True)]
        assert found == [Path(name) for name in ("a.mkv", "b.MP4", "c.Mov", "sub/d.webm")]

    def test_hidden_folder_by_its_own_name(self, folder):
        assert [path.name for path in find_clips(folder / ".y", recursive=True)] == ["f.mp4"]

    def test_nothing_there(self, tmp_path):
        assert find_clips(tmp_path, recursive=True) == []

    @pytest.mark.parametrize("name", ["none", "file"])
    def test_no_folder(self, tmp_path, name):
        (tmp_path / "file").touch()
        with pytest.raises(MediaError, match="no such folder"):
            find_clips(tmp_path / name, recursive=False)


def written(path: Path, form: str, codec: str = "mpeg2video") -> Path:
    """Write a clip of a container, whatever the name says."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 40 * number, np.uint8), "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class TestContent:
    @pytest.mark.parametrize(
        ("name", "form", "codec"),
        [
            ("jvc.mod", "vob", "mpeg2video"),
            ("everio.tod", "mpegts", "mpeg2video"),
            ("card", "mov", "mpeg4"),
            ("tape.xyz", "matroska", "mpeg4"),
            ("old.dat", "avi", "mpeg4"),
            ("broadcast.bin", "mxf", "mpeg2video"),
            ("web.tmp", "flv", "flv"),
            ("windows.old", "asf", "mpeg4"),
        ],
    )
    def test_other_suffixes(self, tmp_path, name, form, codec):
        path = written(tmp_path / name, form, codec)
        assert find_clips(tmp_path, recursive=False) == [path]

    @pytest.mark.parametrize("name", ["hdv.m2t", "dvd.vob", "flash.f4v", "old.qt", "a.mpv"])
    def test_known_suffixes_need_no_look(self, tmp_path, name):
        (tmp_path / name).touch()
        assert find_clips(tmp_path, recursive=False) == [tmp_path / name]

    def test_an_animated_png_is_one_and_an_image_is_not(self, tmp_path):
        frames = [Image.new("RGB", (8, 8), (40 * index, 0, 0)) for index in range(3)]
        frames[0].save(tmp_path / "anim.png", save_all=True, append_images=frames[1:])
        frames[0].save(tmp_path / "still.png")
        assert find_clips(tmp_path, recursive=False) == [tmp_path / "anim.png"]

    def test_audio_and_text_are_none(self, tmp_path):
        with av.open(str(tmp_path / "sound.xyz"), "w", format="matroska") as container:
            stream = container.add_stream("pcm_s16le", rate=48000)
            samples = np.zeros((1, 4800), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        (tmp_path / "notes").write_text("GIF8 is no clip; RIFF neither")
        (tmp_path / "heif.bin").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
        assert find_clips(tmp_path, recursive=False) == []


class TestLinks:
    def test_a_linked_folder_is_searched_once(self, tmp_path):
        (tmp_path / "card2").mkdir()
        (tmp_path / "card2/b.mp4").touch()
        (tmp_path / "rushes").mkdir()
        for name in ("one", "two"):
            (tmp_path / "rushes" / name).symlink_to("../card2", target_is_directory=True)
        found = find_clips(tmp_path / "rushes", recursive=True)
        assert [path.name for path in found] == ["b.mp4"]
        # Under its own name, where it has one.
        assert find_clips(tmp_path, recursive=True) == [tmp_path / "card2/b.mp4"]

    def test_loops_end(self, tmp_path):
        (tmp_path / "a.mp4").touch()
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/up").symlink_to("..", target_is_directory=True)
        assert find_clips(tmp_path, recursive=True) == [tmp_path / "a.mp4"]

    def test_linked_files_keep_their_names(self, tmp_path):
        (tmp_path / "in").mkdir()
        (tmp_path / "a.mp4").touch()
        (tmp_path / "in/link.mp4").symlink_to("../a.mp4")
        (tmp_path / "in/gone.mp4").symlink_to("../none.mp4")
        found = listing(tmp_path / "in", recursive=False)
        assert found.files == [tmp_path / "in/link.mp4"]
        assert [(item.path.name, item.reason) for item in found.closed] == [
            ("gone.mp4", "is a link to nothing")
        ]


class TestPassedOver:
    def test_everything_else_is_named(self, tmp_path):
        for name in ("a.mp4", "notes.txt", ".hidden", "sub/b.mp4"):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
        found = passed_over(tmp_path, recursive=False, used=[tmp_path / "a.mp4"])
        assert [(item.path.name, item.reason) for item in found] == [
            ("notes.txt", "is not a clip"),
            ("sub", "is a folder; --recursive searches it"),
        ]

    def test_a_closed_folder_is_named(self, tmp_path, monkeypatch):
        (tmp_path / "closed").mkdir()
        scandir = __import__("os").scandir

        def refusing(path):
            if Path(path).name == "closed":
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr("brushreel.core.clips.folder.os.scandir", refusing)
        (item,) = passed_over(tmp_path, recursive=True, used=[])
        assert item.reason == "can't be read: this account lacks the permission"
