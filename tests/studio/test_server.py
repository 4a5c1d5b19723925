"""The server lets its own page in, and serves the clips of the given folders and nothing else."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlencode, urlsplit

import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from brushreel.cli import main
from brushreel.core import library
from brushreel.core.errors import UsageError
from brushreel.studio import application, receiving
from brushreel.studio.shelf import Shelf, Upload

from .conftest import open_studio


def test_page_and_its_parts_are_served(client):
    status, page, headers = client.ask("GET", "")
    assert status == 200 and b"<!doctype html>" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    for name in ("studio.js", "studio.css", "base.css", "sliders.js"):
        assert client.get(f"front/{name}")
    assert client.ask("GET", "front/application.py")[0] == 404
    assert client.ask("GET", "front/..%2fapplication.py")[0] == 404


@pytest.mark.parametrize("path", ["/", "/clips", "/session", "/wrong/session"])
def test_without_the_secret_there_is_nothing(client, path):
    assert client.ask("GET", path)[:2] == (403, b"")


def test_other_names_and_origins_get_nothing(client):
    port = client.guard.host.split(":")[1]
    assert client.ask("GET", "clips", Host=f"evil.example:{port}")[0] == 403
    for origin in ("https://evil.example", "null"):
        assert client.ask("PUT", "dropped/a.mp4", b"x", Origin=origin)[0] == 403
        assert client.ask("DELETE", f"clips/{client.clip()}", Origin=origin)[0] == 403


def test_web_sockets_of_others_are_refused(client):
    address = f"ws://{client.guard.host}{client.guard.root}play"
    own = Origin(f"http://{client.guard.host}")
    for origin in (Origin("https://evil.example"), None):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=origin).close()
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        connect(f"ws://{client.guard.host}/play", origin=own).close()
    connect(address, origin=own).close()


def test_address_leads_to_the_page_once(client):
    path = urlsplit(client.guard.address).path
    status, _, headers = client.ask("GET", path)
    assert (status, headers["Location"]) == (303, client.guard.root)
    assert client.ask("GET", path)[0] == 403


def test_clips_of_subfolders_are_there_and_hidden_ones_are_not(client, drawn):
    for place in ("day/one", ".trash"):
        (client.folder / place).mkdir(parents=True)
        (client.folder / place / "b.mp4").write_bytes(drawn)
    (client.folder / "notes.txt").write_text("no clip")
    assert [clip["name"] for clip in client.json("clips")] == ["a.mp4", "day/one/b.mp4"]


def test_links_that_lead_out_are_not_followed(client, drawn, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(drawn)
    (client.folder / "file.mp4").symlink_to(outside / "secret.mp4")
    (client.folder / "folder").symlink_to(outside)
    (client.folder / "inside.mp4").symlink_to("a.mp4")
    assert [clip["name"] for clip in client.json("clips")] == ["a.mp4", "inside.mp4"]
    clip = client.clip("inside.mp4")
    (client.folder / "inside.mp4").unlink()
    (client.folder / "inside.mp4").symlink_to(outside / "secret.mp4")
    assert "outside of the studio's folders" in client.refusal(f"clips/{clip}")


def test_clips_are_named_by_id_alone(client):
    for name in ("a.mp4", "..%2fa.mp4", "%2fetc%2fpasswd"):
        assert client.ask("GET", f"clips/{name}/0.png")[0] == 404


def test_clip_that_is_gone_and_folder_that_vanished_are_told(client):
    clip = client.clip()
    (client.folder / "a.mp4").unlink()
    assert client.refusal(f"clips/{clip}").endswith("a.mp4: is gone")
    client.folder.rmdir()
    assert client.json("clips") == []


def test_style_that_was_removed_is_told_and_changes_the_library(client):
    before = client.json("jobs")["library"]
    (library.user_styles() / "tiny.safetensors").unlink()
    name = f"clips/{client.clip()}/0.jpg?style=tiny&lines=72"
    assert "the library has no style named 'tiny'" in client.refusal(name)
    assert client.json("jobs")["library"] != before
    assert [style["name"] for style in client.json("session")["styles"]] == ["other"]


def test_full_disk_is_told_and_leaves_nothing(client, drawn, monkeypatch):
    def full(_upload: Upload, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Upload, "write", full)
    status, content, _ = client.ask("PUT", "dropped/b.mp4", drawn)
    assert status == 400
    assert "can't be written: the disk is full" in json.loads(content)["error"]
    assert list(client.dropped.iterdir()) == []


def test_camera_frame_is_shown_in_a_style(client):
    content = io.BytesIO()
    Image.effect_noise((320, 180), 60).convert("RGB").save(content, "JPEG")
    body = content.getvalue()
    for style in ("tiny", "tiny:0.5+other:0.5"):
        name = f"camera.jpg?{urlencode({'style': style, 'lines': 90})}"
        status, answer, headers = client.ask("POST", name, body)
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        with Image.open(io.BytesIO(answer)) as image:
            assert image.size == (160, 90)
    for wrong in (b"no frame", b""):
        assert client.ask("POST", "camera.jpg?style=tiny&lines=90", wrong)[0] == 404
    told = client.ask("POST", "camera.jpg?style=none&lines=90", body)[1]
    assert b"no style named" in told


def test_facts_are_exact(client):
    facts = client.json(f"clips/{client.clip()}")
    assert (facts["width"], facts["height"], facts["sound"]) == (128, 72, 1)
    assert facts["frames"] == round(facts["duration"] * facts["rate"])


def test_damaged_clip_is_told(client):
    (client.folder / "b.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(999))
    assert "b.mp4: can't be opened as a clip" in client.refusal(f"clips/{client.clip('b.mp4')}")


def test_dropped_clip_is_on_the_shelf_and_can_be_removed(client, drawn):
    for number in ("", ".2"):
        status, content, _ = client.ask("PUT", "dropped/my%20clip.mp4", drawn)
        assert status == 201
        assert json.loads(content)["name"] == f"my clip{number}.mp4"
    clip = client.clip("my clip.mp4")
    assert client.json(f"clips/{clip}")["frames"] > 0
    assert client.ask("DELETE", f"clips/{clip}")[0] == 204
    assert [one["name"] for one in client.json("clips")] == ["my clip.2.mp4", "a.mp4"]
    assert client.ask("DELETE", f"clips/{client.clip()}")[0] == 400
    assert (client.folder / "a.mp4").exists()


@pytest.mark.parametrize("name", ["text.mp3", "..%5C..%5Cevil.txt", "...", "%2e%2e%2fx.txt"])
def test_dropped_file_that_is_no_clip_leaves_nothing(client, name):
    assert client.ask("PUT", f"dropped/{name}", b"no clip")[0] in (400, 404)
    assert not client.dropped.exists() or list(client.dropped.iterdir()) == []
    assert {path.name for path in client.folder.iterdir()} == {"a.mp4"}


def test_dropped_file_is_limited(client, drawn, monkeypatch):
    monkeypatch.setattr(application, "MOST_UPLOADED", 1000)
    status, content, _ = client.ask("PUT", "dropped/b.mp4", drawn)
    assert status == 400 and b"too large" in content
    chunks = iter([drawn, drawn])
    assert client.ask("PUT", "dropped/b.mp4", chunks)[0] == 400
    monkeypatch.undo()
    monkeypatch.setattr(receiving, "_SPARE", 1 << 60)
    status, content, _ = client.ask("PUT", "dropped/b.mp4", drawn)
    assert status == 400 and b"too little room" in content
    assert list(client.dropped.iterdir()) == []


def test_upload_that_breaks_off_leaves_nothing(client, drawn):
    with socket.create_connection(client.guard.host.split(":")) as connection:
        head = (
            f"PUT {client.guard.root}dropped/b.mp4 HTTP/1.1\r\nHost: {client.guard.host}\r\n"
            f"Origin: http://{client.guard.host}\r\nContent-Length: {len(drawn)}\r\n\r\n"
        )
        connection.sendall(head.encode() + drawn[:1000])
    client.get("clips")  # the server has gone on
    assert [one["name"] for one in client.json("clips")] == ["a.mp4"]


def test_command_line_is_the_one_of_the_choice(client):
    chosen = {"clip": client.clip(), "look": {"style": "tiny:0.5+other:0.5", "stroke_size": 1.5}}
    path = str(client.folder / "a.mp4")
    style = ["--style", "tiny:0.5+other:0.5", "--stroke-size", "1.5"]
    assert client.post("command", **chosen)["words"] == ["brushreel", "stylize", path, *style]
    look = {"style": "tiny", "strength": 0.4, "keep_colors": 1, "detail": 0}
    options = {"--crf": "20", "--overwrite": True, "--skip-existing": False, "--codec": ""}
    chosen |= {"look": look, "options": options, "folder": str(client.folder / "out")}
    assert client.post("command", **chosen)["words"][5:] == [
        *("--strength", "0.4", "--keep-colors", "--detail", "0"),
        *("--output", str(client.folder / "out"), "--crf=20", "--overwrite"),
    ]


def test_clips_keep_their_ids_from_session_to_session(client, tmp_path):
    with open_studio(client.folder, tmp_path / "other") as other:
        assert other.clip() == client.clip()
        assert other.guard.root != client.guard.root


def test_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        Shelf([tmp_path / "none"], tmp_path)


def test_port_that_is_taken_is_refused(client, capsys):
    port = client.guard.host.split(":")[1]
    assert main(["studio", str(client.folder), "--port", port, "--no-browser"]) == 2
    assert f"port {port} is taken" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_command_prints_its_address_and_ends_with_the_terminal(folder):
    run = [sys.executable, "-m", "brushreel", "studio", str(folder), "--no-browser"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        address = urlsplit(child.stdout.readline().strip())
        assert (address.scheme, address.hostname) == ("http", "127.0.0.1")
        with socket.create_connection((address.hostname, address.port)):
            os.kill(child.pid, signal.SIGHUP)
            assert child.wait(30) == 0
        assert child.stderr.read().endswith("brushreel: the studio has ended\n")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port))


@pytest.mark.slow
def test_command_prints_a_password_where_others_may_reach_it(folder):
    run = [sys.executable, "-m", "brushreel", "studio", str(folder), "--host", "localhost"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        address = urlsplit(child.stdout.readline().strip())
        assert (address.hostname, address.path) == ("localhost", "/")
        assert "brushreel: the password is " in child.stderr.readline()
        child.terminate()
