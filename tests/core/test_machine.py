from __future__ import annotations

import sys
from pathlib import Path

import av
import pytest
import torch

from brushreel.core.errors import extra_hint
from brushreel.core.finding import Finding
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
        assert (finding.fix is None) == (finding.status == "ok")


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
    assert found["style tiny"].status == "ok"
    assert tiny_style.title in found["style tiny"].detail
    assert found["style torn"].status == "broken"
    assert "cut short" in found["style torn"].detail
    assert found["style torn"].fix == f"remove {damaged}"
    assert found["own styles"].detail == str(user_styles())


def test_shipped_styles_are_listed():
    shipped = {f"style {path.stem}" for path in SHIPPED.glob(f"*{SUFFIX}")}
    assert shipped <= findings().keys()


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
