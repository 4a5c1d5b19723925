"""Intact images of every kind that is read, damage that suits them, and the fuzz of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
from PIL import Image, PngImagePlugin

from .each import fuzz_each
from .fuzz import Outcome

SIZE = (36, 24)


def fuzz_images(folder: Path, style: Path, kinds: Sequence[str], count: int, seed: int) -> Outcome:
    """Damage images, stylize each, or open it as training does, and judge.

    Args:
        folder: An empty one.
        style: Any style file.
        kinds: See `whole_images`; "painting" stands alone.
        count: How many files.
        seed: Of the damage.
    """
    opened = list(kinds) == ["painting"]

    def written(path: Path) -> Path:
        suffix = ".png" if path.suffix == ".jpg" else path.suffix
        return folder / "out" / path.stem / f"styled{suffix}"

    def command(path: Path) -> list[str]:
        if opened:
            return ["open", str(path)]
        options = ["--device", "cpu", "--precision", "fp32", "--runtime", "torch"]
        return ["stylize", str(path), "-s", str(style), "-o", str(written(path)), *options]

    return fuzz_each(
        folder,
        {name: content for kind in kinds for name, content in whole_images(kind).items()},
        command,
        count,
        seed,
        changes=IMAGE_CHANGES,
        written=None if opened else written,
        check=check_image,
    )


def whole_images(kind: str) -> dict[str, bytes]:
    """Return intact images by name.

    Args:
        kind: "png", "tiff", "jpeg" or "exr"; "painting" for what training alone reads.
    """
    return {"png": _png, "tiff": _tiff, "jpeg": _jpeg, "exr": _exr, "painting": _paintings}[kind]()


def _pixels(channels: int, depth: int = 8) -> np.ndarray:
    random = np.random.default_rng(3)
    shape = (SIZE[1], SIZE[0], channels)
    # Less than noise, so that every compression compresses.
    return (random.integers(0, 9, shape) * ((1 << depth) // 10)).astype(f"u{depth // 8}")


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _encoded(codec: str, form: str, pixels: np.ndarray, **options: str) -> bytes:
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = *SIZE, form
    encoder.time_base, encoder.options = Fraction(1, 25), options
    frame = av.VideoFrame.from_ndarray(pixels, form)
    return b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)]))


def _png() -> dict[str, bytes]:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a sea")
    texts.add_itxt("Comment", "waves", zip=True)
    colour = Image.fromarray(_pixels(3))
    return {
        "rgb.png": _saved(colour, "PNG", pnginfo=texts, icc_profile=_PROFILE, dpi=(72, 72)),
        "palette.png": _saved(colour.convert("P"), "PNG", transparency=3),
        "grey.png": _saved(Image.fromarray(_pixels(1)[..., 0]), "PNG", exif=_exif()),
        "deep.png": _encoded("png", "rgba64be", _pixels(4, 16)),
        "bits.png": _saved(Image.fromarray(_pixels(1)[..., 0] > 99), "PNG"),
    }


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a sea"
    return exif


# The least that has a header, a tag table and a curve.
_PROFILE = (
    struct.pack(">I4sI4s4s4s", 160, b"lcms", 0x04300000, b"mntr", b"RGB ", b"XYZ ").ljust(36, b"\0")
    + b"acsp".ljust(92, b"\0")
    + struct.pack(">I4sII", 1, b"rTRC", 144, 14)
    + b"curv\0\0\0\0\0\0\0\x01\x02\x33\0\0"
)


def _tiff() -> dict[str, bytes]:
    colour, grey = Image.fromarray(_pixels(3)), Image.fromarray(_pixels(1)[..., 0])
    about = {"description": "a sea", "icc_profile": _PROFILE, "dpi": (72, 72)}
    return {
        "plain.tif": _saved(colour, "TIFF", **about),
        "lzw.tif": _saved(colour, "TIFF", compression="tiff_lzw"),
        "deflate.tif": _encoded("tiff", "rgb48le", _pixels(3, 16), compression_algo="deflate"),
        "packbits.tif": _saved(grey, "TIFF", compression="packbits"),
        "jpeg.tif": _saved(colour, "TIFF", compression="jpeg"),
        "fax.tif": _saved(grey.convert("1"), "TIFF", compression="group4"),
        "tiles.tif": tiled(_pixels(3)),
        "pages.tif": _saved(grey, "TIFF", save_all=True, append_images=[grey, colour]),
        "alpha.tif": _saved(Image.fromarray(_pixels(4)), "TIFF"),
    }


def tiled(pixels: np.ndarray, side: int = 16) -> bytes:
    """Return a TIFF file in tiles, uncompressed, of (H, W, 3) uint8."""
    height, width, parts = pixels.shape
    rows, columns = -(-height // side), -(-width // side)
    padded = np.zeros((rows * side, columns * side, parts), np.uint8)
    padded[:height, :width] = pixels
    tiles = [
        padded[y * side : (y + 1) * side, x * side : (x + 1) * side].tobytes()
        for y in range(rows)
        for x in range(columns)
    ]
    size, count = side * side * parts, len(tiles)
    data = 8 + size * count
    tags = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, data), (259, 3, 1, 1)),
        *((262, 3, 1, 2), (277, 3, 1, parts), (322, 4, 1, side), (323, 4, 1, side)),
        *((324, 4, count, data + 6), (325, 4, count, data + 6 + 4 * count)),
    ]
    rest = struct.pack("<3H", 8, 8, 8)
    rest += struct.pack(f"<{count}I", *(8 + size * index for index in range(count)))
    rest += struct.pack(f"<{count}I", *[size] * count)
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return struct.pack("<4sI", b"II*\0", data + len(rest)) + b"".join(tiles) + rest + directory


def _jpeg() -> dict[str, bytes]:
    colour, grey = Image.fromarray(_pixels(3)), Image.fromarray(_pixels(1)[..., 0])
    return {
        "colour.jpg": _saved(colour, "JPEG", exif=_exif(), icc_profile=_PROFILE),
        "progressive.jpg": _saved(colour, "JPEG", progressive=True, quality=90),
        "grey.jpg": _saved(grey, "JPEG", comment="a sea"),
        "restart.jpg": _saved(colour, "JPEG", subsampling=2, restart_marker_rows=1),
    }


def _exr() -> dict[str, bytes]:
    random = np.random.default_rng(4)

    def channels(names: str, kind: type) -> dict[str, np.ndarray]:
        return {name: random.gamma(0.5, 1, SIZE[::-1]).astype(kind) for name in names}

    def written(header: dict, planes: dict) -> bytes:
        file = io.BytesIO()
        OpenEXR.File(header, planes).write(file)
        return file.getvalue()

    lines = {"type": OpenEXR.scanlineimage}
    tiles = {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
    both = [
        OpenEXR.Part(dict(lines), channels("RGB", np.float16), "colour"),
        OpenEXR.Part(dict(lines), channels("Z", np.float32), "depth"),
    ]
    several = io.BytesIO()
    OpenEXR.File(both).write(several)
    return {
        "zip.exr": written({**lines, "compression": OpenEXR.ZIP_COMPRESSION, "owner": "me"},
                           channels("RGBA", np.float16)),
        "piz.exr": written({**lines, "compression": OpenEXR.PIZ_COMPRESSION},
                           channels("RGBZ", np.float32)),
        "none.exr": written({**lines, "compression": OpenEXR.NO_COMPRESSION},
                            channels("Y", np.float16)),
        "dwa.exr": written({**lines, "compression": OpenEXR.DWAA_COMPRESSION},
                           channels("RGB", np.float16)),
        "tiles.exr": written(tiles, channels("RGB", np.float16)),
        "parts.exr": several.getvalue(),
    }  # fmt: skip


def _paintings() -> dict[str, bytes]:
    colour = Image.fromarray(_pixels(3))
    kinds = ("WEBP", "BMP", "GIF", "TGA", "PPM", "JPEG2000", "DDS", "SGI", "PCX", "ICO", "IM")
    made = {f"painting.{kind.lower()}": _saved(colour, kind) for kind in kinds}
    return made | _png() | _tiff() | _jpeg()


def _png_chunk(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change a byte of a chunk, or its name, and mend its check sum, which hides all else."""
    data, starts, at = bytearray(content.tobytes()), [], 8
    while at + 12 <= len(data):
        starts.append(at)
        at += 12 + int.from_bytes(data[at : at + 4])
    if data[:4] != b"\x89PNG" or not starts:
        return content
    for _ in range(rng.integers(1, 4)):
        start = starts[rng.integers(len(starts))]
        length = int.from_bytes(data[start : start + 4])
        data[start + 4 + int(rng.integers(0, length + 4))] = int(rng.integers(0, 256))
        check = zlib.crc32(data[start + 4 : start + 8 + length])
        data[start + 8 + length : start + 12 + length] = check.to_bytes(4)
    return np.frombuffer(bytes(data), np.uint8)


def _entry(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change fields of four bytes near both ends, where headers and tables are."""
    odd = (0, 1, 2, 3, 5, 16, 255, 65535, 1 << 16, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
    content = content.copy()
    for _ in range(rng.integers(1, 4)):
        near = int(rng.integers(0, min(content.size - 4, 400)))
        place = near if rng.integers(2) else content.size - 4 - near
        value = int(odd[rng.integers(len(odd))])
        size = int(rng.choice([1, 2, 4]))
        order = "<" if rng.integers(2) else ">"
        packed = np.frombuffer(struct.pack(f"{order}I", value), np.uint8)
        content[place : place + size] = packed[:size] if order == "<" else packed[4 - size :]
    return content


IMAGE_CHANGES = (_png_chunk, _entry, _png_chunk, _entry)
"""Damage to headers, tables and chunks, past the check sums."""


def check_image(path: Path) -> None:
    """Read an image without this package.

    Raises:
        Exception: It can't be read.
    """
    if path.suffix == ".exr":
        OpenEXR.File(str(path))
        return
    with Image.open(path) as image:
        image.load()
