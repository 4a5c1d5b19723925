"""Sequences that are not begun, in a clear line."""

from __future__ import annotations

import zlib
from pathlib import Path

import av
import pytest

from brushreel.batch.clips.clip import inspect_clip
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.errors import MediaError, OutputError, UsageError

from .drawn import same_pictures


class TestRefused:
    @pytest.mark.parametrize("output", ["out/a.%04d.png", "out.mkv"])
    def test_gaps(self, tmp_path, make, run, output, listing):
        source = make("in/a.%04d.png", [1, 2, 4, 7, 8])
        with pytest.raises(MediaError, match=r"from 1 to 8, but not 3, 5-6"):
            run(source, output)
        assert not (tmp_path / output).parent.joinpath("out").exists()

    @pytest.mark.parametrize(
        ("suffix", "first", "other"),
        [
            ("png", "48x32 with 3 samples of 16 bit", "16x16 with 3 samples of 16 bit"),
            ("tif", "48x32 with 3 samples of 16 bit", "16x16 with 3 samples of 16 bit"),
            ("exr", "48x32 with channels A, B, G, R, Z", "16x16 with channels A, B, G, R, Z"),
        ],
    )
    def test_mixed_sizes_before_the_first_frame(self, tmp_path, make, run, suffix, first, other):
        source = make(f"in/a.%04d.{suffix}", range(1, 4))
        make(f"in/a.%04d.{suffix}", range(3, 4), size=(16, 16))
        with pytest.raises(MediaError, match=f"is {other}.*, and a.0001.{suffix} is {first}") as e:
            run(source, f"out/a.%04d.{suffix}")
        assert e.value.path == tmp_path / f"in/a.0003.{suffix}"
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("suffix", ["png", "tif"])
    @pytest.mark.parametrize("form", ["gbrp", "gbrap16le", "gray16le"])
    def test_mixed_kinds(self, make, run, suffix, form):
        source = make(f"in/a.%04d.{suffix}", range(1, 3))
        make(f"in/a.%04d.{suffix}", range(3, 4), form)
        with pytest.raises(MediaError, match=r"a.0001.* is 48x32 with 3 samples of 16 bit"):
            run(source, "o.mkv", write=WriteSettings(encode=EncodeSettings(codec="ffv1")))

    def test_what_the_header_does_not_say(self, make, run):
        source = make("in/a.%04d.png", range(1, 3), "gbrp")
        clear = Path(str(source) % 2)
        content = clear.read_bytes()
        key = b"tRNS\0\1\0\2\0\3"
        chunk = len(key[4:]).to_bytes(4) + key + zlib.crc32(key).to_bytes(4)
        clear.write_bytes(content[:33] + chunk + content[33:])
        with pytest.raises(MediaError, match=r"RGB with alpha, and a.0001.png is"):
            run(source, "out/a.%04d.png")

    @pytest.mark.parametrize("suffix", ["png", "tif", "exr"])
    def test_an_unreadable_picture(self, tmp_path, make, run, suffix):
        source = make(f"in/a.%04d.{suffix}", range(3))
        broken = tmp_path / f"in/a.0002.{suffix}"
        broken.write_bytes(broken.read_bytes()[:150])
        with pytest.raises(MediaError) as raised:
            run(source, f"out/a.%04d.{suffix}")
        assert raised.value.path == broken

    def test_pictures_that_are_there(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(1, 4))
        make("out/a.%04d.png", range(2, 4), "gray")
        before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        with pytest.raises(OutputError, match=r"2 of its images exist already, a.0002.png first"):
            run(source, "out/a.%04d.png")
        with pytest.raises(OutputError, match="exist already"):
            inspect_clip(source, tmp_path / "out/a.%04d.png")
        assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
        run(source, "out/a.%04d.png", write=WriteSettings(overwrite=True))
        same_pictures(source, tmp_path / "out/a.%04d.png", range(1, 4))

    def test_others_of_that_name_stay_and_are_named(self, tmp_path, make, run):
        make("out/a.%04d.png", range(8, 10))
        report = run(
            make("in/a.%04d.png", range(1, 4)),
            "out/a.%04d.png",
            write=WriteSettings(overwrite=True),
        )
        assert any("2 more images" in line and "a.0008.png" in line for line in report.warnings)

    def test_input_is_output(self, make, run):
        source = make("in/a.%04d.png", range(2))
        with pytest.raises(UsageError, match="same file"):
            run(source, "in/a.%04d.png", write=WriteSettings(overwrite=True))

    def test_input_is_output_by_another_way(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(2))
        (tmp_path / "link").symlink_to(source.parent)
        with pytest.raises(UsageError, match="same file"):
            run(source, "link/a.%04d.png", write=WriteSettings(overwrite=True))

    def test_many_pictures_under_one_name(self, make, run):
        with pytest.raises(UsageError, match="need a number in their names"):
            run(make("in/a.%04d.png", range(2)), "out/a.png")

    def test_a_codec_for_pictures(self, make, run):
        with pytest.raises(UsageError, match="no codec"):
            run(
                make("in/a.%d.png"),
                "out/a.%d.png",
                write=WriteSettings(encode=EncodeSettings(codec="prores")),
            )

    def test_a_picture_of_another_kind(self, tmp_path, run):
        with av.open(str(tmp_path / "a.bmp"), "w", format="image2") as container:
            stream = container.add_stream("bmp", rate=1)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr24"
            container.mux(stream.encode(av.VideoFrame(16, 16, "bgr24")))
            container.mux(stream.encode(None))
        with pytest.raises(MediaError, match="image in an unsupported format"):
            run(tmp_path / "a.bmp", "a.mp4")


def test_images_of_another_kind_are_named_as_such(tmp_path):
    for number in (1, 2):
        (tmp_path / f"a.{number:04}.dpx").touch()
    with pytest.raises(MediaError, match="numbered images in an unsupported format"):
        inspect_clip(tmp_path / "a.%04d.dpx", tmp_path / "out.mp4")
    with pytest.raises(MediaError, match="numbered images in an unsupported format"):
        inspect_clip(tmp_path / "a.####.dpx", tmp_path / "out.mp4")
