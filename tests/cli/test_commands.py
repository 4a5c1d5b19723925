"""Output of each command: what it prints and leaves."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import av
import pytest
import torch

from brushreel.batch import command
from brushreel.batch.clips.mux import MUXERS
from brushreel.batch.encoding.codecs import CODECS
from brushreel.batch.encoding.hardware import HARDWARE
from brushreel.cli import _parser, main
from brushreel.core import machine
from brushreel.core import options as tables
from brushreel.core.errors import UsageError
from brushreel.core.export_modules import WRAPPERS
from brushreel.core.library import SHIPPED
from brushreel.core.runtimes.runtime import KINDS
from brushreel.training import trainer
from brushreel.training.command import _repeatable, training_settings
from brushreel.training.recipe import HOUSE, PRECISIONS, RECIPES

from .called import everything_in, run_command, validated


def test_what_a_folder_has_besides_clips_is_said(clip, options, capsys, tmp_path):
    folder = clip.parent
    (folder / "notes.txt").write_text("day one")
    (folder / "sub").mkdir()
    wanted = [
        f"passed over: 1, as each is a folder; --recursive searches it: {folder / 'sub'}",
        f"passed over: 1, as each is not a clip: {folder / 'notes.txt'}",
    ]
    command = ["stylize", str(folder), *options]
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == wanted
    assert main([*command, "--dry-run", "--json"]) == 0
    about, *_ = validated(capsys.readouterr().out)
    assert (about["event"], len(about["files"])) == ("files_passed_over", 2)
    assert main([*command, "--strength", "0", "--report", str(tmp_path / "r.json")]) == 0
    assert capsys.readouterr().err.splitlines()[:2] == wanted
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["passed_over"] == {
        str(folder / "notes.txt"): "is not a clip",
        str(folder / "sub"): "is a folder; --recursive searches it",
    }


def test_a_folder_without_clips_says_what_it_has(clip, options, capsys):
    clip.rename(clip.with_suffix(".txt"))
    assert main(["stylize", str(clip.parent), *options]) == 2
    assert "no clips here; 1 passed over, such as a.txt" in capsys.readouterr().err


def test_styles_as_json(printed, tiny_style, home):
    tiny_style.save(home / "data" / "brushreel" / "styles" / "own.safetensors")
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
    folder = home / "data" / "brushreel" / "styles"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_text("oh")
    status, styles, err = printed("styles", "--json")
    assert status == 0
    assert "wave" in {style["name"] for style in styles}
    assert str(folder / "broken.safetensors") in err
    assert len(err.splitlines()) == 1


def test_a_damaged_style_is_a_line_of_a_contact_sheet(clip, home, tmp_path):
    # In a process of its own: there warnings are printed, here they are errors.
    folder = home / "data" / "brushreel" / "styles"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_text("oh")
    ended = run_command("preview", clip, "-o", tmp_path / "sheet.png", "--device", "cpu")
    assert (ended.returncode, ended.stdout) == (0, f"{tmp_path / 'sheet.png'}\n")
    assert ended.stderr.startswith(
        f"brushreel: {folder / 'broken.safetensors'}: is a safetensors file"
    )
    assert ended.stderr.count("\n") == 1


def test_warnings_of_libraries_are_for_debugging(monkeypatch, capsys):
    def warn() -> dict[str, Path]:
        warnings.warn("use something else", UserWarning, stacklevel=1)
        return {}

    monkeypatch.setattr("brushreel.core.library.style_paths", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["styles"]) == 0
    assert capsys.readouterr().err == ""


@pytest.fixture
def own_wave(tiny_style, home) -> Path:
    """A style of the user's own under the name of one that ships."""
    path = home / "data" / "brushreel" / "styles" / "wave.safetensors"
    replace(tiny_style, name="wave").save(path)
    return path


def test_styles_name_what_hides_what(printed, own_wave, capsys):
    _, styles, _ = printed("styles", "--json")
    hides = {style["name"]: style["hides"] for style in styles}
    assert hides.pop("wave") == str(SHIPPED / "wave.safetensors")
    assert set(hides.values()) == {None}
    assert main(["styles"]) == 0
    hiding = [line for line in capsys.readouterr().out.splitlines() if "hides" in line]
    assert [line.split()[0] for line in hiding] == ["wave"]


def test_a_style_is_removed(own_wave, tiny_style, capsys):
    own = own_wave.with_name("mine.safetensors")
    tiny_style.save(own)
    for path, said in ((own, ""), (own_wave, "wave is the style that ships again\n")):
        assert main(["styles", "remove", path.stem]) == 0
        assert capsys.readouterr() == (f"{path}\n", said)
        assert not path.exists()
    for name, complaint in (
        ("wave", "ships with Brushreel and can't be removed"),
        ("mine", "your library has no style named 'mine' (brushreel styles lists them)"),
        ("../mine", "is not a valid style name"),
    ):
        assert main(["styles", "remove", name]) == 1
        assert complaint in capsys.readouterr().err
    assert (SHIPPED / "wave.safetensors").exists()


def test_training_does_not_hide_a_style_that_ships_unasked(tmp_path, capsys):
    words = ["train", "p.png", "--clips", str(tmp_path), "--name", "wave"]
    assert main(words) == 2
    assert "a style named wave ships, which yours would hide (choose" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 1  # the loss network is missing here
    assert "ships" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        ("train p.png --name a b", "brushreel train p.png --name 'a b' --recipe house"),
        ("train p.png --recipe calm", "brushreel train p.png --recipe calm"),
        ("train p.png --recipe=paper --resume", "brushreel train p.png --recipe=paper"),
    ],
)
def test_the_stored_command_starts_the_same_run_again(words, stored):
    given = words.replace("a b", "a\N{NO-BREAK SPACE}b").split(" ")
    given = [word.replace("\N{NO-BREAK SPACE}", " ") for word in given]
    assert _repeatable(given, "house") == stored


@pytest.mark.parametrize("saved", [True, False])
def test_interrupted_training_names_the_way_on(tmp_path, home, monkeypatch, capsys, saved):
    def stop(*_: object, folder: Path, **_others: object) -> None:
        if saved:
            folder.mkdir(parents=True)
            (folder / trainer.CHECKPOINT).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "train", stop)
    (tmp_path / "vgg.safetensors").touch()
    words = ["train", "p.png", "--clips", str(tmp_path), "--name", "mine"]
    assert main([*words, "--loss-weights", str(tmp_path / "vgg.safetensors")]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert ("the same command with --resume continues" in line) == saved


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
    folder = home / "data" / "brushreel" / "styles"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_text("oh")
    status, findings, _ = printed("doctor", "--json")
    broken = [finding for finding in findings if finding["status"] == "broken"]
    assert status == 1
    assert [finding["subject"] for finding in broken] == ["style broken"]
    assert str(folder / "broken.safetensors") in broken[0]["fix"]


def test_doctor_for_people(capsys):
    assert main(["doctor"]) == 0
    verdict, *lines = capsys.readouterr().out.splitlines()
    assert verdict == "all is well: everything that is needed works"
    kinds = [line.split()[0] for line in lines]
    assert kinds == sorted(kinds, key=("ok", "optional", "not").index)
    assert kinds.count("not") <= 1
    assert not any("missing" in line for line in lines)


def test_doctor_names_what_is_broken_first(capsys, home):
    folder = home / "data" / "brushreel" / "styles"
    folder.mkdir(parents=True)
    (folder / "torn.safetensors").write_text("oh")
    assert main(["doctor"]) == 1
    verdict, first, *_ = capsys.readouterr().out.splitlines()
    assert verdict == "broken: style torn"
    assert first.startswith("broken   style torn")
    assert first.endswith(f"-> remove {folder / 'torn.safetensors'}")


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
    assert "unsupported extension for a model" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--stroke-size", "0"), ("--detail", "nan")])
def test_export_refuses_bad_strokes_in_a_line(style_file, tmp_path, capsys, option):
    pytest.importorskip("onnx")
    output = tmp_path / "tiny.onnx"
    assert main(["export", str(style_file), "-o", str(output), *option]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert option[0].strip("-").replace("-", " ") in line
    assert option[1] in line
    assert not output.exists()


def test_demo_ends_with_a_stylized_clip_with_sound(style_file, tmp_path):
    ended = run_command("demo", "-s", style_file, "-o", tmp_path / "demo")
    assert ended.returncode == 0, ended.stderr
    path = Path(ended.stdout.splitlines()[-1])
    assert path.is_absolute()
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert sum(1 for _ in container.decode(audio=0)) > 100
    assert everything_in(tmp_path / "demo") == ["seascape.mp4", "seascape.tiny.mp4"]


def test_the_choices_are_those_of_the_tables():
    assert ("auto", *CODECS) == tables.CODECS
    assert set(tables.EDIT_CODECS) <= set(CODECS)
    assert {f".{name}" for name in tables.CONTAINERS} == set(MUXERS)
    kinds = {encoder.kind for rows in HARDWARE.values() for encoder in rows}
    assert {"software", "auto", *kinds} == set(tables.ENCODERS)
    assert {"auto", *KINDS} == set(tables.RUNTIMES)
    precisions = {name for kind in KINDS.values() for name in kind.precisions}
    assert {"auto", *precisions} == set(tables.PRECISIONS)
    devices = {name for kind in KINDS.values() for name in kind.devices}
    assert devices == set(tables.DEVICE_TYPES)
    assert set(WRAPPERS) == set(tables.PIXEL_LAYOUTS)
    assert {"auto", *PRECISIONS} == set(tables.TRAINING_PRECISIONS)
    assert tuple(RECIPES) == tables.TRAINING_RECIPES


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


def test_a_watched_folder_needs_its_device_before_the_first_clip(style_file, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    words = ["watch", str(tmp_path / "in"), str(tmp_path / "out"), "--once", "--settle", "0"]
    assert main([*words, "-s", str(style_file), "--device", "cuda:99"]) != 0
    assert "cuda:99" in capsys.readouterr().err


def test_looks_print_the_name_of_what_they_wrote(clip, style_file, tmp_path, capsys):
    sheet, wipe, after = (tmp_path / name for name in ("sheet.png", "wipe.mp4", "after.mp4"))
    shutil.copy(clip, after)
    flags = ["--styles", str(style_file), "--device", "cpu"]
    assert main(["preview", str(clip), "-o", str(sheet), *flags]) == 0
    assert main(["compare", str(clip), str(after), "-o", str(wipe), "--position", "0.5"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(sheet), str(wipe)]
    assert sheet.stat().st_size > 0
    assert wipe.stat().st_size > 0


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "no style is given"),
        (["-s", "wave", "--jobs", "0"], "--jobs 0"),
        (["-s", "wave", "--device", "cuda:0,cuda:1", "--jobs", "1"], "--jobs 1"),
        (["-s", "wave", "--device", "cpu,"], "empty device name in"),
        (["-s", "wave", "--overwrite", "--skip-existing"], "not both"),
        (["-s", "wave", "--bitrate", "fast"], "fast is not a valid bitrate"),
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


TRAIN = ["train", "painting.png", "--clips", "footage", "--name", "mine"]


def test_a_child_of_a_settled_style_trains_as_its_parent_did():
    options = _parser().parse_args([*TRAIN, "--from", "wave"])
    assert training_settings(options, torch.device("cpu")).network == HOUSE.network


def test_crops_are_the_recipe_s_unless_given():
    crops = [
        training_settings(_parser().parse_args([*TRAIN, *more]), torch.device("cpu")).crop
        for more in ([], ["--recipe", "calm"], ["--recipe", "calm", "--crop", "224"])
    ]
    assert crops == [HOUSE.crop, RECIPES["calm"].crop, 224]


def test_black_and_white_are_held_against_a_stronger_style():
    options = _parser().parse_args([*TRAIN, "--style-weight", f"{3 * HOUSE.weights.style}"])
    expected = replace(
        HOUSE.weights, style=3 * HOUSE.weights.style, overlay=3 * HOUSE.weights.overlay
    )
    assert training_settings(options, torch.device("cpu")).weights == expected


def test_other_weights_change_nothing_else():
    options = _parser().parse_args([*TRAIN, "--temporal-weight", "5", "--palette-weight", "7"])
    expected = replace(HOUSE.weights, temporal=5.0, palette=7.0)
    assert training_settings(options, torch.device("cpu")).weights == expected


@pytest.mark.parametrize("scale", ["nan", "inf", "0", "-1"])
def test_a_stroke_size_that_makes_no_sense(scale):
    options = _parser().parse_args([*TRAIN, f"--style-scale={scale}"])
    with pytest.raises(UsageError, match="--style-scale must be above 0"):
        training_settings(options, torch.device("cpu"))
