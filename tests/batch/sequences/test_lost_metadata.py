"""Metadata of images that no output keeps is named before the first frame."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.core.errors import OutputError
from brushreel.core.pictures.picture_tags import PngChunks, TiffTags


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8))


@pytest.fixture
def facts() -> dict[str, object]:
    """ICC profile and EXIF, as Pillow writes them."""
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"exif": exif, "icc_profile": profile}


def with_texts() -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "Waves")
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")
    return texts


def warnings(source: Path, name: str) -> tuple[str, ...]:
    return inspect_clip(source, source.parent / "out" / name)[1]


@pytest.mark.parametrize("name", ["o.%d.png", "o.%d.tif", "o.mp4"])
def test_jpeg(image, facts, tmp_path, name):
    image.save(tmp_path / "a.0001.jpg", xmp=b"<x/>", comment=b"a comment", **facts)
    (line,) = warnings(tmp_path / "a.0001.jpg", name)
    assert line == "not kept of the images: ICC profile, EXIF, XMP, comment"


def test_png(image, facts, tmp_path):
    image.save(tmp_path / "a.0001.png", pnginfo=with_texts(), **facts)
    for name in ("o.%d.tif", "o.mp4"):
        (line,) = warnings(tmp_path / "a.0001.png", name)
        assert line == "not kept of the images: EXIF, ICC profile, XMP, texts"
    assert not warnings(tmp_path / "a.0001.png", "o.%d.png")


def test_chunks_of_other_programs(image, tmp_path):
    path = tmp_path / "a.0001.png"
    image.save(path)
    content = path.read_bytes()
    own = b"caNv" + bytes(16)
    chunk = (len(own) - 4).to_bytes(4) + own + zlib.crc32(own).to_bytes(4)
    path.write_bytes(content[:33] + chunk + content[33:])
    assert warnings(path, "o.%d.png") == ("chunks caNv is not kept",)


def test_tiff(image, facts, tmp_path):
    facts["exif"][0x0112] = 6  # type: ignore[index]
    facts["exif"].get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"  # type: ignore[attr-defined]
    facts["exif"] = facts["exif"].tobytes()  # type: ignore[attr-defined]
    image.save(tmp_path / "a.0001.tif", description="Waves", **facts)
    (line,) = warnings(tmp_path / "a.0001.tif", "o.%d.png")
    assert line == "not kept of the images: ICC profile, orientation, texts, EXIF"
    assert warnings(tmp_path / "a.0001.tif", "o.%d.tif") == ("EXIF is not kept",)


def test_openexr(tmp_path):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "owner": "me"}
    with OpenEXR.File(header, {"RGB": np.zeros((32, 32, 3), np.float16)}) as file:
        file.write(str(tmp_path / "a.0001.exr"))
    assert any("attributes owner" in line for line in warnings(tmp_path / "a.0001.exr", "o.%d.png"))
    assert not any("owner" in line for line in warnings(tmp_path / "a.0001.exr", "o.%d.exr"))


@pytest.mark.parametrize(
    ("name", "kind", "lacks"),
    [("a.0001.png", PngChunks, "EXIF, ICC profile"), ("a.0001.tif", TiffTags, "ICC profile")],
)
def test_what_is_not_written_fails_verification(
    image, facts, tmp_path, untouched, monkeypatch, name, kind, lacks
):
    image.save(tmp_path / name, **facts)
    output = tmp_path / "out" / f"o.%d{Path(name).suffix}"
    convert(tmp_path / name, output, untouched)
    monkeypatch.setattr(kind, "into", lambda self, content: content)
    with pytest.raises(OutputError, match=f"failed verification: it lacks {lacks}"):
        convert(tmp_path / name, output.with_name(f"p.%d{output.suffix}"), untouched)
