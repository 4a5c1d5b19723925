"""Watch the memory of the studio while it plays: it must not grow.

    python benchmarks/studio/memory.py [CLIP] [--minutes 10] [--style wave]

Opens the page in chromium (found by path, driven by Playwright) and plays a clip, by default that
of `brushreel demo`, in a loop. Prints every minute the memory of the server and of the browser's
page, in MiB, and at the end how much both have grown since the second minute: the first one fills
caches. Memory is the resident set size, as Linux tells it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from brushreel.batch.demo.clip import make_demo_clip

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
# Seconds between two looks; of a minute's looks the highest counts.
PACE = 5.0


def resident(process: int) -> float:
    """Return the MiB that a process holds in memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def renderers() -> list[int]:
    """Return the processes below this one that hold pages of a browser."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
            if "--type=renderer" in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:  # it has ended
            continue
    return [process for process in found if os.getpid() in _ancestors(process, parents)]


def _ancestors(process: int, parents: dict[int, int]) -> set[int]:
    above = set()
    while process in parents:
        process = parents[process]
        above.add(process)
    return above


def play(page: Page, clip: str, style: str) -> None:
    """Play a clip in a style."""
    page.set_default_timeout(120_000)
    page.wait_for_selector("#stage[data-exact]")
    page.click(f".clip[title='{clip}']")
    page.wait_for_selector(f"#clip-name:text-is('{clip}')")
    page.wait_for_selector("#stage[data-exact]")
    page.click(f".style:has(b:text-is('{style}'))")
    page.wait_for_selector("#stage[data-exact]")
    page.click("#play")
    page.wait_for_selector("#rate:has-text('frames/s')")


def watch(page: Page, server: int, pages: list[int], minutes: float) -> list[tuple[float, float]]:
    """Print the memory minute by minute, and return it: the server's, the page's."""
    held = []
    for minute in range(1, max(2, round(minutes)) + 1):
        ends, looks = time.monotonic() + min(60.0, 60 * minutes), []
        while time.monotonic() < ends:
            page.wait_for_timeout(PACE * 1000)
            looks.append((resident(server), sum(map(resident, pages))))
        most = (max(look[0] for look in looks), max(look[1] for look in looks))
        held.append(most)
        print(f"{minute:3} {most[0]:8.0f} {most[1]:8.0f}   {page.inner_text('#rate')}", flush=True)
    return held


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--style", default="wave")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("there is no chromium")
    with tempfile.TemporaryDirectory() as folder:
        clip = options.clip or make_demo_clip(Path(folder, "demo.mp4"), width=1280, height=720)
        where = str(clip.absolute().parent)
        run = [sys.executable, "-m", "brushreel", "studio", where, "--no-browser"]
        with (
            subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as server,
            sync_playwright() as playwright,
        ):
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            flags = ["--no-sandbox", "--disable-gpu", "--mute-audio"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            play(page, clip.name, options.style)
            print("min   server     page   MiB")
            held = watch(page, server.pid, renderers(), options.minutes)
            browser.close()
            server.terminate()
    for index, name in enumerate(("server", "page")):
        print(f"{name} grew by {held[-1][index] - held[1][index]:.0f} MiB since the second minute")


if __name__ == "__main__":
    main()
