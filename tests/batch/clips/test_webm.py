"""WebM: VP9 or AV1 with Opus, joined from segments like every other container."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.output_tags import is_output
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.errors import OutputError


def streams(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.codec.canonical_name for stream in container.streams]


@pytest.mark.parametrize("codec", ["auto", "vp9", "av1"])
@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le"])
def test_frames_times_and_opus_are_the_source_s(
    make_clip, read_clip, sound, untouched, tmp_path, codec, form
):
    source = make_clip("a.mkv", frames=12, pixel_format=form, sounds=(sound("libopus"),))
    output = tmp_path / "o.webm"
    write = WriteSettings(encode=EncodeSettings(codec=codec), segment=0.2)
    report = convert(source, output, untouched, write=write)
    assert report.segments == 3
    before, after = read_clip(source), read_clip(output)
    assert after.times == before.times
    assert [track.contents for track in after.audio] == [track.contents for track in before.audio]
    expected = {"auto": "vp9" if form == "yuv420p" else "av1"}.get(codec, codec)
    assert streams(output) == [expected, "opus"]
    with av.open(str(output)) as container:
        assert container.format.name == "matroska,webm"
        written = container.streams.video[0].codec_context.pix_fmt
    # This build of libvpx has 8 bits.
    assert written == ("yuv420p" if expected == "vp9" else form)
    eight = "written with 8 bits instead of 10" in report.warnings
    assert eight == (written != form)
    assert output.read_bytes()[:64].count(b"webm") == 1
    assert is_output(output)


def test_audio_that_webm_lacks_is_refused_or_converted(make_clip, sound, untouched, tmp_path):
    source, output = make_clip("a.mp4", sounds=(sound("aac"),)), tmp_path / "o.webm"
    with pytest.raises(OutputError, match=r"webm does not support audio.*--audio opus converts it"):
        convert(source, output, untouched)
    convert(source, output, untouched, write=WriteSettings(audio="opus"))
    assert streams(output) == ["vp9", "opus"]


@pytest.mark.parametrize("codec", ["h264", "hevc", "prores", "ffv1"])
def test_other_codecs_are_refused(make_clip, untouched, tmp_path, codec):
    write = WriteSettings(encode=EncodeSettings(codec=codec))
    with pytest.raises(OutputError, match=f"webm does not support {codec} video"):
        convert(make_clip(), tmp_path / "o.webm", untouched, write=write)
    assert not (tmp_path / "o.webm").exists()


def test_a_run_is_the_same_twice(make_clip, untouched, tmp_path):
    source = make_clip(frames=12)
    outputs = [tmp_path / name for name in ("a.webm", "b.webm")]
    for output in outputs:
        convert(source, output, untouched, write=WriteSettings(segment=0.2))
    packets = []
    for output in outputs:
        with av.open(str(output)) as container:
            packets.append([bytes(packet) for packet in container.demux(video=0) if packet.size])
    assert packets[0] == packets[1]


def test_transparency_is_said_to_be_lost(make_clip, untouched, tmp_path):
    source = make_clip("a.mkv", codec="ffv1", pixel_format="yuva420p")
    report = convert(source, tmp_path / "o.webm", untouched)
    assert "transparency is not kept" in report.warnings
