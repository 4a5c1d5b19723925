from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from brushreel.core.errors import OutputError
from brushreel.training.evaluation.evaluate import Evaluation, Figures, Measured
from brushreel.training.evaluation.evaluation_report import (
    error_over_time,
    to_json,
    write_report,
)
from brushreel.training.evaluation.film import Film
from brushreel.training.evaluation.levels import Levels

from .measured import evaluation, measured

LEVELS = Levels(10, 120, 230, 0.5, 1.25, 2, fades=False)


class TestJson:
    def test_holds_everything(self):
        report = to_json(evaluation("swan", "dog"), stroke_size=2, detail=0.3, twin="twin")
        report = json.loads(json.dumps(report))
        assert report["version"] == 2
        assert (report["stroke_size"], report["detail"]) == (2, 0.3)
        assert report["twin"] == "twin"
        assert report["source"]["mean"]["e_temporal"] == 0.03
        wave = report["styles"]["wave"]
        assert wave["clips"]["dog"] == {
            "e_temporal": 0.034,
            "warping_error": 0.0034,
            "shimmer": 3.4,
            "shift": 1.7,
            "style_loss": 0.068,
            "content_loss": 3.0,
            "style_distance": 0.25,
            "palette_distance": 5.0,
            "flat_texture": None,
            "style_by_layer": [0.1, 0.2, 0.3, 0.4],
            "judged_e_temporal": 0.017,
            "judged_shimmer": 0.68,
            "e_temporal_of_pairs": [0.034, 0.068, 0.0113333],
        }
        assert wave["against_twin"] == pytest.approx(
            {"e_temporal": 0.68, "excess": 0.4, "style_loss": 0.68, "shimmer": 0.68}
        )
        assert report["styles"]["twin"]["against_twin"]["e_temporal"] == 1

    def test_levels_and_ratios_to_a_peer(self):
        measured = replace(evaluation("swan"), levels={"wave": LEVELS})
        report = to_json(measured, stroke_size="native", detail=0.4, peer="twin")
        wave = json.loads(json.dumps(report))["styles"]["wave"]
        assert report["peer"] == "twin"
        assert wave["levels"]["noise_on_grey"] == 1.25
        assert wave["levels"]["fades"] is False
        assert wave["against_peer"] == pytest.approx(
            {"e_temporal": 0.68, "judged_e_temporal": 0.68, "shimmer": 0.68, "style_distance": 1}
        )

    def test_without_a_twin(self):
        report = to_json(evaluation("swan"), stroke_size=1, detail=0.4)
        assert report["twin"] is None
        assert "against_twin" not in report["styles"]["wave"]


class TestPlot:
    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_is_an_image_of_every_panel(self, count):
        content = error_over_time(evaluation(*map(str, range(count))))
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert image.format == "PNG"
            assert image.width > 1000
            colours = image.convert("RGB").getcolors(2**20)
        assert colours is not None
        assert {(31, 119, 180), (255, 127, 14), (128, 128, 128)} <= {c for _, c in colours}

    def test_all_panels_fit_the_scale_that_they_share(self):
        stable, flickering = measured(0.01, "a", "b"), measured(0.01, "a", "b")
        flickering.errors["b"][:] = [1.0, 2.0, 3.0]
        with Image.open(
            io.BytesIO(error_over_time(Evaluation(stable, {"flickering": flickering})))
        ) as image:
            lower = image.convert("RGB").crop((0, image.height // 2, *image.size))
        assert (31, 119, 180) in {colour for _, colour in lower.getcolors(2**20) or []}

    def test_clip_of_one_pair(self):
        bare = Measured({"swan": Figures(0.03, 0.003, 3.0, 1.5)}, {"swan": [0.03]})
        assert error_over_time(Evaluation(bare, {"wave": bare}))


class TestWriteReport:
    def test_files(self, tmp_path):
        report = to_json(evaluation("swan"), stroke_size=1, detail=0.4)
        files = write_report(tmp_path / "new" / "folder", evaluation("swan"), report)
        names = [path.name for path in files]
        assert names == ["metrics.json", "error_over_time.png", "report.html"]
        assert sorted((tmp_path / "new" / "folder").iterdir()) == sorted(files)
        assert json.loads(files[0].read_text()) == report
        assert files[1].read_bytes() == error_over_time(evaluation("swan"))

    def test_page_shows_images_and_table(self, tmp_path):
        pictures = {name: torch.rand(3, 20, 30) for name in ("(source)", "wave")}
        film = Film("<clip>", pictures, pictures)
        report = to_json(evaluation("swan"), stroke_size=1, detail=0.4, peer="twin")
        files = write_report(tmp_path, evaluation("swan"), report, film)
        assert [path.name for path in files[2:]] == ["frames.png", "strips.png", "report.html"]
        page = files[-1].read_text()
        for name in ("error_over_time.png", "frames.png", "strips.png"):
            assert f'src="{name}"' in page
        assert "&lt;clip&gt;" in page
        assert "of the peer&#39;s" in page

    def test_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        report = to_json(evaluation("swan"), stroke_size=1, detail=0.4)
        with pytest.raises(OutputError, match="can't be written"):
            write_report(tmp_path / "file", evaluation("swan"), report)
