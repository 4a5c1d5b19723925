"""Mistakes of a new user: each ends in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brushreel.cli import main


@pytest.fixture
def complaint(capsys) -> Callable[..., tuple[int, str]]:
    """Runs a command that fails before it starts; returns its exit status and what it said."""

    def run(*words: str) -> tuple[int, str]:
        try:
            status = main(list(words))
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            status = ended.code
        return status, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "-o", "{}/out.mp4"],
        ["watch", "{}", "{}/out.mp4", "-s", "wave"],
        ["evaluate", "wave", "--clips", "{}", "-o", "{}/out.json"],
        ["timeline", "cut.xml", "-o", "styled.xml", "--media", "{}/out.mov"],
    ],
)
def test_a_folder_that_is_named_like_a_file(complaint, tmp_path, words):
    status, said = complaint(*(word.format(tmp_path) for word in words))
    assert status == 2
    assert f"names a file; name a folder, such as {tmp_path / 'out'} (" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("stylise a.mp4", "argument COMMAND: there is no stylise; did you mean stylize?"),
        ("stylize a.mp4 -s wave --codec h265", "there is no h265; did you mean hevc?"),
        ("stylize a.mp4 -s wave --codec x264", "there is no x264; did you mean h264?"),
        ("stylize a.mp4 -s wave --container matroska", "did you mean mkv?"),
        ("stylize a.mp4 -s wave --verify quick", "there is no quick; choose from standard, full"),
        ("stylize a.mp4 -s wave --fps 25", "unknown: --fps; did you mean --sequence-fps?"),
        ("stylize a.mp4 -s wave --stength=1", "unknown: --stength; did you mean --strength?"),
        ("stylize a.mp4 -s wave --zzz", "unknown: --zzz"),
        ("stylize a.mp4 -s wave --at 1", "unknown: --at"),
        ("stylize a.mp4 -s", "argument -s/--style: expected one argument"),
        ("stylize", "the following arguments are required: INPUT"),
        ("preview a.mp4 -o a.png --at 00:00:01:00", "00:00:01:00 is timecode; write seconds or"),
        ("preview a.mp4 -o a.png --at soon", "'soon' is not a valid time"),
        ("train p.png --clips in --name x --recipe zzz", "choose from house, calm, paper"),
    ],
)
def test_a_wrong_command_line_is_one_line(complaint, words, said):
    status, line = complaint(*words.split())
    assert status == 2
    command = "" if words.startswith("stylise") else f" {words.split()[0]}"
    shown = "flags" if command else "commands"
    assert line.startswith("brushreel: ")
    assert said in line
    assert line.endswith(f" (brushreel{command} --help shows the {shown})\n")
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        "stylize https://example.com/a.mp4 -s wave",
        "stylize a.mp4 -s wave -o s3://bucket/a.mp4",
        "watch in rtsp://camera -s wave",
        "preview file:///tmp/a.mp4 -o a.png",
        "compare a.mp4 http://example.com/b.mp4 -o c.mp4",
        "demo -o s3://bucket",
        "train https://example.com/p.jpg --clips in --name x",
        "evaluate wave --clips smb://server/in",
        "timeline https://example.com/cut.xml -o styled.xml",
        "export wave -o s3://bucket/wave.onnx",
    ],
)
def test_a_url_is_no_file(complaint, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, line = complaint(*words.split())
    assert status == 2
    assert "is a URL; name a file or folder of this machine" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--jobs 0", "--jobs 0 converts nothing (1 or more clips at a time)"),
        ("--sequence-fps 25", "--sequence-fps is for image sequences, and there is none (a clip"),
    ],
)
def test_flags_that_would_do_nothing(complaint, clip, flags, said):
    status, line = complaint("stylize", str(clip), "-s", "wave", *flags.split())
    assert status == 2
    assert said in line


def test_a_choice_in_a_file_that_is_none(complaint, clip, tmp_path):
    (tmp_path / "a.toml").write_text('codec = "h265"\n')
    status, line = complaint("stylize", str(clip), "--config", str(tmp_path / "a.toml"))
    assert status == 2
    assert "codec must be one of" in line
    assert "did you mean hevc?" in line


def test_a_time_of_a_sheet_as_people_write_it(complaint, clip, tmp_path):
    sheet = str(tmp_path / "sheet.png")
    status, line = complaint("preview", str(clip), "-o", sheet, "--at", "1:00", "--styles", "wave")
    assert status == 2
    assert "lasts 0.5 s and has no frame at 60 s" in line
