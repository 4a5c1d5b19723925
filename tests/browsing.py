"""Pages in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import brushreel

MUST_RUN = os.environ.get("BRUSHREEL_BROWSER_TESTS") == "required"
"""Set by .ci/run where it could install a browser."""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
AXE = Path(brushreel.__file__).parent / "build/axe/node_modules/axe-core/axe.min.js"
"""Checks of accessibility: npm install --prefix build/axe axe-core@4."""
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    if not MUST_RUN:
        pytest.importorskip("playwright", reason="playwright is not installed")
        if CHROMIUM is None:
            pytest.skip("there is no chromium")
    from playwright.sync_api import sync_playwright

    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    sound = "--autoplay-policy=no-user-gesture-required"
    flags = ["--no-sandbox", "--disable-gpu", sound, *fake]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


def canvas(page, name: str = "after") -> np.ndarray:
    """Return what a canvas holds: (H, W, 3) codes."""
    address = page.evaluate(f"document.getElementById('{name}').toDataURL('image/png')")
    content = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def serious(page) -> list[str]:
    """Return what axe-core finds that keeps people from using the page."""
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 15
    return [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
