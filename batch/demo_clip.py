"""A generated clip to try a style on: a sea coast at golden hour, with sound.

A low sun, fractal clouds on a ceiling that runs to the horizon, a snow-capped volcano, hills and a
rocky headland in parallax, deep-water waves with foam and sun glitter, a sailing boat that rocks on
the same waves, birds, and a slow pan. Every texture is anchored to something that moves smoothly,
so whatever flickers after painting was put there by the painting. The sound is a soft chord, and
surf that swells with the drawn waves.

Screen positions are in picture heights, x to the right of the centre, y down from the horizon; on
the sea they are in metres, x to the right and z away from the camera. Pictures are float32,
display-referred, 0 to 1. Periodic textures are complex64, so that one look-up brings both of their
parts, each of zero mean and unit deviation: the noise, and its relief under light from the right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import ArrayLike, NDArray

from ..core.errors import OutputError, UsageError

Array = NDArray[Any]

_SAMPLE_RATE = 48_000
_HORIZON = 0.56
_FOCAL = 1.6
_EYE_METRES = 6.0
_SUN_X, _SUN_Y = 0.40, -0.15
_COVE = (-60.0, 110.0)  # metres; where the surf under the headland breaks
_SKY_ELEVATION = (0.0, 0.05, 0.14, 0.26, 0.42, 0.60, 1.5)
_SKY_RED = (0.97, 0.96, 0.84, 0.55, 0.30, 0.18, 0.10)
_SKY_GREEN = (0.74, 0.69, 0.65, 0.60, 0.46, 0.35, 0.22)
_SKY_BLUE = (0.47, 0.46, 0.56, 0.68, 0.66, 0.60, 0.46)
_CANVAS, _WOOD, _CREAM = (0.96, 0.80, 0.62), (0.26, 0.12, 0.09), (0.92, 0.80, 0.62)
_MAST = ((-0.0022, -0.19), (0.0012, -0.19), (0.0022, 0.0), (-0.0022, 0.0))
_MAIN = ((-0.004, -0.18), (-0.004, -0.022), (-0.088, -0.022), (-0.066, -0.085), (-0.035, -0.145))
_JIB = ((0.004, -0.165), (0.035, -0.095), (0.072, -0.018), (0.006, -0.030))
_HULL = ((-0.085, -0.018), (0.092, -0.020), (0.070, 0.006), (-0.072, 0.006))
_STRIPE = ((-0.085, -0.018), (0.092, -0.020), (0.088, -0.0145), (-0.0835, -0.0135))


def _rgb(red: float, green: float, blue: float) -> Array:
    return np.array((red, green, blue), np.float32)


_HAZE = _rgb(0.93, 0.70, 0.52)
_FOAM = _rgb(0.94, 0.91, 0.87)


def make_demo_clip(
    path: Path,
    *,
    seconds: float = 5.0,
    width: int = 640,
    height: int = 360,
    frame_rate: Fraction = Fraction(24),
) -> Path:
    """Draw the clip and write it as H.264 with stereo AAC in MP4, tagged BT.709 limited.

    On one machine the same arguments give the same pictures and the same sound.

    Args:
        path: The file to write; one that exists is replaced.
        seconds: Length, rounded to whole frames (one at least).
        width: Picture width in pixels, even.
        height: Picture height in pixels, even.
        frame_rate: Frames per second.

    Returns:
        The path.

    Raises:
        UsageError: The length, size or rate is not positive, or the size is odd.
        OutputError: The file can't be written.
    """
    if min(seconds, width, height, frame_rate) <= 0 or width % 2 or height % 2:
        raise UsageError(
            f"no clip of {seconds} s, {width}x{height}, {frame_rate} frames per second",
            hint="take positive values, and even numbers of pixels",
        )
    scene = _Scene.build(width, height)
    frame_count = max(1, round(seconds * frame_rate))
    try:
        with av.open(path, "w", format="mp4") as container:
            _write(container, scene, frame_count, frame_rate)
    except (OSError, av.error.FFmpegError) as error:
        raise OutputError(
            f"can't be written: {error.strerror or error}",
            path=path,
            hint="is the folder there, writable, and the disk not full?",
        ) from error
    return path


def _write(container: OutputContainer, scene: _Scene, frame_count: int, rate: Fraction) -> None:
    video = _video_stream(container, scene, rate)
    audio = container.add_stream("aac", rate=_SAMPLE_RATE, layout="stereo", bit_rate=160_000)
    for index in range(frame_count):
        picture = scene.draw(index, float(index / rate))
        container.mux(video.encode(_video_frame(picture, index, 1 / rate)))
    container.mux(video.encode(None))
    for frame in _audio_frames(_sound(scene.waves, frame_count / rate)):
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


def _video_stream(container: OutputContainer, scene: _Scene, rate: Fraction) -> av.VideoStream:
    # One thread and no macroblock tree: the bit stream depends on how many threads there are, and
    # libx264's AVX-512 tree gives another one on every run at some widths.
    options = {"crf": "16", "x264-params": "mbtree=0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = scene.x.size, scene.y.size, "yuv420p"
    context = stream.codec_context
    context.time_base, context.thread_count = 1 / rate, 1
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _video_frame(picture: Array, index: int, time_base: Fraction) -> av.VideoFrame:
    rgb = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = index, time_base
    return frame


def _audio_frames(sound: Array) -> Iterator[av.AudioFrame]:
    for start in range(0, sound.shape[1], 1024):
        block = np.ascontiguousarray(sound[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = _SAMPLE_RATE, start
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        yield frame


@dataclass(frozen=True)
class _Waves:
    """Deep-water waves, longest first: wave numbers in rad/m, amplitudes in m; each (n,)."""

    kx: Array
    kz: Array
    k: Array
    amplitude: Array
    phase: Array

    @classmethod
    def build(cls, rng: np.random.Generator) -> _Waves:
        length = np.geomspace(44, 0.5, 56) * rng.uniform(0.94, 1.06, 56)
        k = 2 * np.pi / length
        heading = rng.normal(-0.35, 0.55, 56)
        steepness = 0.036 * (length / 12) ** np.where(length > 12, 0.1, 0.05)
        phase = rng.uniform(0, 2 * np.pi, 56)
        parts = (k * np.sin(heading), k * np.cos(heading), k, steepness / k, phase)
        return cls(*(part.astype(np.float32) for part in parts))

    def angle(self, index: int, time: float, x: ArrayLike, z: ArrayLike) -> Array:
        """Phase of one wave in rad; it nears the camera at the speed its wave number gives it."""
        turned = (self.phase[index] + time * math.sqrt(9.81 * self.k[index])) % (2 * np.pi)
        return self.kx[index] * x + (self.kz[index] * z + np.float32(turned))

    def swell(self, time: float, x: float, z: float, *, count: int = 14) -> tuple[float, float]:
        """Height in m and sideways slope of the longest waves at one place."""
        angles = np.array([self.angle(index, time, x, z) for index in range(count)])
        lift = self.amplitude[:count] * np.cos(angles)
        lean = -self.kx[:count] * self.amplitude[:count] * np.sin(angles)
        return float(lift.sum()), float(lean.sum())


@dataclass(frozen=True)
class _Scene:
    """What stays from frame to frame: x (1, width), y (height, 1), the waves and the textures."""

    x: Array
    y: Array
    waves: _Waves
    rock: Array
    clouds: Array
    skyline: Array
    grain: Array

    @classmethod
    def build(cls, width: int, height: int, *, seed: int = 1831) -> _Scene:
        rng = np.random.default_rng(seed)
        rock = _fractal_noise((1024, 1024), 1.35, rng)
        clouds = _fractal_noise((1024, 1024), 1.55, rng)
        return cls(
            x=((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height)[None],
            y=((np.arange(height, dtype=np.float32) + 0.5) / height - _HORIZON)[:, None],
            waves=_Waves.build(rng),
            rock=rock + 1j * _lit_from_the_right(rock, 4),
            clouds=clouds + 1j * _lit_from_the_right(clouds, 14),
            skyline=_fractal_noise((4096,), 1.0, rng),
            grain=rng.normal(0, 1 / 255, (2 * height, 2 * width, 1)).astype(np.float32),
        )

    @property
    def pixel(self) -> float:
        """Size of a pixel in picture heights."""
        return 1 / self.y.size

    def draw(self, index: int, time: float) -> Array:
        """Picture (height, width, 3) at a time in seconds, from back to front."""
        pan = 0.10 * math.sin(0.2 * time - 0.4)
        x = self.x + pan
        picture = _sky(self, x, time)
        _volcano(picture, self, x)
        _hills(picture, self, x + 0.25 * pan)
        _sea(picture, self, x, time)
        _boat(picture, self, x, time)
        _headland(picture, self, x + 0.9 * pan, time)
        _birds(picture, self, x, time)
        return _film(picture, self, x, index)


def _fractal_noise(shape: tuple[int, ...], slope: float, rng: np.random.Generator) -> Array:
    """Periodic 1/f**slope noise; linear sampling would make its finest octave unsteady."""
    grids = np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij")
    frequency = np.sqrt(np.sum(np.square(grids), axis=0))
    fade = np.exp(-np.square(frequency / 0.26))
    frequency.flat[0] = np.inf
    noise = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * fade * frequency**-slope).real
    return (noise / noise.std()).astype(np.float32)


def _lit_from_the_right(noise: Array, distance: int) -> Array:
    slope = noise - np.roll(noise, (distance, -distance), axis=(0, 1))
    return slope / slope.std()


def _sample(texture: Array, u: Array, v: Array) -> tuple[Array, Array]:
    """Noise and relief of a texture (n, n), n a power of two, between its texels at (u, v)."""
    size = texture.shape[0]
    left, top = np.floor(u), np.floor(v)
    column, row = left.astype(np.int32) & (size - 1), (top.astype(np.int32) & (size - 1)) * size
    right, lower = (column + 1) & (size - 1), (row + size) & (size * size - 1)
    across, flat = u - left, texture.ravel()
    above, below = flat.take(row + column), flat.take(lower + column)
    above += across * (flat.take(row + right) - above)
    below += across * (flat.take(lower + right) - below)
    above += (v - top) * (below - above)
    return above.real, above.imag


def _smoothstep(low: float, high: float, value: Array) -> Array:
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _paint(picture: Array, colour: Array, alpha: Array) -> None:
    picture += (colour - picture) * alpha[..., None]


def _sky_colour(elevation: Array) -> Array:
    channels = (_SKY_RED, _SKY_GREEN, _SKY_BLUE)
    colour = [np.interp(elevation, _SKY_ELEVATION, channel) for channel in channels]
    return np.stack(colour, axis=-1).astype(np.float32)


def _screen(picture: Array, light: Array) -> Array:
    return 1 - (1 - picture) * (1 - light)


def _sky(scene: _Scene, x: Array, time: float) -> Array:
    from_sun = np.hypot(x - _SUN_X, scene.y - _SUN_Y)
    glow = np.exp(-from_sun / 0.38)[..., None] * _rgb(0.62, 0.36, 0.10)
    picture = _screen(_sky_colour(-scene.y), glow)
    _clouds(picture, scene, x, time, from_sun)
    disc = np.clip((0.030 - from_sun) / 0.006 + 0.5, 0, 1)
    _paint(picture, _rgb(1.0, 0.93, 0.72), np.maximum(disc, 0.75 * np.exp(-from_sun / 0.05)))
    return picture


def _clouds(picture: Array, scene: _Scene, x: Array, time: float, from_sun: Array) -> None:
    """Two drifts on a level ceiling that foreshortens, and thins out, towards the horizon."""
    y = scene.y[scene.y[:, 0] < -0.01]
    u, v = 62 / (0.10 - y) * x, 95 / (0.10 - y)
    slow = _sample(scene.clouds, u + 5.0 * time, v + 2.0 * time)
    fast = _sample(scene.clouds, 2.3 * u + 14.0 * time, 2.3 * v + 3.0 * time)
    density, light = (0.8 * a + 0.3 * b for a, b in zip(slow, fast, strict=True))
    warmth = np.exp(-from_sun[: y.size] / 0.5)[..., None]
    lit = _rgb(0.97, 0.86, 0.76) + warmth * _rgb(0.03, 0.02, -0.16)
    shade = _rgb(0.42, 0.44, 0.56) + warmth * _rgb(0.36, 0.10, -0.08)
    edge = np.clip(0.62 + 0.34 * light - 0.26 * density, 0, 1)[..., None]
    cover = 0.92 * _smoothstep(-0.55, 0.85, density) * _smoothstep(0.02, 0.16, -y)
    _paint(picture[: y.size], shade + (lit - shade) * edge, cover)


def _visible(scene: _Scene, top: Array, foot: float) -> tuple[slice, slice]:
    """Rows and columns that hold all that stands between a skyline (1, width) and its foot."""
    columns = np.flatnonzero(top[0] < foot)
    if columns.size == 0:
        return slice(0, 0), slice(0, 0)
    margin = 2 * scene.pixel
    rows = np.searchsorted(scene.y[:, 0], (top.min() - margin, foot + margin))
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[-1]) + 1)


def _between(scene: _Scene, top: Array, y: Array, foot: ArrayLike) -> Array:
    return np.clip(np.minimum(y - top, foot - y) / scene.pixel + 0.5, 0, 1)


def _profile(scene: _Scene, x: Array, start: float, scale: float) -> Array:
    """Skyline noise (1, width) at screen positions; scale in samples per picture height."""
    where = start + scale * x
    profile = np.interp(where, np.arange(scene.skyline.size), scene.skyline, period=4096)
    return profile.astype(np.float32)


def _volcano(picture: Array, scene: _Scene, x: Array) -> None:
    """A snow-capped cone; gullies run down from its summit."""
    x = x + 0.28
    cone = 0.262 * np.exp(-np.sqrt(np.square(x) + 0.0016) / 0.24) - 0.012
    top = -cone - 0.0016 * _profile(scene, x, 900, 500)
    rows, columns = _visible(scene, top, 0.0)
    x, y = x[:, columns], scene.y[rows]
    drop = np.maximum(y + 0.24, 0.0)
    gully, relief = _sample(scene.rock, 52 * x / (0.10 + drop) + 40, 230 * drop + 25 * x)
    snow = _smoothstep(0.100, 0.128, 0.018 * gully - y - 0.10 * np.abs(x))[..., None]
    light = np.clip(0.48 + 0.20 * relief + 2.6 * x, 0.05, 1)[..., None]
    rock = _rgb(0.29, 0.33, 0.49) + light * _rgb(0.30, 0.14, 0.02)
    white = _rgb(0.60, 0.63, 0.78) + light * _rgb(0.40, 0.28, 0.06)
    surface = rock + (white - rock) * snow
    surface += (_HAZE - surface) * (0.7 * np.exp(np.minimum(y, 0) / 0.06))[..., None]
    _paint(picture[rows, columns], surface, _between(scene, top[:, columns], y, 1.0))


def _hills(picture: Array, scene: _Scene, x: Array) -> None:
    """Two ridges, the nearer one darker; they run out into the sea under the sun."""
    for depth, (start, shore, tallest) in enumerate(((2100, 0.60, 0.066), (300, 0.02, 0.050))):
        rise = tallest + 0.022 * _profile(scene, x, start, 170)
        top = 0.004 - rise * _smoothstep(0, 0.8, shore - x)
        rows, columns = _visible(scene, top, 0.004)
        place, y = x[:, columns], scene.y[rows]
        _, relief = _sample(scene.rock, 230 * place + start, 420 * y - 130 * place)
        light = np.clip(0.42 + 0.24 * relief, 0, 1)[..., None]
        surface = _rgb(0.13, 0.18, 0.22) + light * _rgb(0.34, 0.25, 0.09)
        mist = 0.50 - 0.28 * depth + 0.30 * np.exp(np.minimum(y, 0) / 0.022)
        surface += (_rgb(0.80, 0.60, 0.54) - surface) * mist[..., None]
        _paint(picture[rows, columns], surface, _between(scene, top[:, columns], y, 1.0))


def _headland(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """A rocky cape on the left, grassy on top, with surf that climbs its foot."""
    seaward = -0.46 - x
    rise = 0.30 * np.sqrt(np.clip(seaward, 0, 1)) + 0.016 * _profile(scene, x, 1500, 300)
    top = 0.13 * _smoothstep(0.04, -0.06, seaward) - rise * _smoothstep(-0.02, 0.10, seaward)
    wash = 0.005 * scene.waves.swell(time, *_COVE)[0]
    base = 0.045 + 0.05 * np.clip(seaward, -0.1, 1) + 0.003 * _profile(scene, x, 60, 200) - wash
    rows, columns = _visible(scene, top, 0.11)
    x, y, top, base = x[:, columns], scene.y[rows], top[:, columns], base[:, columns]
    surface, fine = _crag(scene, x, y, top)
    surf = 0.85 * _smoothstep(0.020, 0.0, base - y + 0.006 * fine + 0.8 * wash)
    _paint(surface, _FOAM, surf)
    _paint(picture[rows, columns], surface, _between(scene, top, y, base))


def _crag(scene: _Scene, x: Array, y: Array, top: Array) -> tuple[Array, Array]:
    """Colour of cracked rock under grass, and the fine noise it was drawn with."""
    coarse, relief = _sample(scene.rock, 240 * x + 70 * y, 300 * y - 90 * x)
    fine, fine_relief = _sample(scene.rock, 620 * x + 500, 560 * y + 150 * x)
    crack = np.exp(-np.square(coarse / 0.16))
    light = 0.40 + 0.24 * relief + 0.13 * fine_relief - 0.20 * crack
    light = np.clip(light + 0.25 * _smoothstep(-0.80, -0.46, x), 0, 1)[..., None]
    rock = _rgb(0.17, 0.15, 0.17) + light * _rgb(0.59, 0.40, 0.24)
    grass = _rgb(0.16, 0.19, 0.12) + light * _rgb(0.45, 0.40, 0.11)
    grown = _smoothstep(0.085, 0.045, y - top + 0.022 * coarse + 0.008 * fine)
    grown = grown * _smoothstep(0.015, -0.035, y + 0.010 * fine)
    return rock + (grass - rock) * grown[..., None], fine


@dataclass(frozen=True)
class _Surface:
    """The sea in one frame for each pixel below the horizon; shapes (rows, width).

    lost is (rows, 1): the slope variance of waves too fine to be drawn there.
    """

    x: Array
    z: Array
    height: Array
    slope_x: Array
    slope_z: Array
    crest: Array
    lost: Array


def _surface(scene: _Scene, x: Array, y: Array, time: float) -> _Surface:
    depth = _EYE_METRES * _FOCAL / y
    sea_x, sea_z = _displaced(scene.waves, x * depth / _FOCAL, depth + 0 * x, time)
    height, slope_x, slope_z, crest = (np.zeros_like(sea_x) for _ in range(4))
    lost, waves = np.zeros_like(depth), scene.waves
    for index, (kx, kz, k) in enumerate(zip(waves.kx, waves.kz, waves.k, strict=True)):
        footprint = scene.pixel * depth / _FOCAL * np.hypot(kx, kz * depth / _EYE_METRES)
        kept = waves.amplitude[index] * np.exp(-np.square(0.55 * footprint))
        lost += 0.5 * np.square(k) * (np.square(waves.amplitude[index]) - np.square(kept))
        near = slice(int(np.argmax(footprint < 3.5)), None)
        angle = waves.angle(index, time, sea_x[near], sea_z[near])
        across, along = kept[near] * np.sin(angle), kept[near] * np.cos(angle)
        height[near] += along
        crest[near] += k * along
        slope_x[near] -= kx * across
        slope_z[near] -= kz * across
    return _Surface(sea_x, sea_z, height, slope_x, slope_z, crest, lost)


def _displaced(waves: _Waves, x: Array, z: Array, time: float) -> tuple[Array, Array]:
    """Where the sight lines meet the swell instead of the level sea, crests sharpened.

    The lift is held back in the distance, where one sight line would meet several crests.
    """
    lift, push_x, push_z = (np.zeros_like(z) for _ in range(3))
    for index in range(14):
        angle = waves.angle(index, time, x, z)
        lift += waves.amplitude[index] * np.cos(angle)
        push = (0.9 * waves.amplitude[index] / waves.k[index]) * np.sin(angle)
        push_x += waves.kx[index] * push
        push_z += waves.kz[index] * push
    nearer = np.clip(lift, -1.2, 1.2) * np.minimum(z / _EYE_METRES, 3.2)
    return x + push_x - nearer * x / z, z + push_z - nearer


def _sea(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """Mirrored sky on the water, sun glitter and foam; then haze towards the horizon."""
    y = scene.y[scene.y[:, 0] > 0.3 * scene.pixel]
    sea = _surface(scene, x, y, time)
    tilt = sea.slope_z - 0.6 * np.sqrt(sea.lost)
    up, aside = y / _FOCAL - 2 * tilt, x / _FOCAL - 2 * sea.slope_x
    water = _water(sea.height, y / _FOCAL - tilt, up, aside)
    off_sun = np.square(up + _SUN_Y / _FOCAL) + np.square(aside - _SUN_X / _FOCAL)
    spread = 0.030 + 2.5 * sea.lost
    glitter = 1.5 * np.exp(-off_sun / spread - np.square((x - _SUN_X) / 0.26))
    glitter = np.minimum(glitter * (0.030 / spread) ** 0.3, 1)
    water = _screen(water, glitter[..., None] * _rgb(1.0, 0.80, 0.46))
    _paint(water, _FOAM, _foam(scene, sea))
    water += (_HAZE - water) * (0.7 * np.exp(-y / 0.012))[..., None]
    picture[-y.size :] = water


def _water(height: Array, facing: Array, up: Array, aside: Array) -> Array:
    """Colour of the water body under its mirror (Schlick's approximation of Fresnel).

    facing is the sine of the angle between sight line and surface; up and aside are where the
    mirrored sight line goes. What it would find under the horizon is the next wave.
    """
    fresnel = 0.02 + 0.90 * (1 - np.clip(facing, 0, 1)) ** 5
    sunward = np.exp(-np.abs(aside - _SUN_X / _FOCAL) / 0.35)[..., None]
    sky = _sky_colour(_FOCAL * np.maximum(up, 0) + 0.05)
    sky *= _rgb(0.58, 0.66, 0.82) + sunward * _rgb(0.46, 0.28, 0.0)
    thin = _smoothstep(-0.5, 1.1, height)[..., None]
    body = _rgb(0.02, 0.12, 0.20) + thin * _rgb(0.03, 0.24, 0.23)
    return body + (sky - body) * (fresnel * _smoothstep(-0.12, 0.06, up))[..., None]


def _foam(scene: _Scene, sea: _Surface) -> Array:
    """Whitecaps on the steep crests, torn by a lace that floats with the water."""
    lace = np.abs(_sample(scene.rock, 24 * sea.x, 24 * sea.z)[0])
    coarse = _sample(scene.rock, 9 * sea.x + 300, 9 * sea.z)[0]
    near = np.exp(-np.square(sea.z / 45))
    caps = _smoothstep(0.36, 0.66, sea.crest - 0.16 * near * lace + 0.10 * coarse)
    threads = _smoothstep(0.30, 0.0, lace) * _smoothstep(0.3, 1.6, coarse + 2.2 * sea.crest)
    return np.clip(0.85 * caps + 0.38 * near * threads, 0, 0.95)


def _box(scene: _Scene, x: Array, centre: tuple[float, float], reach: float) -> tuple[slice, slice]:
    rows = np.searchsorted(scene.y[:, 0], (centre[1] - reach, centre[1] + reach))
    columns = np.searchsorted(x[0], (centre[0] - reach, centre[0] + reach))
    return slice(*rows), slice(*columns)


def _boat(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """A sloop on course to the sun; the long waves under it lift and roll it."""
    depth = _EYE_METRES * _FOCAL / 0.055
    course = (0.02 + 0.022 * time + 1.4) % 2.8 - 1.4
    lift, lean = scene.waves.swell(time, course * depth / _FOCAL, depth)
    centre, roll = (course, 0.055 - 0.6 * lift * _FOCAL / depth), 0.06 + 0.8 * lean
    window = _box(scene, x, centre, 0.2)
    part, dx, dy = picture[window], x[:, window[1]] - centre[0], scene.y[window[0]] - centre[1]
    wobble = 0.006 * np.sin(190 * dy - 5 * time) + 0.004 * np.sin(330 * dy + 3 * time)
    mirror = 0.32 * np.exp(-np.maximum(dy, 0) / 0.06) * (dy > 0)
    _rig(part, dx + wobble, -1.8 * dy, roll=-roll, pixel=scene.pixel, opacity=mirror)
    _rig(part, dx, dy, roll=roll, pixel=scene.pixel)
    _paint(part, _FOAM, 0.75 * np.exp(-np.square(dx / 0.075) - np.square((dy - 0.004) / 0.0045)))


def _rig(
    part: Array, dx: Array, dy: Array, *, roll: float, pixel: float, opacity: Array | float = 1.0
) -> None:
    x, y = math.cos(roll) * dx + math.sin(roll) * dy, math.cos(roll) * dy - math.sin(roll) * dx
    shading = np.clip(0.9 + 1.6 * x + 0.02 * np.sin(260 * y), 0.78, 1.06)[..., None]
    parts = ((_WOOD, _MAST), (_CANVAS, _MAIN), (_CANVAS, _JIB), (_WOOD, _HULL), (_CREAM, _STRIPE))
    for colour, corners in parts:
        _paint(part, _rgb(*colour) * shading, opacity * _polygon(x, y, corners, pixel))


def _polygon(x: Array, y: Array, corners: tuple[tuple[float, float], ...], pixel: float) -> Array:
    """Antialiased coverage of a convex polygon."""
    inside = np.full_like(x, np.inf)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        edge = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        inside = np.minimum(inside, edge / math.hypot(x1 - x0, y1 - y0))
    return np.clip(inside / pixel + 0.5, 0, 1)


def _birds(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """A loose flock that crosses from right to left."""
    for bird in range(7):
        size = 0.017 + 0.006 * math.sin(2.1 * bird)
        path = 0.55 - 0.060 * time - 0.085 * bird + 0.03 * math.sin(3.7 * bird)
        height = 0.36 - 0.05 * math.sin(1.9 * bird) - 0.012 * math.sin(0.9 * time + bird)
        centre = ((path + 1.3) % 2.6 - 1.3, -height)
        rows, columns = _box(scene, x, centre, 2.2 * size)
        across, down = (x[:, columns] - centre[0]) / size, (scene.y[rows] - centre[1]) / size
        wings = _wings(across, down, math.sin(7.5 * time + 1.7 * bird), scene.pixel / size)
        _paint(picture[rows, columns], _rgb(0.13, 0.12, 0.17), 0.9 * wings)


def _wings(across: Array, down: Array, beat: float, pixel: float) -> Array:
    """Coverage of a gull seen from the front; beat is 1 with the wings up, -1 with them down."""
    span = np.abs(across) / (1.7 - 0.25 * beat * beat)
    arch = -0.9 * beat * span - 0.5 * np.sin(np.pi * np.clip(span, 0, 1))
    inside = 0.20 - 0.13 * span - np.abs(down - arch) / math.hypot(1, beat)
    return np.clip(inside / pixel + 0.5, 0, 1) * np.clip((1 - span) / pixel + 0.5, 0, 1)


def _film(picture: Array, scene: _Scene, x: Array, index: int) -> Array:
    """Warm haze around the sun, a gentle contrast curve, vignette and slight grain."""
    haze = 0.13 * np.exp(-np.hypot(x - _SUN_X, 1.6 * (scene.y - _SUN_Y)) / 0.45)
    picture = np.clip(_screen(picture, haze[..., None] * _rgb(1.0, 0.74, 0.42)), 0, 1)
    picture *= 0.65 + picture * (1.05 - 0.70 * picture)
    picture *= 1 - 0.16 * (np.square(scene.x) + np.square(scene.y + _HORIZON - 0.5))[..., None]
    top, left = (index * 131) % scene.y.size, (index * 197) % scene.x.size
    return picture + scene.grain[top : top + scene.y.size, left : left + scene.x.size]


def _sound(waves: _Waves, seconds: Fraction) -> Array:
    """Stereo samples (2, n) within ±1: a chord, and surf that swells with the waves."""
    time = np.arange(round(seconds * _SAMPLE_RATE)) / _SAMPLE_RATE
    mix = 0.16 * _chord(time) + 0.30 * _surf(waves, time)
    fade = np.clip(np.minimum(time + 1 / _SAMPLE_RATE, time[-1] - time) / 0.25, 0, 1)
    return (np.tanh(mix) * np.square(np.sin(np.pi / 2 * fade))).astype(np.float32)


def _chord(time: Array) -> Array:
    """D major with added ninth, each note two voices a little apart in pitch and in place."""
    pad = np.zeros((2, time.size))
    for note, hertz in enumerate((73.42, 146.83, 220.0, 293.66, 329.63, 369.99)):
        for side, detune in enumerate((-0.21, 0.21)):
            phase = 2 * np.pi * (hertz + detune) * time + note + 2 * side
            voice = np.sin(phase) + 0.30 * np.sin(2 * phase) + 0.10 * np.sin(3 * phase)
            breath = 0.7 + 0.3 * np.sin(2 * np.pi * 0.13 * time + 1.3 * note + side)
            pad[side] += voice * breath / (1 + 0.3 * note)
    pad = pad + 0.35 * pad[::-1]
    return pad / 3.2


def _surf(waves: _Waves, time: Array) -> Array:
    """Noise between a rumble and a hiss; it opens up when the swell runs up the headland."""
    rng = np.random.default_rng(1760)
    hertz = np.fft.rfftfreq(time.size, 1 / _SAMPLE_RATE)
    white = np.fft.rfft(rng.normal(size=(2, time.size)))
    rumble = np.fft.irfft(white * hertz / (90 + hertz) / (1 + (hertz / 420) ** 2), time.size)
    hiss = np.fft.irfft(white * hertz / (900 + hertz) / (1 + (hertz / 3800) ** 2), time.size)
    beats = np.arange(0, time[-1] + 0.1, 0.05)
    lifts = [waves.swell(float(beat), *_COVE)[0] for beat in beats]
    swell = np.interp(time, beats, 1 / (1 + np.exp(-2.2 * np.array(lifts))))
    shape = (0.35 + swell) * rumble / rumble.std() + (0.10 + 0.9 * swell**2) * hiss / hiss.std()
    return 0.5 * shape
