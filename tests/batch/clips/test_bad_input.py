"""Bad input: one clear line, the right exit status, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.cli import main


@dataclass(frozen=True)
class Outcome:
    """Result of a command."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of complaint."""
        said = self.err.replace("\r", "\n").splitlines()
        complaints = [line for line in said if line.startswith("brushreel: ")]
        assert len(complaints) == 1, self.err
        assert "Traceback" not in self.err
        return complaints[0]


@pytest.fixture
def command(capsys) -> Callable[..., Outcome]:
    """Runs the command in this process."""

    def run(*arguments: str | Path) -> Outcome:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            status = ended.code
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def stylize(command, style_file, tmp_path) -> Callable[..., Outcome]:
    """``brushreel stylize INPUT -s STYLE -o out`` on the CPU, with more options."""

    def run(*arguments: str | Path, style: str | Path = style_file, out: str | Path = "out"):
        common = ["-s", style, "-o", tmp_path / out, "--device", "cpu", "--precision", "fp32"]
        return command("stylize", *arguments, *common)

    return run


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


# Clips that are none, or not whole


def text(path: Path) -> Path:
    path.write_text("This is a shopping list.\n" * 50)
    return path


def zero_bytes(path: Path) -> Path:
    path.touch()
    return path


def noise(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def sound_alone(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="stereo")
        for number in range(10):
            samples = np.zeros((2, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
            frame.sample_rate, frame.pts = 48_000, 1024 * number
            frame.time_base = Fraction(1, 48_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


NO_CLIPS = {
    "missing": (lambda path: path, "no such file"),
    "text": (text, "can't be opened as a clip"),
    "empty": (zero_bytes, "is empty (0 bytes)"),
    "noise": (noise, "can't be opened as a clip"),
    "sound alone": (sound_alone, "has no video stream"),
}


@pytest.mark.parametrize(("make", "why"), NO_CLIPS.values(), ids=NO_CLIPS)
def test_what_is_no_clip(stylize, tmp_path, listing, make, why):
    path = make(tmp_path / "a.mp4")
    outcome = stylize(path)
    assert outcome.status == 1
    assert str(path) in outcome.line
    assert why in outcome.line
    assert outcome.out == ""
    assert listing(tmp_path / "out") == []


@pytest.mark.parametrize("faststart", [False, True], ids=["index at the end", "index in front"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_mp4_cut_short(stylize, make_clip, sound, tmp_path, listing, faststart, share):
    path = make_clip(
        "cut.mp4",
        frames=20,
        sounds=(sound(),),
        muxer_options={"movflags": "faststart"} if faststart else {},
    )
    outcome = stylize(cut(path, share))
    assert outcome.status == 1
    assert str(path) in outcome.line
    assert listing(tmp_path / "out") == []


def test_mp4_that_lacks_its_last_byte(stylize, make_clip, tmp_path, listing):
    path = make_clip("cut.mp4", muxer_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-1])
    outcome = stylize(path)
    assert outcome.status == 1
    assert f"{path}: is truncated" in outcome.line
    assert listing(tmp_path / "out") == []


def test_mkv_cut_short(stylize, make_clip, sound, tmp_path, listing):
    path = cut(make_clip("cut.mkv", frames=75, sounds=(sound(seconds=3),)), 0.5)
    outcome = stylize(path)
    assert outcome.status == 1
    assert str(path) in outcome.line
    assert listing(tmp_path / "out") == []


def test_a_size_that_changes_on_the_way(stylize, make_clip, tmp_path, listing):
    parts = [make_clip("a.ts", frames=5), make_clip("b.ts", frames=5, size=(64, 48))]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    outcome = stylize(path)
    assert outcome.status == 1
    assert str(path) in outcome.line
    assert listing(tmp_path / "out") == []


@pytest.mark.parametrize("names", [(), ("notes.txt",)])
def test_a_folder_without_clips(stylize, tmp_path, names):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    outcome = stylize(folder)
    assert outcome.status == 2
    assert f"{folder}: no clips" in outcome.line
    assert not (tmp_path / "out").exists()


def test_the_other_clips_go_on(stylize, make_clip, tmp_path, listing):
    clips = tmp_path / "in"
    make_clip("in/b.mp4", frames=3)
    make_clip("in/z.mkv", frames=3)
    text(clips / "a.mp4")
    cut(make_clip("in/c.mp4"), 0.5)
    sound_alone(clips / "d.mp4")
    outcome = stylize(clips)
    assert outcome.status == 1
    said = outcome.err.replace("\r", "\n").splitlines()
    complaints = [line for line in said if line.startswith("brushreel: ")]
    for line, name in zip(complaints, ("a.mp4", "c.mp4", "d.mp4"), strict=True):
        assert str(clips / name) in line
    assert said[-1].startswith("2 done, 3 failed, ")
    assert listing(tmp_path / "out") == ["b.mp4", "z.mkv"]


# Styles


def test_an_unknown_style_suggests_the_nearest(stylize, make_clip, tmp_path):
    outcome = stylize(make_clip(), style="wvae")
    assert outcome.status == 1
    assert "'wvae'" in outcome.line
    assert "did you mean wave?" in outcome.line
    assert not (tmp_path / "out").exists()


def test_a_style_file_that_is_missing(stylize, make_clip, tmp_path):
    outcome = stylize(make_clip(), style=tmp_path / "none.safetensors")
    assert outcome.status == 1
    assert str(tmp_path / "none.safetensors") in outcome.line


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_style(stylize, make_clip, style_file, tmp_path, damage):
    if damage == "cut":
        cut(style_file, 0.6)
    else:
        style_file.write_text("" if damage == "empty" else "not a style, really")
    outcome = stylize(make_clip())
    assert outcome.status == 1
    assert str(style_file) in outcome.line
    assert not (tmp_path / "out").exists()


# Outputs


@pytest.mark.parametrize("out", ["file/sub", "file/sub/o.mp4"])
def test_an_output_folder_that_cannot_be(stylize, make_clip, tmp_path, out):
    (tmp_path / "file").write_text("in the way")
    outcome = stylize(make_clip(), out=out)
    assert outcome.status == 1
    assert str(tmp_path / "file" / "sub") in outcome.line
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_output_folder_that_cannot_be_written(stylize, make_clip, tmp_path, listing):
    folder = tmp_path / "out"
    folder.mkdir(mode=0o555)
    try:
        (folder / "probe").touch()
    except OSError:
        pass
    else:
        pytest.skip("this user may write everywhere")
    outcome = stylize(make_clip())
    assert outcome.status == 1
    assert str(folder) in outcome.line
    assert listing(folder) == []


def test_an_output_folder_that_is_a_file(stylize, make_clip, tmp_path):
    (tmp_path / "out").write_text("in the way")
    outcome = stylize(make_clip())
    assert outcome.status == 1
    assert str(tmp_path / "out") in outcome.line
    assert (tmp_path / "out").read_text() == "in the way"


def test_the_input_as_output(stylize, make_clip, fingerprint, tmp_path, listing):
    path = make_clip("in/a.mp4")
    before = fingerprint(path)
    for out in ("in/a.mp4", "in"):
        outcome = stylize(path, "--overwrite", out=out)
        assert outcome.status == 2
        assert str(path) in outcome.line
        assert "same file" in outcome.line
    assert fingerprint(path) == before
    assert listing(tmp_path / "in") == ["a.mp4"]


def test_an_output_that_exists(stylize, make_clip, tmp_path, listing):
    output = tmp_path / "out" / "clip.mp4"
    output.parent.mkdir()
    output.write_text("precious")
    outcome = stylize(make_clip())
    assert outcome.status == 1
    assert str(output) in outcome.line
    assert "--overwrite" in outcome.line
    assert output.read_text() == "precious"
    assert listing(output.parent) == ["clip.mp4"]
    assert stylize(tmp_path / "clip.mp4", "--overwrite").status == 0
    assert output.read_bytes() != b"precious"


def test_an_output_of_an_unknown_kind(stylize, make_clip, tmp_path):
    outcome = stylize(make_clip(), out="o.avi")
    assert outcome.status == 2
    assert str(tmp_path / "o.avi") in outcome.line
    assert ".mp4, .mov, .mkv" in outcome.line
    assert not (tmp_path / "o.avi").exists()


def test_a_container_that_cannot_hold_the_codec(stylize, make_clip, tmp_path, listing):
    path = make_clip()
    outcome = stylize(path, "--codec", "prores", "--container", "mp4")
    assert outcome.status in (1, 2)
    assert "prores" in outcome.line
    assert "mp4" in outcome.line
    assert "--container mov" in outcome.line
    assert listing(tmp_path / "out") == []
    # And the advice is right.
    assert stylize(path, "--codec", "prores", "--container", "mov").status == 0


def test_sound_that_the_container_cannot_hold(stylize, make_clip, sound, tmp_path, listing):
    path = make_clip("a.avi", sounds=(sound("pcm_u8"),))
    outcome = stylize(path)
    assert outcome.status == 1
    assert "pcm_u8" in outcome.line
    assert listing(tmp_path / "out") == []
    # And the advice is right.
    assert "--container mov" in outcome.line
    for container in ("mov", "mkv"):
        assert stylize(path, "--container", container).status == 0


# Options


@pytest.mark.parametrize("strength", ["-0.1", "1.01", "nan", "inf"])
def test_a_strength_out_of_range(stylize, make_clip, strength, tmp_path):
    outcome = stylize(make_clip(), f"--strength={strength}")
    assert outcome.status == 2
    assert "between 0 and 1" in outcome.line
    assert strength in outcome.line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--crf", "52"), "52"),
        (("--crf=-1",), "-1"),
        (("--codec", "prores", "--crf", "17"), "prores does not support a CRF"),
        (("--codec", "ffv1", "--crf", "17"), "ffv1 does not support a CRF"),
    ],
)
def test_a_crf_that_makes_no_sense(stylize, make_clip, arguments, why, tmp_path):
    outcome = stylize(make_clip(), *arguments)
    assert outcome.status == 2
    assert why in outcome.line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", ["cuda:99", "toaster", "cuda:-1"])
def test_a_device_that_is_not_there(command, make_clip, style_file, device):
    outcome = command("stylize", make_clip(), "-s", style_file, "--device", device)
    assert outcome.status == 1
    assert repr(device) in outcome.line
    assert "doctor" in outcome.line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--codec", "vp8"), "vp8"),
        (("--container", "avi"), "avi"),
        (("--precision", "fp8"), "fp8"),
        (("--strength", "much"), "much"),
        (("--crf", "1.5"), "1.5"),
        (("--unheard-of",), "--unheard-of"),
    ],
)
def test_a_wrong_command_line_is_a_line(stylize, make_clip, arguments, word):
    outcome = stylize(make_clip(), *arguments)
    assert outcome.status == 2
    assert word in outcome.line
    assert outcome.line.endswith("--help shows the flags)")


def test_a_command_line_without_a_style_or_command(command, make_clip):
    assert "-s NAME" in command("stylize", make_clip()).err.splitlines()[-1]
    outcome = command("--jobs")
    assert outcome.status == 2
    assert "brushreel --help shows the commands" in outcome.err.splitlines()[-1]


def test_json_says_nothing_on_stdout_before_the_first_event(stylize, make_clip):
    outcome = stylize(make_clip(), "--json", style="no-such-style-at-all")
    assert (outcome.status, outcome.out) == (1, "")
    assert "no-such-style-at-all" in outcome.line
