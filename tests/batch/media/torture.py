# ruff: noqa: E501  a row a line
"""Clips that break tools: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .make import Sound, make_clip, texture
from .remake import (
    copied,
    cut,
    ffmpeg,
    joined,
    scratched,
    shortened_by_edit_list,
    with_telemetry,
)

NTSC_FILM, NTSC, NTSC_TWICE = (Fraction(rate * 1000, 1001) for rate in (24, 30, 60))
MILLISECOND = Fraction(1, 1000)
B_FRAMES = {"preset": "medium", "x264-params": "bframes=3:b-pyramid=normal:keyint=8:scenecut=0"}
OPEN_GOP = {"preset": "medium", "x264-params": "open-gop=1:bframes=3:keyint=6:min-keyint=6"}
BT709, BT2020, PQ, HLG = (1, 1, 1, 1), (9, 1, 9, 14), (9, 1, 9, 16), (9, 1, 9, 18)
FULL_RANGE, PAL, NTSC_COLOUR = (1, 2, 1, 1), (5, 1, 5, 6), (6, 1, 6, 6)
VARIABLE = [0, 33, 67, 100, 350, 351, 400, 1234, 1240, 1500]
HOUR = 3600
ONE = 1 << 16
QUARTER_TURN = (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)
MIRRORED = (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
_MASTERED = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@dataclass(frozen=True)
class Odd:
    """A clip, and what must become of it.

    Attributes:
        name: Of the file.
        what: What is odd about it.
        make: Writes it into a folder.
        flags: What it is converted with.
        refused: Words of the message, where it can't be converted.
        left_out: Types of the tracks that the output can't hold, which must be said.
        pictures_differ: It is not the source's picture that is written: fields, damage.
    """

    name: str
    what: str
    make: Callable[[Path], Path]
    flags: tuple[str, ...] = ()
    refused: str | None = None
    left_out: tuple[str, ...] = ()
    pictures_differ: bool = False


def clip(what: str, name: str, *, facts: dict[str, Any] | None = None, **about: Any) -> Odd:
    """Return a clip that `make_clip` makes of these facts."""
    return Odd(name, what, lambda folder: make_clip(folder, name, **(facts or {})), **about)


def again(
    what: str, name: str, change: Callable[[Path, str], Path], base: str = "", **about: Any
) -> Odd:
    """Return a clip that is another one's change; `facts` are the other one's."""
    facts = about.pop("facts", {})
    first = base or f"base{Path(name).suffix}"
    return Odd(name, what, lambda folder: change(make_clip(folder, first, **facts), name), **about)


def by_ffmpeg(what: str, name: str, *arguments: str, **about: Any) -> Odd:
    """Return a clip that FFmpeg's command line makes of another."""
    return again(what, name, lambda base, name: copied(base, name, *arguments), **about)


def in_place(what: str, name: str, change: Callable[[Path], Path], **about: Any) -> Odd:
    """Return a clip whose bytes are changed."""
    return again(what, name, lambda base, _name: change(base), base=name, **about)


def tones(*codecs: str, **facts: Any) -> tuple[Sound, ...]:
    """Return audio tracks, each of another pitch and language."""
    languages = ("ger", "fre", "jpn", "spa", "ita", "por", "pol", "dan", "cze")
    return tuple(
        Sound(codec, hertz=220.0 * (n + 2), metadata={"language": languages[n]}, **facts)
        for n, codec in enumerate(codecs)
    )


def fading(index: int, size: tuple[int, int], planes: int) -> np.ndarray:
    """Draw a fade from black and to black again."""
    light = 1 - abs(index - 8) / 8
    return np.concatenate(
        [
            texture(index, size, planes)[:1] * light,
            0.5 + (texture(index, size, planes)[1:] - 0.5) * light,
        ]
    )


def leader(index: int, size: tuple[int, int], planes: int) -> np.ndarray:
    """Draw black, then an image, then black."""
    picture = texture(index, size, planes)
    if 5 <= index < 11:
        return picture
    picture[0], picture[1:] = 0, 0.5
    return picture


def titled(index: int, size: tuple[int, int], planes: int) -> np.ndarray:
    """Draw white bars as of letters on black, which roll."""
    rows, columns = np.indices(size[::-1])
    letters = (
        ((rows + index) % 16 < 6) & (columns % 9 < 6) & (abs(columns - size[0] / 2) < size[0] / 3)
    )
    return np.stack([letters.astype(float), *[np.full(size[::-1], 0.5)] * (planes - 1)])


def fields(first: str) -> tuple[str, ...]:
    """Encode MPEG-2 of two fields each frame with FFmpeg."""
    return ("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-vf", f"setfield={first}", "-q:v", "2")


def _chapters(unit: Fraction = MILLISECOND) -> list[dict[str, Any]]:
    names = ("Prologue", "Entr'acte: déjà vu")
    return [
        {
            "id": n,
            "start": 200 * n,
            "end": 200 * n + 200,
            "time_base": unit,
            "metadata": {"title": name},
        }
        for n, name in enumerate(names)
    ]


def with_cover(folder: Path) -> Path:
    """Make an MP4 that shows a still before it plays."""
    base = make_clip(folder, "base.mp4", sounds=tones("aac"))
    ffmpeg("-i", base, "-frames:v", "1", folder / "cover.png")
    cover = ("-i", str(folder / "cover.png"), "-map", "1", "-disposition:v:1", "attached_pic")
    return copied(base, "cover.mp4", *cover)


def two_sizes(folder: Path) -> Path:
    """Make a transport stream whose frames become smaller on their way."""
    parts = [
        make_clip(folder, "1.ts", frames=5),
        make_clip(folder, "2.ts", frames=5, size=(64, 48)),
    ]
    return joined(*parts, name="two-sizes.ts")


TIMES = [
    clip("23.976 fps", "film.mp4", facts={"rate": NTSC_FILM, "sounds": tones("aac")}),
    clip("29.97 fps", "ntsc.mov", facts={"rate": NTSC, "sounds": tones("pcm_s16le")}),
    clip("59.94 fps, B-frames", "ntsc60.mp4", facts={"rate": NTSC_TWICE, "options": B_FRAMES, "frames": 25}),
    clip("23.976 fps in milliseconds", "film.mkv", facts={"rate": NTSC_FILM, "sounds": tones("flac")}),
    clip("variable rate", "vfr.mp4", facts={"times": VARIABLE, "time_base": MILLISECOND, "sounds": tones("aac")}),
    clip("variable rate, B-frames", "vfr-b.mkv", facts={"times": VARIABLE, "time_base": MILLISECOND, "options": B_FRAMES}),
    clip("frames hours apart", "hours.mp4", facts={"times": [0, 1, 2, HOUR, 5 * HOUR, 9 * HOUR], "time_base": Fraction(1)}),
    clip("90 kHz, every frame a tick off", "jitter.mp4", facts={"times": [3003 * n + n % 3 for n in range(20)], "time_base": Fraction(1, 90_000)}),
    clip("one frame", "one.mp4", facts={"frames": 1, "sounds": tones("aac")}),
    clip("one frame", "one.mkv", facts={"frames": 1}),
    clip("B-frames in a pyramid", "pyramid.mp4", facts={"frames": 24, "options": B_FRAMES, "sounds": tones("aac")}),
    clip("open GOP", "open-gop.mkv", facts={"frames": 24, "options": OPEN_GOP}),
    clip("HEVC, open GOP", "open-gop.mp4", facts={"frames": 24, "codec": "libx265", "options": {"x265-params": "log-level=error:open-gop=1:keyint=6:min-keyint=6:bframes=3"}}),
    clip("picture starts half a second late", "late.mp4", facts={"times": [500 + 40 * n for n in range(10)], "time_base": MILLISECOND, "sounds": tones("aac", seconds=1)}),
    clip("sound starts a third of a second late", "late-sound.mov", facts={"sounds": tones("aac", start=Fraction(1, 3))}),
    clip("sound much longer than picture", "long-sound.mp4", facts={"frames": 3, "sounds": tones("aac", seconds=2)}),
    in_place("edit list that begins between keyframes", "edit-list.mp4", lambda path: shortened_by_edit_list(path, ticks=3 * 512, milliseconds=120), facts={"frames": 20, "options": B_FRAMES, "time_base": Fraction(1, 12800), "rate": Fraction(25)}),
    in_place("edit list that claims more than there is", "edit-claims.mp4", lambda path: shortened_by_edit_list(path, ticks=3 * 512, milliseconds=0), facts={"frames": 20, "options": B_FRAMES, "time_base": Fraction(1, 12800), "rate": Fraction(25)}),
    in_place("edit list that ends within a frame", "edit-end.mp4", lambda path: shortened_by_edit_list(path, ticks=0, milliseconds=25), facts={"frames": 20, "options": B_FRAMES, "time_base": Fraction(1, 12800), "rate": Fraction(25)}),
    by_ffmpeg("negative timestamps", "negative.mp4", "-movflags", "negative_cts_offsets", "-output_ts_offset", "-0.1", "-avoid_negative_ts", "disabled", "-use_editlist", "0", facts={"sounds": tones("aac"), "frames": 20, "options": B_FRAMES}),
    by_ffmpeg("negative timestamps that FFmpeg can't read", "negative.mkv", "-output_ts_offset", "-0.2", "-avoid_negative_ts", "disabled", refused="does not come after", facts={"sounds": tones("flac")}),
    by_ffmpeg("transport stream, clock of hours", "clock.ts", "-output_ts_offset", "40000.5", base="base.mp4", facts={"frames": 20, "options": B_FRAMES, "sounds": tones("aac", "libmp3lame")}),
    by_ffmpeg("transport stream whose clock wraps round", "wrap.ts", "-output_ts_offset", "95443.3", base="base.mp4", facts={"frames": 20, "sounds": tones("aac")}),
    by_ffmpeg("fragmented", "fragments.mp4", "-movflags", "frag_keyframe+empty_moov", facts={"frames": 24, "options": B_FRAMES, "sounds": tones("aac")}),
    by_ffmpeg("index in front", "faststart.mp4", "-movflags", "faststart", facts={"sounds": tones("aac")}),
]  # fmt: skip

TRACKS = [
    clip("six sound tracks", "sounds.mp4", facts={"sounds": tones("aac", "libmp3lame", "ac3", "libopus", "flac", "alac")}),
    clip("nine sound tracks", "sounds.mkv", facts={"sounds": tones("aac", "libmp3lame", "ac3", "libopus", "flac", "eac3", "vorbis", "wavpack", "tta")}),
    clip("uncompressed sound of four kinds", "pcm.mov", facts={"sounds": tones("pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_f32le")}),
    clip("5.1 and mono", "surround.mp4", facts={"sounds": (Sound("aac", layout="5.1"), Sound("ac3", layout="mono"))}),
    clip("sound that MOV alone holds, for MP4", "adpcm.avi", flags=("--drop-unsupported",), left_out=("audio",), facts={"codec": "mjpeg", "pixel_format": "yuvj420p", "sounds": tones("adpcm_ms")}),
    clip("uncompressed sound in AVI", "pcm-avi.avi", facts={"codec": "mjpeg", "pixel_format": "yuvj420p", "sounds": tones("pcm_s16le")}),
    by_ffmpeg("sound that no container here holds", "wma.wmv", "-c:v", "wmv2", "-c:a", "wmav2", base="base.mp4", refused="does not support", facts={"sounds": tones("aac")}),
    clip("subtitles", "titles.mkv", facts={"subtitles": ["Hello", "Grüße", "さようなら"], "sounds": tones("aac")}),
    by_ffmpeg("timed text", "titles.mp4", "-c:s", "mov_text", base="base.mkv", facts={"subtitles": ["Hello", "Grüße"], "sounds": tones("aac")}),
    by_ffmpeg("ASS subtitles, forced", "ass.mkv", "-c:s", "ass", "-disposition:s:0", "forced", facts={"subtitles": ["Hello"]}),
    by_ffmpeg("WebVTT in WebM", "vtt.webm", "-c:s", "webvtt", base="base.mkv", facts={"codec": "libvpx-vp9", "subtitles": ["Hello"], "sounds": tones("libopus")}),
    clip("subtitles that MP4 can't hold", "refused.mkv", flags=("--container", "mp4"), refused="does not support", facts={"subtitles": ["Hello"]}),
    clip("chapters", "chapters.mp4", facts={"chapters": _chapters(), "sounds": tones("aac")}),
    clip("chapters", "chapters.mkv", facts={"chapters": _chapters(Fraction(1, 10**9) * 10**6)}),
    by_ffmpeg("a font attached", "font.mkv", "-attach", "base.mkv", "-metadata:s:t", "mimetype=font/ttf"),
    by_ffmpeg("a font attached, for MP4", "font-for-mp4.mkv", "-attach", "base.mkv", "-metadata:s:t", "mimetype=font/ttf", flags=("--container", "mp4"), left_out=("attachment",)),
    Odd("cover.mp4", "cover picture", with_cover),
    by_ffmpeg("a second picture track", "two-pictures.mkv", "-map", "0:v", facts={"sounds": tones("aac")}),
    again("measured values beside the picture", "telemetry.mp4", with_telemetry, facts={"sounds": tones("aac")}),
    again("measured values, for Matroska", "telemetry-for-mkv.mp4", with_telemetry, flags=("--container", "mkv"), left_out=("data",)),
    by_ffmpeg("timecode track", "timecode.mov", "-timecode", "10:20:30:05", facts={"sounds": tones("pcm_s16le")}),
    by_ffmpeg("drop-frame timecode", "timecode.mp4", "-timecode", "10:20:30;06", facts={"rate": NTSC}),
    by_ffmpeg("dispositions", "marks.mkv", "-disposition:a:0", "comment", "-disposition:a:1", "default+original", facts={"sounds": tones("aac", "flac")}),
    clip("metadata in many scripts", "tags.mp4", facts={"metadata": {"title": "Große Welle 神奈川沖浪裏", "artist": "N. N.", "comment": "a=b;c", "date": "1831"}, "sounds": tones("aac")}),
    by_ffmpeg("what a phone says of itself", "phone.mov", "-movflags", "use_metadata_tags", "-metadata", "com.apple.quicktime.make=Apple", "-metadata", "com.apple.quicktime.creationdate=2023-05-09T12:41:46+0100", facts={"sounds": tones("aac")}),
    clip("metadata without a place in MP4", "words.mkv", flags=("--container", "mp4"), facts={"metadata": {"DIRECTOR": "N. N.", "TITLE": "Waves"}}),
    clip("metadata in many scripts", "tags.mkv", facts={"metadata": {"TITLE": "神奈川沖浪裏", "DIRECTOR": "N. N."}}),
]  # fmt: skip

PICTURES = [
    clip("a quarter turn", "turned.mp4", facts={"display_matrix": QUARTER_TURN}),
    clip("mirrored", "mirrored.mov", facts={"display_matrix": MIRRORED}),
    clip("pixels of 16:11", "wide.mp4", facts={"sample_aspect_ratio": Fraction(16, 11)}),
    by_ffmpeg("cropped by the decoder", "cropped.mp4", "-bsf:v", "h264_metadata=crop_left=6:crop_right=2:crop_top=4:crop_bottom=10", "-an"),
    by_ffmpeg("interlaced, top field first", "top.mkv", *fields("tff"), pictures_differ=True),
    by_ffmpeg("interlaced, bottom field first", "bottom.mpg", *fields("bff"), base="base.mkv", pictures_differ=True, facts={"sounds": tones("mp2")}),
    by_ffmpeg("interlaced, refused when asked", "refused.mov", *fields("tff"), flags=("--interlaced", "refuse"), refused="is interlaced"),
    clip("10 bit HEVC", "ten.mp4", facts={"codec": "libx265", "pixel_format": "yuv420p10le"}),
    clip("12 bit 4:4:4", "twelve.mkv", facts={"codec": "ffv1", "pixel_format": "yuv444p12le"}),
    clip("ProRes 4:2:2", "prores.mov", facts={"codec": "prores_ks", "pixel_format": "yuv422p10le"}),
    clip("BT.601, PAL", "pal.mkv", facts={"colour": PAL}),
    clip("BT.601, NTSC", "ntsc-colour.mp4", facts={"colour": NTSC_COLOUR}),
    clip("BT.709", "709.mp4", facts={"colour": BT709}),
    clip("BT.2020", "2020.mp4", facts={"colour": BT2020, "codec": "libx265", "pixel_format": "yuv420p10le"}),
    clip("full range", "full.mp4", facts={"colour": FULL_RANGE}),
    clip("PQ with mastering metadata", "pq.mp4", facts={"colour": PQ, "codec": "libx265", "pixel_format": "yuv420p10le", "options": {"x265-params": f"log-level=error:master-display={_MASTERED}:max-cll=1000,400"}}),
    clip("HLG", "hlg.mkv", facts={"colour": HLG, "codec": "libx265", "pixel_format": "yuv420p10le"}),
    clip("ProRes 4444 with alpha", "alpha.mov", facts={"codec": "prores_ks", "pixel_format": "yuva444p10le", "options": {"profile": "4444"}}),
    clip("FFV1 with alpha", "alpha.mkv", facts={"codec": "ffv1", "pixel_format": "yuva420p"}),
    clip("VP9 with alpha", "alpha.webm", facts={"codec": "libvpx-vp9", "pixel_format": "yuva420p", "options": {"auto-alt-ref": "0"}, "picture_metadata": {"alpha_mode": "1"}}),
    clip("grey", "grey.mkv", facts={"codec": "ffv1", "pixel_format": "gray", "colour": FULL_RANGE}),
    clip("grey, 10 bit", "grey10.mkv", facts={"codec": "ffv1", "pixel_format": "gray10le"}),
    clip("RGB planes", "gbrp.mkv", facts={"codec": "ffv1", "pixel_format": "gbrp10le"}),
    clip("RGB in H.264", "rgb.mp4", facts={"codec": "libx264rgb", "pixel_format": "rgb24"}),
    clip("97x63", "odd.webm", facts={"codec": "libvpx-vp9", "size": (97, 63), "sounds": tones("libopus")}),
    clip("33x17, 4:4:4", "odd.mp4", facts={"pixel_format": "yuv444p", "size": (33, 17)}),
    clip("16x16", "tiny.mp4", facts={"size": (16, 16)}),
    clip("4:1:1", "411.mkv", facts={"codec": "ffv1", "pixel_format": "yuv411p", "size": (96, 64)}),
    clip("fades", "fades.mp4", facts={"draw": fading, "frames": 17, "colour": BT709}),
    clip("black leader", "leader.mp4", facts={"draw": leader, "frames": 16, "colour": BT709, "sounds": tones("aac")}),
    clip("titles", "title-card.mp4", facts={"draw": titled, "frames": 16, "colour": BT709}),
    Odd("two-sizes.ts", "another size on the way", two_sizes, refused="changes its size"),
]  # fmt: skip

FILES = [
    clip("Motion JPEG in AVI", "mjpeg.avi", facts={"codec": "mjpeg", "pixel_format": "yuvj420p", "sounds": tones("libmp3lame")}),
    clip("MPEG-4 with B-frames in AVI", "mpeg4.avi", facts={"codec": "mpeg4", "options": {"bf": "2"}, "sounds": tones("ac3"), "frames": 20}),
    clip("H.264 with B-frames in AVI", "h264.avi", facts={"options": B_FRAMES, "frames": 20, "sounds": tones("libmp3lame")}),
    clip("MPEG-1 program stream", "mpeg1.mpg", facts={"codec": "mpeg1video", "frames": 20, "sounds": tones("mp2")}),
    clip("MPEG-2 transport stream", "mpeg2.ts", facts={"codec": "mpeg2video", "options": {"bf": "2"}, "frames": 20, "sounds": tones("mp2", "ac3")}),
    clip("VP8 in WebM", "vp8.webm", facts={"codec": "libvpx", "sounds": tones("vorbis")}),
    clip("VP9 in WebM", "vp9.webm", facts={"codec": "libvpx-vp9", "sounds": tones("libopus", "vorbis")}),
    clip("AV1", "av1.mp4", facts={"codec": "libsvtav1", "sounds": tones("libopus")}),
    clip("FLV", "flash.flv", facts={"codec": "flv", "sounds": tones("libmp3lame", rate=44_100)}),
    clip("3GP", "phone.3gp", facts={"codec": "h263", "size": (176, 144), "sounds": tones("aac")}),
    clip("MXF", "card.mxf", facts={"codec": "mpeg2video", "sounds": tones("pcm_s16le")}),
    in_place("cut off in the middle", "cut.mp4", lambda path: cut(path, 0.6), refused="cut.mp4", facts={"sounds": tones("aac")}),
    in_place("cut off in the middle", "cut.mkv", lambda path: cut(path, 0.6), refused="truncated", facts={"sounds": tones("aac")}),
    in_place("cut off in the middle", "cut.ts", lambda path: cut(path, 0.6), pictures_differ=True, facts={"frames": 20, "sounds": tones("aac")}),
    in_place("scratched", "scratched.ts", lambda path: scratched(path, start=0.5, end=0.9, times=12), pictures_differ=True, facts={"frames": 40, "sounds": tones("mp2")}),
    in_place("scratched", "scratched.mkv", lambda path: scratched(path, start=0.4, end=0.8, times=4), pictures_differ=True, facts={"frames": 40}),
    clip("a name with everything in it", "it's 100% é: 'a' [b] ~ (1).mp4", facts={"sounds": tones("aac")}),
]  # fmt: skip

TORTURE = [*TIMES, *TRACKS, *PICTURES, *FILES]
