from __future__ import annotations

import errno
import hashlib
import io
import pickle
import shutil
import socket
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from brushreel.core.errors import TrainingError
from brushreel.training import download, loss_network
from brushreel.training.download import VGG_19, Source, download_tensors
from brushreel.training.loss_network import TENSOR_NAMES, LossNetwork, find_weights

NAMES = ("features.0.weight", "features.0.bias")


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {name: torch.randn(4, 3) for name in (*NAMES, "classifier.0.weight")}


@pytest.fixture
def published(tensors) -> bytes:
    return saved(tensors)


@pytest.fixture
def serve(monkeypatch):
    """Publish bytes on this machine; may break off, or fall silent, after some of them."""
    monkeypatch.setenv("NO_PROXY", "*")
    servers = []

    silent_until = threading.Event()

    def serve(
        content: bytes, *, cut_after: int | None = None, silent: bool = False, status: int = 200
    ) -> Source:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:cut_after])
                if silent:
                    silent_until.wait()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        address = f"http://127.0.0.1:{server.server_port}/vgg.pth"
        return Source(address, len(content), hashlib.sha256(content).hexdigest())

    yield serve
    silent_until.set()
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "cache" / "vgg.safetensors"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_of_several_processes_one_downloads_it(serve, published, target, capsys):
    source = serve(published)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: download_tensors(source, NAMES, target), range(4)))
    assert load_file(target).keys() == set(NAMES)
    assert left_in(target.parent) == [target.name]
    assert capsys.readouterr().err.count("downloading") == 1


def test_keeps_the_tensors_that_are_asked_for(serve, published, tensors, target, capsys):
    download_tensors(serve(published), NAMES, target)
    kept = load_file(target)
    assert kept.keys() == set(NAMES)
    assert all(torch.equal(kept[name], tensors[name]) for name in NAMES)
    assert left_in(target.parent) == [target.name]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "downloading http://127.0.0.1" in printed.err
    assert "0 MB" in printed.err


def test_another_file_is_not_read(serve, published, target, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was read"))
    source = serve(published)
    wrong = Source(source.address, source.size, "0" * 64)
    with pytest.raises(TrainingError, match="not the file that was expected") as caught:
        download_tensors(wrong, NAMES, target)
    assert source.sha256 in str(caught.value)
    assert left_in(target.parent) == []


def test_connection_that_breaks_off(serve, published, target):
    source = serve(published, cut_after=100)
    with pytest.raises(TrainingError, match=r"can't be downloaded: .* after 100 of") as caught:
        download_tensors(source, NAMES, target)
    assert "--loss-weights" in str(caught.value)
    assert left_in(target.parent) == []


def test_server_that_falls_silent(serve, published, target, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    before = socket.getdefaulttimeout()
    with pytest.raises(TrainingError, match=r"can't be downloaded: the network .* not answer"):
        download_tensors(serve(published, cut_after=100, silent=True), NAMES, target)
    assert left_in(target.parent) == []
    assert socket.getdefaulttimeout() == before


def test_interrupted_download_leaves_nothing(serve, published, target, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("torch.hub.tqdm.update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download_tensors(serve(published), NAMES, target)
    assert left_in(target.parent) == []


def test_error_of_the_server(serve, published, target):
    told = "can't be downloaded: the server answers with status 404"
    with pytest.raises(TrainingError, match=told):
        download_tensors(serve(published, status=404), NAMES, target)


def test_nobody_answers(target, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(TrainingError, match="can't be downloaded: nobody accepts the connection"):
        download_tensors(Source("http://127.0.0.1:9/vgg.pth", 10, "0" * 64), NAMES, target)
    assert left_in(target.parent) == []


def test_no_space_is_reported_before_the_download(serve, published, target, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    source = serve(published)
    with pytest.raises(TrainingError, match="only 0 MB are free") as caught:
        download_tensors(source, NAMES, target)
    assert caught.value.path == target.parent


@pytest.mark.parametrize(
    "step", ["torch.hub.tqdm.update", "brushreel.training.download.save_tensors"]
)
def test_disk_that_fills_up(serve, published, target, monkeypatch, step):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(step, full)
    with pytest.raises(TrainingError, match="can't be written: the disk is full") as caught:
        download_tensors(serve(published), NAMES, target)
    assert caught.value.hint == "free some space on it"
    assert left_in(target.parent) == []


def test_folder_that_can_t_be_made(serve, published, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="can't be written"):
        download_tensors(serve(published), NAMES, tmp_path / "file" / "vgg.safetensors")


class Exploit:
    def __reduce__(self):
        return (pytest.fail, ("was executed",))


def saved(value: object) -> bytes:
    """Save in the format of the real file, which is older than PyTorch's zip files."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"not a network",
        pickle.dumps(Exploit(), 2),
        saved({"features.0.bias": Exploit()}),
        saved({"features.0.bias": torch.zeros(4)}),
        saved(dict.fromkeys(NAMES, 1)),
        saved(3),
    ],
    ids=["text", "pickle", "code", "another network", "numbers", "a number"],
)
def test_not_a_network_even_with_the_right_hash(serve, target, content):
    with pytest.raises(TrainingError, match="is not VGG-19"):
        download_tensors(serve(content), NAMES, target)
    assert left_in(target.parent) == []


class TestFindWeights:
    @pytest.fixture
    def whole(self, serve, vgg_tensors, tmp_path, monkeypatch) -> None:
        torch.save(vgg_tensors, tmp_path / "vgg.pth")
        source = serve((tmp_path / "vgg.pth").read_bytes())
        monkeypatch.setattr(loss_network, "VGG_19", source)

    @pytest.mark.usefixtures("whole")
    def test_downloads_when_asked_and_once(self, vgg_file, monkeypatch):
        with pytest.raises(TrainingError, match="--download-loss-network"):
            find_weights(None)
        found = find_weights(None, download=True)
        assert LossNetwork(found).convs.keys() == LossNetwork(vgg_file).convs.keys()
        monkeypatch.setattr(loss_network, "download_tensors", lambda *_: pytest.fail("again"))
        assert find_weights(None, download=True) == find_weights(None) == found

    def test_given_path_is_never_downloaded(self, tmp_path, vgg_file, monkeypatch):
        monkeypatch.setattr(loss_network, "download_tensors", lambda *_: pytest.fail("asked"))
        assert find_weights(vgg_file, download=True) == vgg_file
        with pytest.raises(TrainingError, match="no VGG-19 weights at this path"):
            find_weights(tmp_path / "none", download=True)


def test_source_is_what_torchvision_publishes():
    assert VGG_19.address.endswith(f"vgg19-{VGG_19.sha256[:8]}.pth")
    assert len(VGG_19.sha256) == 64
    assert len(TENSOR_NAMES) == 20
    assert (TENSOR_NAMES[0], TENSOR_NAMES[-1]) == ("features.0.weight", "features.21.bias")
