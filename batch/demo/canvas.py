"""Tools that draw the demo scene: its camera, sky colours, textures and brushes.

Screen positions are in picture heights, x to the right of the centre, y down from the horizon; on
the sea they are in metres, x to the right and z away from the camera. Pictures are float32,
display-referred, 0 to 1. Periodic textures are complex64, so that one look-up brings both of their
parts, each of zero mean and unit deviation: the noise, and its relief under light from the right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HORIZON = 0.56
FOCAL = 1.6
EYE_METRES = 6.0
SUN_X, SUN_Y = 0.40, -0.15
_SKY_ELEVATION = (0.0, 0.05, 0.14, 0.26, 0.42, 0.60, 1.5)
_SKY_RED = (0.97, 0.96, 0.84, 0.55, 0.30, 0.18, 0.10)
_SKY_GREEN = (0.74, 0.69, 0.65, 0.60, 0.46, 0.35, 0.22)
_SKY_BLUE = (0.47, 0.46, 0.56, 0.68, 0.66, 0.60, 0.46)


def rgb_of(red: float, green: float, blue: float) -> Array:
    """Return a colour (3,) of display-referred components, 0 to 1."""
    return np.array((red, green, blue), np.float32)


HAZE = rgb_of(0.93, 0.70, 0.52)
FOAM = rgb_of(0.94, 0.91, 0.87)


def fractal_noise(shape: tuple[int, ...], slope: float, rng: np.random.Generator) -> Array:
    """Draw periodic 1/f**slope noise; linear sampling would make its finest octave unsteady."""
    grids = np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij")
    frequency = np.sqrt(np.sum(np.square(grids), axis=0))
    fade = np.exp(-np.square(frequency / 0.26))
    frequency.flat[0] = np.inf
    noise = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * fade * frequency**-slope).real
    return (noise / noise.std()).astype(np.float32)


def lit_from_the_right(noise: Array, distance: int) -> Array:
    """Return the relief of a height map under light from the upper right, unit deviation."""
    slope = noise - np.roll(noise, (distance, -distance), axis=(0, 1))
    return slope / slope.std()


def sample(texture: Array, u: Array, v: Array) -> tuple[Array, Array]:
    """Sample noise and relief of a texture (n, n), n a power of two, at (u, v)."""
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


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Return 0 below low, 1 above high, smooth between; low above high reverses it."""
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def paint(picture: Array, colour: Array, alpha: Array) -> None:
    """Lay a colour over a picture (height, width, 3), in place, where alpha is above 0."""
    picture += (colour - picture) * alpha[..., None]


def screen(picture: Array, light: Array) -> Array:
    """Add light to a picture as projectors do, so that white is never passed."""
    return 1 - (1 - picture) * (1 - light)


def sky_colour(elevation: Array) -> Array:
    """Clear sky (..., 3) at elevations in picture heights above the horizon."""
    channels = (_SKY_RED, _SKY_GREEN, _SKY_BLUE)
    colour = [np.interp(elevation, _SKY_ELEVATION, channel) for channel in channels]
    return np.stack(colour, axis=-1).astype(np.float32)
