"""Jobs of render farms: the bundle that is written, and what a farm's own tools say and do."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from brushreel.batch.clips.settings import JobSettings
from brushreel.batch.farm.bundle import Arithmetic
from brushreel.cli import main

ROOT = Path(__file__).parents[3]
PLAIN = ["--device", "cpu", "--precision", "fp32", "--runtime", "torch", "--segment", "0.2"]
needs_openjd = pytest.mark.skipif(find_spec("openjd") is None, reason="needs openjd-cli")


@pytest.fixture
def rushes(make_clip) -> Path:
    make_clip("rushes/a.mp4", frames=12)
    return make_clip("rushes/day 2/b.mov", frames=3).parents[1]


@pytest.fixture
def bundle(rushes, style_file, tmp_path) -> Path:
    command = ["farm-job", str(rushes), "-s", str(style_file), "-o", str(tmp_path / "out")]
    command += ["--bundle", str(tmp_path / "job"), "--recursive", "--crf", "30", *PLAIN]
    assert main(command) == 0
    return tmp_path / "job"


def openjd(*arguments: str | Path, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openjd", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_the_template(bundle, rushes, tmp_path):
    template = json.loads((bundle / "template.json").read_text())
    assert [step["name"] for step in template["steps"]] == [
        *("a.mp4: segments", "a.mp4: output", "b.mov: segments", "b.mov: output")
    ]
    first, last, short, _ = template["steps"]
    (numbers,) = first["parameterSpace"]["taskParameterDefinitions"]
    assert (numbers["type"], numbers["range"]) == ("CHUNK[INT]", "0-2")
    assert short["parameterSpace"]["taskParameterDefinitions"][0]["range"] == "0"
    assert last["dependencies"] == [{"dependsOn": "a.mp4: segments"}]
    arguments = last["script"]["actions"]["onRun"]["args"]
    assert arguments[:2] == ["stylize", "{{Param.Input}}/a.mp4"]
    assert arguments[arguments.index("--crf") + 1] == "30"
    assert "--recursive" not in arguments
    segments = first["script"]["actions"]["onRun"]["args"]
    assert segments == [*arguments, "--segments", "{{Task.Param.Segments}}"]
    defaults = {one["name"]: one.get("default") for one in template["parameterDefinitions"]}
    assert (defaults["Input"], defaults["Output"]) == (None, None)
    assert (bundle / defaults["Style"]).exists()
    folders = {"Input": str(rushes), "Output": str(tmp_path / "out")}
    assert json.loads((bundle / "folders.json").read_text()) == folders
    values = json.loads((bundle / "parameter_values.json").read_text())["parameterValues"]
    named = {one["name"]: one["value"] for one in values}
    assert named == {**folders, "deadline:maxRetriesPerTask": 3}


def test_a_bundle_is_not_written_over(bundle, rushes, style_file, tmp_path, capsys):
    command = ["farm-job", str(rushes), "-s", str(style_file), "-o", str(tmp_path / "out")]
    assert main([*command, "--bundle", str(bundle), "--recursive", *PLAIN]) == 1
    assert "is not empty (name a new folder)" in capsys.readouterr().err


def test_images_have_one_step(make_clip, style_file, tmp_path):
    from PIL import Image

    for number in range(2):
        Image.new("RGB", (48, 32)).save(tmp_path / f"s.{number:02}.png")
    command = ["farm-job", str(tmp_path / "s.%02d.png"), "-s", str(style_file)]
    job = tmp_path / "job"
    assert main([*command, "-o", str(tmp_path / "out"), "--bundle", str(job), *PLAIN]) == 0
    (step,) = json.loads((job / "template.json").read_text())["steps"]
    assert step["name"].endswith(": output")
    assert "dependencies" not in step


def test_braces_in_a_name_are_refused(make_clip, style_file, tmp_path, capsys):
    source = make_clip("{{a.mp4", frames=2)
    command = ["farm-job", str(source), "-s", str(style_file), "-o", str(tmp_path / "out")]
    assert main([*command, "--bundle", str(tmp_path / "job"), *PLAIN]) == 2
    assert "braces" in capsys.readouterr().err


def test_the_arithmetic_is_pinned(tiny_style):
    chosen = Arithmetic.of(JobSettings(tiny_style), "cpu")
    assert "auto" not in chosen.arguments()
    stated = JobSettings(tiny_style, precision="fp16", runtime="torch")
    assert Arithmetic.of(stated, "cuda") == Arithmetic("cuda", "fp16", "torch")


@needs_openjd
def test_openjd_accepts_it(bundle):
    checked = openjd("check", bundle / "template.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_openjd
@pytest.mark.slow
def test_openjd_runs_it(bundle, rushes, tmp_path, style_file, read_clip):
    tool = tmp_path / "brushreel"
    home = f"import sys; sys.path.insert(0, {str(tmp_path / 'path')!r})"
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "brushreel").symlink_to(ROOT)
    start = "from brushreel.cli import main; sys.exit(main())"
    tool.write_text(f"#!{sys.executable}\n{home}; {start}\n")
    tool.chmod(0o755)
    values = ["-p", f"file://{bundle / 'folders.json'}", "-p", f"Brushreel={tool}"]
    ran = openjd("run", bundle / "template.json", *values)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Chunks run: 6" in ran.stdout
    assert ran.stdout.count("kept ") == 4
    made = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*"))
    assert made == [Path("a.mp4"), Path("day 2/b.mov")]
    command = ["stylize", str(rushes), "-s", str(style_file), "-o", str(tmp_path / "one")]
    assert main([*command, "--recursive", "--crf", "30", *PLAIN]) == 0
    for name in made:
        ours, theirs = read_clip(tmp_path / "out" / name), read_clip(tmp_path / "one" / name)
        assert ours.times == theirs.times
        for one, other in zip(ours.frames, theirs.frames, strict=True):
            assert all((a == b).all() for a, b in zip(one, other, strict=True))
