"""Encoders that work on this machine, for `brushreel doctor`: each writes a few frames."""

from __future__ import annotations

import os

from ...core.finding import Finding
from .codecs import CODECS, Codec
from .hardware import HARDWARE, why_not

# The least of DNxHR, and enough for hardware.
_SIZE = (256, 144)


def examine_encoders() -> list[Finding]:
    """Return a finding for each codec, and one for each maker of hardware."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints its settings on stderr otherwise
    return [*(_software(name, codec) for name, codec in CODECS.items()), *_hardware()]


def _software(name: str, codec: Codec) -> Finding:
    encoder, options = codec.software, dict(codec.software.options)
    form = next(iter(encoder.pixel_formats))
    if codec.usual_profiles:
        profile = codec.profiles[codec.usual_profiles[0]]
        form, options["profile"] = profile.pixel_formats[0], profile.option
    if encoder.params:
        options[encoder.params_option] = ":".join(encoder.params)
    obstacle = why_not(encoder, form, _SIZE, tuple(options.items()))
    if obstacle is not None:
        return Finding(name, "broken", f"{encoder.name} does not work: {obstacle}", "reinstall av")
    return Finding(name, "ok", f"encoder {encoder.name} works")


def _hardware() -> list[Finding]:
    obstacles: dict[str, dict[str, str | None]] = {}
    for codec, encoders in HARDWARE.items():
        for encoder in encoders:
            form = next(iter(encoder.pixel_formats))
            obstacles.setdefault(encoder.kind, {})[codec] = why_not(encoder, form, _SIZE, ())
    return [_maker(kind, found) for kind, found in obstacles.items()]


def _maker(kind: str, obstacles: dict[str, str | None]) -> Finding:
    working = [codec for codec, obstacle in obstacles.items() if obstacle is None]
    if working:
        return Finding(kind, "ok", f"hardware encoder of {', '.join(working)}")
    return Finding(kind, "missing", f"no such hardware encoder: {next(iter(obstacles.values()))}")
