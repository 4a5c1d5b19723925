from __future__ import annotations

import sys
from pathlib import Path

import av
import pytest
import torch

from brushreel.core.errors import extra_hint
from brushreel.core.finding import Finding, lines
from brushreel.core.library import SHIPPED, user_styles
from brushreel.core.machine import examine
from brushreel.core.style import SUFFIX


def findings() -> dict[str, Finding]:
    found = examine()
    by_subject = {finding.subject: finding for finding in found}
    assert len(by_subject) == len(found)
    return by_subject


def test_every_finding_is_one_line_and_what_is_broken_has_a_fix():
    for finding in examine():
        assert finding.status in ("ok", "missing", "broken")
        assert finding.detail
        assert "\n" not in f"{finding.subject}{finding.detail}{finding.fix}"
        assert finding.fix is None or finding.status != "ok"
        assert finding.fix is not None or finding.status != "broken"


def test_versions():
    found = findings()
    assert sys.executable in found["python"].detail
    assert torch.__version__ in found["torch"].detail
    assert av.__version__ in found["ffmpeg"].detail
    assert av.ffmpeg_version_info in found["ffmpeg"].detail


def test_devices():
    found = findings()
    assert found["cpu"].status == "ok"
    assert "bf16" in found["cpu"].detail
    if torch.cuda.is_available():
        assert found["cuda:0"].detail.startswith(torch.cuda.get_device_name(0))
    else:
        assert found["cuda"].status == "missing"


def test_user_folder_that_is_not_there_yet():
    finding = findings()["own styles"]
    assert finding.status == "ok"
    assert str(user_styles()) in finding.detail
    assert not user_styles().exists()


def test_styles_are_loaded_for_real(tiny_style):
    tiny_style.save(user_styles() / "tiny.safetensors")
    damaged = user_styles() / "torn.safetensors"
    damaged.write_bytes((user_styles() / "tiny.safetensors").read_bytes()[:-4])
    found = findings()
    assert found["own styles"].status == "ok"
    assert found["own styles"].detail.startswith("tiny, torn; brushreel styles remove NAME: ")
    assert "style tiny" not in found
    assert found["style torn"].status == "broken"
    assert "cut short" in found["style torn"].detail
    assert found["style torn"].fix == f"remove {damaged}"
    assert found["own styles"].detail.endswith(str(user_styles()))


def test_shipped_styles_are_listed():
    shipped = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))
    assert findings()["styles"].detail == f"{', '.join(shipped)} ship"


def test_folders_with_their_sizes_and_how_to_empty_them(home):
    cache, runs = home / "cache" / "brushreel", home / "data" / "brushreel" / "training"
    for path, count in ((cache / "footage" / "a", 5_000_000), (cache / "runtimes.json", 1000)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(count))
    (runs / "mine").mkdir(parents=True)
    (runs / "mine" / "report.html").write_bytes(bytes(2000))
    found = findings()
    assert found["cache"].detail == (
        "5 MB: footage 5 MB, runtimes.json 1 kB; delete any of it, it is made again when needed: "
        f"{cache}"
    )
    assert found["training"].detail.startswith("2 kB, reports and checkpoints of training; delete")
    assert found["training"].detail.endswith(str(runs))


def test_a_gpu_without_its_torch_has_a_remedy(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert findings()["cuda"].fix == "install a CUDA build of torch"
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert findings()["cuda"].fix is None


def test_the_report_for_people():
    found = [
        Finding("cpu", "ok", "2 cores"),
        Finding("train", "missing", "is not installed", "pip install it"),
        Finding("nvenc", "missing", "no GPU"),
        Finding("qsv", "missing", "no GPU"),
    ]
    assert list(lines(found)) == [
        "all is well: everything that is needed works",
        "ok       cpu          2 cores",
        "optional train        is not installed  -> pip install it",
        "not on this machine, and not needed: nvenc, qsv (--json says why)",
    ]
    torn = Finding("style torn", "broken", "is cut short", "remove it")
    assert list(lines([*found, torn]))[:2] == [
        "broken: style torn",
        "broken   style torn   is cut short  -> remove it",
    ]


def test_training_extra():
    finding = findings()["train"]
    assert finding.status == "ok"
    assert finding.detail == "training new styles is installed"


@pytest.fixture
def other_path(tmp_path, monkeypatch) -> Path:
    """The only folder that Python finds modules and distributions in; cv2 is not imported yet."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "cv2")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


@pytest.mark.usefixtures("other_path")
def test_training_extra_that_is_not_there():
    finding = findings()["train"]
    assert finding.status == "missing"
    assert finding.fix == extra_hint("train")


def test_opencv_of_another_distribution_will_do(other_path):
    # What e.g. opencv-python brings, under its own name.
    (other_path / "cv2.py").touch()
    assert findings()["train"].status == "ok"
