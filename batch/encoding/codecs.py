"""The table of codecs: what each can hold, in which files, and how its encoder is told so.

docs/encoding.md is this table in words. Whether an encoder takes what stands here is tested
against FFmpeg itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from ...core.frames.frame import PIXEL_FORMATS
from ...core.options import HardwareEncoder

Kind = Literal["software"] | HardwareEncoder

PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
"""How much time an encoder may take, x264's names; other encoders' scales are mapped to them."""


def same(*names: str) -> dict[str, str]:
    """Return the pixel formats that an encoder takes as they are."""
    return {name: name for name in names}


@dataclass(frozen=True, eq=False)
class Encoder:
    """One of FFmpeg's encoders.

    Attributes:
        name: FFmpeg's name.
        kind: Whose it is; "software" runs everywhere.
        pixel_formats: The formats of frames that it takes, each with the format that it is fed:
            the same samples, repacked.
        quality: Options for a constant rate factor; None where it has none.
        presets: Each preset with the encoder's own word for it.
        preset_option: The option that takes that word.
        usual_preset: The preset where none is named, if not the codec's: the fastest one that keeps
            the SSIM of docs/encoding.md.
        usual_params: More of `params` where no preset is named.
        usual_params_of_large: More of these for large frames, of which memory would hold many.
        params_of_narrow: More of `params` for frames of fewer than 64 columns.
        options: Options that are always set.
        params_option: The option that takes `params`, joined by colons.
        params: The encoder library's own settings.
        bitrate_params: More of them where a bitrate is asked for.
        hwaccel: FFmpeg's kind of device where frames must be uploaded first.
        interlaced: Options for interlaced frames; None where it can't code them as such.
    """

    name: str
    kind: Kind
    pixel_formats: Mapping[str, str]
    quality: Callable[[int], dict[str, str]] | None = None
    presets: Mapping[str, str] = field(default_factory=dict)
    preset_option: str = "preset"
    usual_preset: str | None = None
    usual_params: tuple[str, ...] = ()
    usual_params_of_large: tuple[str, ...] = ()
    params_of_narrow: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    params_option: str = ""
    params: tuple[str, ...] = ()
    bitrate_params: tuple[str, ...] = ()
    hwaccel: str | None = None
    interlaced: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Profile:
    """A profile of a codec.

    Attributes:
        pixel_formats: Formats of its encoders that it supports.
        option: The encoder's word for it.
    """

    pixel_formats: tuple[str, ...]
    option: str


@dataclass(frozen=True)
class Codec:
    """One row of the table.

    Attributes:
        software: The encoder that runs everywhere.
        containers: Suffixes of the files that hold it, the usual one first.
        crf: Lowest, default and highest constant rate factor; None where the codec has neither
            that nor a bitrate.
        profiles: By the name that the user gives.
        usual_profiles: Tried in this order where none is named; none of them: the encoder's own.
        preset: The preset where none is named.
        crops_in_chroma: Sizes are cropped in chroma samples: 4:2:0 has no odd sizes.
        least_size: Width and height in pixels.
    """

    software: Encoder
    containers: tuple[str, ...]
    crf: tuple[int, int, int] | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    usual_profiles: tuple[str, ...] = ()
    preset: str | None = None
    crops_in_chroma: bool = False
    least_size: tuple[int, int] = (1, 1)


def constant_rate_factor(crf: int) -> dict[str, str]:
    """Return the quality option of the software encoders."""
    return {"crf": str(crf)}


_YUV_8 = ("yuv420p", "yuv422p", "yuv444p")
_YUV_10 = ("yuv420p10le", "yuv422p10le", "yuv444p10le")
_YUV_12 = ("yuv420p12le", "yuv422p12le", "yuv444p12le")

# Noise, soft gradients and what is dark get their share of the bits (libx264 and libx265).
_KEEP_SOFT_PARTS = "aq-mode=3"

# Every count of threads is a fixed one: with it the written frames depend on nothing but the
# frames and the settings, so that a segment done again is the segment that was lost.
_X264 = Encoder(
    "libx264",
    "software",
    same(*_YUV_8, *_YUV_10, "gray", "gray10le"),
    quality=constant_rate_factor,
    presets={name: name for name in PRESETS},
    # superfast codes every block as if nothing referred to it, in up to twice veryfast's bytes.
    # With the macroblock tree of a short lookahead it is as fast, in about veryfast's bytes.
    # CAVLC gives the same frames as CABAC in an eighth more bytes, which are written in four fifths
    # of the time and read, by verification and by editing programs, in half. To choose where
    # B-frames go takes a tenth of the time, and among so few saves nothing.
    usual_preset="superfast",
    usual_params=("mbtree=1", "rc-lookahead=5", "cabac=0", "b-adapt=0"),
    # Encoder and decoder hold fewer frames: a tenth of the memory that a clip of 2160 lines takes.
    usual_params_of_large=("b-pyramid=none",),
    options={"threads": "12"},
    params_option="x264-params",
    # With AVX-512 libx264's mbtree writes other frames every time it runs. Named where a CPU has
    # it only: libx264 believes the option, whatever the CPU.
    params=(
        *(("asm=avx2",) if torch.cpu.get_capabilities().get("avx512_f") else ()),
        _KEEP_SOFT_PARTS,
    ),
    interlaced={"flags": "+ildct+ilme"},
)
_X265 = Encoder(
    "libx265",
    "software",
    same(
        *(*_YUV_8, *_YUV_10, *_YUV_12, "gray", "gray10le", "gray12le"),
        *("gbrp", "gbrp10le", "gbrp12le"),
    ),
    quality=constant_rate_factor,
    presets={name: name for name in PRESETS},
    usual_preset="veryfast",
    params_option="x265-params",
    # Weights for fades are found in a race of threads; the offsets: libx265 spares the chroma of
    # textures until it shows.
    params=(
        *("log-level=error", "frame-threads=4", "pools=16", "weightp=0"),
        *("cbqpoffs=-3", "crqpoffs=-3", _KEEP_SOFT_PARTS),
    ),
    # libx265's tree writes whole vectors of blocks, beyond its memory where a row has fewer: glibc
    # then ends the process, now and then ("corrupted size vs. prev_size").
    params_of_narrow=("cutree=0",),
)
_VP9 = Encoder(
    "libvpx-vp9",
    "software",
    same(*_YUV_8),
    quality=lambda crf: {"crf": str(crf), "b": "0"},
    presets=dict(zip(PRESETS, ("8", "7", "6", "5", "4", "3", "2", "1", "0"), strict=True)),
    preset_option="cpu-used",
    usual_preset="fast",
    options={"threads": "8", "row-mt": "1", "deadline": "good"},
)
_SVT_AV1 = Encoder(
    "libsvtav1",
    "software",
    same("yuv420p", "yuv420p10le"),
    quality=constant_rate_factor,
    presets={
        **dict(zip(PRESETS, ("12", "11", "10", "9", "8", "6", "4", "3", "2"), strict=True)),
        **{str(number): str(number) for number in range(14)},
    },
    usual_preset="faster",
    params_option="svtav1-params",
    # Keeps noise and soft gradients, which it would else smooth away at any CRF.
    params=(
        *("enable-tf=0", "enable-variance-boost=1"),
        *("variance-boost-strength=3", "variance-octile=4"),
    ),
    # With more than one thread its rate control depends on which comes first.
    bitrate_params=("lp=1",),
)
_PRORES = Encoder(
    "prores_ks",
    "software",
    same("yuv422p10le", "yuv444p10le", "yuva444p10le"),
    options={"vendor": "apl0"},
    interlaced={"flags": "+ildct"},
)
_DNXHR = Encoder("dnxhd", "software", same("yuv422p", "yuv422p10le", "yuv444p10le", "gbrp10le"))
_FFV1 = Encoder(
    "ffv1",
    "software",
    # 8 bit RGB has only packed forms in it.
    {**same(*PIXEL_FORMATS), "gbrp": "bgr0", "gbrap": "bgra"},
    options={"level": "3", "slicecrc": "1"},
    interlaced={},
)

_MP4_MOV_MKV = ("mp4", "mov", "mkv")
_PRORES_422, _PRORES_444 = ("yuv422p10le",), ("yuv444p10le", "yuva444p10le")

CODECS = {
    "h264": Codec(
        _X264,
        _MP4_MOV_MKV,
        crf=(0, 9, 51),
        profiles={
            "main": Profile(("yuv420p",), "main"),
            "high": Profile(("yuv420p", "gray"), "high"),
            "high10": Profile(("yuv420p10le", "gray10le"), "high10"),
            "high422": Profile(("yuv422p", "yuv422p10le"), "high422"),
            "high444": Profile(("yuv444p", "yuv444p10le"), "high444"),
        },
        preset="medium",
        crops_in_chroma=True,
    ),
    "hevc": Codec(
        _X265,
        _MP4_MOV_MKV,
        crf=(0, 9, 51),
        profiles={
            "main": Profile(("yuv420p",), "main"),
            "main10": Profile(("yuv420p10le",), "main10"),
            "main12": Profile(("yuv420p12le",), "main12"),
            "main422-10": Profile(("yuv422p10le",), "main422-10"),
            "main422-12": Profile(("yuv422p12le",), "main422-12"),
            "main444-8": Profile(("yuv444p",), "main444-8"),
            "main444-10": Profile(("yuv444p10le",), "main444-10"),
            "main444-12": Profile(("yuv444p12le",), "main444-12"),
        },
        preset="medium",
        least_size=(16, 16),
        crops_in_chroma=True,
    ),
    "vp9": Codec(_VP9, ("webm", "mkv", "mp4"), crf=(0, 4, 63), preset="medium"),
    "av1": Codec(
        _SVT_AV1, ("mp4", "mkv", "webm"), crf=(0, 4, 63), preset="medium", least_size=(4, 4)
    ),
    "prores": Codec(
        _PRORES,
        ("mov", "mkv"),
        profiles={
            **{name: Profile(_PRORES_422, name) for name in ("proxy", "lt", "standard", "hq")},
            **{name: Profile(_PRORES_444, name) for name in ("4444", "4444xq")},
        },
        usual_profiles=("hq", "4444"),
    ),
    "dnxhr": Codec(
        _DNXHR,
        ("mov",),
        profiles={
            **{name: Profile(("yuv422p",), f"dnxhr_{name}") for name in ("lb", "sq", "hq")},
            "hqx": Profile(("yuv422p10le",), "dnxhr_hqx"),
            "444": Profile(("yuv444p10le", "gbrp10le"), "dnxhr_444"),
        },
        usual_profiles=("hq", "hqx", "444"),
        least_size=(256, 120),
    ),
    "ffv1": Codec(_FFV1, ("mkv",)),
}


def container_hint(names: Sequence[str]) -> str:
    """Return the two ways to another container, for a hint."""
    return f"write a .{' or .'.join(names)}: -o NAME.{names[0]}, or --container {names[0]}"
