"""Clips that can't be read, or not to their end: one clear line with the file."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from brushreel.core.clips.media import read
from brushreel.core.errors import MediaError


def video_error(path: Path) -> str:
    """Return the error with which reading a clip to its end fails."""
    with pytest.raises(MediaError) as caught:
        list(read(path))
    assert caught.value.path == path
    assert "\n" not in str(caught.value)
    return caught.value.what


def truncated(clip: Path, share: float) -> Path:
    content = clip.read_bytes()
    clip.write_bytes(content[: int(share * len(content))])
    return clip


class TestErrors:
    def test_missing(self, tmp_path):
        assert video_error(tmp_path / "none.mp4") == "no such file"

    def test_folder(self, tmp_path):
        assert video_error(tmp_path) == "is not a file"

    def test_empty(self, tmp_path):
        (tmp_path / "c.mp4").touch()
        assert video_error(tmp_path / "c.mp4") == "is empty (0 bytes)"

    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "ts", "mpg"])
    def test_text_renamed(self, tmp_path, suffix):
        (tmp_path / f"c.{suffix}").write_text("a day at the sea\n" * 50)
        assert "can't be opened as a clip" in video_error(tmp_path / f"c.{suffix}")

    @pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
    @pytest.mark.parametrize("suffix", ["mp4", "mov"])
    def test_truncated_with_its_index_at_the_end(self, tmp_path, suffix, share, write_clip):
        clip = truncated(write_clip(tmp_path / f"c.{suffix}", count=30), share)
        assert "can't be opened as a clip" in video_error(clip)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
    @pytest.mark.parametrize("suffix", ["mp4", "mov"])
    def test_truncated_with_its_index_in_front(self, tmp_path, suffix, share, write_clip):
        whole = write_clip(tmp_path / f"c.{suffix}", count=30, muxing={"movflags": "faststart"})
        assert len(list(read(whole))) == 30
        what = video_error(truncated(whole, share))
        assert what.startswith("is truncated: at least ")
        assert what.endswith(" bytes are missing")

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
    @pytest.mark.parametrize(
        ("suffix", "codec"), [("mkv", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]
    )
    def test_truncated_elsewhere(self, tmp_path, suffix, codec, share, write_clip):
        whole = write_clip(tmp_path / f"c.{suffix}", codec, count=30)
        assert len(list(read(whole))) == 30
        size = whole.stat().st_size
        missing = size - int(share * size)
        assert video_error(truncated(whole, share)) == (
            f"is truncated: at least {missing} bytes are missing"
        )

    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
    def test_truncated_anywhere_loses_no_frame_in_silence(self, tmp_path, suffix, write_clip):
        whole = write_clip(tmp_path / f"c.{suffix}", "mpeg4", size=(16, 16)).read_bytes()
        clip = tmp_path / f"cut.{suffix}"
        refused = 0
        for length in [*range(1, 300, 7), *range(300, len(whole), 101)]:
            clip.write_bytes(whole[:length])
            try:
                assert len(list(read(clip))) == 4  # an MP4 may end with tags that can be missed
            except MediaError:
                refused += 1
        assert refused > 40

    @pytest.mark.parametrize("suffix", ["mkv", "webm"])
    def test_stream_of_unknown_length_is_taken_as_it_is(self, tmp_path, suffix, write_clip):
        muxing = {"live": "1"}  # as a recorder writes that can't go back to fill in the length
        clip = write_clip(tmp_path / f"c.{suffix}", "libvpx-vp9", muxing=muxing)
        assert len(list(read(clip))) == 4

    @pytest.mark.parametrize("suffix", ["mp4", "mkv"])
    def test_audio_only(self, tmp_path, suffix, write_tracks):
        clip = write_tracks(tmp_path / f"c.{suffix}", "audio")
        assert video_error(clip) == "has no video stream"

    @pytest.mark.parametrize("tracks", [("audio", "cover"), ("cover",)])
    def test_cover_only(self, tmp_path, tracks, write_tracks):
        clip = write_tracks(tmp_path / "c.mp4", *tracks)
        assert video_error(clip) == "has no video stream"

    def test_frame_that_can_t_be_decoded(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mov", "png", "rgb24")
        content = bytearray(clip.read_bytes())
        with av.open(str(clip)) as container:
            third = [packet.pos or 0 for packet in container.demux(video=0)][2]
        content[third + 60 : third + 200] = bytes(140)
        clip.write_bytes(content)
        assert "can't be read beyond 0.040 s" in video_error(clip)

    def test_first_frame_that_can_t_be_decoded(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mov", "png", "rgb24", count=1)
        content = bytearray(clip.read_bytes())
        with av.open(str(clip)) as container:
            first = next(container.demux(video=0)).pos or 0
        content[first + 60 : first + 200] = bytes(140)
        clip.write_bytes(content)
        assert "can't be decoded" in video_error(clip)

    def test_size_that_changes(self, tmp_path, write_clip):
        clip = tmp_path / "c.ts"
        one = write_clip(tmp_path / "1.ts", "mpeg2video", size=(64, 48))
        two = write_clip(tmp_path / "2.ts", "mpeg2video", pts=[10, 11, 12, 13])
        clip.write_bytes(one.read_bytes() + two.read_bytes())
        assert "changes its size from 64x48 to 48x32" in video_error(clip)

    def test_time_that_runs_back(self, tmp_path, write_clip):
        clip = tmp_path / "c.ts"
        one = write_clip(tmp_path / "1.ts", "mpeg2video", count=6)
        clip.write_bytes(2 * one.read_bytes())
        assert "does not come after the one before it" in video_error(clip)
