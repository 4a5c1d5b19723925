"""The page that runs styles in the browser: pictures, the camera, clips in and out."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brushreel.core import library
from brushreel.core.clips.media import read
from brushreel.core.frames.colour import to_rgb
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer

from .batch.media.make import Sound, make_clip
from .batch.media.read import read_clip
from .browsing import AXE, PATIENCE, canvas, serious
from .docs_code import DOCS, from_docs

pytestmark = pytest.mark.site


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture(scope="module")
def wave() -> Style:
    return Style.load(library.SHIPPED / "wave.safetensors")


@pytest.fixture(scope="module")
def site(wave, tiny_style, tmp_path_factory) -> Path:
    """The page with a style that ships, and one that takes no time."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS / "try", folder / "try")
    if missing := from_docs("make_try").complete(folder / "try", [tiny_style, wave]):
        pytest.skip(missing)
    return folder


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    handler = partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def open_page(browser, address, tmp_path) -> Iterator[Any]:
    """A function that opens the page; nothing may go wrong in it, or be asked of another host."""
    contexts, wrong, asked = [], [], []

    def opened(**options: Any) -> Any:
        size = {"width": 1280, "height": 800}
        contexts.append(browser.new_context(viewport=size, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        page.on("request", lambda request: asked.append((request.method, request.url)))
        page.goto(f"{address}/try/index.html")
        shown(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []
    assert {method for method, _ in asked} == {"GET"}
    assert [url for _, url in asked if not url.startswith((address, "blob:", "data:"))] == []


@pytest.fixture
def page(open_page) -> Any:
    return open_page()


def shown(page, what: str = "example.jpg tiny 1") -> None:
    """Wait for a stylized picture: of a source, in a style, with a stroke size."""
    page.wait_for_selector(f"#stage[data-exact='{what}']")


def stylized(frame: np.ndarray, style: Style, stroke_size: float = 1.0) -> np.ndarray:
    return Stylizer(
        style, device="cpu", precision="fp32", runtime="torch", stroke_size=stroke_size
    )(frame)


def difference(page, style: Style, stroke_size: float = 1.0) -> int:
    """Return the largest difference of what is shown from what Brushreel makes of the source."""
    wanted = stylized(canvas(page, "before"), style, stroke_size)
    return int(np.abs(canvas(page).astype(int) - wanted).max())


def test_the_example_is_stylized_as_brushreel_does_it(page, wave, tmp_path):
    assert page.evaluate("crossOriginIsolated")
    page.click(".style:has(input[value=wave])")
    shown(page, "example.jpg wave 1")
    before = np.asarray(Image.open(DOCS / "try" / "example.jpg").convert("RGB"))
    # Decoders of JPEG may differ.
    assert np.abs(canvas(page, "before").astype(int) - before).max() <= 4
    assert difference(page, wave) <= 2
    page.focus("#stroke_size")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    shown(page, "example.jpg wave 1.62")
    assert difference(page, wave, 1.62) <= 2
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "example.wave.png"
    download.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB"))
    np.testing.assert_array_equal(saved, canvas(page))


def test_a_picture_is_opened(page, tiny_style, tmp_path):
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (91, 123, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "noise.png")
    page.set_input_files("#file", tmp_path / "noise.png")
    shown(page, "noise.png tiny 1")
    np.testing.assert_array_equal(canvas(page, "before"), picture)
    assert difference(page, tiny_style) <= 2


def test_without_isolation_it_runs_in_one_thread(open_page, tiny_style):
    page = open_page(service_workers="block")
    assert not page.evaluate("crossOriginIsolated")
    assert "one thread" in page.inner_text("#device")
    assert difference(page, tiny_style) <= 2


@pytest.mark.parametrize(
    ("name", "codec", "sound", "rate", "time_base", "times"),
    [
        ("a.mp4", "libx264", "aac", Fraction(30000, 1001), None, None),
        ("b.mp4", "libx264", "aac", Fraction(25), Fraction(1, 90000), [0, 3600, 5000, 9001, 20000]),
        ("c.webm", "libvpx-vp9", "libopus", Fraction(25), None, None),
    ],
)
def test_a_clip_keeps_its_frames_times_and_audio(
    page, tiny_style, tmp_path, name, codec, sound, rate, time_base, times
):
    sounds = (Sound(codec=sound, rate=48000),)
    source = make_clip(
        tmp_path, name, size=(128, 72), codec=codec, rate=rate, time_base=time_base, times=times,
        sounds=sounds, colour=(1, 1, 1, 1), options={"bf": "0"} if codec == "libx264" else None,
    )  # fmt: skip
    page.set_input_files("#file", source)
    page.wait_for_selector("#convert:not([hidden])")
    page.click("#convert")
    page.wait_for_selector("#download:not([hidden])")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == f"{source.stem}.tiny{source.suffix}"
    output = tmp_path / f"out{source.suffix}"
    download.value.save_as(output)
    before, after = read_clip(source), read_clip(output)
    assert after.times == before.times
    assert after.size == before.size
    assert after.colour == before.colour
    (heard,), (copied,) = before.audio, after.audio
    assert copied.contents == heard.contents
    # Mediabunny does not state the delay of Opus (CodecDelay) as FFmpeg does.
    delay = Fraction(7, 1000) if sound == "libopus" else 0
    assert [start - delay for start in copied.starts] == list(heard.starts)
    for own, made in zip(read(source), read(output), strict=True):
        off = codes(made) - stylized(codes(own), tiny_style).astype(np.float32)
        # What the encoder lost; colours by another matrix would be off everywhere.
        assert np.abs(off).mean() < 12
        assert np.abs(off.mean((0, 1))).max() < 1.5


def codes(frame) -> np.ndarray:
    return (to_rgb(frame)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


def test_a_clip_can_be_stopped_and_another_opened(page, tmp_path):
    long = make_clip(tmp_path, "long.mp4", frames=200, size=(320, 180))
    page.set_input_files("#file", long)
    page.wait_for_selector("#convert:not([hidden])")
    page.click("#convert")
    page.click("#stop")
    page.wait_for_selector("#message:text-is('Stopped')")
    page.wait_for_selector("#convert:not([hidden])")
    (tmp_path / "broken.mp4").write_bytes(b"no clip at all")
    page.set_input_files("#file", tmp_path / "broken.mp4")
    page.wait_for_selector("#error:has-text('broken.mp4 is no clip')")


def test_the_camera_is_stylized_live(page):
    page.click("#camera")
    page.wait_for_selector("#rate:has-text('frames/s')")
    first = canvas(page)
    assert first.shape == (720, 1280, 3)
    for _ in range(PATIENCE // 100):
        if not np.array_equal(first, canvas(page)):
            break
        page.wait_for_timeout(100)
    else:
        pytest.fail("the camera stands still")
    page.click("#camera")
    shown(page, "camera tiny 2")
    assert page.is_visible("#download")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not in build/axe")
def test_page_can_be_used_by_everybody(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page) == []


def test_models_are_small(site):
    assert (site / "try" / "models" / "wave.onnx").stat().st_size < 1_200_000
    start = ("*.js", "*.css", "*.jpg", "*.html", "parts/*", "models/*")
    page = sum(path.stat().st_size for one in start for path in (site / "try").glob(one))
    runtime = ("ort.wasm.gz", "ort.wasm.bundle.min.mjs")
    runtime_size = sum((site / "try" / "vendor" / name).stat().st_size for name in runtime)
    assert page + runtime_size < 8_000_000
