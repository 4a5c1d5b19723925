"""The scene of the demo clip: a sea coast at golden hour.

A low sun, fractal clouds on a ceiling that runs to the horizon, a snow-capped volcano, hills and a
rocky headland in parallax, the sea, a sailing boat that rocks on its waves, birds, and a slow pan.
Every texture is anchored to something that moves smoothly, so whatever flickers after painting was
put there by the painting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .canvas import (
    EYE_METRES,
    FOAM,
    FOCAL,
    HAZE,
    HORIZON,
    SUN_X,
    SUN_Y,
    Array,
    fractal_noise,
    lit_from_the_right,
    paint,
    rgb_of,
    sample,
    screen,
    sky_colour,
    smoothstep,
)
from .sea import COVE, Sea, Waves, draw_sea

_CANVAS, _WOOD, _CREAM = (0.96, 0.80, 0.62), (0.26, 0.12, 0.09), (0.92, 0.80, 0.62)
_MAST = ((-0.0022, -0.19), (0.0012, -0.19), (0.0022, 0.0), (-0.0022, 0.0))
_MAIN = ((-0.004, -0.18), (-0.004, -0.022), (-0.088, -0.022), (-0.066, -0.085), (-0.035, -0.145))
_JIB = ((0.004, -0.165), (0.035, -0.095), (0.072, -0.018), (0.006, -0.030))
_HULL = ((-0.085, -0.018), (0.092, -0.020), (0.070, 0.006), (-0.072, 0.006))
_STRIPE = ((-0.085, -0.018), (0.092, -0.020), (0.088, -0.0145), (-0.0835, -0.0135))


@dataclass(frozen=True)
class Scene(Sea):
    """Scene that all frames share: the sea, columns x (1, width), and the textures."""

    x: Array
    clouds: Array
    skyline: Array
    grain: Array

    @classmethod
    def build(cls, width: int, height: int, *, seed: int = 1831) -> Scene:
        """Draw the textures for an image of width x height pixels."""
        rng = np.random.default_rng(seed)
        rock = fractal_noise((1024, 1024), 1.35, rng)
        clouds = fractal_noise((1024, 1024), 1.55, rng)
        return cls(
            x=((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height)[None],
            y=((np.arange(height, dtype=np.float32) + 0.5) / height - HORIZON)[:, None],
            waves=Waves.build(rng),
            rock=rock + 1j * lit_from_the_right(rock, 4),
            clouds=clouds + 1j * lit_from_the_right(clouds, 14),
            skyline=fractal_noise((4096,), 1.0, rng),
            grain=rng.normal(0, 1 / 255, (2 * height, 2 * width, 1)).astype(np.float32),
        )

    def draw(self, index: int, time: float) -> Array:
        """Draw the image (height, width, 3) at a time in seconds, from back to front."""
        pan = 0.10 * math.sin(0.2 * time - 0.4)
        x = self.x + pan
        picture = _sky(self, x, time)
        _volcano(picture, self, x)
        _hills(picture, self, x + 0.25 * pan)
        draw_sea(picture, self, x, time)
        _boat(picture, self, x, time)
        _headland(picture, self, x + 0.9 * pan, time)
        _birds(picture, self, x, time)
        return _film(picture, self, x, index)


def _sky(scene: Scene, x: Array, time: float) -> Array:
    from_sun = np.hypot(x - SUN_X, scene.y - SUN_Y)
    glow = np.exp(-from_sun / 0.38)[..., None] * rgb_of(0.62, 0.36, 0.10)
    picture = screen(sky_colour(-scene.y), glow)
    _clouds(picture, scene, x, time, from_sun)
    disc = np.clip((0.030 - from_sun) / 0.006 + 0.5, 0, 1)
    paint(picture, rgb_of(1.0, 0.93, 0.72), np.maximum(disc, 0.75 * np.exp(-from_sun / 0.05)))
    return picture


def _clouds(picture: Array, scene: Scene, x: Array, time: float, from_sun: Array) -> None:
    """Draw two drifts on a level ceiling that foreshortens, and thins out, towards the horizon."""
    y = scene.y[scene.y[:, 0] < -0.01]
    u, v = 62 / (0.10 - y) * x, 95 / (0.10 - y)
    slow = sample(scene.clouds, u + 5.0 * time, v + 2.0 * time)
    fast = sample(scene.clouds, 2.3 * u + 14.0 * time, 2.3 * v + 3.0 * time)
    density, light = (0.8 * a + 0.3 * b for a, b in zip(slow, fast, strict=True))
    warmth = np.exp(-from_sun[: y.size] / 0.5)[..., None]
    lit = rgb_of(0.97, 0.86, 0.76) + warmth * rgb_of(0.03, 0.02, -0.16)
    shade = rgb_of(0.42, 0.44, 0.56) + warmth * rgb_of(0.36, 0.10, -0.08)
    edge = np.clip(0.62 + 0.34 * light - 0.26 * density, 0, 1)[..., None]
    cover = 0.92 * smoothstep(-0.55, 0.85, density) * smoothstep(0.02, 0.16, -y)
    paint(picture[: y.size], shade + (lit - shade) * edge, cover)


def _visible(scene: Scene, top: Array, foot: float) -> tuple[slice, slice]:
    """Return rows and columns of all that stands between a skyline (1, width) and its foot."""
    columns = np.flatnonzero(top[0] < foot)
    if columns.size == 0:
        return slice(0, 0), slice(0, 0)
    margin = 2 * scene.pixel
    rows = np.searchsorted(scene.y[:, 0], (top.min() - margin, foot + margin))
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[-1]) + 1)


def _between(scene: Scene, top: Array, y: Array, foot: ArrayLike) -> Array:
    return np.clip(np.minimum(y - top, foot - y) / scene.pixel + 0.5, 0, 1)


def _profile(scene: Scene, x: Array, start: float, scale: float) -> Array:
    """Sample skyline noise (1, width) at screen positions; scale in samples per image height."""
    where = start + scale * x
    profile = np.interp(where, np.arange(scene.skyline.size), scene.skyline, period=4096)
    return profile.astype(np.float32)


def _volcano(picture: Array, scene: Scene, x: Array) -> None:
    """Draw a snow-capped cone; gullies run down from its summit."""
    x = x + 0.28
    cone = 0.262 * np.exp(-np.sqrt(np.square(x) + 0.0016) / 0.24) - 0.012
    top = -cone - 0.0016 * _profile(scene, x, 900, 500)
    rows, columns = _visible(scene, top, 0.0)
    x, y = x[:, columns], scene.y[rows]
    drop = np.maximum(y + 0.24, 0.0)
    gully, relief = sample(scene.rock, 52 * x / (0.10 + drop) + 40, 230 * drop + 25 * x)
    snow = smoothstep(0.100, 0.128, 0.018 * gully - y - 0.10 * np.abs(x))[..., None]
    light = np.clip(0.48 + 0.20 * relief + 2.6 * x, 0.05, 1)[..., None]
    rock = rgb_of(0.29, 0.33, 0.49) + light * rgb_of(0.30, 0.14, 0.02)
    white = rgb_of(0.60, 0.63, 0.78) + light * rgb_of(0.40, 0.28, 0.06)
    surface = rock + (white - rock) * snow
    surface += (HAZE - surface) * (0.7 * np.exp(np.minimum(y, 0) / 0.06))[..., None]
    paint(picture[rows, columns], surface, _between(scene, top[:, columns], y, 1.0))


def _hills(picture: Array, scene: Scene, x: Array) -> None:
    """Draw two ridges, the nearer one darker; they run out into the sea under the sun."""
    for depth, (start, shore, tallest) in enumerate(((2100, 0.60, 0.066), (300, 0.02, 0.050))):
        rise = tallest + 0.022 * _profile(scene, x, start, 170)
        top = 0.004 - rise * smoothstep(0, 0.8, shore - x)
        rows, columns = _visible(scene, top, 0.004)
        place, y = x[:, columns], scene.y[rows]
        _, relief = sample(scene.rock, 230 * place + start, 420 * y - 130 * place)
        light = np.clip(0.42 + 0.24 * relief, 0, 1)[..., None]
        surface = rgb_of(0.13, 0.18, 0.22) + light * rgb_of(0.34, 0.25, 0.09)
        mist = 0.50 - 0.28 * depth + 0.30 * np.exp(np.minimum(y, 0) / 0.022)
        surface += (rgb_of(0.80, 0.60, 0.54) - surface) * mist[..., None]
        paint(picture[rows, columns], surface, _between(scene, top[:, columns], y, 1.0))


def _headland(picture: Array, scene: Scene, x: Array, time: float) -> None:
    """Draw a rocky cape on the left, grassy on top, with surf that climbs its foot."""
    seaward = -0.46 - x
    rise = 0.30 * np.sqrt(np.clip(seaward, 0, 1)) + 0.016 * _profile(scene, x, 1500, 300)
    top = 0.13 * smoothstep(0.04, -0.06, seaward) - rise * smoothstep(-0.02, 0.10, seaward)
    wash = 0.005 * scene.waves.swell(time, *COVE)[0]
    base = 0.045 + 0.05 * np.clip(seaward, -0.1, 1) + 0.003 * _profile(scene, x, 60, 200) - wash
    rows, columns = _visible(scene, top, 0.11)
    x, y, top, base = x[:, columns], scene.y[rows], top[:, columns], base[:, columns]
    surface, fine = _crag(scene, x, y, top)
    surf = 0.85 * smoothstep(0.020, 0.0, base - y + 0.006 * fine + 0.8 * wash)
    paint(surface, FOAM, surf)
    paint(picture[rows, columns], surface, _between(scene, top, y, base))


def _crag(scene: Scene, x: Array, y: Array, top: Array) -> tuple[Array, Array]:
    """Return the colour of cracked rock under grass, and the fine noise it was drawn with."""
    coarse, relief = sample(scene.rock, 240 * x + 70 * y, 300 * y - 90 * x)
    fine, fine_relief = sample(scene.rock, 620 * x + 500, 560 * y + 150 * x)
    crack = np.exp(-np.square(coarse / 0.16))
    light = 0.40 + 0.24 * relief + 0.13 * fine_relief - 0.20 * crack
    light = np.clip(light + 0.25 * smoothstep(-0.80, -0.46, x), 0, 1)[..., None]
    rock = rgb_of(0.17, 0.15, 0.17) + light * rgb_of(0.59, 0.40, 0.24)
    grass = rgb_of(0.16, 0.19, 0.12) + light * rgb_of(0.45, 0.40, 0.11)
    grown = smoothstep(0.085, 0.045, y - top + 0.022 * coarse + 0.008 * fine)
    grown = grown * smoothstep(0.015, -0.035, y + 0.010 * fine)
    return rock + (grass - rock) * grown[..., None], fine


def _box(scene: Scene, x: Array, centre: tuple[float, float], reach: float) -> tuple[slice, slice]:
    rows = np.searchsorted(scene.y[:, 0], (centre[1] - reach, centre[1] + reach))
    columns = np.searchsorted(x[0], (centre[0] - reach, centre[0] + reach))
    return slice(*rows), slice(*columns)


def _boat(picture: Array, scene: Scene, x: Array, time: float) -> None:
    """Draw a sloop on course to the sun; the long waves under it lift and roll it."""
    depth = EYE_METRES * FOCAL / 0.055
    course = (0.02 + 0.022 * time + 1.4) % 2.8 - 1.4
    lift, lean = scene.waves.swell(time, course * depth / FOCAL, depth)
    centre, roll = (course, 0.055 - 0.6 * lift * FOCAL / depth), 0.06 + 0.8 * lean
    window = _box(scene, x, centre, 0.2)
    part, dx, dy = picture[window], x[:, window[1]] - centre[0], scene.y[window[0]] - centre[1]
    wobble = 0.006 * np.sin(190 * dy - 5 * time) + 0.004 * np.sin(330 * dy + 3 * time)
    mirror = 0.32 * np.exp(-np.maximum(dy, 0) / 0.06) * (dy > 0)
    _rig(part, dx + wobble, -1.8 * dy, roll=-roll, pixel=scene.pixel, opacity=mirror)
    _rig(part, dx, dy, roll=roll, pixel=scene.pixel)
    paint(part, FOAM, 0.75 * np.exp(-np.square(dx / 0.075) - np.square((dy - 0.004) / 0.0045)))


def _rig(
    part: Array, dx: Array, dy: Array, *, roll: float, pixel: float, opacity: Array | float = 1.0
) -> None:
    x, y = math.cos(roll) * dx + math.sin(roll) * dy, math.cos(roll) * dy - math.sin(roll) * dx
    shading = np.clip(0.9 + 1.6 * x + 0.02 * np.sin(260 * y), 0.78, 1.06)[..., None]
    parts = ((_WOOD, _MAST), (_CANVAS, _MAIN), (_CANVAS, _JIB), (_WOOD, _HULL), (_CREAM, _STRIPE))
    for colour, corners in parts:
        paint(part, rgb_of(*colour) * shading, opacity * _polygon(x, y, corners, pixel))


def _polygon(x: Array, y: Array, corners: tuple[tuple[float, float], ...], pixel: float) -> Array:
    """Return the antialiased coverage of a convex polygon."""
    inside = np.full_like(x, np.inf)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        edge = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        inside = np.minimum(inside, edge / math.hypot(x1 - x0, y1 - y0))
    return np.clip(inside / pixel + 0.5, 0, 1)


def _birds(picture: Array, scene: Scene, x: Array, time: float) -> None:
    """Draw a loose flock that crosses from right to left."""
    for bird in range(7):
        size = 0.017 + 0.006 * math.sin(2.1 * bird)
        path = 0.55 - 0.060 * time - 0.085 * bird + 0.03 * math.sin(3.7 * bird)
        height = 0.36 - 0.05 * math.sin(1.9 * bird) - 0.012 * math.sin(0.9 * time + bird)
        centre = ((path + 1.3) % 2.6 - 1.3, -height)
        rows, columns = _box(scene, x, centre, 2.2 * size)
        across, down = (x[:, columns] - centre[0]) / size, (scene.y[rows] - centre[1]) / size
        wings = _wings(across, down, math.sin(7.5 * time + 1.7 * bird), scene.pixel / size)
        paint(picture[rows, columns], rgb_of(0.13, 0.12, 0.17), 0.9 * wings)


def _wings(across: Array, down: Array, beat: float, pixel: float) -> Array:
    """Return the coverage of a gull seen from the front; beat is 1 wings up, -1 wings down."""
    span = np.abs(across) / (1.7 - 0.25 * beat * beat)
    arch = -0.9 * beat * span - 0.5 * np.sin(np.pi * np.clip(span, 0, 1))
    inside = 0.20 - 0.13 * span - np.abs(down - arch) / math.hypot(1, beat)
    return np.clip(inside / pixel + 0.5, 0, 1) * np.clip((1 - span) / pixel + 0.5, 0, 1)


def _film(picture: Array, scene: Scene, x: Array, index: int) -> Array:
    """Apply warm haze around the sun, a gentle contrast curve, vignette and slight grain."""
    haze = 0.13 * np.exp(-np.hypot(x - SUN_X, 1.6 * (scene.y - SUN_Y)) / 0.45)
    picture = np.clip(screen(picture, haze[..., None] * rgb_of(1.0, 0.74, 0.42)), 0, 1)
    picture *= 0.65 + picture * (1.05 - 0.70 * picture)
    picture *= 1 - 0.16 * (np.square(scene.x) + np.square(scene.y + HORIZON - 0.5))[..., None]
    top, left = (index * 131) % scene.y.size, (index * 197) % scene.x.size
    return picture + scene.grain[top : top + scene.y.size, left : left + scene.x.size]
