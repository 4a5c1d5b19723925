"""The sea of the demo scene: deep-water waves, mirrored sky, sun glitter and foam."""

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
    SUN_X,
    SUN_Y,
    Array,
    paint,
    rgb_of,
    sample,
    screen,
    sky_colour,
    smoothstep,
)

COVE = (-60.0, 110.0)  # metres; where the surf under the headland breaks


@dataclass(frozen=True)
class Waves:
    """Deep-water waves, longest first: wave numbers in rad/m, amplitudes in m; each (n,)."""

    kx: Array
    kz: Array
    k: Array
    amplitude: Array
    phase: Array

    @classmethod
    def build(cls, rng: np.random.Generator) -> Waves:
        """Build waves of 0.5 to 44 m around one heading, each about as steep as the others."""
        length = np.geomspace(44, 0.5, 56) * rng.uniform(0.94, 1.06, 56)
        k = 2 * np.pi / length
        heading = rng.normal(-0.35, 0.55, 56)
        steepness = 0.036 * (length / 12) ** np.where(length > 12, 0.1, 0.05)
        phase = rng.uniform(0, 2 * np.pi, 56)
        parts = (k * np.sin(heading), k * np.cos(heading), k, steepness / k, phase)
        return cls(*(part.astype(np.float32) for part in parts))

    def angle(self, index: int, time: float, x: ArrayLike, z: ArrayLike) -> Array:
        """Return the phase of one wave in rad; its wave number gives its speed to the camera."""
        turned = (self.phase[index] + time * math.sqrt(9.81 * self.k[index])) % (2 * np.pi)
        return self.kx[index] * x + (self.kz[index] * z + np.float32(turned))

    def swell(self, time: float, x: float, z: float, *, count: int = 14) -> tuple[float, float]:
        """Return height in m and sideways slope of the longest waves at one position."""
        angles = np.array([self.angle(index, time, x, z) for index in range(count)])
        lift = self.amplitude[:count] * np.cos(angles)
        lean = -self.kx[:count] * self.amplitude[:count] * np.sin(angles)
        return float(lift.sum()), float(lean.sum())


@dataclass(frozen=True)
class Sea:
    """Sea of a scene: rows y (height, 1), the waves, and the texture that tears their foam."""

    y: Array
    waves: Waves
    rock: Array

    @property
    def pixel(self) -> float:
        """Size of a pixel in image heights."""
        return 1 / self.y.size


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


def _surface(sea: Sea, x: Array, y: Array, time: float) -> _Surface:
    depth = EYE_METRES * FOCAL / y
    sea_x, sea_z = _displaced(sea.waves, x * depth / FOCAL, depth + 0 * x, time)
    height, slope_x, slope_z, crest = (np.zeros_like(sea_x) for _ in range(4))
    lost, waves = np.zeros_like(depth), sea.waves
    for index, (kx, kz, k) in enumerate(zip(waves.kx, waves.kz, waves.k, strict=True)):
        footprint = sea.pixel * depth / FOCAL * np.hypot(kx, kz * depth / EYE_METRES)
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


def _displaced(waves: Waves, x: Array, z: Array, time: float) -> tuple[Array, Array]:
    """Return where the sight lines meet the swell, not the level sea, crests sharpened.

    The lift is held back in the distance, where one sight line would meet several crests.
    """
    lift, push_x, push_z = (np.zeros_like(z) for _ in range(3))
    for index in range(14):
        angle = waves.angle(index, time, x, z)
        lift += waves.amplitude[index] * np.cos(angle)
        push = (0.9 * waves.amplitude[index] / waves.k[index]) * np.sin(angle)
        push_x += waves.kx[index] * push
        push_z += waves.kz[index] * push
    nearer = np.clip(lift, -1.2, 1.2) * np.minimum(z / EYE_METRES, 3.2)
    return x + push_x - nearer * x / z, z + push_z - nearer


def draw_sea(picture: Array, sea: Sea, x: Array, time: float) -> None:
    """Draw mirrored sky on the water, sun glitter and foam; then haze towards the horizon."""
    y = sea.y[sea.y[:, 0] > 0.3 * sea.pixel]
    surface = _surface(sea, x, y, time)
    tilt = surface.slope_z - 0.6 * np.sqrt(surface.lost)
    up, aside = y / FOCAL - 2 * tilt, x / FOCAL - 2 * surface.slope_x
    water = _water(surface.height, y / FOCAL - tilt, up, aside)
    off_sun = np.square(up + SUN_Y / FOCAL) + np.square(aside - SUN_X / FOCAL)
    spread = 0.030 + 2.5 * surface.lost
    glitter = 1.5 * np.exp(-off_sun / spread - np.square((x - SUN_X) / 0.26))
    glitter = np.minimum(glitter * (0.030 / spread) ** 0.3, 1)
    water = screen(water, glitter[..., None] * rgb_of(1.0, 0.80, 0.46))
    paint(water, FOAM, _foam(sea, surface))
    water += (HAZE - water) * (0.7 * np.exp(-y / 0.012))[..., None]
    picture[-y.size :] = water


def _water(height: Array, facing: Array, up: Array, aside: Array) -> Array:
    """Return the colour of the water under its mirror (Schlick's approximation of Fresnel).

    facing is the sine of the angle between sight line and surface; up and aside are where the
    mirrored sight line goes. What it would find under the horizon is the next wave.
    """
    fresnel = 0.02 + 0.90 * (1 - np.clip(facing, 0, 1)) ** 5
    sunward = np.exp(-np.abs(aside - SUN_X / FOCAL) / 0.35)[..., None]
    sky = sky_colour(FOCAL * np.maximum(up, 0) + 0.05)
    sky *= rgb_of(0.58, 0.66, 0.82) + sunward * rgb_of(0.46, 0.28, 0.0)
    thin = smoothstep(-0.5, 1.1, height)[..., None]
    body = rgb_of(0.02, 0.12, 0.20) + thin * rgb_of(0.03, 0.24, 0.23)
    return body + (sky - body) * (fresnel * smoothstep(-0.12, 0.06, up))[..., None]


def _foam(sea: Sea, surface: _Surface) -> Array:
    """Draw whitecaps on the steep crests, torn by a lace that floats with the water."""
    lace = np.abs(sample(sea.rock, 24 * surface.x, 24 * surface.z)[0])
    coarse = sample(sea.rock, 9 * surface.x + 300, 9 * surface.z)[0]
    near = np.exp(-np.square(surface.z / 45))
    caps = smoothstep(0.36, 0.66, surface.crest - 0.16 * near * lace + 0.10 * coarse)
    threads = smoothstep(0.30, 0.0, lace) * smoothstep(0.3, 1.6, coarse + 2.2 * surface.crest)
    return np.clip(0.85 * caps + 0.38 * near * threads, 0, 0.95)
