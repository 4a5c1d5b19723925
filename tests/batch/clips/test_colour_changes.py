"""Streams that change what their codes mean, at one size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.clips.range import FrameRange
from brushreel.core.errors import MediaError

BT709, BT601, PQ = (1, 1, 1, 1), (6, 1, 6, 6), (9, 1, 9, 16)


FFV1 = WriteSettings(encode=EncodeSettings(codec="ffv1"))


def flat(index: int, size: tuple[int, int], planes: int) -> np.ndarray:
    """Draw a saturated colour, so that filters of chroma change nothing."""
    values = (0.4 + 0.01 * index, 0.2, 0.8)[:planes]
    return np.stack([np.full(size[::-1], value) for value in values])


@pytest.fixture
def changing(make_clip, tmp_path):
    def make(*colours: tuple[int, int, int, int]) -> Path:
        path, content = tmp_path / "changing.ts", b""
        for number, colour in enumerate(colours):
            times = [10 * number + index for index in range(10)]
            part = make_clip(
                f"{number}.ts",
                times=times,
                time_base=Fraction(1, 25),
                colour=colour,
                options={"qp": "0", "bf": "0"},
                draw=flat,
            )
            content += part.read_bytes()
        path.write_bytes(content)
        return path

    return make


def colours(path: Path) -> list[np.ndarray]:
    """Return R, G and B of every frame, by FFmpeg and each frame's own tags."""
    kinds = {1: Colorspace.ITU709, 6: Colorspace.SMPTE170M}
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="rgb24", src_colorspace=kinds[frame.colorspace])
            .to_ndarray()
            .astype(int)
            for frame in container.decode(video=0)
        ]


def test_each_frame_is_converted_by_its_own_tags(changing, tmp_path, untouched):
    source = changing(BT709, BT601)
    report = convert(source, tmp_path / "out.mkv", untouched, write=FFV1)
    assert any("another matrix or range from 0.400 s on" in line for line in report.warnings)
    before, after = colours(source), colours(tmp_path / "out.mkv")
    assert len(after) == 20
    apart = [abs(one - other).mean() for one, other in zip(before, after, strict=True)]
    assert max(apart[:10]) == 0
    assert max(apart[10:]) < 2
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert {frame.colorspace for frame in container.decode(video=0)} == {1}


def test_a_range_after_the_change(changing, tmp_path, untouched):
    source = changing(BT709, BT601)
    read = ReadSettings(range=FrameRange(12, 18))
    convert(source, tmp_path / "out.mkv", untouched, read=read, write=FFV1)
    pairs = zip(colours(source)[12:18], colours(tmp_path / "out.mkv"), strict=True)
    assert max(abs(one - other).mean() for one, other in pairs) < 2


def test_from_sdr_to_hdr_is_refused(changing, tmp_path, untouched):
    with pytest.raises(MediaError, match=r"changes from SDR to PQ at 0\.4\d* s"):
        convert(changing(BT709, PQ), tmp_path / "out.mkv", untouched)


def test_tags_that_mean_the_same_are_no_change(changing, tmp_path, untouched):
    source = changing(BT601, (2, 1, 2, 2))
    report = convert(source, tmp_path / "out.mkv", untouched)
    assert not [line for line in report.warnings if "matrix" in line]


class TestDryRun:
    """Facts that headers tell before the first frame."""

    def test_another_matrix(self, changing, tmp_path, untouched):
        source = changing(BT709, BT601)
        _, warnings = inspect_clip(source, tmp_path / "out.mkv")
        assert [line for line in warnings if "matrix" in line] == [
            "states another matrix or range from 0.400 s on: such frames are converted to the "
            "first's"
        ]
        # Once is enough.
        assert convert(source, tmp_path / "out.mkv", untouched).warnings == warnings

    @pytest.mark.parametrize(
        ("part", "announced"),
        [((12, 15), True), ((0, 5), False), ((22, 25), False), ((8, 12), True)],
    )
    def test_of_a_range_what_it_reaches(self, changing, tmp_path, part, announced):
        read = ReadSettings(range=FrameRange(*part))
        source = changing(BT709, BT601, BT709)
        _, warnings = inspect_clip(source, tmp_path / "out.mkv", read=read)
        assert any("matrix" in line for line in warnings) == announced

    def test_from_sdr_to_hdr(self, changing, tmp_path):
        with pytest.raises(MediaError, match=r"changes from SDR to PQ at 0\.4\d* s") as caught:
            inspect_clip(changing(BT709, PQ), tmp_path / "out.mkv")
        assert caught.value.path is not None

    def test_tags_that_mean_the_same(self, changing, tmp_path):
        _, warnings = inspect_clip(changing(BT601, (2, 1, 2, 2)), tmp_path / "out.mkv")
        assert not any("matrix" in line for line in warnings)

    @pytest.mark.parametrize(
        ("codec", "pixels"),
        [("libx264", "yuv420p"), ("libx265", "yuv420p"), ("mpeg2video", "yuv420p")],
    )
    def test_another_size(self, make_clip, tmp_path, codec, pixels):
        facts = {"codec": codec, "pixel_format": pixels, "time_base": Fraction(1, 25)}
        one = make_clip("1.ts", times=list(range(10)), **facts)
        two = make_clip("2.ts", times=list(range(10, 20)), size=(64, 48), **facts)
        (tmp_path / "a.ts").write_bytes(one.read_bytes() + two.read_bytes())
        with pytest.raises(MediaError, match=r"size from 96x64 to 64x48 at 0\.\d+ s"):
            inspect_clip(tmp_path / "a.ts", tmp_path / "out.mkv")

    def test_prores_states_colours_in_every_frame(self, make_clip, tmp_path):
        clips = [
            make_clip(f"{n}.mov", codec="prores_ks", pixel_format="yuv422p10le", colour=colour)
            for n, colour in enumerate((BT709, BT601))
        ]
        with av.open(str(tmp_path / "a.mkv"), "w") as target:
            copy = None
            for number, path in enumerate(clips):
                with av.open(str(path)) as container:
                    stream = container.streams.video[0]
                    copy = copy or target.add_stream_from_template(stream)
                    for packet in container.demux(stream):
                        if packet.size:
                            shift = round(Fraction(2, 5) * number / packet.time_base)
                            packet.pts += shift
                            packet.dts += shift
                            packet.stream = copy
                            target.mux(packet)
        _, warnings = inspect_clip(tmp_path / "a.mkv", tmp_path / "out.mkv")
        assert any("from 0.400 s on" in line for line in warnings)
