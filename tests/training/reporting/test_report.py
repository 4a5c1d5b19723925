from __future__ import annotations

import dataclasses
import errno
import json
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from brushreel.core.errors import TrainingError
from brushreel.core.style import Painting, Style
from brushreel.training.reporting import report_images
from brushreel.training.reporting.report import prepare_report, write_report

SHEET = [
    ("pan.mkv", torch.full((3, 30, 40), 51).byte(), torch.full((3, 30, 40), 204).byte()),
    ("wide.mkv", torch.zeros(3, 30, 60).byte(), torch.full((3, 30, 60), 102).byte()),
]
HISTORY = torch.rand(40, 8, generator=torch.Generator().manual_seed(0))
PAINTING = torch.rand(3, 90, 70, generator=torch.Generator().manual_seed(1))
FILES = {"painting.png", "sheet.png", "frame.png", "losses.png", "metrics.json", "report.html"}
FOOTAGE = "a.mkv: 24 pairs\nb.mkv: 0 pairs; left out: 24 flat"
HOSTILE = "<script>alert('&')</script>"


@pytest.fixture(scope="module")
def style(tiny_style) -> Style:
    training = {
        "settings": {"recipe": "house", "weights": {"content": 8.0, "temporal": 4e4}},
        "footage": ["a.mkv", "b.mkv"],
        "held_out": ["pan.mkv"],
        "parent": None,
        "command": "brushreel train waves.jpg",
        "seconds": 3725,
    }
    figures = {"style_loss": 0.09871, "e_temporal": 0.0399}
    return dataclasses.replace(tiny_style, training=training, figures=figures)


@pytest.fixture(scope="module")
def page(style, tmp_path_factory) -> Path:
    """A report that is only read."""
    folder = tmp_path_factory.mktemp("runs") / "new" / "report"
    return write_report(folder, style, HISTORY, SHEET, FOOTAGE, PAINTING)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """The losses as an empty file: Matplotlib takes its time."""
    monkeypatch.setattr(report_images, "draw_losses", lambda *_: b"")


class Page(HTMLParser):
    """The text of a page, its tags, and what it links to."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.usefixtures("undrawn")
class TestFiles:
    def test_all_are_written_and_nothing_else(self, page):
        assert page.name == "report.html"
        assert {path.name for path in page.parent.iterdir()} == FILES
        for name in ("sheet.png", "losses.png"):
            Image.open(page.parent / name).verify()

    def test_an_older_report_is_replaced(self, style, tmp_path):
        write_report(tmp_path, style, HISTORY, SHEET, "older.mkv", PAINTING)
        page = write_report(tmp_path, style, HISTORY, SHEET, "newer.mkv", PAINTING)
        assert "newer.mkv" in Page(page).text
        assert "older.mkv" not in Page(page).text
        assert {path.name for path in tmp_path.iterdir()} == FILES

    def test_folder_that_can_t_be_made(self, style, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(TrainingError, match="the report can't be written") as caught:
            write_report(tmp_path / "file", style, HISTORY, SHEET, "", PAINTING)
        assert caught.value.path == tmp_path / "file" / "painting.png"

    @pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
    def test_full_disk_leaves_the_older_report_as_it_was(self, style, tmp_path, monkeypatch, step):
        write_report(tmp_path, style, HISTORY, SHEET, "before", PAINTING)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(step, full)
        with pytest.raises(TrainingError, match="can't be written: the disk is full"):
            write_report(tmp_path, style, HISTORY + 1, SHEET[:1] * 2, "after", PAINTING)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_preparing_makes_the_folder(self, tmp_path):
        for _ in range(2):
            prepare_report(tmp_path / "runs" / "new")
        assert (tmp_path / "runs" / "new").is_dir()
        (tmp_path / "file").touch()
        with pytest.raises(TrainingError, match="can't be created") as caught:
            prepare_report(tmp_path / "file" / "new")
        assert caught.value.path == tmp_path / "file" / "new"


@pytest.mark.usefixtures("undrawn")
class TestPage:
    def test_shows_the_painting_as_training_saw_it(self, page):
        codes = (PAINTING * 255).round().byte().permute(1, 2, 0).numpy()
        assert Image.open(page.parent / "painting.png").tobytes() == codes.tobytes()

    def test_shows_the_largest_frame_at_its_own_size(self, page):
        with Image.open(page.parent / "frame.png") as shown:
            assert shown.size == (60, 30)
            assert set(shown.tobytes()) == {102}
        assert "wide.mkv, 60x30." in Page(page).text

    def test_links_the_files_next_to_it(self, page):
        parsed = Page(page)
        assert set(parsed.links) | {"report.html"} == FILES
        assert not parsed.open

    def test_tells_the_run(self, page):
        text = Page(page).text
        for words in (
            "Waves, after A. Painter",
            "Painting: Waves, A. Painter, 1831, public domain.",
            "style loss, distance to the painting0.09871",
            "E_temporal, flicker of the output0.0399",
            "Means over pan.mkv.",
            "weightscontent 8; temporal 40000",
            "brushreel train waves.jpg",
            "parentnone",
            "time1:02:05",
            FOOTAGE,
        ):
            assert words in text

    def test_style_without_provenance(self, tiny_style, tmp_path):
        text = Page(write_report(tmp_path, tiny_style, HISTORY, SHEET, "", PAINTING)).text
        assert "Means over" not in text

    def test_no_text_of_the_user_becomes_markup(self, style, page, tmp_path):
        painting = Painting(*[HOSTILE] * 4)
        training = {HOSTILE: HOSTILE, "settings": {HOSTILE: [HOSTILE]}, "held_out": [HOSTILE]}
        hostile = dataclasses.replace(
            style,
            title=HOSTILE,
            painting=painting,
            training={**style.training, **training, "command": HOSTILE},
            figures={**style.figures, HOSTILE: HOSTILE},
        )
        sheet = [(HOSTILE, *SHEET[0][1:])]
        path = write_report(tmp_path, hostile, HISTORY, sheet, HOSTILE, PAINTING)
        assert "<script" not in path.read_text()
        assert set(Page(path).tags) == set(Page(page).tags)
        # Title and heading, four facts of the painting, two names and values each in figures,
        # settings and the run, one held-out clip, the frame's clip, the command, the footage.
        assert Page(path).text.count(HOSTILE) == 2 + 4 + 6 + 1 + 1 + 1 + 1

    def test_braces_and_odd_file_names(self, style, tmp_path):
        odd = dataclasses.replace(
            style,
            title="{{ body }} {% if %}",
            training={**style.training, "held_out": ["caf\udce9.mkv"]},
        )
        sheet = [("caf\udce9\n.mkv", *SHEET[0][1:])]
        page = Page(write_report(tmp_path, odd, HISTORY, sheet, "caf\udce9.mkv: 3 pairs", PAINTING))
        assert "{{ body }} {% if %}" in page.text
        assert "caf\\udce9.mkv: 3 pairs" in page.text
        metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["training"]["held_out"] == ["caf\udce9.mkv"]


@pytest.mark.usefixtures("undrawn")
class TestMetrics:
    def test_hold_figures_provenance_and_versions(self, style, page):
        metrics = json.loads((page.parent / "metrics.json").read_text())
        assert metrics["name"] == "tiny"
        assert metrics["painting"]["artist"] == "A. Painter"
        assert metrics["figures"] == style.figures
        assert metrics["training"] == style.training
        assert metrics["versions"]["torch"] == torch.__version__
        assert metrics["versions"].keys() == {"brushreel", "python", "torch", "numpy"}

    def test_losses_are_means_of_the_last_twentieth(self, style, tmp_path):
        history = torch.zeros(200, 8)
        history[-10:] = torch.tensor([1.0, 2, 3, 4, 5, 6, 7, 8])
        history[-1] *= 2
        write_report(tmp_path, style, history, SHEET, "", PAINTING)
        metrics = json.loads((tmp_path / "metrics.json").read_text())
        assert metrics["losses"] == {
            "mean_of_last_steps": 10,
            **{"content": 1.1, "style": 2.2, "total_variation": 3.3, "temporal": 4.4},
            **{"overlay": 5.5, "palette": 6.6, "hues": 7.7, "weighted_sum": 8.8},
        }

    def test_a_run_of_one_step(self, style, tmp_path):
        write_report(tmp_path, style, HISTORY[:1], SHEET, "", PAINTING)
        metrics = json.loads((tmp_path / "metrics.json").read_text())
        assert metrics["losses"]["mean_of_last_steps"] == 1
        assert metrics["losses"]["content"] == pytest.approx(HISTORY[0, 0].item(), rel=1e-5)


@pytest.mark.usefixtures("undrawn")
def test_tensors_as_training_leaves_them(style, tmp_path):
    history, painting = (part.clone().requires_grad_() for part in (HISTORY, PAINTING))
    write_report(tmp_path, style, history, SHEET, "", painting.bfloat16())
    sheet = Image.open(BytesIO((tmp_path / "sheet.png").read_bytes()))
    assert sheet.getpixel((20, 45)) == (51, 51, 51)
