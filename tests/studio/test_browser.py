"""The page in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brushreel.batch.clips.clip import stylize_clip
from brushreel.core import library
from brushreel.core.clips.media import read
from brushreel.core.frames.colour import to_rgb

from ..batch.media.make import Sound, make_clip
from ..browsing import AXE, PATIENCE, canvas, serious
from ..training.conftest import make_texture, vgg_file, vgg_tensors
from .conftest import Client

__all__ = ["vgg_file", "vgg_tensors"]


@pytest.fixture
def page(browser, client) -> Iterator[Any]:
    """The studio's page, with its first clip shown exactly; nothing may go wrong in it unseen."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    opened.goto(client.guard.address)
    exact(opened)
    yield opened
    context.close()
    # Sentences that the page shows come with these.
    refusals = ("status of 400", "status of 404")
    assert [line for line in wrong if not any(map(line.__contains__, refusals))] == []


def exact(page) -> None:
    """Wait for the exact frame."""
    page.wait_for_selector("#stage[data-exact]")


def codes(frame) -> np.ndarray:
    return (to_rgb(frame)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


def picture_size(page, selector: str) -> tuple[int, int]:
    """Return width and height of a picture as it was sent."""
    image = "one => one.decode().then(() => [one.naturalWidth, one.naturalHeight])"
    width, height = page.eval_on_selector(selector, image)
    return width, height


def test_still_frame_is_the_one_of_a_render_and_follows_the_settings(
    page, client, styles, tmp_path
):
    source, output = client.folder / "a.mp4", tmp_path / "out.mkv"
    stylize_clip(source, output, styles, codec="ffv1", device="cpu", stroke_size=2.0)
    rendered = [codes(frame) for frame in read(output)]
    page.click(".style:has-text('tiny')")
    exact(page)
    before = canvas(page)
    page.focus("#stroke_size")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("output[for=stroke_size]:text-is('2.00')")
    page.wait_for_selector("#command:has-text('--style tiny --stroke-size 2')")
    page.focus("#stage")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    exact(page)
    assert page.inner_text("#timecode") == "00:00:00:03"
    np.testing.assert_array_equal(canvas(page), rendered[3])
    assert not np.array_equal(before, rendered[3])

    page.click("[aria-label^='Reset stroke size']")
    page.keyboard.press("Escape")
    page.click("#first")
    exact(page)
    np.testing.assert_array_equal(canvas(page), before)
    page.click("text=Source")
    exact(page)
    np.testing.assert_array_equal(canvas(page, "before"), codes(next(iter(read(source)))))


def test_every_style_is_shown_and_the_choice_survives_a_reload(page):
    assert page.locator("#styles .style").count() == 2
    page.wait_for_selector("#styles .style:nth-of-type(2) img")
    page.wait_for_selector("#strip button:nth-child(5) img")
    page.click(".style:has-text('other')")
    page.select_option("#blend-with", "tiny")
    page.wait_for_selector("#command:has-text('other:0.5+tiny:0.5')")
    page.click("#strip button:nth-child(3)")
    page.wait_for_selector("#timecode:text-is('00:00:00:12')")
    page.reload()
    exact(page)
    page.wait_for_selector("#timecode:text-is('00:00:00:12')")
    page.wait_for_selector("#command:has-text('other:0.5+tiny:0.5')")


@pytest.mark.slow
def test_clip_plays_in_step_with_the_clock_and_loops(page, client):
    make_clip(client.folder, "b.mp4", frames=75, sounds=(Sound(seconds=Fraction(3)),))
    page.click("#refresh")
    page.click(".clip:has-text('b.mp4')")
    page.wait_for_selector("#clip-name:text-is('b.mp4')")
    exact(page)
    page.click("#play")
    page.wait_for_selector("#rate:has-text('frames/s')")
    seen = {page.inner_text("#timecode")}
    for _ in range(40):
        page.wait_for_timeout(100)
        seen.add(page.inner_text("#timecode"))
    assert len(seen) > 3
    assert {timecode[:8] for timecode in seen} >= {"00:00:00", "00:00:02"}
    page.click("#play")
    exact(page)
    number = int(page.input_value("#scrub"))
    page.click("text=Source")
    exact(page)
    frames = list(read(client.folder / "b.mp4"))
    np.testing.assert_array_equal(canvas(page, "before"), codes(frames[number]))


@pytest.mark.slow
def test_style_that_is_dragged_onto_another_is_blended_with_it(page):
    page.drag_and_drop(".style:has-text('other')", ".style:has-text('tiny')")
    page.wait_for_selector("#style-title:text-is('tiny:0.5+other:0.5')")
    page.wait_for_selector("#command:has-text('--style tiny:0.5+other:0.5')")


@pytest.mark.slow
def test_wipe_is_dragged_and_moved_by_keys(page):
    page.click("text=Wipe")
    exact(page)
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.up()
    assert page.get_attribute("#wipe", "aria-valuenow") == "25"
    cut = page.evaluate("getComputedStyle(document.getElementById('after')).clipPath")
    assert cut == "inset(0px 0px 0px 25%)"
    page.focus("#wipe")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#wipe", "aria-valuenow") == "27"


@pytest.mark.slow
def test_keyboard_is_enough(page, client, drawn):
    (client.folder / "b.mp4").write_bytes(drawn)
    page.click("#refresh")
    page.wait_for_selector(".clip:has-text('b.mp4')")
    page.focus("#clips")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#clip-name:text-is('b.mp4')")
    exact(page)
    page.focus("input[name=style]:checked")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#style-title:text-is('tiny')")
    page.focus("#stage")
    for key, shown in (("2", "before"), ("3", "wipe"), ("4", "split"), ("1", "after")):
        page.keyboard.press(key)
        assert shown in page.get_attribute("#stage", "class").split()
    page.keyboard.press("End")
    exact(page)
    assert page.input_value("#scrub") == page.get_attribute("#scrub", "max")
    page.keyboard.press("Home")
    exact(page)
    page.keyboard.press(" ")
    page.wait_for_selector("#play[aria-label=Pause]")
    page.keyboard.press(" ")
    exact(page)
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    assert page.is_visible("#no-clips")
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


@pytest.mark.slow
def test_clip_is_dropped_rendered_and_shown_beside_its_source(page, client, drawn, tmp_path):
    file = {"name": "dropped.mp4", "mimeType": "video/mp4", "buffer": drawn}
    page.set_input_files("#files", file)
    page.wait_for_selector("#clip-name:text-is('dropped.mp4')")
    exact(page)
    page.click("#render")
    page.fill("#folder", "nowhere")
    page.click("#render-start")
    page.wait_for_selector("#render-error:has-text('from the root on')")
    page.fill("#folder", str(tmp_path / "out"))
    page.click("summary:has-text('Encoding')")
    page.select_option("select[name='--codec']", "ffv1")
    page.fill("input[name='--preset']", "auto")
    page.click("summary:has-text('Outputs')")
    page.select_option("select[name='--container']", "mkv")
    page.wait_for_selector("#render-command:has-text('--container=mkv')")
    page.click("#render-start")
    page.wait_for_selector(".job[data-state=done]")
    rendered = [codes(frame) for frame in read(tmp_path / "out" / "dropped.mkv")]
    page.click("[data-act=show]")
    page.wait_for_selector("#against:has-text('dropped.mkv')")
    exact(page)
    np.testing.assert_array_equal(canvas(page), rendered[0])
    page.click("#leave")
    assert not page.is_visible("#against")
    page.click("[data-act=remove]")
    page.wait_for_selector("#queue", state="hidden")


@pytest.mark.slow
def test_render_is_paused_resumed_and_cancelled(page, client, long_clip):
    page.click("#refresh")
    page.click(".clip:has-text('long.mp4')")
    page.wait_for_selector("#clip-name:text-is('long.mp4')")
    page.click("#render")
    page.click("#render-start")
    page.wait_for_selector(".job[data-state=running] progress[value]")
    page.click("[data-act=pause]")
    page.wait_for_selector(".job[data-state=paused]")
    page.click("[data-act=resume]")
    page.wait_for_selector(".job[data-state=running]")
    page.click("[data-act=remove]")
    page.wait_for_selector("#queue", state="hidden")
    assert {path.name for path in client.folder.iterdir()} == {"a.mp4", "long.mp4"}


@pytest.mark.slow
def test_camera_runs_through_the_style(page):
    page.click("#camera")
    page.wait_for_selector("#rate:has-text('frames/s')")
    assert page.inner_text("#clip-name") == "Camera"
    before, after = canvas(page, "before"), canvas(page)
    assert before.shape == after.shape
    assert np.abs(before.astype(float) - after).mean() > 10
    page.wait_for_timeout(1000)
    assert not np.array_equal(canvas(page, "before"), before)
    page.wait_for_selector("#styles .style:nth-of-type(2) img")
    shapes = [picture_size(page, f"#styles .style:nth-of-type({number}) img") for number in (1, 2)]
    assert shapes[0] == shapes[1]
    assert abs(shapes[0][0] / shapes[0][1] - before.shape[1] / before.shape[0]) < 0.02
    page.click("#camera")
    exact(page)
    assert not page.is_visible("#rate")


def test_what_is_wrong_is_a_sentence_in_the_page(page, client):
    (client.folder / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(999))
    page.click("#refresh")
    page.click(".clip:has-text('broken.mp4')")
    page.wait_for_selector('#message:has-text("broken.mp4: can\'t be opened as a clip")')
    page.set_input_files("#files", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"})
    page.wait_for_selector("#message:has-text('a.txt: is not a clip')")
    page.click(".clip:has-text('a.mp4')")
    exact(page)
    assert page.inner_text("#message") == ""


@pytest.mark.slow
def test_style_is_trained_and_at_once_among_the_others(page, client, loss_network, tmp_path):
    Image.fromarray(make_texture(140, 180, 3)).save(tmp_path / "Blue Bird.png")
    page.keyboard.press("t")
    page.set_input_files("#painting-file", tmp_path / "Blue Bird.png")
    page.wait_for_selector("#painting-picture:not([hidden])")
    assert page.input_value("#train-name") == "blue-bird"
    assert page.input_value("#footage") == str(client.folder)
    page.select_option("#parent", "tiny")
    page.click("#units label:has-text('steps')")
    page.fill("#long", "20")
    page.focus("#train-scale")
    page.keyboard.press("Home")
    page.click("#train-options summary:has-text('Hyperparameters')")
    page.fill("#train-options input[name='--crop']", "32")
    page.wait_for_selector(
        "#train-command:has-text('--style-scale 0.25 --iterations 20 --crop=32')"
    )
    page.set_default_timeout(5 * PATIENCE)
    page.click("#train-start")
    page.wait_for_selector(".run-frames img >> nth=1")
    first = page.get_attribute(".run-frames img >> nth=1", "src")
    page.wait_for_selector(".run[data-state=done]")
    assert page.get_attribute(".run-frames img >> nth=1", "src") != first
    page.set_default_timeout(PATIENCE)
    assert page.locator(".loss polyline").count() == 3
    page.click("[data-act=show]")
    page.wait_for_selector("#style-title:text-is('blue-bird')")
    assert page.locator("#styles .style").count() == 3
    exact(page)


def test_style_that_was_removed_meanwhile_leaves_the_page(page, styles):
    page.click(".style:has-text('tiny')")
    exact(page)
    (library.user_styles() / "tiny.safetensors").unlink()
    page.wait_for_selector("#styles .style:has-text('tiny')", state="detached")
    page.wait_for_selector("#style-title:text-is('other')")
    exact(page)


@pytest.mark.slow
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not in build/axe")
def test_page_can_be_used_by_everybody(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page) == []
    page.click("#render")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.wait_for_selector("#train-form")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page) == []


ATTACK = """async ([root, host]) => {
  const got = [];
  const read = async (address, options) => {
    try { got.push((await fetch(address, options)).status); } catch { got.push("refused"); }
  };
  await read(root + "clips");
  await read(root + "jobs", { method: "POST", body: "{}" });
  await read(root + "jobs", { method: "POST", body: "{}", mode: "no-cors" });
  await read(`http://${host}/`);
  got.push(await new Promise((resolve) => {
    const socket = new WebSocket(root.replace("http", "ws") + "play");
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  }));
  got.push(await new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve("loaded");
    image.onerror = () => resolve("refused");
    image.src = root + "front/icon.svg";
  }));
  return got;
}"""

FRAME = """root => {
  document.body.append(Object.assign(document.createElement("iframe"), { src: root }));
}"""


def test_page_of_another_origin_gets_nothing(browser, client: Client, tmp_path):
    """Not even one that has learnt the secret."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "index.html").write_text("<!doctype html><title>evil</title>")
    handler = partial(_Quiet, directory=str(tmp_path / "evil"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as evil:
        threading.Thread(target=evil.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://localhost:{evil.server_port}/")
        root = f"http://{client.guard.host}{client.guard.root}"
        got = page.evaluate(ATTACK, [root, client.guard.host])
        page.evaluate(FRAME, root)
        page.wait_for_timeout(500)
        framed = page.frames[-1].url
        page.close()
        evil.shutdown()
    refused, _opaque = got[:2], got[2]
    assert refused == ["refused", "refused"]
    assert got[3:] == ["refused", "refused", "refused"]
    assert root not in framed
    assert client.jobs() == []


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that prints nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its own name
        return
