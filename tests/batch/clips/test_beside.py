"""Facts that a container states beside the video: carried, applied, refused or said."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ImageCms

from brushreel.batch.clips.boxes import add_boxes
from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.batch.clips.container_sink import ContainerSink
from brushreel.batch.clips.settings import ReadSettings
from brushreel.core.clips.media import ClipReader, probe
from brushreel.core.errors import MediaError, OutputError
from brushreel.core.frames.icc import tags_of_profile


def box(name: bytes, *parts: bytes) -> bytes:
    text = b"".join(parts)
    return struct.pack(">I4s", len(text) + 8, name) + text


def clap(width: int, height: int, across: int = 0, down: int = 0) -> bytes:
    return box(b"clap", struct.pack(">IIIIiIiI", width, 1, height, 1, across, 2, down, 2))


STEREO = box(b"st3d", bytes(4), b"\1")
SPHERE = box(
    b"sv3d",
    box(b"svhd", bytes(4), b"test\0"),
    box(b"proj", box(b"prhd", bytes(16)), box(b"equi", bytes(20))),
)
VERSION_1 = box(
    b"uuid",
    bytes.fromhex("ffcc8263f8554a938814587a02521fdd"),
    b'<?xml version="1.0"?><rdf:SphericalVideo xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-'
    b'ns#" xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/"><GSpherical:Spherical>true'
    b"</GSpherical:Spherical><GSpherical:Stitched>true</GSpherical:Stitched>"
    b"<GSpherical:StitchingSoftware>test</GSpherical:StitchingSoftware><GSpherical:"
    b"ProjectionType>equirectangular</GSpherical:ProjectionType></rdf:SphericalVideo>",
)


def vision(profile: int, compatible: int) -> bytes:
    return box(b"dvcC", bytes((1, 0, profile << 1, 0x0D, compatible << 4)), bytes(19))


def profile_box(profile: bytes) -> bytes:
    return box(b"colr", b"prof", profile)


@pytest.fixture
def boxed(make_clip):
    """Makes a clip of 96x64 whose video description and track have boxes."""

    def make(name: str, *boxes: bytes, track: bytes = b"") -> Path:
        path = make_clip(name)
        with path.open("r+b") as file:
            add_boxes(file, boxes, [track] if track else [])
        return path

    return make


def side_data(path: Path) -> set[str]:
    with av.open(str(path)) as container:
        entries: Any = next(container.decode(video=0)).side_data
        return {entry.type.name for entry in entries}


def with_crop(path: Path, left: int, top: int, right: int, bottom: int) -> Path:
    """Put PixelCrop elements into the first track of a Matroska file."""
    text = bytearray(path.read_bytes())
    more = b"".join(
        number.to_bytes(2) + b"\x81" + bytes((value,))
        for number, value in ((0x54CC, left), (0x54BB, top), (0x54DD, right), (0x54AA, bottom))
    )
    start, end = 0, len(text)
    for wanted in (0x18538067, 0x1654AE6B, 0xAE, 0xE0):
        while True:
            width = 9 - text[start].bit_length()
            number = int.from_bytes(text[start : start + width])
            place = start + width
            length = 9 - text[place].bit_length()
            size = int.from_bytes(text[place : place + length]) ^ 1 << 7 * length
            begin = place + length
            if number == wanted:
                break
            start = begin + size
        grown = size + len(more) | 1 << 7 * length
        text[place:begin] = grown.to_bytes(length)
        start, end = begin, begin + size
    text[end:end] = more
    path.write_bytes(text)
    return path


class TestCrop:
    def test_mp4_to_mov_carries_it(self, boxed, tmp_path, untouched):
        source = boxed("a.mp4", clap(80, 48, across=4))
        report = convert(source, tmp_path / "out.mov", untouched)
        assert not report.warnings
        found = probe(tmp_path / "out.mov")
        assert found.facts.crop == (10, 8, 6, 8)
        with ClipReader(tmp_path / "out.mov", cropped=False) as whole:
            assert (whole.info.video.width, whole.info.video.height) == (96, 64)

    @pytest.mark.parametrize("name", ["out.mkv", "out.%d.png"])
    def test_elsewhere_it_is_applied_and_said(self, boxed, tmp_path, untouched, name):
        source = boxed("a.mp4", clap(80, 48, across=4))
        report = convert(source, tmp_path / name, untouched)
        assert "cropped to 80x48, as the container asks, from 96x64" in report.warnings
        with av.open(str(source)) as container:
            whole = next(container.decode(video=0)).to_ndarray(format="gray")
        written = tmp_path / name.replace("%d", "1")
        with av.open(str(written)) as container:
            shown = next(container.decode(video=0)).to_ndarray(format="gray")
        assert shown.shape == (48, 80)
        assert np.abs(shown.astype(int) - whole[8:56, 10:90]).mean() < 8

    def test_half_pixels_are_kept(self, boxed):
        video = probe(boxed("a.mp4", clap(81, 47))).video
        # Chroma begins with a whole sample.
        assert (video.crop, video.width, video.height) == ((6, 8, 7, 8), 83, 48)

    def test_matroska(self, make_clip, tmp_path, untouched):
        source = with_crop(make_clip("a.mkv"), 4, 2, 6, 8)
        assert probe(source).facts.crop == (4, 2, 6, 8)
        convert(source, tmp_path / "out.mkv", untouched)
        with av.open(str(tmp_path / "out.mkv")) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (86, 54)
        convert(source, tmp_path / "out.mp4", untouched)
        assert probe(tmp_path / "out.mp4").facts.crop == (4, 2, 6, 8)

    def test_a_timeline_has_the_whole_frame(self, boxed, tmp_path, untouched):
        source = boxed("a.mov", clap(80, 48))
        convert(source, tmp_path / "out.mov", untouched, read=ReadSettings(for_timeline=True))
        with ClipReader(tmp_path / "out.mov", cropped=False) as whole:
            assert whole.info.video.width == 96

    def test_bars_are_found_in_what_is_shown(self, boxed, tmp_path, painter):
        source = boxed("a.mp4", clap(80, 48))
        assert convert(source, tmp_path / "out.mkv", painter).frames == 10

    def test_nonsense_is_ignored(self, boxed):
        assert probe(boxed("a.mp4", clap(200, 48))).video.width == 96
        assert probe(boxed("b.mp4", box(b"clap", bytes(32)))).video.width == 96


class TestSpherical:
    @pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
    def test_it_goes_over(self, boxed, tmp_path, untouched, name):
        source = boxed("a.mp4", STEREO, SPHERE)
        assert not convert(source, tmp_path / name, untouched).warnings
        assert {"SPHERICAL", "STEREO3D"} <= side_data(tmp_path / name)

    def test_version_1_goes_over(self, boxed, tmp_path, untouched):
        source = boxed("a.mp4", track=VERSION_1)
        assert "SPHERICAL" in side_data(source)
        convert(source, tmp_path / "out.mp4", untouched)
        assert "SPHERICAL" in side_data(tmp_path / "out.mp4")

    def test_what_does_not_go_over_is_said(self, boxed, tmp_path):
        source = boxed("a.mp4", STEREO, SPHERE)
        _, warnings = inspect_clip(source, tmp_path / "out.mkv")
        assert any("spherical projection is not kept" in line for line in warnings)
        assert any("two views (stereo) is not kept" in line for line in warnings)

    def test_what_is_never_carried_is_a_fault_before_the_first_frame(
        self, boxed, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(
            "brushreel.batch.clips.container_sink.add_boxes", lambda file, *boxes: None
        )
        with pytest.raises(OutputError, match=r"would not be as its source: .*two views"):
            inspect_clip(boxed("a.mp4", STEREO), tmp_path / "out.mp4")

    def test_a_box_that_is_lost_fails_verification(self, boxed, tmp_path, untouched, monkeypatch):
        in_trial = ContainerSink.add_boxes
        monkeypatch.setattr(
            ContainerSink,
            "add_boxes",
            lambda sink, file: in_trial(sink, file) if isinstance(file, io.BytesIO) else None,
        )
        with pytest.raises(OutputError, match=r"is not as its source: .*two views"):
            convert(boxed("a.mp4", STEREO), tmp_path / "out.mp4", untouched)
        assert not (tmp_path / "out.mp4").exists()


class TestProfile:
    @pytest.fixture
    def profile(self) -> bytes:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    def test_it_is_the_colours_and_goes_over(self, boxed, tmp_path, untouched, profile):
        source = boxed("a.mp4", profile_box(profile))
        colour = probe(source).video.colour
        assert (colour.primaries, colour.transfer) == (1, 13)
        assert not convert(source, tmp_path / "out.mp4", untouched).warnings
        assert probe(tmp_path / "out.mp4").facts.profile == profile
        with av.open(str(tmp_path / "out.mp4")) as container:
            frame = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc) == (1, 13)

    def test_matroska_has_its_tags_and_no_profile(self, boxed, tmp_path, profile, untouched):
        source = boxed("a.mp4", profile_box(profile))
        report = convert(source, tmp_path / "out.mkv", untouched)
        assert any("ICC profile is not kept" in line for line in report.warnings)
        assert probe(tmp_path / "out.mkv").video.colour.primaries == 1

    @pytest.mark.parametrize("gamma", [2.2, 2.8, 1.0])
    def test_curves(self, profile, gamma):
        code = {2.2: 4, 2.8: 5, 1.0: 8}[gamma]
        curve = struct.pack(">4sIHHi", b"para", 0, 0, 0, round(gamma * 65536))
        assert tags_of_profile(_with_curve(profile, curve)) == (1, code)
        curve = struct.pack(">4sIIH", b"curv", 0, 1, round(gamma * 256))
        assert tags_of_profile(_with_curve(profile, curve)) == (1, code)
        points = np.rint(np.linspace(0, 1, 100) ** gamma * 65535).astype(">u2")
        curve = struct.pack(">4sII", b"curv", 0, 100) + points.tobytes()
        assert tags_of_profile(_with_curve(profile, curve)) == (1, code)

    def test_damaged_profiles_have_no_tags(self, profile):
        for length in range(0, len(profile), 7):
            tags_of_profile(profile[:length])


def _with_curve(profile: bytes, curve: bytes) -> bytes:
    """Return a profile whose green has another curve, added at the end."""
    place = profile.index(b"gTRC", 128)
    entry = struct.pack(">4sII", b"gTRC", len(profile), len(curve))
    return profile[:place] + entry + profile[place + 12 :] + curve


class TestDolbyVision:
    def test_profile_5_is_refused_with_the_reason(self, boxed, tmp_path):
        source = boxed("a.mp4", vision(5, 0))
        with pytest.raises(MediaError, match=r"is Dolby Vision profile 5, .*IPT-PQ-C2") as caught:
            inspect_clip(source, tmp_path / "out.mp4")
        assert caught.value.path == source

    def test_others_lose_their_metadata_and_say_so(self, boxed, tmp_path):
        _, warnings = inspect_clip(boxed("a.mp4", vision(8, 4)), tmp_path / "out.mp4")
        assert "Dolby Vision metadata (profile 8.4) are not kept: its base is" in warnings


def test_captions_in_the_frames_are_said(tmp_path):
    """They are user data of MPEG-2 (ATSC A/53, part 4)."""
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            for packet in stream.encode(frame):
                container.mux(_with_captions(packet))
        for packet in stream.encode(None):
            container.mux(_with_captions(packet))
    _, warnings = inspect_clip(path, tmp_path / "out.mp4")
    assert "closed captions in the frames (CEA-608, CEA-708) are not kept" in warnings


def _with_captions(packet: av.Packet) -> av.Packet:
    content = bytes(packet)
    slices = content.index(b"\0\0\1\1")
    captions = b"\0\0\1\xb2GA94\3\x41\xff\xfc\x94\x2c\xff"
    copy = av.Packet(content[:slices] + captions + content[slices:])
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.stream, copy.is_keyframe = packet.stream, packet.is_keyframe
    return copy
