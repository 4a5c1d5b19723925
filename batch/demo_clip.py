"""A generated clip to try a style on: a sea coast at golden hour, with sound.

A low sun over the sea, fractal clouds drifting on a ceiling that runs to the horizon, a snow-capped
volcano, hills and a rocky headland in parallax, deep-water waves with foam and sun glitter, a
sailing boat that rocks on the same waves, and birds that cross. The camera pans slowly. Every
texture is anchored to something that moves smoothly, so whatever flickers after painting was put
there by the painting. The sound is a soft chord, and surf that swells with the drawn waves.

Screen coordinates are in picture heights: x to the right of the centre, y down from the horizon.
The sea has its own in metres: X to the right, Z away from the camera.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import ArrayLike, NDArray

from ..core.errors import OutputError, UsageError

Array = NDArray[np.float32]

SAMPLE_RATE = 48_000
_HORIZON = 0.56
_FOCAL = 1.6
_EYE_METRES = 6.0
_GRAVITY = 9.81
_SUN = (0.40, -0.15)
_NOISE_SIZE = 1024
_GRAIN = 1 / 255
_SKY_ELEVATION = (0.0, 0.05, 0.14, 0.26, 0.42, 0.60, 1.5)
_SKY_RGB = np.array(
    [
        (0.97, 0.74, 0.47),
        (0.96, 0.69, 0.46),
        (0.84, 0.65, 0.56),
        (0.55, 0.60, 0.68),
        (0.30, 0.46, 0.66),
        (0.18, 0.35, 0.60),
        (0.10, 0.22, 0.46),
    ]
)
_HAZE = np.float32((0.93, 0.70, 0.52))


def make_demo_clip(
    path: Path,
    *,
    seconds: float = 5.0,
    width: int = 640,
    height: int = 360,
    frame_rate: Fraction = Fraction(24),
) -> Path:
    """Draw the clip and write it as H.264 with stereo AAC in MP4, tagged BT.709 limited.

    The same arguments give the same pictures and the same sound.

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
    except (OSError, av.FFmpegError) as error:
        raise OutputError(
            f"can't be written: {error.strerror or error}",
            path=path,
            hint="is the folder there, writable, and the disk not full?",
        ) from error
    return path


def _write(
    container: av.container.OutputContainer, scene: _Scene, frame_count: int, rate: Fraction
) -> None:
    video = _video_stream(container, scene, rate)
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=160_000)
    for index in range(frame_count):
        container.mux(video.encode(_video_frame(scene.draw(index, float(index / rate)), index, rate)))
    container.mux(video.encode(None))
    for frame in _audio_frames(_sound(scene.waves, frame_count / rate)):
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


def _video_stream(
    container: av.container.OutputContainer, scene: _Scene, rate: Fraction
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=rate, options={"crf": "16"})
    stream.width, stream.height = scene.x.size, scene.y.size
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / rate
    context = stream.codec_context
    context.time_base = 1 / rate
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    return stream


def _video_frame(picture: Array, index: int, rate: Fraction) -> av.VideoFrame:
    rgb = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = index, 1 / rate
    return frame


def _audio_frames(sound: Array) -> Iterator[av.AudioFrame]:
    for start in range(0, sound.shape[1], 1024):
        block = np.ascontiguousarray(sound[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield frame


@dataclass(frozen=True)
class _Waves:
    """Deep-water waves, longest first: wave numbers in rad/m, amplitudes in m (each (n,))."""

    kx: Array
    kz: Array
    amplitude: Array
    phase: Array

    @classmethod
    def build(cls, rng: np.random.Generator) -> _Waves:
        length = np.geomspace(44, 0.5, 56) * rng.uniform(0.94, 1.06, 56)
        k = 2 * np.pi / length
        heading = rng.normal(-0.35, 0.55, 56)
        steepness = 0.036 * (length / 12) ** np.where(length > 12, 0.1, 0.05)
        parts = (k * np.sin(heading), k * np.cos(heading), steepness / k)
        return cls(*(np.float32(part) for part in (*parts, rng.uniform(0, 2 * np.pi, 56))))

    @property
    def k(self) -> Array:
        """Wave numbers in rad/m."""
        return np.hypot(self.kx, self.kz)

    def angle(self, index: int, time: float, x: ArrayLike, z: ArrayLike) -> Array:
        """Phase of one wave in rad; it travels towards the camera by the dispersion relation."""
        turned = self.phase[index] + time * np.sqrt(_GRAVITY * self.k[index])
        return self.kx[index] * x + (self.kz[index] * z + np.float32(turned % (2 * np.pi)))

    def swell(self, time: float, x: float, z: float, *, count: int = 14) -> tuple[float, float]:
        """Height in m and sideways slope of the longest waves at one place."""
        angles = np.array([self.angle(i, time, x, z) for i in range(count)])
        lift = self.amplitude[:count] * np.cos(angles)
        lean = -self.kx[:count] * self.amplitude[:count] * np.sin(angles)
        return float(lift.sum()), float(lean.sum())


@dataclass(frozen=True)
class _Scene:
    """The pixel grid, and what stays the same from frame to frame.

    x is (1, width), y is (height, 1); noise, relief and clouds are periodic textures of zero mean
    and unit deviation; skyline is a periodic profile.
    """

    x: Array
    y: Array
    waves: _Waves
    noise: Array
    relief: Array
    clouds: Array
    skyline: Array
    grain: Array

    @classmethod
    def build(cls, width: int, height: int, *, seed: int = 1831) -> _Scene:
        rng = np.random.default_rng(seed)
        noise = _fractal_noise((_NOISE_SIZE, _NOISE_SIZE), 1.35, rng)
        clouds = _fractal_noise((_NOISE_SIZE, _NOISE_SIZE), 1.55, rng)
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height
        y = (np.arange(height, dtype=np.float32) + 0.5) / height - np.float32(_HORIZON)
        return cls(
            x=x[None],
            y=y[:, None],
            waves=_Waves.build(rng),
            noise=noise[..., None],
            relief=np.stack([_lit_from_the_right(noise, 4), noise], axis=-1),
            clouds=np.stack([clouds, _lit_from_the_right(clouds, 14)], axis=-1),
            skyline=_fractal_noise((4096,), 1.0, rng),
            grain=rng.normal(0, _GRAIN, (2 * height, 2 * width, 1)).astype(np.float32),
        )

    @property
    def pixel(self) -> float:
        """Size of a pixel in picture heights."""
        return 1 / self.y.size

    def draw(self, index: int, time: float) -> Array:
        """Picture (height, width, 3) at a time in seconds, display-referred, about 0 to 1."""
        pan = 0.10 * np.sin(0.2 * time - 0.4)
        x = self.x + np.float32(pan)
        picture = _sky(self, x, time)
        _volcano(picture, self, x)
        _hills(picture, self, x + np.float32(0.25 * pan))
        _sea(picture, self, x, time)
        _boat(picture, self, x, time)
        _headland(picture, self, x + np.float32(0.9 * pan), time)
        _birds(picture, self, x, time)
        return _film(picture, self, x, index)


def _fractal_noise(shape: tuple[int, ...], slope: float, rng: np.random.Generator) -> Array:
    """Periodic 1/f**slope noise, without the finest octave: linear sampling leaves that unsteady."""
    grids = np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij")
    frequency = np.sqrt(sum(np.square(grid) for grid in grids))
    frequency.flat[0] = np.inf
    shaped = np.fft.fftn(rng.normal(size=shape)) * frequency**-slope
    shaped *= np.exp(-np.square(np.where(np.isinf(frequency), 0, frequency) / 0.26))
    noise = np.fft.ifftn(shaped).real
    return (noise / noise.std()).astype(np.float32)


def _lit_from_the_right(noise: Array, distance: int) -> Array:
    """Relief shading of a height map under a low light from the upper right."""
    slope = noise - np.roll(noise, (distance, -distance), axis=(0, 1))
    return slope / slope.std()


def _sample(texture: Array, u: Array, v: Array) -> Array:
    """Bilinear look-up in a periodic texture (n, n, channels) at texels u, v; n a power of two."""
    size = texture.shape[0]
    left, top = np.floor(u), np.floor(v)
    fu, fv = (u - left)[..., None], (v - top)[..., None]
    column, row = left.astype(np.int32) & (size - 1), top.astype(np.int32) & (size - 1)
    flat = texture.reshape(size * size, -1)
    right, row_below = (column + 1) & (size - 1), ((row + 1) & (size - 1)) * size
    row = row * size
    above = flat[row + column] * (1 - fu) + flat[row + right] * fu
    below = flat[row_below + column] * (1 - fu) + flat[row_below + right] * fu
    return above + (below - above) * fv


def _smoothstep(low: float, high: float, value: Array) -> Array:
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _paint(picture: Array, colour: ArrayLike, alpha: Array) -> None:
    picture += (np.asarray(colour, np.float32) - picture) * alpha[..., None]


def _sky_colour(elevation: Array) -> Array:
    channels = [np.interp(elevation, _SKY_ELEVATION, rgb) for rgb in _SKY_RGB.T]
    return np.stack(channels, axis=-1).astype(np.float32)


def _sky(scene: _Scene, x: Array, time: float) -> Array:
    picture = np.broadcast_to(_sky_colour(-scene.y), (scene.y.size, x.size, 3)).copy()
    distance = np.hypot(x - _SUN[0], scene.y - _SUN[1])
    glow = np.exp(-distance / 0.38)[..., None] * np.float32((0.62, 0.36, 0.10))
    picture = 1 - (1 - picture) * (1 - glow)
    _clouds(picture, scene, x, time, distance)
    disc = np.clip((0.030 - distance) / 0.006 + 0.5, 0, 1)
    halo = 0.75 * np.exp(-distance / 0.05)
    _paint(picture, (1.0, 0.93, 0.72), np.maximum(disc, halo))
    return picture


def _clouds(picture: Array, scene: _Scene, x: Array, time: float, from_sun: Array) -> None:
    """Clouds on a level ceiling, so they foreshorten towards the horizon; they thin out there."""
    rows = int(np.searchsorted(scene.y[:, 0], -0.01))
    reach = 1 / (0.10 - scene.y[:rows])
    u, v = 62 * reach * x, 95 * reach + 0 * x
    slow = _sample(scene.clouds, u + np.float32(5.0 * time), v + np.float32(2.0 * time))
    fast = _sample(scene.clouds, 2.3 * u + np.float32(14 * time), 2.3 * v + np.float32(3 * time))
    density, light = np.moveaxis(0.8 * slow + 0.3 * fast, -1, 0)
    cover = _smoothstep(-0.55, 0.85, density) * _smoothstep(0.02, 0.16, -scene.y[:rows])
    warmth = np.exp(-from_sun[:rows] / 0.5)[..., None]
    lit = np.float32((0.97, 0.86, 0.76)) + warmth * np.float32((0.03, 0.02, -0.16))
    shade = np.float32((0.42, 0.44, 0.56)) + warmth * np.float32((0.36, 0.10, -0.08))
    edge = np.clip(0.62 + 0.34 * light - 0.26 * density, 0, 1)[..., None]
    _paint(picture[:rows], shade + (lit - shade) * edge, 0.92 * cover)


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
    x = x + np.float32(0.28)
    cone = 0.262 * np.exp(-np.sqrt(np.square(x) + 0.0016) / 0.24) - 0.012
    top = -cone - 0.0016 * _profile(scene, x, 900, 500)
    rows, columns = _visible(scene, top, 0.0)
    x, y = x[:, columns], scene.y[rows]
    drop = np.maximum(y + 0.24, 0.0)
    gully = _sample(scene.relief, 52 * x / (0.10 + drop) + 40, 230 * drop + 25 * x)
    height = -y - 0.10 * np.abs(x)
    snow = _smoothstep(0.100, 0.128, height + 0.018 * gully[..., 1])
    light = np.clip(0.48 + 0.20 * gully[..., 0] + 2.6 * x, 0.05, 1)[..., None]
    rock = np.float32((0.29, 0.33, 0.49)) + light * np.float32((0.30, 0.14, 0.02))
    white = np.float32((0.60, 0.63, 0.78)) + light * np.float32((0.40, 0.28, 0.06))
    surface = rock + (white - rock) * snow[..., None]
    surface += (_HAZE - surface) * (0.7 * np.exp(np.minimum(y, 0) / 0.06))[..., None]
    _paint(picture[rows, columns], surface, _between(scene, top[:, columns], y, 1.0))


def _hills(picture: Array, scene: _Scene, x: Array) -> None:
    """Two wooded ridges, the nearer one darker; they run out into the sea under the sun."""
    for depth, (start, shore, tallest) in enumerate(((2100, 0.60, 0.066), (300, 0.02, 0.050))):
        run_out = _smoothstep(0, 0.8, shore - x)
        rise = run_out * (tallest + 0.022 * _profile(scene, x, start, 170)) - 0.004
        rows, columns = _visible(scene, -rise, 0.004)
        place, y = x[:, columns], scene.y[rows]
        relief = _sample(scene.relief, 230 * place + start, 420 * y - 130 * place)
        light = np.clip(0.42 + 0.24 * relief[..., 0], 0, 1)[..., None]
        surface = np.float32((0.13, 0.18, 0.22)) + light * np.float32((0.34, 0.25, 0.09))
        mist = 0.50 - 0.28 * depth + 0.30 * np.exp(np.minimum(y, 0) / 0.022)
        surface += (np.float32((0.80, 0.60, 0.54)) - surface) * mist[..., None]
        cover = _between(scene, -rise[:, columns], y, 1.0)
        _paint(picture[rows, columns], surface, cover)


def _headland(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """A rocky cape on the left, grassy on top, with surf that climbs its foot."""
    seaward = -0.46 - x
    rise = 0.30 * np.sqrt(np.clip(seaward, 0, 1)) + 0.016 * _profile(scene, x, 1500, 300)
    rise = rise * _smoothstep(-0.02, 0.10, seaward) - 0.05 * _smoothstep(0.05, -0.05, seaward)
    wash = 0.005 * scene.waves.swell(time, -60, 110)[0]
    base = 0.045 + 0.05 * np.clip(seaward, -0.1, 1) + 0.003 * _profile(scene, x, 60, 200)
    rows, columns = _visible(scene, -rise, 0.11)
    x, y, rise, base = x[:, columns], scene.y[rows], rise[:, columns], base[:, columns] - wash
    relief = _sample(scene.relief, 240 * x + 70 * y, 300 * y - 90 * x)
    fine = _sample(scene.relief, 620 * x + 500, 560 * y + 150 * x)
    crack = np.exp(-np.square(relief[..., 1] / 0.16))
    light = 0.40 + 0.24 * relief[..., 0] + 0.13 * fine[..., 0] - 0.20 * crack
    light = np.clip(light + 0.25 * _smoothstep(-0.80, -0.46, x), 0, 1)[..., None]
    rock = np.float32((0.09, 0.09, 0.13)) + light * np.float32((0.66, 0.45, 0.27))
    grass = np.float32((0.08, 0.13, 0.08)) + light * np.float32((0.50, 0.44, 0.12))
    top = _smoothstep(0.085, 0.045, y + rise + 0.022 * relief[..., 1] + 0.008 * fine[..., 1])
    top *= _smoothstep(0.015, -0.035, y + 0.010 * fine[..., 1])
    surface = rock + (grass - rock) * top[..., None]
    surf = _smoothstep(0.020, 0.0, base - y + 0.006 * fine[..., 1] + 0.8 * wash)
    surface += (np.float32((0.93, 0.90, 0.86)) - surface) * (0.85 * surf)[..., None]
    surface += (_HAZE - surface) * np.float32(0.10)
    _paint(picture[rows, columns], surface, _between(scene, -rise, y, base))


@dataclass(frozen=True)
class _Surface:
    """The sea in one frame, for each pixel below the horizon; shapes (rows, width).

    lost is (rows, 1): the slope variance of waves too fine to be drawn there.
    """

    x: Array
    z: Array
    height: Array
    slope_x: Array
    slope_z: Array
    crest: Array
    lost: Array


def _surface(scene: _Scene, x: Array, time: float) -> _Surface:
    below = scene.y[scene.y[:, 0] > 0.3 * scene.pixel]
    z = _EYE_METRES * _FOCAL / below
    world_x, world_z = _displaced(scene, x * z / _FOCAL, z + 0 * x, time)
    height, slope_x, slope_z, crest = np.zeros((4, *world_x.shape), np.float32)
    footprint = scene.pixel * np.square(z) / (_EYE_METRES * _FOCAL)
    lost = np.zeros_like(z)
    waves = scene.waves
    for index, (kx, kz, amplitude) in enumerate(zip(waves.kx, waves.kz, waves.amplitude, strict=True)):
        blur = np.square(0.55 * kz * footprint) + np.square(0.55 * kx * z * scene.pixel / _FOCAL)
        kept = np.exp(-blur)
        lost += 0.5 * np.square(amplitude * waves.k[index]) * (1 - kept * kept)
        first = int(np.searchsorted(kept[:, 0], 0.02))
        near = slice(first, None)
        angle = waves.angle(index, time, world_x[near], world_z[near])
        across = amplitude * kept[near] * np.sin(angle)
        along = amplitude * kept[near] * np.cos(angle)
        height[near] += along
        crest[near] += waves.k[index] * along
        slope_x[near] -= kx * across
        slope_z[near] -= kz * across
    return _Surface(world_x, world_z, height, slope_x, slope_z, crest, lost)


def _displaced(scene: _Scene, x: Array, z: Array, time: float) -> tuple[Array, Array]:
    """Where the sight lines meet the swell instead of the level sea, crests sharpened."""
    waves, sight = scene.waves, z / _EYE_METRES
    lift, push_x, push_z = np.zeros((3, *z.shape), np.float32)
    for index in range(14):
        k, angle = waves.k[index], waves.angle(index, time, x, z)
        lift += waves.amplitude[index] * np.cos(angle)
        push = (waves.amplitude[index] / k) * np.sin(angle)
        push_x += waves.kx[index] * push
        push_z += waves.kz[index] * push
    nearer = np.clip(lift, -1.2, 1.2) * np.minimum(sight, 5)
    return x + 0.9 * push_x - nearer * x / z, z + 0.9 * push_z - nearer


def _sea(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """Mirrored sky on the water, sun glitter and foam; then haze towards the horizon."""
    sea = _surface(scene, x, time)
    below = scene.y[-sea.x.shape[0] :]
    tilt = sea.slope_z - np.float32(0.6) * np.sqrt(sea.lost)
    up = below / _FOCAL - 2 * tilt
    aside = x / _FOCAL - 2 * sea.slope_x
    water = _water(sea, below / _FOCAL - tilt, up, aside)
    off = np.square(up + _SUN[1] / _FOCAL) + np.square(aside - _SUN[0] / _FOCAL)
    spread = 0.030 + 2.5 * sea.lost
    glitter = 1.5 * np.exp(-off / spread - np.square((x - _SUN[0]) / 0.26))
    glitter = np.minimum(glitter * (0.030 / spread) ** 0.3, 1)
    water = 1 - (1 - water) * (1 - glitter[..., None] * np.float32((1.0, 0.80, 0.46)))
    _paint(water, (0.95, 0.92, 0.88), _foam(scene, sea))
    water += (_HAZE - water) * (0.7 * np.exp(-below / 0.012))[..., None]
    _paint(picture[-water.shape[0] :], water, np.clip(below / scene.pixel + 0.5, 0, 1) + 0 * x)


def _water(sea: _Surface, facing: Array, up: Array, aside: Array) -> Array:
    """Colour of the water body under its mirror (Schlick's Fresnel term).

    facing is the sine of the angle between sight line and surface; up and aside are where the
    mirrored sight line goes. What it would find under the horizon is the next wave.
    """
    facing = np.clip(facing, 0.0, 1)
    fresnel = 0.02 + 0.90 * (1 - facing) ** 5
    sunward = np.exp(-np.abs(aside - _SUN[0] / _FOCAL) / 0.35)[..., None]
    sky = _sky_colour(_FOCAL * np.maximum(up, 0) + 0.05)
    sky *= np.float32((0.58, 0.66, 0.82)) + sunward * np.float32((0.46, 0.28, 0.0))
    thin = _smoothstep(-0.5, 1.1, sea.height)[..., None]
    body = np.float32((0.02, 0.12, 0.20)) + thin * np.float32((0.03, 0.24, 0.23))
    mirror = fresnel * _smoothstep(-0.12, 0.06, up)
    return body + (sky - body) * mirror[..., None]


def _foam(scene: _Scene, sea: _Surface) -> Array:
    """Whitecaps on the steep crests, torn by a lace that floats with the water."""
    lace = np.abs(_sample(scene.noise, 34 * sea.x, 34 * sea.z)[..., 0])
    coarse = _sample(scene.noise, 9 * sea.x + 300, 9 * sea.z)[..., 0]
    near = np.exp(-np.square(sea.z / 45))
    caps = _smoothstep(0.36, 0.66, sea.crest - 0.16 * near * lace + 0.10 * coarse)
    threads = _smoothstep(0.30, 0.0, lace) * _smoothstep(0.3, 1.6, coarse + 2.2 * sea.crest)
    return np.clip(0.85 * caps + 0.45 * near * threads, 0, 0.95)


def _polygon(scene: _Scene, x: Array, y: Array, corners: Sequence[tuple[float, float]]) -> Array:
    """Antialiased coverage of a convex polygon, corners clockwise on the screen."""
    inside = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, np.float32)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = np.hypot(x1 - x0, y1 - y0)
        inside = np.minimum(inside, ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / length)
    return np.clip(inside / scene.pixel + 0.5, 0, 1)


def _box(scene: _Scene, x: Array, centre: tuple[float, float], reach: float) -> tuple[slice, slice]:
    rows = np.searchsorted(scene.y[:, 0], (centre[1] - reach, centre[1] + reach))
    columns = np.searchsorted(x[0], (centre[0] - reach, centre[0] + reach))
    return slice(*rows), slice(*columns)


def _boat(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """A gaff of sails on a dark hull; the long waves under it lift and roll it."""
    depth = _EYE_METRES * _FOCAL / 0.055
    sail_to = (0.02 + 0.022 * time + 1.4) % 2.8 - 1.4
    lift, lean = scene.waves.swell(time, sail_to * depth / _FOCAL, depth)
    centre = (sail_to, 0.055 - 0.6 * lift * _FOCAL / depth)
    roll = 0.06 + 0.8 * lean
    window = _box(scene, x, centre, 0.25)
    part, dx, dy = picture[window], x[:, window[1]] - centre[0], scene.y[window[0]] - centre[1]
    mirror = 0.30 * np.exp(-np.maximum(dy, 0) / 0.05) * (dy > 0)
    wobble = 0.006 * np.sin(190 * dy - 5 * time) + 0.004 * np.sin(330 * dy + 3 * time)
    _rig(part, scene, dx + wobble, -1.8 * dy, -roll, mirror + 0 * dx)
    _rig(part, scene, dx, dy, roll, np.ones_like(dx + dy))
    bow = np.exp(-np.square(dx / 0.075) - np.square((dy - 0.004) / 0.0045))
    _paint(part, (0.95, 0.93, 0.90), 0.75 * bow)


def _rig(part: Array, scene: _Scene, dx: Array, dy: Array, roll: float, opacity: Array) -> None:
    x = np.cos(roll) * dx + np.sin(roll) * dy
    y = np.cos(roll) * dy - np.sin(roll) * dx
    seam = 0.05 * np.sin(260 * y)
    glow = np.clip(0.5 + 5 * x + seam, 0, 1)[..., None]
    canvas = np.float32((0.80, 0.62, 0.46)) + glow * np.float32((0.20, 0.24, 0.22))
    mast = [(-0.0022, -0.19), (0.0012, -0.19), (0.0022, 0), (-0.0022, 0)]
    main = [(-0.004, -0.180), (-0.004, -0.022), (-0.088, -0.022), (-0.066, -0.085), (-0.035, -0.145)]
    jib = [(0.004, -0.165), (0.035, -0.095), (0.072, -0.018), (0.006, -0.030)]
    hull = [(-0.085, -0.018), (0.092, -0.020), (0.070, 0.006), (-0.072, 0.006)]
    wood = np.float32((0.20, 0.09, 0.07)) + glow * np.float32((0.16, 0.09, 0.05))
    stripe = [(-0.085, -0.018), (0.092, -0.020), (0.088, -0.0145), (-0.0835, -0.0135)]
    for corners, colour in ((mast, wood), (main, canvas), (jib, canvas), (hull, wood)):
        _paint(part, colour, opacity * _polygon(scene, x, y, corners))
    _paint(part, (0.92, 0.80, 0.62), opacity * _polygon(scene, x, y, stripe))


def _birds(picture: Array, scene: _Scene, x: Array, time: float) -> None:
    """A loose flock that crosses from right to left."""
    for bird in range(7):
        size = 0.017 + 0.006 * np.sin(2.1 * bird)
        path = 0.55 - 0.060 * time - 0.085 * bird + 0.03 * np.sin(3.7 * bird)
        centre_x = (path + 1.3) % 2.6 - 1.3
        centre_y = -0.36 + 0.05 * np.sin(1.9 * bird) + 0.012 * np.sin(0.9 * time + bird)
        window = _box(scene, x, (centre_x, centre_y), 2.2 * size)
        across = (x[:, window[1]] - centre_x) / size
        down = (scene.y[window[0]] - centre_y) / size
        ink = _wings(across, down, np.sin(7.5 * time + 1.7 * bird), scene.pixel / size)
        _paint(picture[window], (0.13, 0.12, 0.17), 0.9 * ink)


def _wings(across: Array, down: Array, beat: float, pixel: float) -> Array:
    """Coverage of a gull seen from the side of the sea; one wing spans one unit when level."""
    span = np.abs(across) / (1.7 - 0.25 * beat * beat)
    arch = -0.9 * beat * span - 0.5 * np.sin(np.pi * np.clip(span, 0, 1))
    thickness = 0.13 * np.clip(1 - span, 0, 1) + 0.07
    wing = np.clip((thickness - np.abs(down - arch) / np.sqrt(1 + beat * beat)) / pixel + 0.5, 0, 1)
    return wing * np.clip((1 - span) / pixel + 0.5, 0, 1)


def _film(picture: Array, scene: _Scene, x: Array, index: int) -> Array:
    """Warm haze around the sun, a gentle contrast curve, vignette and slight grain."""
    haze = 0.13 * np.exp(-np.hypot(x - _SUN[0], 1.6 * (scene.y - _SUN[1])) / 0.45)
    picture = 1 - (1 - picture) * (1 - haze[..., None] * np.float32((1.0, 0.74, 0.42)))
    picture = np.clip(picture, 0, 1)
    picture += 0.35 * (picture * picture * (3 - 2 * picture) - picture)
    vignette = 1 - 0.16 * (np.square(scene.x) + np.square(scene.y + _HORIZON - 0.5))
    height, width = picture.shape[:2]
    top, left = (index * 131) % height, (index * 197) % width
    return picture * vignette[..., None] + scene.grain[top : top + height, left : left + width]


def _sound(waves: _Waves, seconds: Fraction) -> Array:
    """Stereo samples (2, n) within ±1: a chord, and surf that swells with the waves."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    mix = 0.16 * _chord(time) + 0.30 * _surf(waves, time)
    fade = np.clip(np.minimum(time + 1 / SAMPLE_RATE, time[-1] - time) / 0.25, 0, 1)
    return np.float32(np.tanh(mix) * np.square(np.sin(np.pi / 2 * fade)))


def _chord(time: NDArray[np.float64]) -> NDArray[np.float64]:
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


def _surf(waves: _Waves, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise between a rumble and a hiss; it opens up when the swell runs up the headland."""
    rng = np.random.default_rng(1760)
    hertz = np.fft.rfftfreq(time.size, 1 / SAMPLE_RATE)
    white = np.fft.rfft(rng.normal(size=(2, time.size)))
    rumble = np.fft.irfft(white * hertz / (90 + hertz) / (1 + (hertz / 420) ** 2), time.size)
    hiss = np.fft.irfft(white * hertz / (900 + hertz) / (1 + (hertz / 3800) ** 2), time.size)
    beats = np.arange(0, time[-1] + 0.1, 0.05)
    lifts = [waves.swell(float(beat), -60, 110)[0] for beat in beats]
    swell = np.interp(time, beats, 1 / (1 + np.exp(-2.2 * np.array(lifts))))
    shape = (0.35 + swell) * rumble / rumble.std() + (0.10 + 0.9 * swell**2) * hiss / hiss.std()
    return 0.5 * shape
