"""Measures the page that runs styles in the browser, as `make site` has built it.

    python benchmarks/browser.py [--threads N] [--megabits 20]

prints the bytes, the seconds and the processor's seconds up to the first picture on a line of such
a speed, and for some stroke sizes the processor time of a frame of 1280x720 by WebAssembly, with
the frames a second that one thread would make of it.
"""

from __future__ import annotations

import argparse
import http.server
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

SITE = Path(__file__).resolve().parents[1] / "site"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu")
STROKES = (1.0, 2.0, 3.0)
FRAMES = 5
PATIENCE = 120_000  # milliseconds
_PAINT = """async ([strokeSize, frames, threads]) => {
  const { Painter } = await import("./painter.js");
  const { chosenStyle } = await import("./parts/styles.js");
  window.measured ??= new Painter({ device: "wasm", threads });
  window.source ??= new Uint8ClampedArray(4 * 1280 * 720).map((_, at) => (37 * at) >> 3);
  const style = chosenStyle(document.getElementById("styles"));
  for (let frame = 0; frame < frames; frame += 1) {
    const pixels = window.source.slice();
    await window.measured.paint({ style, strokeSize, width: 1280, height: 720, pixels });
  }
}"""


class Line(http.server.SimpleHTTPRequestHandler):
    """A server whose answers share a line of some bytes a second."""

    rate = 0.0
    sent = 0
    busy = threading.Lock()

    def copyfile(self, source: Any, outputfile: Any) -> None:  # noqa: ANN401  the base class's
        """Send a file, a packet at a time."""
        while packet := source.read(16_384):
            with Line.busy:
                Line.sent += len(packet)
                time.sleep(len(packet) / Line.rate if Line.rate else 0)
            outputfile.write(packet)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Print nothing."""


def first_picture(browser: Any, address: str, megabits: float) -> tuple[float, float, int]:  # noqa: ANN401
    """Return seconds, the processor's, and bytes up to the first stylized picture."""
    already = processor_seconds(browser)
    Line.rate, Line.sent = megabits * 1e6 / 8, 0
    began = time.perf_counter()
    page = browser.new_context().new_page()
    page.goto(address)
    page.wait_for_selector("#stage[data-exact]", timeout=PATIENCE)
    seconds = time.perf_counter() - began
    Line.rate = 0
    spent = processor_seconds(browser) - already
    page.context.close()
    return seconds, spent, Line.sent


def frame_seconds(browser: Any, address: str, threads: int) -> list[float]:  # noqa: ANN401
    """Return the processor time of a frame of 1280x720 for each of `STROKES`."""
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_selector("#stage[data-exact]")
    seconds = []
    for size in STROKES:
        page.evaluate(_PAINT, [size, 2, threads])
        before = processor_seconds(browser, "renderer")
        page.evaluate(_PAINT, [size, FRAMES, threads])
        seconds.append((processor_seconds(browser, "renderer") - before) / FRAMES)
    page.context.close()
    return seconds


def processor_seconds(browser: Any, kind: str = "") -> float:  # noqa: ANN401
    """Return what the browser's processes have used, those of one kind alone if it is given."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(each["cpuTime"] for each in processes if kind in each["type"])


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="Threads; 0 for all.")
    parser.add_argument("--megabits", type=float, default=20, help="Speed of the line.")
    options = parser.parse_args()
    handler = partial(Line, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/try/index.html"
        address += f"?threads={options.threads}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            seconds, spent, sent = first_picture(browser, address, options.megabits)
            print(f"first picture at {options.megabits:g} Mbit/s: {sent / 1e6:.1f} MB,")
            print(f"{seconds:.1f} s, of the processor {spent:.1f} s")
            print("| stroke size | ms | frames a second |\n| --- | --- | --- |")
            times = frame_seconds(browser, address, options.threads)
            for size, spent in zip(STROKES, times, strict=True):
                print(f"| {size:g} | {1000 * spent:.0f} | {1 / spent:.1f} |")
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
