"""Before and after in one clip: the right pixels at the right times, with the sound."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch import compare as module
from brushreel.batch.compare import compare
from brushreel.core.errors import MediaError, OutputError, UsageError

SIZE = (128, 96)
QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
LINE = 4


@pytest.fixture
def flat(tmp_path) -> Callable[..., Path]:
    """A factory of clips, each frame of one grey level, lossless."""

    def make(
        name: str,
        levels: list[int],
        *,
        times: list[int] | None = None,
        time_base: Fraction = Fraction(1, 25),
        size: tuple[int, int] = SIZE,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=25, options={"crf": "0", "bf": "0"})
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            video.codec_context.time_base = time_base
            for level, pts in zip(levels, times or range(len(levels)), strict=True):
                frame = av.VideoFrame(*size, "yuv420p")
                for plane, code in zip(frame.planes, (level, 128, 128), strict=True):
                    plane.update(bytes([code]) * plane.buffer_size)
                frame.pts, frame.time_base = pts, time_base
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        return path

    return make


@pytest.fixture
def pair(make_clip, sound) -> tuple[Path, Path]:
    """Two clips of different pictures; the first has two sound tracks."""
    sounds = (sound(), sound(hertz=880, metadata={"language": "ger"}))
    before = make_clip("before.mp4", frames=12, size=SIZE, sounds=sounds)
    return before, make_clip("after.mp4", frames=12, size=SIZE, first=200)


@pytest.fixture
def luma(read_clip) -> Callable[[Path], np.ndarray]:
    """(frames, H, W) luma codes of a clip."""
    return lambda path: np.stack([frame[0] for frame in read_clip(path).frames]).astype(int)


def twin(clip: Path) -> Path:
    return Path(shutil.copy(clip, clip.with_name(f"twin of {clip.name}")))


def near(shown: np.ndarray, source: np.ndarray) -> bool:
    return shown.shape == source.shape and np.abs(shown - source).mean() < 3


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_a_fixed_line(pair, luma, tmp_path, share):
    before, after = map(luma, pair)
    compare(pair[0], pair[1], tmp_path / "wipe.mp4", line=share)
    shown, edge = luma(tmp_path / "wipe.mp4"), 2 * round(share * SIZE[0] / 2)
    assert near(shown[..., : edge - LINE], before[..., : edge - LINE])
    assert near(shown[..., edge:], after[..., edge:])
    assert (shown[..., edge - LINE : edge] > 200).all()


def test_the_line_goes_to_the_left_and_back(flat, luma, tmp_path):
    pair = flat("before.mp4", [30] * 26), flat("after.mp4", [150] * 26)
    compare(pair[0], pair[1], tmp_path / "wipe.mp4")
    shares = (np.abs(luma(tmp_path / "wipe.mp4") - 30) < 20).mean(axis=(1, 2))
    assert shares[0] > 0.95
    assert shares[13] < 0.05
    assert (np.diff(shares[:13]) <= 0).all()
    assert (np.diff(shares[13:]) >= 0).all()
    assert shares[25] > 0.9


def test_a_long_clip_s_line_takes_8_seconds(flat, luma, tmp_path):
    times = list(range(0, 17, 2))
    clips = [
        flat(f"{level}.mp4", [level] * 9, times=times, time_base=Fraction(1)) for level in (30, 150)
    ]
    compare(clips[0], clips[1], tmp_path / "wipe.mp4")
    shares = (np.abs(luma(tmp_path / "wipe.mp4") - 30) < 20).mean(axis=(1, 2))
    assert shares == pytest.approx([1, 0.5, 0, 0.5, 1, 0.5, 0, 0.5, 1], abs=0.05)


def test_the_line_cuts_where_it_stands_whatever_the_ticks(make_clip, luma, tmp_path):
    facts = {"frames": 24, "size": SIZE, "rate": Fraction(24_000, 1001)}
    before = make_clip("before.mp4", **facts)
    compare(before, make_clip("after.mkv", **facts), tmp_path / "wipe.mp4")
    still = luma(before)
    for shown, whole in zip(luma(tmp_path / "wipe.mp4"), still, strict=True):
        off = np.abs(shown - whole).max(axis=0) > 40
        assert off.sum() <= LINE + 4


@pytest.mark.parametrize(("layout", "axis"), [("side", 2), ("stack", 1)])
def test_one_beside_the_other(pair, luma, tmp_path, layout, axis):
    compare(pair[0], pair[1], tmp_path / "both.mp4", layout=layout)
    left, right = np.split(luma(tmp_path / "both.mp4"), 2, axis=axis)
    assert near(left, luma(pair[0]))
    assert near(right, luma(pair[1]))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_packet_for_packet(pair, read_clip, tmp_path, suffix):
    assert compare(pair[0], pair[1], tmp_path / f"wipe{suffix}") == ()
    source, shown = read_clip(pair[0]), read_clip(tmp_path / f"wipe{suffix}")
    assert [track.contents for track in shown.audio] == [track.contents for track in source.audio]
    assert shown.audio[1].metadata["language"] == "ger"
    for ours, theirs in zip(shown.audio, source.audio, strict=True):
        assert float(ours.starts[0]) == pytest.approx(float(theirs.starts[0]), abs=0.002)


def test_sound_that_the_container_can_t_hold_is_encoded(make_clip, sound, read_clip, tmp_path):
    clip = make_clip("a.mkv", sounds=(sound("pcm_u8"), sound()))
    (line,) = compare(clip, twin(clip), tmp_path / "wipe.mp4")
    assert line == ".mp4 does not support its audio (pcm_u8, aac): written as AAC"
    assert [track.codec for track in read_clip(tmp_path / "wipe.mp4").audio] == ["aac", "aac"]


@pytest.mark.parametrize(("first", "second"), [(".mp4", ".mkv"), (".mkv", ".mp4")])
def test_every_frame_at_its_time_with_its_partner(flat, luma, read_clip, tmp_path, first, second):
    # 24000/1001 frames a second and one that is late; Matroska rounds to milliseconds.
    times = [0, 1001, 2002, 4004, 5005, 6006, 7007, 8008, 10010, 11011]
    levels = list(range(40, 140, 10))
    facts = {"times": times, "time_base": Fraction(1, 24_000)}
    before = flat(f"before{first}", levels, **facts)
    after = flat(f"after{second}", [level + 60 for level in levels], **facts)
    compare(before, after, tmp_path / "both.mp4", layout="side")
    assert read_clip(tmp_path / "both.mp4").times == read_clip(before).times
    shown = luma(tmp_path / "both.mp4")
    assert shown[:, 48, 64].tolist() == pytest.approx(levels, abs=2)
    assert (shown[:, 48, 192] - 60).tolist() == pytest.approx(levels, abs=2)


@pytest.mark.parametrize(("first", "second"), [(6, 10), (10, 6)])
def test_as_long_as_the_first(flat, luma, tmp_path, first, second):
    before = flat("before.mp4", [30] * first)
    after = flat("after.mp4", list(range(100, 100 + 8 * second, 8)))
    compare(before, after, tmp_path / "wipe.mp4", line=0)
    expected = [100 + 8 * min(number, second - 1) for number in range(first)]
    assert luma(tmp_path / "wipe.mp4")[:, 48, 64].tolist() == pytest.approx(expected, abs=2)


def test_another_size_is_scaled(flat, luma, tmp_path):
    after = flat("after.mp4", [120] * 5, size=(64, 48))
    compare(flat("before.mp4", [40] * 5), after, tmp_path / "both.mp4", layout="side")
    shown = luma(tmp_path / "both.mp4")
    assert shown.shape == (5, 96, 256)
    assert np.abs(shown[:, :, 128:] - 120).max() < 3


@pytest.mark.parametrize(
    ("facts", "size"),
    [
        ({"display_matrix": QUARTER_TURN}, (96, 128)),
        ({"sample_aspect_ratio": Fraction(3, 2)}, (192, 96)),
        ({"size": (121, 81), "pixel_format": "yuv444p"}, (120, 80)),
    ],
)
def test_shown_upright_in_square_pixels(make_clip, read_clip, tmp_path, facts, size):
    clip = make_clip(**{"frames": 3, "size": SIZE} | facts)
    compare(clip, twin(clip), tmp_path / "wipe.mp4", line=0.5)
    shown = read_clip(tmp_path / "wipe.mp4")
    assert (shown.size, shown.display_matrix) == (size, None)
    assert shown.sample_aspect_ratio in (None, 1)
    assert shown.pixel_format == "yuv420p"


def test_upright_pictures_are_the_right_way_round(make_clip, luma, tmp_path):
    clip = make_clip(frames=1, size=SIZE, display_matrix=QUARTER_TURN)
    compare(clip, twin(clip), tmp_path / "wipe.mp4", line=0)
    shown, coded = luma(tmp_path / "wipe.mp4")[0], luma(clip)[0]
    assert near(shown, np.rot90(coded, -1))


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (6, 1, 6, 6), (1, 2, 1, 1)])
def test_tags_and_codes_are_the_first_clip_s(make_clip, read_clip, tmp_path, colour):
    clip = make_clip(frames=3, size=SIZE, colour=colour)
    compare(clip, twin(clip), tmp_path / "wipe.mp4", line=1)
    source, shown = read_clip(clip), read_clip(tmp_path / "wipe.mp4")
    assert shown.colour == (colour[0], 1, *colour[2:])
    limited = source.frames[0][0].astype(float)
    if colour[1] == 2:
        limited = 16 + limited * 219 / 255
    assert np.abs(shown.frames[0][0] - limited)[:, :-LINE].mean() < 2


def test_a_second_clip_of_another_matrix_is_converted(make_clip, read_clip, tmp_path):
    before = make_clip("a.mp4", frames=1, size=SIZE, colour=(1, 1, 1, 1))
    after = make_clip("b.mp4", frames=1, size=SIZE, colour=(6, 1, 6, 6))
    compare(before, after, tmp_path / "wipe.mp4", line=0)
    pixels = [
        clip.to_ndarray(format="rgb24", src_colorspace=matrix, dst_colorspace=matrix).astype(int)
        for clip, matrix in (
            (next(av.open(str(after)).decode(video=0)), "ITU601"),
            (next(av.open(str(tmp_path / "wipe.mp4")).decode(video=0)), "ITU709"),
        )
    ]
    assert np.abs(pixels[0] - pixels[1]).mean() < 4
    assert read_clip(tmp_path / "wipe.mp4").colour[0] == 1


def test_hdr_is_said(make_clip, tmp_path):
    clip = make_clip(
        frames=2, size=SIZE, codec="libx265", pixel_format="yuv420p10le", colour=(9, 1, 9, 18)
    )
    assert compare(clip, twin(clip), tmp_path / "a.mp4") == (
        "is HLG: written with its tags in 8 bit",
    )


def test_what_is_not_tagged_is_taken_as_players_do(make_clip, read_clip, tmp_path):
    clip = make_clip(frames=2, size=(1280, 32))
    compare(clip, twin(clip), tmp_path / "wipe.mp4", line=0)
    source, shown = read_clip(clip), read_clip(tmp_path / "wipe.mp4")
    assert shown.colour == (1, 1, 1, 1)
    for ours, theirs in zip(shown.frames[0], source.frames[0], strict=True):
        assert np.abs(ours.astype(int) - theirs).mean() < 2


@pytest.mark.parametrize("name", ["-i 100%d: it's é.mp4", "a:b.mp4"])
def test_names_that_ffmpeg_could_misread(make_clip, tmp_path, read_clip, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make_clip(name, frames=3)
    output = Path("c:%03d 'out' [1].mp4")
    compare(Path(name), twin(Path(name)), output)
    compare(Path(name), twin(Path(name)), tmp_path / "new" / output)
    assert len(read_clip(output).frames) == len(read_clip(tmp_path / "new" / output).frames) == 3


def test_an_old_output_is_replaced_only_when_asked(pair, tmp_path, read_clip):
    output = tmp_path / "wipe.mp4"
    output.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        compare(pair[0], pair[1], output)
    assert output.read_text() == "mine"
    compare(pair[0], pair[1], output, overwrite=True)
    assert len(read_clip(output).frames) == 12


def test_a_clip_against_itself_is_refused(pair, tmp_path):
    with pytest.raises(UsageError, match=r"before\.mp4: is compared with itself"):
        compare(pair[0], pair[0], tmp_path / "wipe.mp4")


def test_the_sources_are_never_overwritten(pair):
    for clip in pair:
        with pytest.raises(UsageError, match="same file"):
            compare(pair[0], pair[1], clip, overwrite=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layout": "wpie"}, "layout must be one of wipe, side, stack, not wpie"),
        ({"line": 1.5}, "the position must be between 0 and 1"),
        ({"line": float("nan")}, "the position must be between 0 and 1"),
        ({"line": 0.5, "layout": "side"}, "only a wipe has a position"),
    ],
)
def test_wrong_usage(pair, tmp_path, settings, words):
    with pytest.raises(UsageError, match=words):
        compare(pair[0], pair[1], tmp_path / "wipe.mp4", **settings)


def test_a_clip_that_is_cut_short_is_refused(pair, tmp_path, listing):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(pair[1].read_bytes()[:-400])
    before = listing(tmp_path)
    with pytest.raises(MediaError, match=r"cut\.mp4"):
        compare(pair[0], cut, tmp_path / "wipe.mp4")
    assert listing(tmp_path) == before


def test_nothing_is_left_when_ffmpeg_fails(pair, tmp_path, listing, monkeypatch):
    before = listing(tmp_path)
    monkeypatch.setattr(
        module, "_written", lambda *_: module.ffmpeg.output(module.ffmpeg.input("no"), "x.mp4")
    )
    with pytest.raises(OutputError, match=r"wipe\.mp4: FFmpeg fails: it refuses the frames"):
        compare(pair[0], pair[1], tmp_path / "wipe.mp4")
    assert listing(tmp_path) == before


def test_nothing_is_left_when_interrupted(pair, tmp_path, listing, monkeypatch):
    before = listing(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        module,
        "probe",
        lambda path, probe=module.probe: probe(path) if path in pair else interrupted(),
    )
    with pytest.raises(KeyboardInterrupt):
        compare(pair[0], pair[1], tmp_path / "wipe.mp4")
    assert listing(tmp_path) == before


def test_a_folder_that_can_t_be(pair, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"wipe\.mp4: can't be written"):
        compare(pair[0], pair[1], tmp_path / "file" / "wipe.mp4")


def test_webm_has_vp9_and_opus(make_clip, sound, tmp_path):
    before, after = make_clip("a.mp4", sounds=(sound("aac"),)), make_clip("b.mp4")
    (warning,) = compare(before, after, tmp_path / "o.webm")
    assert warning.endswith("(aac): written as Opus")
    with av.open(str(tmp_path / "o.webm")) as container:
        names = [stream.codec_context.codec.canonical_name for stream in container.streams]
    assert names == ["vp9", "opus"]
