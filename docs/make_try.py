"""The page that runs styles in the browser: what it is made of besides docs/try.

Packages of npm come in the versions that docs/try/package-lock.json pins; models are exported from
the styles that ship. Where npm or the `onnx` extra is missing, a page that says so is in its place.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from brushreel.core import library
from brushreel.core.errors import ExtraError
from brushreel.core.export import export_onnx
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "docs" / "try"
BUILD = ROOT / "build" / "try"
FIRST = "wave"
"""The style that the page begins with."""
_ONNX_RUNTIME = "onnxruntime-web/dist"
_VENDOR = (
    f"{_ONNX_RUNTIME}/ort.wasm.bundle.min.mjs",
    f"{_ONNX_RUNTIME}/ort.jspi.bundle.min.mjs",
    "mediabunny/dist/bundles/mediabunny.min.mjs",
)
# Browsers unpack them themselves: not every server compresses what it sends.
_PACKED = {
    f"{_ONNX_RUNTIME}/ort-wasm-simd-threaded.wasm": "ort.wasm.gz",
    f"{_ONNX_RUNTIME}/ort-wasm-simd-threaded.jspi.wasm": "ort-jspi.wasm.gz",
}
_LICENCES = {"mediabunny/LICENSE": "mediabunny.LICENSE.txt"}
# Fewer values are not worth the conversion.
_LEAST_HALVED = 1000
_CARD = (320, 180)
_ABSENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Brushreel in the browser</title></head>
<body><h1>Not in this build of the site</h1><p>{reason}</p><p><a href="../index.html">Back</a></p>
</body></html>
"""


class MissingError(Exception):
    """Something that the page is made of is not there; the message says what."""


def shipped() -> list[Style]:
    """Load the styles that ship, `FIRST` at the head."""
    styles = [Style.load(path) for path in sorted(library.SHIPPED.glob("*.safetensors"))]
    return sorted(styles, key=lambda style: style.name != FIRST)


def complete(folder: Path, styles: Sequence[Style]) -> str | None:
    """Add to a copy of docs/try what the page loads.

    Args:
        folder: The copy.
        styles: Those that can be chosen; the first one is at the start.

    Returns:
        Why the page is left out; None where it is complete.
    """
    try:
        _add_packages(folder / "vendor")
        _add_styles(folder / "models", styles)
    except MissingError as missing:
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "index.html").write_text(_ABSENT.format(reason=missing), encoding="utf-8")
        return str(missing)
    shutil.copytree(ROOT / "batch" / "page" / "parts", folder / "parts")
    return None


def _add_packages(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm, which brings its packages, is not installed.")
    BUILD.mkdir(parents=True, exist_ok=True)
    wanted = (SOURCES / "package-lock.json").read_bytes()
    installed = BUILD / "package-lock.json"
    if not (BUILD / "node_modules").exists() or installed.read_bytes() != wanted:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, BUILD)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=BUILD, check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(BUILD / "node_modules", ignore_errors=True)
            raise MissingError("npm could not bring its packages: is there a network?")
    folder.mkdir()
    modules = BUILD / "node_modules"
    for name in _VENDOR:
        shutil.copy(modules / name, folder)
    for name, target in _LICENCES.items():
        shutil.copy(modules / name, folder / target)
    for name, target in _PACKED.items():
        (folder / target).write_bytes(gzip.compress((modules / name).read_bytes(), 9, mtime=0))


def _add_styles(folder: Path, styles: Sequence[Style]) -> None:
    folder.mkdir()
    example = Image.open(SOURCES / "example.jpg").convert("RGB")
    about = []
    for style in styles:
        (folder / f"{style.name}.onnx").write_bytes(_model(style))
        stylized = Image.fromarray(Stylizer(style)(np.asarray(example)))
        stylized.resize(_CARD, Image.Resampling.LANCZOS).save(
            folder / f"{style.name}.jpg", quality=82
        )
        painting = f"{style.painting.artist}: {style.painting.title}, {style.painting.year}"
        about.append({"name": style.name, "title": style.title, "painting": painting})
    (folder / "styles.json").write_text(json.dumps(about), encoding="utf-8")


def _model(style: Style) -> bytes:
    """Export a style, or read it as it was exported before by the same code."""
    code = b"".join(path.read_bytes() for path in sorted((ROOT / "core").glob("export*.py")))
    key = hashlib.sha256(code + Path(__file__).read_bytes() + style.digest.encode()).hexdigest()
    path = BUILD / "models" / f"{key}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            export_onnx(style, path, stroke_size="input")
        except ExtraError as error:
            raise MissingError(f"Its models can't be exported: {error}.") from error
        path.write_bytes(halved(path))
    return path.read_bytes()


def halved(path: Path) -> bytes:
    """Return a model whose weights are stored in float16; it computes in float32 as before."""
    import onnx  # noqa: PLC0415  an extra
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= _LEAST_HALVED:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model.SerializeToString()
