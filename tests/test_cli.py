"""The command as a process: streams, signals, a full disk, a reader that goes away."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import jsonschema
import numpy as np
import pytest

from housestyle import __version__, cli
from housestyle.batch import command
from housestyle.batch.clips.handling import Decoder
from housestyle.batch.clips.verify import Level
from housestyle.batch.compare import Layout
from housestyle.batch.demo.clip import make_demo_clip
from housestyle.batch.encoding.codecs import CODECS
from housestyle.batch.encoding.encode import ENCODERS
from housestyle.batch.plan import CONTAINERS
from housestyle.cli import main
from housestyle.core import machine
from housestyle.core.export import Pixels
from housestyle.core.frames.fields import Interlaced
from housestyle.core.runtimes.runtime import RuntimeName
from housestyle.core.stylizer import Precision
from housestyle.training.recipe import RECIPES

SCHEMA = Path(__file__).parents[1] / "docs" / "events.schema.json"
COMMAND = [sys.executable, "-m", "housestyle"]
PATIENCE = 180
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")


@pytest.fixture
def clip(tmp_path) -> Path:
    """Half a second with sound."""
    folder = tmp_path / "in"
    folder.mkdir()
    return make_demo_clip(folder / "a.mp4", seconds=0.5, width=96, height=64)


@pytest.fixture
def long_clip(tmp_path) -> Path:
    """Takes some seconds to stylize."""
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(600):
            picture = np.full((360, 320), number % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def options(style_file, tmp_path) -> list[str]:
    """Of every ``housestyle stylize`` here."""
    device = ["--device", "cpu", "--precision", "fp32"]
    return ["-s", str(style_file), "-o", str(tmp_path / "out"), *device]


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def validated(lines: str) -> list[dict]:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    events = [json.loads(line) for line in lines.splitlines()]
    for event in events:
        validator.validate(event)
    return events


def run_command(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
        check=False,
        **options,
    )


def test_version_and_help_do_not_wait_for_torch():
    code = (
        "import sys, housestyle.cli as cli\n"
        "for flag in ('--version', '--help'):\n"
        "    try: cli.main([flag])\n"
        "    except SystemExit as ended: assert ended.code == 0\n"
        "slow = {'torch', 'av', 'numpy', 'moviepy', 'PIL', 'ffmpeg'} & sys.modules.keys()\n"
        "assert not slow, slow\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[0] == f"housestyle {__version__}"


def test_the_module_is_the_command():
    ended = run_command("--version")
    assert (ended.returncode, ended.stdout) == (0, f"housestyle {__version__}\n")


def test_events_and_nothing_else_on_stdout(clip, options, tmp_path):
    second = clip.with_name("b.mp4")
    second.write_text("no clip")
    ended = run_command("stylize", clip.parent, *options, "--json")
    assert ended.returncode == 1
    events = validated(ended.stdout)
    assert [event["event"] for event in events] == [
        "batch_started",
        *("clip_started", *["clip_progress"] * 12, "clip_done"),
        "clip_failed",
        "batch_finished",
    ]
    assert "Traceback" not in ended.stderr
    assert everything_in(tmp_path / "out") == ["a.mp4"]


def test_any_name_in_a_plain_locale(clip, options, tmp_path):
    odd = clip.rename(clip.with_name("中文 it's 50%: ü.mp4"))
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = run_command("stylize", odd, *options, env=plain)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert "12 frames" in ended.stderr
    assert everything_in(tmp_path / "out") == [odd.name]


def test_debug_shows_where_an_error_came_from(tmp_path, options):
    ended = run_command("stylize", tmp_path / "none.mp4", *options, "--debug")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert f"housestyle: {tmp_path / 'none.mp4'}: no such file" in ended.stderr


def default_signals() -> None:
    # A test run in the background hands down that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@posix
@pytest.mark.parametrize(("kind", "number"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupting_leaves_nothing(long_clip, options, tmp_path, kind, number, jobs):
    clips = [shutil.copy(long_clip, tmp_path / f"{index}.mp4") for index in range(number)]
    with subprocess.Popen(
        [*COMMAND, "stylize", *map(str, clips), *options, "--json", "--jobs", str(jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,  # noqa: PLW1509  no threads are under way
    ) as process:
        assert process.stdout is not None
        seen = ""
        while seen.count("clip_started") < min(number, jobs) or "clip_progress" not in seen:
            seen += process.stdout.readline()
        process.send_signal(kind)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in err
    events = validated(seen + out)
    assert events[-1]["event"] == "batch_interrupted"
    assert sorted(events[-1]["unfinished"]) == [str(source) for source in clips[:jobs]]
    assert {event["input"] for event in events if "input" in event} <= set(map(str, clips[:jobs]))
    assert everything_in(tmp_path / "out") == []


@posix
def test_a_reader_that_goes_away(long_clip, options, tmp_path):
    with subprocess.Popen(
        [*COMMAND, "stylize", str(long_clip), *options, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(PATIENCE) == 1
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert everything_in(tmp_path / "out") == []


DISK_FULL = """
import json, resource, sys
from housestyle.cli import main
from housestyle.core.stylizer import Precision
from housestyle.training.recipe import RECIPES
for limit in json.loads(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    print("limit", limit, main(sys.argv[2:]), flush=True)
    print("limit", limit, file=sys.stderr, flush=True)
"""


@posix
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_full_disk(clip, options, tmp_path, suffix):
    output = tmp_path / "out" / f"a.{suffix}"
    arguments = ["stylize", str(clip), *options, "--container", suffix]
    assert main(arguments) == 0
    size = output.stat().st_size
    output.write_bytes(b"precious")
    limits = [0, 1000, size // 2, size - 2000, size - 1]
    ended = subprocess.run(
        [sys.executable, "-c", DISK_FULL, json.dumps(limits), *arguments, "--overwrite"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.stdout.splitlines() == [f"limit {limit} 1" for limit in limits]
    assert "Traceback" not in ended.stderr
    lines = ended.stderr.replace("\r", "\n").splitlines()
    complaints = [line for line in lines if line.startswith("housestyle: ")]
    assert len(complaints) == len(limits)
    assert all(str(output) in line and "too large" in line for line in complaints)
    assert output.read_bytes() == b"precious"
    assert main([*arguments, "--overwrite"]) == 0
    assert output.stat().st_size == size
    assert everything_in(output.parent) == [output.name]


@pytest.fixture
def printed(capsys) -> Callable[..., tuple[int, list[dict], str]]:
    """Runs a command that prints JSON lines, in this process."""

    def run(*arguments: str) -> tuple[int, list[dict], str]:
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, [json.loads(line) for line in out.splitlines()], err

    return run


def test_styles_as_json(printed, tiny_style, home):
    tiny_style.save(home / "data" / "housestyle" / "styles" / "own.safetensors")
    status, styles, err = printed("styles", "--json")
    assert (status, err) == (0, "")
    by_name = {style["name"]: style for style in styles}
    assert {"own", "wave"} <= by_name.keys()
    own = by_name["own"]
    assert own["title"] == tiny_style.title
    assert own["painting"]["artist"] == "A. Painter"
    assert own["digest"] == tiny_style.digest
    assert own["figures"] == {}
    assert Path(own["path"]).is_file()


def test_a_damaged_style_does_not_hide_the_others(printed, home):
    folder = home / "data" / "housestyle" / "styles"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_text("oh")
    status, styles, err = printed("styles", "--json")
    assert status == 1
    assert "wave" in {style["name"] for style in styles}
    assert str(folder / "broken.safetensors") in err
    assert len(err.splitlines()) == 1


def test_styles_for_people(capsys):
    assert main(["styles"]) == 0
    assert any(line.startswith("wave ") for line in capsys.readouterr().out.splitlines())


def test_doctor_as_json(printed, home):
    status, findings, err = printed("doctor", "--json")
    assert (status, err) == (0, "")
    subjects = {finding["subject"]: finding["status"] for finding in findings}
    for wanted in ("python", "torch", "ffmpeg", "cpu", *CODECS):
        assert subjects[wanted] == "ok"
    assert {"nvenc", "qsv", "videotoolbox", "amf", "vaapi"} <= subjects.keys()
    assert {"ok", "missing"} >= set(subjects.values())
    folder = home / "data" / "housestyle" / "styles"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_text("oh")
    status, findings, _ = printed("doctor", "--json")
    broken = [finding for finding in findings if finding["status"] == "broken"]
    assert status == 1
    assert [finding["subject"] for finding in broken] == ["style broken"]
    assert str(folder / "broken.safetensors") in broken[0]["fix"]


def test_doctor_for_people(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.split()[0] in ("ok", "missing") for line in lines)


@pytest.mark.slow
def test_doctor_times_the_runtimes(monkeypatch, capsys):
    monkeypatch.setattr(machine, "_SIZES_TIMED", (15,))
    assert main(["doctor", "--bench"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "240x136" in line)
    assert re.search(r"torch \d+\.\d ms", line)


def test_export_writes_what_others_can_run(style_file, tmp_path, capsys):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    output = tmp_path / "tiny.onnx"
    words = ["export", str(style_file), "-o", str(output), "--pixels", "rgb8"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert onnx.load(output).graph.input[0].name == "frames"
    before = output.read_bytes()
    assert main(words) == 1
    assert "exists already (--overwrite replaces it)" in capsys.readouterr().err
    assert output.read_bytes() == before
    assert main([*words[:3], str(tmp_path / "tiny.pt")]) == 2
    assert "can't write a .pt" in capsys.readouterr().err


def test_demo_ends_with_a_stylized_clip_with_sound(style_file, tmp_path):
    ended = run_command("demo", "-s", style_file, "-o", tmp_path / "demo")
    assert ended.returncode == 0, ended.stderr
    path = Path(ended.stdout.splitlines()[-1])
    assert path.is_absolute()
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(1 for _ in container.decode(audio=0)) > 100
    assert everything_in(tmp_path / "demo") == ["seascape.mp4", "seascape.tiny.mp4"]


MEMORY = """
import resource, sys
from housestyle import stylize_clip
stylize_clip(*sys.argv[1:], device="cpu", precision="fp32")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(source: Path, style: Path) -> int:
    output = source.with_name(f"{source.stem}.out.mp4")
    ended = subprocess.run(
        [sys.executable, "-c", MEMORY, str(source), str(output), str(style)],
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE,
        check=True,
    )
    return int(ended.stdout)


@posix
@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(style_file, tmp_path):
    size = {"width": 320, "height": 180}
    short = make_demo_clip(tmp_path / "short.mp4", seconds=5, **size)
    long = make_demo_clip(tmp_path / "long.mp4", seconds=30, **size)
    assert peak_memory(long, style_file) < 1.1 * peak_memory(short, style_file)


def test_the_choices_are_those_of_the_tables():
    """The command keeps its own copies so that `--help` need not import torch."""
    assert ("auto", *CODECS) == command.CODECS
    assert CONTAINERS == command.CONTAINERS
    assert ENCODERS == command.ENCODERS
    assert get_args(Precision) == command.PRECISIONS
    assert get_args(RuntimeName) == command.RUNTIMES
    assert get_args(Decoder) == command.DECODERS
    assert get_args(Pixels) == cli.PIXELS
    assert get_args(Interlaced) == command.INTERLACED
    assert get_args(Level) == command.VERIFY
    assert get_args(Layout) == command.LAYOUTS
    assert tuple(RECIPES) == cli.RECIPES


def test_a_dry_run_writes_nothing_and_says_what_would_fail(clip, options, tmp_path, capsys):
    clip.with_name("b.mp4").write_text("no clip")
    there = everything_in(tmp_path)
    assert main(["stylize", str(clip.parent), *options, "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert f"{clip} -> {tmp_path / 'out' / 'a.mp4'}" in out.splitlines()
    assert "about 12 frames of 96x64" in out
    assert "1 to do, 1 would fail" in out
    assert "would fail" not in err
    assert everything_in(tmp_path) == there


def test_a_dry_run_as_events(clip, options, capsys):
    assert main(["stylize", str(clip), *options, "--dry-run", "--json"]) == 0
    planned, finished = validated(capsys.readouterr().out)
    assert (planned["event"], planned["input"], planned["frames"]) == (
        "clip_planned",
        str(clip),
        12,
    )
    assert (finished["event"], finished["clips"], finished["frames"]) == ("plan_finished", 1, 12)
    assert finished["disks"][0]["free"] > finished["disks"][0]["needed"] > 0


def test_a_configuration_file_a_report_and_a_log(clip, style_file, tmp_path, capsys):
    config, report, log = (tmp_path / name for name in ("house.toml", "report.json", "log"))
    config.write_text(
        f"style = {str(style_file)!r}\noutput = {str(tmp_path / 'out')!r}\n"
        f"report = {str(report)!r}\nlog = {str(log)!r}\n"
        'device = "cpu"\ndelivery = "prores-master"\n'
    )
    assert main(["stylize", str(clip), "--config", str(config)]) == 0
    with av.open(str(tmp_path / "out" / "a.mov")) as container:
        assert container.streams.video[0].codec_context.name == "prores"
    written = json.loads(report.read_text(encoding="utf-8"))
    assert written["settings"]["delivery"] == "prores-master"
    assert [entry["status"] for entry in written["clips"]] == ["done"]
    assert "a.mov: done" in log.read_text(encoding="utf-8")
    capsys.readouterr()


def test_a_watched_folder_does_what_is_there_once(clip, style_file, tmp_path, capsys):
    flags = ["-s", str(style_file), "--device", "cpu", "--once", "--settle", "0", "--json"]
    out = tmp_path / "out"
    assert main(["watch", str(clip.parent), str(out), *flags]) == 0
    events = validated(capsys.readouterr().out)
    assert [event["event"] for event in events if event["event"] != "clip_progress"] == [
        *("batch_started", "clip_started", "clip_done", "batch_finished")
    ]
    assert main(["watch", str(clip.parent), str(out), *flags]) == 0
    assert capsys.readouterr().out == ""
    assert [path.name for path in out.glob("[!.]*")] == ["a.mp4"]


def test_looks_print_the_name_of_what_they_wrote(clip, style_file, tmp_path, capsys):
    sheet, wipe, after = (tmp_path / name for name in ("sheet.png", "wipe.mp4", "after.mp4"))
    shutil.copy(clip, after)
    flags = ["--styles", str(style_file), "--device", "cpu"]
    assert main(["preview", str(clip), "-o", str(sheet), *flags]) == 0
    assert main(["compare", str(clip), str(after), "-o", str(wipe), "--line", "0.5"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(sheet), str(wipe)]
    assert sheet.stat().st_size > 0
    assert wipe.stat().st_size > 0


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "no style is named"),
        (["-s", "wave", "--jobs", "0"], "--jobs 0"),
        (["-s", "wave", "--device", "cuda:0,cuda:1", "--jobs", "1"], "--jobs 1"),
        (["-s", "wave", "--device", "cpu,"], "no device's name in"),
        (["-s", "wave", "--overwrite", "--skip-existing"], "not both"),
        (["-s", "wave", "--bitrate", "fast"], "fast is no bitrate"),
        (["-s", "wave", "--segment", "0"], "a segment must last more"),
        (["-s", "wave", "--profile", "hq"], "a profile needs a codec"),
    ],
)
def test_flags_that_make_no_sense_are_wrong_usage(clip, capsys, flags, complaint):
    assert main(["stylize", str(clip), *flags]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_devices_are_dealt_in_turn():
    assert command._devices("cuda:0, cuda:1", None) == ["cuda:0", "cuda:1"]
    assert command._devices("cuda:0,cuda:1", 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert command._devices("auto", None) == ["auto"]


def test_what_nobody_foresaw_is_one_line(monkeypatch, capsys):
    def gone() -> None:
        raise RuntimeError("the driver\nis gone")

    monkeypatch.setattr("housestyle.core.style.style_paths", gone)
    assert main(["styles"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("housestyle: unexpected RuntimeError: the driver is gone (")
    assert error.count("\n") == 1


def test_the_handler_of_sigterm_is_the_caller_s_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    main(["styles"])
    assert signal.getsignal(signal.SIGTERM) is before
