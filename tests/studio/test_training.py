"""Styles trained from the page: by the command, stopped and resumed, and at once in the library."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from ..training.conftest import make_texture, vgg_file, vgg_tensors
from .conftest import open_studio
from .waiting import wait

__all__ = ["vgg_file", "vgg_tensors"]


@pytest.fixture
def painting(folder) -> Path:
    """A painting in the folder."""
    Image.fromarray(make_texture(140, 180, 3)).save(folder / "painting.png")
    return folder / "painting.png"


@pytest.fixture
def wanted(painting, folder) -> dict:
    """A short run of the tiny network, as the page asks for it."""
    return {
        "kind": "train",
        "painting": str(painting),
        "footage": str(folder),
        "name": "new",
        "parent": "tiny",
        "scale": 0.25,
        "steps": 40,
        "options": {"--crop": "32", "--precision": "fp32"},
    }


def refused(client, **fields) -> str:
    status, content, _ = client.ask("POST", "jobs", json.dumps(fields))
    assert status in (400, 404), content
    assert client.jobs() == []
    return json.loads(content)["error"]


def test_command_line_of_a_training_is_the_one_of_the_choice(client, wanted):
    words = client.post("command", **wanted)["words"]
    assert words == [
        *("brushreel", "train", wanted["painting"], "--clips", wanted["footage"], "--name=new"),
        *("--from=tiny", "--style-scale", "0.25", "--iterations", "40"),
        *("--crop=32", "--precision=fp32"),
    ]
    del wanted["steps"]
    wanted |= {"minutes": "1.5", "strength": 2, "title": "Ma vie", "parent": "", "options": {}}
    assert client.post("command", **wanted)["words"][6:] == [
        *("--style-scale", "0.25", "--style-weight", "840", "--minutes", "1.5"),
        "'--title=Ma vie'",
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"painting": ""}, "the painting is not chosen yet"),
        ({"painting": "/etc/passwd"}, "outside of the studio's folders"),
        ({"footage": "/etc"}, "outside of the studio's folders"),
        ({"name": "../x"}, "../x"),
        ({"steps": "-3"}, "steps must be"),
        ({"steps": "1.5"}, "steps must be"),
        ({"steps": "nan"}, "steps must be"),
        ({"strength": 9}, "strength must be between 0.25 and 4"),
        ({"title": "x" * 201}, "title is too long"),
        ({"options": {"--loss-weights": "/etc/x"}}, "there is no option --loss-weights"),
        ({"kind": "dance"}, "no valid request"),
    ],
    ids=str,
)
def test_training_that_makes_no_sense_is_refused(client, wanted, fields, told):
    assert told in refused(client, **(wanted | fields))


def test_links_and_parents_do_not_lead_out(client, wanted, folder, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    for path in (folder / "link.png", folder / ".." / "secret.png"):
        assert "outside of the studio's folders" in refused(
            client, **wanted | {"painting": str(path)}
        )
        assert client.ask("GET", f"painting.jpg?path={path}")[0] == 404


def test_missing_loss_network_is_told_with_the_way_out(client, home):
    assert "--download-loss-network downloads them" in client.json("session")["loss_network"]


def test_painting_is_dropped_and_shown(client, painting):
    status, content, _ = client.ask("PUT", "paintings/my%20painting.png", painting.read_bytes())
    assert status == 201
    path = json.loads(content)["path"]
    with Image.open(
        io.BytesIO(client.get(f"painting.jpg?path={path.replace(' ', '%20')}"))
    ) as shown:
        assert shown.size == (180, 140)
    for name, content in (("x.png", b"no image"), ("x.txt", b"")):
        status, told, _ = client.ask("PUT", f"paintings/{name}", content)
        assert status == 404
        assert json.loads(told)["error"].startswith(f"{name}: can't be read as an image")
    assert [file.name for file in client.studio.shelf.paintings.iterdir()] == ["my painting.png"]


@pytest.mark.slow
def test_training_is_stopped_resumed_in_the_next_session_and_its_style_is_there(
    client, wanted, loss_network
):
    client.post("jobs", **wanted | {"steps": 40})
    wait(lambda: client.jobs()[0]["frames"] > 3 or client.jobs()[0]["error"])
    (job,) = client.jobs()
    assert job["error"] == ""
    first = client.get(f"jobs/{job['id']}/0.after.jpg")
    assert client.get(f"jobs/{job['id']}/0.before.jpg") != first
    assert client.ask("GET", f"jobs/{job['id']}/1.after.jpg")[0] == 404
    client.post(f"jobs/{job['id']}/pause")
    client.studio.close()
    with open_studio(client.folder, client.dropped) as other:
        (job,) = other.jobs()
        assert (job["state"], job["resumable"], job["expected"]) == ("paused", True, 40)
        library = other.json("jobs")["library"]
        other.post(f"jobs/{job['id']}/resume")
        wait(lambda: other.jobs()[0]["state"] in ("done", "failed"))
        (job,) = other.jobs()
        assert (job["state"], job["error"], job["frames"]) == ("done", "", 40)
        assert job["facts"]["losses"]["style"][-1][0] == 40
        assert other.get(f"jobs/{job['id']}/0.after.jpg") != first
        assert "new" in {style["name"] for style in other.json("session")["styles"]}
        assert other.json("jobs")["library"] != library
