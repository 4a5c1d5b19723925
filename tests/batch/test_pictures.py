"""Sequences in and out: every picture, every bit, and nothing that was not asked for."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import time
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest

from housestyle.batch.clip import convert, inspect_clip, stylize_clip
from housestyle.batch.encode import EncodeSettings
from housestyle.batch.handling import ClipReport, Handling, Observer
from housestyle.batch.pictures import _Run
from housestyle.batch.resume import work_folder
from housestyle.cli import main
from housestyle.core.errors import HousestyleError, MediaError, OutputError, UsageError
from housestyle.core.excerpt import Excerpt
from housestyle.core.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range
from housestyle.core.picture import TICK, encode_picture, kind_of, read_picture
from housestyle.core.stylizer import Stylizer

SIZE = (48, 32)


def codes(name: str, index: int, size: tuple[int, int] = SIZE) -> Frame:
    form = PIXEL_FORMATS[name]
    random = np.random.default_rng(index)
    planes = tuple(
        random.integers(0, 2**form.depth, (size[1], size[0])).astype(form.dtype)
        for _ in range(form.plane_count)
    )
    matrix = Matrix.RGB if form.family == "rgb" else Matrix.BT709
    return Frame(planes, form, *size, 0, 1, TICK, Colour(matrix, Range.FULL))


def light(index: int, size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    random = np.random.default_rng(index)
    channels = {name: random.gamma(0.5, 1, (size[1], size[0])) for name in "RGBA"}
    channels["R"][4:9, 4:9] = channels["G"][4:9, 4:9] = channels["B"][4:9, 4:9] = 50
    channels["A"][:] = 1
    channels["G"][0, :3] = [-0.2, np.inf, np.nan]
    made = {name: values.astype(np.float16) for name, values in channels.items()}
    return made | {"Z": random.random((size[1], size[0])).astype(np.float32)}


@pytest.fixture
def make(tmp_path) -> Callable[..., Path]:
    """Writes a sequence; gives the names of its pictures."""

    def write(pattern: str, numbers=range(5), form: str = "gbrp16le", size=SIZE, **header) -> Path:
        names = tmp_path / pattern
        names.parent.mkdir(parents=True, exist_ok=True)
        for index, number in enumerate(numbers):
            path = names.with_name(names.name % number)
            if path.suffix == ".exr":
                OpenEXR.File(
                    {"compression": OpenEXR.PIZ_COMPRESSION} | header, light(index, size)
                ).write(str(path))
            else:
                path.write_bytes(encode_picture(codes(form, index, size), kind_of(path)))
        return names

    return write


@pytest.fixture
def run(tmp_path, untouched) -> Callable[..., ClipReport]:
    """Converts into the test's folder."""

    def convert_it(
        source: Path, output: str, stylizer: Stylizer = untouched, **settings
    ) -> ClipReport:
        encode = settings.pop("encode", EncodeSettings())
        return convert(source, tmp_path / output, stylizer, encode, **settings)

    return convert_it


def same_pictures(one: Path, other: Path, numbers: range, shift: int = 0) -> None:
    for number in numbers:
        frame = read_picture(Path(str(one) % number)).frame
        copy = read_picture(Path(str(other) % (number + shift))).frame
        assert frame.pixel_format == copy.pixel_format
        for plane, theirs in zip(frame.planes, copy.planes, strict=True):
            np.testing.assert_array_equal(plane, theirs)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestSequences:
    @pytest.mark.parametrize("form", ["gbrp", "gbrp16le", "gbrap16le", "gray16le"])
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_strength_zero_keeps_every_bit(self, tmp_path, make, run, suffix, form):
        source = make(f"in/a.%04d.{suffix}", range(1001, 1004), form)
        report = run(source, f"out/a.%04d.{suffix}")
        assert (report.frames, report.audio_tracks) == (3, 0)
        same_pictures(source, tmp_path / f"out/a.%04d.{suffix}", range(1001, 1004))
        assert len(names_in(tmp_path / "out")) == 3

    def test_exr_of_strength_zero_is_the_same_file(self, tmp_path, make, run):
        source = make("in/a.%06d.exr", range(86400, 86403))
        run(source, "out/a.%06d.exr")
        for path in source.parent.iterdir():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()

    def test_sixteen_bits_are_painted_with_sixteen(self, tmp_path, make, run, painter):
        source = make("in/a.%d.png", range(1), "gbrap16le")
        run(source, "out/a.%d.png", painter)
        painted = read_picture(tmp_path / "out/a.0.png").frame
        assert painted.pixel_format.name == "gbrap16le"
        assert len(np.unique(painted.planes[0])) > 256
        np.testing.assert_array_equal(painted.alpha, codes("gbrap16le", 0).alpha)

    def test_light_above_one_stays_above_one(self, tmp_path, make, run, painter):
        source = make("in/a.%d.exr", range(2))
        run(source, "out/a.%d.exr", painter)
        painted = OpenEXR.File(str(tmp_path / "out/a.0.exr"), separate_channels=True).channels()
        before = light(0)
        bright = [painted[name].pixels[4:9, 4:9].astype(np.float32) for name in "RGB"]
        assert np.max(bright) > 5
        assert all(np.isfinite(painted[name].pixels).all() for name in "RGB")
        for name in "AZ":
            np.testing.assert_array_equal(painted[name].pixels, before[name])
        assert not np.array_equal(painted["R"].pixels, before["R"])

    def test_numbers_are_the_sources_also_of_an_excerpt(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(1001, 1009))
        report = run(source, "out/b.%04d.png", handling=Handling(excerpt=Excerpt(2, 4)))
        assert report.frames == 2
        assert names_in(tmp_path / "out") == ["b.1003.png", "b.1004.png"]

    def test_one_picture(self, tmp_path, make, run):
        make("in/a.%d.tif", range(1))
        report = run(tmp_path / "in/a.0.tif", "out/b.tif")
        assert report.frames == 1
        same_pictures(tmp_path / "in/a.%d.tif", tmp_path / "out/b.tif", range(0))
        assert not [line for line in report.warnings if "second" in line]

    def test_linear_light_to_png_is_what_a_display_shows(self, tmp_path, make, run):
        report = run(make("in/a.%d.exr", range(1)), "out/a.%d.png")
        assert any("highlights are rolled off" in line for line in report.warnings)
        frame = read_picture(tmp_path / "out/a.0.png").frame
        assert frame.pixel_format.name == "gbrap16le"
        assert frame.planes[0][5, 5] == 65535


class TestClips:
    def test_sequence_to_clip_and_back(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(7, 12))
        run(source, "a.mkv", encode=EncodeSettings(codec="ffv1"))
        run(tmp_path / "a.mkv", "out/b.%04d.png")
        same_pictures(source, tmp_path / "out/b.%04d.png", range(7, 12), shift=-6)

    def test_rate_and_timecode_of_a_clip(self, tmp_path, make, run):
        code = OpenEXR.TimeCode(1, 2, 3, 4, *[0] * 14)
        source = make("in/a.%04d.exr", range(7, 12), timeCode=code, pixelAspectRatio=2.0)
        handling = Handling(frame_rate=Fraction(24000, 1001))
        run(source, "a.mov", encode=EncodeSettings(codec="prores"), handling=handling)
        with av.open(str(tmp_path / "a.mov")) as clip:
            stream = clip.streams.video[0]
            times = [frame.pts * frame.time_base for frame in clip.decode(stream)]
            assert times == [Fraction(1001 * n, 24000) for n in range(5)]
            assert stream.metadata["timecode"] == "01:02:03:04"
            assert stream.sample_aspect_ratio == 2
            assert stream.codec_context.color_trc == 1

    def test_timecode_of_a_clip_goes_into_each_picture(self, tmp_path, make_clip, run):
        clip = make_clip("a.mov", frames=9, metadata={"timecode": "10:00:00:22"})
        run(clip, "out/a.%d.exr", handling=Handling(excerpt=Excerpt(2, 5)))
        codes = [read_picture(tmp_path / f"out/a.{n}.exr").timecode for n in (1, 2, 3)]
        assert codes == ["10:00:00:24", "10:00:01:00", "10:00:01:01"]
        header = OpenEXR.File(str(tmp_path / "out/a.1.exr")).header()
        assert header["framesPerSecond"] == 25

    @pytest.mark.parametrize(
        ("header", "rate"), [({}, 24), ({"framesPerSecond": Fraction(30)}, 30)]
    )
    def test_rate_where_none_is_given(self, tmp_path, make, run, header, rate):
        source = make("in/a.%04d.exr", range(2), **header)
        report = run(source, "a.mov", encode=EncodeSettings(codec="prores"))
        assert (rate == 24) == any("24 pictures a second" in line for line in report.warnings)
        with av.open(str(tmp_path / "a.mov")) as clip:
            assert clip.streams.video[0].average_rate == rate

    def test_sound_is_left_out_and_said_so(self, tmp_path, make_clip, sound, run):
        report = run(make_clip("a.mp4", frames=4, sounds=(sound(),)), "out/a.%03d.png")
        assert "track 1 (audio, aac) is left out: pictures hold none" in report.warnings
        assert names_in(tmp_path / "out") == [f"a.00{n}.png" for n in range(1, 5)]

    def test_fields_are_named(self, make_clip, tmp_path):
        fields = {"x264-params": "interlaced=1"}
        clip = make_clip("a.mp4", frames=4, options=fields)
        _, told = inspect_clip(clip, tmp_path / "out/a.%d.png", EncodeSettings())
        assert "is interlaced: deinterlaced with bwdif, one frame for each" in told

    def test_clip_to_light(self, tmp_path, make_clip, run):
        run(make_clip("a.mp4", frames=1), "out/a.%d.exr")
        frame = read_picture(tmp_path / "out/a.1.exr").frame
        assert frame.pixel_format.name == "gbrpf16le"
        assert 0 <= frame.planes[0].min() < frame.planes[0].max() <= 1

    def test_a_clip_on_its_side_becomes_upright_pictures(self, tmp_path, make_clip, run):
        turn = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
        clip = make_clip("a.mp4", frames=1, size=(48, 32), display_matrix=turn)
        run(clip, "out/a.%d.png")
        frame = read_picture(tmp_path / "out/a.1.png").frame
        assert (frame.width, frame.height) == (32, 48)


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
            run(source, "o.mkv", encode=EncodeSettings(codec="ffv1"))

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
        with pytest.raises(OutputError, match=r"2 of its pictures exist already, a.0002.png first"):
            run(source, "out/a.%04d.png")
        with pytest.raises(OutputError, match="exist already"):
            inspect_clip(source, tmp_path / "out/a.%04d.png", EncodeSettings())
        assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
        run(source, "out/a.%04d.png", overwrite=True)
        same_pictures(source, tmp_path / "out/a.%04d.png", range(1, 4))

    def test_others_of_that_name_stay_and_are_named(self, tmp_path, make, run):
        make("out/a.%04d.png", range(8, 10))
        report = run(make("in/a.%04d.png", range(1, 4)), "out/a.%04d.png", overwrite=True)
        assert any("2 more pictures" in line and "a.0008.png" in line for line in report.warnings)

    def test_input_is_output(self, make, run):
        source = make("in/a.%04d.png", range(2))
        with pytest.raises(UsageError, match="same file"):
            run(source, "in/a.%04d.png", overwrite=True)

    def test_input_is_output_by_another_way(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(2))
        (tmp_path / "link").symlink_to(source.parent)
        with pytest.raises(UsageError, match="same file"):
            run(source, "link/a.%04d.png", overwrite=True)

    def test_many_pictures_under_one_name(self, make, run):
        with pytest.raises(UsageError, match="need a number in their names"):
            run(make("in/a.%04d.png", range(2)), "out/a.png")

    def test_a_codec_for_pictures(self, make, run):
        with pytest.raises(UsageError, match="no codec"):
            run(make("in/a.%d.png"), "out/a.%d.png", encode=EncodeSettings(codec="prores"))

    def test_a_picture_of_another_kind(self, tmp_path, run):
        with av.open(str(tmp_path / "a.jpg"), "w", format="image2") as container:
            stream = container.add_stream("mjpeg", rate=1)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
            container.mux(stream.encode(av.VideoFrame(16, 16, "yuvj420p")))
            container.mux(stream.encode(None))
        with pytest.raises(MediaError, match="picture of a kind that is not read"):
            run(tmp_path / "a.jpg", "a.mp4")


class _Stop(Observer):
    """Interrupts after some frames."""

    def __init__(self, after: int):
        object.__setattr__(self, "resumed", [])
        object.__setattr__(self, "kept", [])

        def on_frame(count: int) -> None:
            if count == after:
                raise KeyboardInterrupt

        super().__init__(
            on_frame=on_frame,
            on_resume=self.resumed.append,
            on_kept=lambda folder, frames: self.kept.append(frames),
        )


class TestResume:
    def stop(self, source: Path, output: Path, stylizer: Stylizer, after: int) -> int:
        """Interrupt a run; gives how many pictures are kept."""
        observer = _Stop(after)
        with pytest.raises(KeyboardInterrupt):
            convert(source, output, stylizer, EncodeSettings(), observer=observer)
        return observer.kept[0] if observer.kept else 0

    def painted(self, monkeypatch) -> list[int]:
        """The numbers of the pictures that are painted from now on."""
        numbers: list[int] = []
        original = _Run._paint

        def paint(self, item):
            numbers.append(item.number)
            return original(self, item)

        monkeypatch.setattr(_Run, "_paint", paint)
        return numbers

    @pytest.mark.parametrize("writers", [1, 4])
    @pytest.mark.parametrize("kind", ["png", "exr"])
    def test_goes_on(self, tmp_path, make, run, painter, monkeypatch, kind, writers):
        monkeypatch.setattr("housestyle.batch.pictures._WRITERS", writers)
        source, output = make(f"in/a.%04d.{kind}", range(10, 26)), tmp_path / f"o/a.%04d.{kind}"
        kept = self.stop(source, output, painter, after=12)
        assert 0 < kept <= 12
        info, _ = inspect_clip(source, output, EncodeSettings())
        assert info.video.frames == 16
        numbers = self.painted(monkeypatch)
        report = run(source, f"o/a.%04d.{kind}", painter)
        assert numbers == list(range(10 + kept, 26))
        assert (report.frames, report.segments_reused) == (16, kept)
        run(source, f"whole/a.%04d.{kind}", painter)
        same_pictures(output, tmp_path / f"whole/a.%04d.{kind}", range(10, 26))
        assert len(names_in(output.parent)) == 16

    def test_clip_goes_on(self, tmp_path, make_clip, run, painter, monkeypatch):
        source, output = make_clip("a.mp4", frames=16), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=12)
        numbers = self.painted(monkeypatch)
        assert run(source, "o/a.%04d.png", painter).frames == 16
        assert numbers == list(range(1 + kept, 17))

    def test_another_part_of_a_clip_trusts_nothing(self, tmp_path, make_clip, run, painter):
        source, output = make_clip("a.mp4", frames=16), tmp_path / "o/a.%04d.png"
        assert self.stop(source, output, painter, after=6)
        later = Handling(excerpt=Excerpt(4, 9))
        with pytest.raises(OutputError, match="exist already"):
            run(source, "o/a.%04d.png", painter, handling=later)

    def test_another_style_trusts_nothing(self, tmp_path, make, run, painter, untouched):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=12)
        with pytest.raises(OutputError, match="exist already"):
            run(source, "o/a.%04d.png", untouched)
        run(source, "o/a.%04d.png", untouched, overwrite=True)
        same_pictures(source, output, range(16))

    def test_changed_sources_and_outputs_are_done_again(
        self, tmp_path, make, run, painter, monkeypatch
    ):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=14)
        assert kept > 3
        (tmp_path / "in/a.0001.png").write_bytes(encode_picture(codes("gbrp16le", 99), "png"))
        (tmp_path / "o/a.0002.png").unlink()
        numbers = self.painted(monkeypatch)
        run(source, "o/a.%04d.png", painter)
        assert numbers == [1, 2, *range(kept, 16)]

    def test_an_output_that_someone_changed_is_theirs(self, tmp_path, make, run, painter):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=12)
        (tmp_path / "o/a.0001.png").write_bytes(encode_picture(codes("gray", 3), "png"))
        with pytest.raises(OutputError, match="1 of its pictures exist already"):
            run(source, "o/a.%04d.png", painter)

    def test_without_resume(self, tmp_path, make, run, painter, monkeypatch):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        self.stop(source, output, painter, after=12)
        numbers = self.painted(monkeypatch)
        run(source, "o/a.%04d.png", painter, handling=Handling(resume=False), overwrite=True)
        assert numbers == list(range(16))

    def test_a_torn_note_costs_its_picture_only(self, tmp_path, make, run, painter, monkeypatch):
        source, output = make("in/a.%04d.png", range(16)), tmp_path / "o/a.%04d.png"
        kept = self.stop(source, output, painter, after=12)
        journal = work_folder(output) / "pictures.jsonl"
        journal.write_bytes(journal.read_bytes()[:-9])
        (tmp_path / f"o/a.{kept - 1:04}.png").unlink()
        numbers = self.painted(monkeypatch)
        run(source, "o/a.%04d.png", painter)
        assert numbers == list(range(kept - 1, 16))

    def test_nothing_is_left_where_nothing_was_done(self, tmp_path, make, run, painter):
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        source = make("in/a.%04d.png", range(4))
        with pytest.raises(KeyboardInterrupt):
            run(source, "o/deep/a.%04d.png", painter, observer=Observer(on_start=stop))
        assert not (tmp_path / "o").exists()

    def test_a_second_process_is_refused(self, tmp_path, make, run, painter):
        source = make("in/a.%04d.png", range(4))
        refused: list[HousestyleError] = []

        def meanwhile(_count: int) -> None:
            with pytest.raises(OutputError, match="another process") as raised:
                run(source, "o/a.%04d.png", painter)
            refused.append(raised.value)

        run(source, "o/a.%04d.png", painter, observer=Observer(on_frame=meanwhile))
        assert len(refused) == 4

    @pytest.mark.parametrize("writers", [1, 4])
    def test_disk_full(self, tmp_path, make, run, painter, monkeypatch, writers):
        monkeypatch.setattr("housestyle.batch.pictures._WRITERS", writers)
        source = make("in/a.%04d.png", range(6))
        calls, real = [], os.fsync

        def fsync(file: int) -> None:
            calls.append(file)
            if len(calls) == 8:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(file)

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputError, match="No space left on device") as raised:
            run(source, "o/a.%04d.png", painter)
        assert "\n" not in str(raised.value)
        monkeypatch.setattr(os, "fsync", real)
        assert not [name for name in names_in(tmp_path / "o") if name.endswith(".partial")]
        named = [name for name in names_in(tmp_path / "o") if name.startswith("a.")]
        assert 0 < len(named) < 6
        assert run(source, "o/a.%04d.png", painter).segments_reused == len(named)

    def test_what_was_not_written_right_gets_no_name(self, tmp_path, make, run, monkeypatch):
        source = make("in/a.%04d.png", range(3))
        monkeypatch.setattr(
            "housestyle.batch.pictures.encode_picture",
            lambda frame, kind, *_: encode_picture(codes("gbrp16le", 77), kind),
        )
        with pytest.raises(OutputError, match="did not read back") as raised:
            run(source, "o/a.%04d.png")
        assert raised.value.path == tmp_path / "o/a.0000.png"
        assert not (tmp_path / "o").exists()


def test_killed_again_and_again(tmp_path, make, run, painter, tiny_style):
    source, output = make("in/a.%04d.png", range(24)), tmp_path / "o/a.%04d.png"
    tiny_style.save(tmp_path / "tiny.safetensors")
    # Its server imports PyTorch once; a process of it begins at once.
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["housestyle.batch.clip", "torch._dynamo"])
    job = {"device": "cpu", "precision": "fp32"}
    for wanted in (1, 9, None):
        process = forks.Process(
            target=stylize_clip, args=(source, output, tmp_path / "tiny.safetensors"), kwargs=job
        )
        process.start()
        while wanted and process.is_alive() and len(list(tmp_path.glob("o/a.*.png"))) < wanted:
            time.sleep(0.002)
        if wanted:
            process.kill()
        process.join()
    assert process.exitcode == 0
    run(source, "whole/a.%04d.png", painter)
    same_pictures(output, tmp_path / "whole/a.%04d.png", range(24))
    assert len(names_in(output.parent)) == 24


class TestCommand:
    def events(self, capsys) -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def stylize(self, *arguments: object) -> int:
        return main(["stylize", *map(str, arguments), "-s", "wave", "--strength", "0"])

    def test_json_report_and_dry_run(self, tmp_path, make, capsys):
        source = make("in/a.%06d.png", range(86400, 86404))
        output = tmp_path / "out/a.%06d.png"
        told = ("--json", "--report", tmp_path / "report.json")
        assert self.stylize(source, "-o", output, "--dry-run", *told) == 0
        planned = self.events(capsys)[0]
        assert (planned["event"], planned["frames"]) == ("clip_planned", 4)
        assert not output.parent.exists()
        assert self.stylize(source, "-o", output, *told) == 0
        done = next(event for event in self.events(capsys) if event["event"] == "clip_done")
        assert (done["input"], done["output"]) == (str(source), str(output))
        assert (done["frames"], done["audio_tracks"]) == (4, 0)
        clip = json.loads((tmp_path / "report.json").read_text())["clips"][0]
        assert (clip["status"], clip["frames"]) == ("done", 4)
        assert any("24 pictures a second" in line for line in clip["warnings"])

    def test_gaps_in_one_line(self, tmp_path, make, capsys):
        source = make("in/a.%04d.png", [1, 3])
        assert self.stylize(source, "-o", tmp_path / "out/a.%04d.png") == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert "but not 2" in lines[0]
