from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from brushreel.core.frames.stroke_size import DETAIL

from .minihost import DEPTHS, FAILED, OK, REPLY_DEFAULT, Image, MiniHost, Properties

TOLERANCE = 1e-3
ONE_CODE = {np.uint8: 1 / 255, np.uint16: 1 / 65535, np.float16: 1e-3, np.float32: 1e-5}
WHITE = {np.uint8: 255, np.uint16: 65535, np.float16: 1, np.float32: 1}


@pytest.fixture
def effect(host):
    instance = host.create()
    instance.change(style="tiny", strokeSize=4.0)
    yield instance
    instance.destroy()


@pytest.mark.parametrize("context", ["Filter", "General"])
def test_describes_itself(place, context):
    host = MiniHost(place.bundle, f"OfxImageEffectContext{context}")
    assert host.statuses == [OK, OK, OK]
    about = host.descriptor
    assert set(about["OfxImageEffectPropSupportedPixelDepths"]) == set(DEPTHS.values())
    assert about["OfxImageEffectPropSupportsTiles"] == 0
    bars = about.parameters["bars"]
    assert (bars["OfxParamPropChoiceOption"], bars["OfxParamPropDefault"]) == (["Keep", "Style"], 0)
    assert about["OfxImageEffectPropSupportsMultiResolution"] == 0
    assert set(about.clips) == {"Source", "Output"}
    styles = about.parameters["style"]["OfxParamPropChoiceOption"]
    assert {"tiny", "other", "wave"} <= set(styles)
    strength = about.parameters["strength"]
    for least, most in (("Min", "Max"), ("DisplayMin", "DisplayMax")):
        assert (strength[f"OfxParamProp{least}"], strength[f"OfxParamProp{most}"]) == (0, 1)
    assert strength["OfxParamPropAnimates"] == 1
    strokes = about.parameters["strokeSize"]
    names = ("Min", "DisplayMin", "Default", "DisplayMax", "Max", "Animates")
    assert [strokes[f"OfxParamProp{name}"] for name in names] == [0.25, 0.5, 1, 2, 4, 1]
    detail = about.parameters["detail"]
    assert [detail[f"OfxParamProp{name}"] for name in names] == [0, 0, DETAIL, 1, 1, 1]


def test_instances_come_and_go_with_ok(host):
    instance = host.create()
    assert (instance.created, instance.destroy()) == (OK, OK)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float16, np.float32])
def test_stylizes_every_depth_as_the_library_does(effect, noise, stylized, kind):
    source = Image(noise(kind, alpha=True))
    status, output = effect.render(source)
    assert status == OK, effect.shown
    expected = stylized(source.pixels.astype(np.float32) / WHITE[kind])
    rendered = output.pixels.astype(np.float32) / WHITE[kind]
    assert np.abs(rendered[..., :3] - expected).max() <= ONE_CODE[kind]
    assert (output.pixels[..., 3] == source.pixels[..., 3]).all()


@pytest.mark.parametrize("source_negative", [False, True])
@pytest.mark.parametrize("output_negative", [False, True])
def test_rows_may_be_padded_and_run_either_way(effect, noise, source_negative, output_negative):
    pixels = noise()
    _, plain = effect.render(Image(pixels))
    source = Image(pixels, padding=48, negative_rows=source_negative)
    output = Image(np.zeros_like(pixels), padding=16, negative_rows=output_negative)
    status, output = effect.render(source, output)
    assert status == OK
    assert (output.pixels == plain.pixels).all()
    assert output.gaps_are_untouched()
    assert (source.pixels == pixels).all()


def test_a_window_is_a_part_of_the_whole_frame(effect, noise):
    _, whole = effect.render(Image(noise()))
    output = Image(np.full((48, 64, 4), 7, np.float32))
    status, output = effect.render(Image(noise()), output, window=[10, 5, 30, 20])
    assert status == OK
    # Rows are counted from below.
    assert (output.pixels[28:43, 10:30] == whole.pixels[28:43, 10:30]).all()
    rest = np.ones((48, 64), bool)
    rest[28:43, 10:30] = False
    assert (output.pixels[rest] == 7).all()


def test_images_may_lie_anywhere_and_what_is_outside_is_transparent(effect, noise):
    source = Image(noise(), origin=(-20, 100))
    _, whole = effect.render(Image(noise()))
    output = Image(np.full((60, 80, 4), 7, np.float32), origin=(-30, 95))
    status, output = effect.render(source, output)
    assert status == OK
    expected = np.zeros((60, 80, 4), np.float32)
    # Top row of the source: 100 + 48; of the output: 95 + 60.
    expected[7:55, 10:74] = whole.pixels
    assert (output.pixels == expected).all()


def test_a_proxy_is_stylized_as_an_image_of_its_size(effect, noise, stylized):
    source = Image(noise(size=(29, 37)))
    status, output = effect.render(source)
    assert status == OK
    assert np.abs(output.pixels[..., :3] - stylized(source.pixels)).max() <= TOLERANCE


def _frame(height: int) -> np.ndarray:
    """Return a soft image of 16:9, the same at every size."""
    y, x = np.mgrid[:height, : height * 16 // 9] / height
    waves = [np.sin(9 * x + 5 * k) * np.cos(7 * y + 2 * k) / 2 + 0.5 for k in range(3)]
    return np.stack([*waves, np.ones_like(x)], -1).astype(np.float32)


def _halved(pixels: np.ndarray) -> np.ndarray:
    return (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) / 4


FULL_REGION, HALF_SCALE = (0.0, 0.0, 320.0, 180.0), 0.5


@pytest.mark.parametrize(("region", "scale"), [(FULL_REGION, HALF_SCALE), ((0.0,) * 4, HALF_SCALE)])
def test_proxy_has_the_look_of_the_final(effect, region, scale):
    full = _frame(180)
    effect.clips["Source"].region = region
    effect.change(strokeSize=2.0)
    _, final = effect.render(Image(full))
    status, proxy = effect.render(Image(_halved(full)), scale=scale)
    assert status == OK, effect.shown
    assert np.abs(_halved(final.pixels) - proxy.pixels).mean() < 0.01


@pytest.mark.parametrize("region", [(0.0, 0.0, 180.0, 180.0), (0.0,) * 4])
def test_bars_pass_through_at_every_scale(effect, stylized, region):
    full = _frame(180)[:, :180]
    full[:22, :, :3] = full[-22:, :, :3] = 0.004
    # The working size is so small that no process measures the runtimes, see `stylized`.
    effect.clips["Source"].region = region
    _, final = effect.render(Image(full))
    assert (final.pixels[:22] == full[:22]).all()
    assert (final.pixels[-22:] == full[-22:]).all()
    wanted = stylized(full[22:-22])
    assert np.abs(final.pixels[22:-22, :, :3] - wanted).max() <= TOLERANCE
    status, proxy = effect.render(Image(_halved(full)), scale=HALF_SCALE)
    assert status == OK, effect.shown
    assert (proxy.pixels[:11] == _halved(full)[:11]).all()
    assert np.abs(_halved(final.pixels) - proxy.pixels).mean() < 0.01
    effect.change(bars="Style")
    _, whole = effect.render(Image(full))
    assert np.abs(whole.pixels[..., :3] - stylized(full)).max() <= TOLERANCE
    assert (whole.pixels[:22] != full[:22]).any()


@pytest.mark.parametrize(
    ("region", "scale", "wanted"),
    [
        ((0.0,) * 4, 1.0, FAILED),
        ((0.0,) * 4, HALF_SCALE, OK),
        (FULL_REGION, HALF_SCALE, OK),
        # The region counts, not the scale.
        (FULL_REGION, 1.0, OK),
        # A region of another shape is not the image's.
        ((0.0, 0.0, 320.0, 320.0), 1.0, FAILED),
        ((-(2.0**31), -(2.0**31), 2.0**31, 2.0**31), HALF_SCALE, OK),
    ],
)
def test_limit_of_strokes_goes_by_the_full_size_as_stated(effect, region, scale, wanted):
    effect.clips["Source"].region = region
    effect.change(strokeSize=0.6)
    status, _ = effect.render(Image(_halved(_frame(180))), scale=scale)
    assert status == wanted, effect.shown
    assert status == OK or "too small for a frame of 160x90" in effect.shown


def test_strokes_follow_their_keyframes(effect, stylized):
    effect.parameters["strokeSize"].value = lambda time: 4 - time / 20
    effect.parameters["detail"].value = lambda time: time / 10
    # Square: the working sizes stay below those for which a process measures the runtimes.
    source, seen = Image(_frame(144)[:, :144]), []
    for time in (0, 5, 10):
        status, output = effect.render(source, time=time)
        assert status == OK
        expected = stylized(source.pixels, stroke_size=4 - time / 20, detail=time / 10)
        assert np.abs(output.pixels[..., :3] - expected).max() <= TOLERANCE
        seen.append(output.pixels)
    assert np.abs(seen[0] - seen[1]).mean() > 1e-4 < np.abs(seen[1] - seen[2]).mean()


def test_pixel_aspect_ratio_is_respected(effect, noise, stylized):
    source = Image(noise(size=(96, 64)))
    source["OfxImagePropPixelAspectRatio"] = 2.0
    status, output = effect.render(source)
    assert status == OK
    assert np.abs(output.pixels[..., :3] - stylized(source.pixels, aspect=2)).max() <= TOLERANCE


def test_premultiplied_colour_is_stylized_as_if_it_were_not(effect, noise, stylized):
    straight = noise(alpha=True)
    straight[:4, :, 3] = 0
    premultiplied = straight.copy()
    premultiplied[..., :3] *= straight[..., 3:]
    status, output = effect.render(Image(premultiplied, alpha="OfxImageAlphaPremultiplied"))
    assert status == OK
    seen = np.where(straight[..., 3:] > 0, straight[..., :3], 0)
    expected = stylized(seen) * straight[..., 3:]
    assert np.abs(output.pixels[..., :3] - expected).max() <= TOLERANCE
    assert (output.pixels[..., 3] == straight[..., 3]).all()


def test_strength_follows_its_keyframes(effect, noise, stylized):
    effect.parameters["strength"].value = lambda time: time / 10
    source = Image(noise())
    for time in (10, 2.5, 7, 0):
        status, output = effect.render(source, time=time)
        assert status == OK
        expected = stylized(source.pixels, strength=time / 10)
        assert np.abs(output.pixels[..., :3] - expected).max() <= TOLERANCE


def test_no_strength_is_the_source_and_said_so(host, effect, noise):
    effect.change(strength=0.0)
    answer = Properties()
    given = Properties(OfxPropTime=5.0)
    assert host.act("OfxImageEffectActionIsIdentity", effect, given, answer) == OK
    assert (answer["OfxPropName"], answer["OfxPropTime"]) == ("Source", 5.0)
    status, output = effect.render(Image(noise()))
    assert status == OK
    assert (output.pixels == noise()).all()
    effect.change(strength=0.5)
    assert host.act("OfxImageEffectActionIsIdentity", effect, given, answer) == REPLY_DEFAULT


def test_the_whole_source_is_asked_for(host, effect):
    effect.clips["Source"].region = (-3.0, 0.0, 640.0, 480.0)
    answer = Properties()
    given = Properties(OfxPropTime=0.0, OfxImageEffectPropRegionOfInterest=[0.0, 0.0, 9.0, 9.0])
    assert host.act("OfxImageEffectActionGetRegionsOfInterest", effect, given, answer) == OK
    assert answer["OfxImageClipPropRoI_Source"] == [-3.0, 0.0, 640.0, 480.0]


def test_colours_are_kept(effect, noise, stylized):
    effect.change(keepColors=1)
    source = Image(noise())
    _, output = effect.render(source)
    expected = stylized(source.pixels, keep_colors=True)
    assert np.abs(output.pixels[..., :3] - expected).max() <= TOLERANCE


def test_draft_is_like_the_full_frame_and_not_the_same(effect, noise):
    pixels = np.repeat(np.repeat(noise(size=(12, 12)), 6, 0), 6, 1)
    effect.change(strokeSize=1.0)
    _, full = effect.render(Image(pixels))
    effect.change(quality="Draft")
    status, draft = effect.render(Image(pixels))
    assert status == OK
    assert 0.001 < np.abs(full.pixels - draft.pixels).mean() < 0.2


def test_order_instances_and_threads_change_nothing(host, noise, stylized):
    frames = {seed: Image(noise(seed=seed)) for seed in range(6)}
    expected = {
        (style, seed): stylized(frames[seed].pixels, style)
        for style in ("tiny", "other")
        for seed in frames
    }
    effects = {style: host.create() for style in ("tiny", "other")}
    for style, effect in effects.items():
        effect.change(style=style, strokeSize=4.0)
    jobs = [(style, seed) for seed in (3, 0, 5, 1, 4, 2, 3) for style in effects] * 2

    def differs(job) -> float:
        style, seed = job
        given = Properties(OfxPropTime=float(seed), OfxImageEffectPropRenderWindow=[0, 0, 64, 48])
        status = host.act("OfxImageEffectActionRender", effects[style], given)
        assert status == OK
        return 0.0

    outputs = {}
    for style, effect in effects.items():
        effect.clips["Source"].images = lambda time: frames[int(time)]
        made = {seed: Image(np.zeros((48, 64, 4), np.float32)) for seed in frames}
        outputs[style] = made
        effect.clips["Output"].images = lambda time, made=made: made[int(time)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(differs, jobs))
    for (style, seed), pixels in expected.items():
        assert np.abs(outputs[style][seed].pixels[..., :3] - pixels).max() <= TOLERANCE


def test_an_abort_ends_the_wait(effect, place, noise):
    assert effect.render(Image(noise()))[0] == OK  # the server is running
    process = place.server()
    os.kill(process, signal.SIGSTOP)  # it never answers, however small the image is
    output = Image(np.zeros((48, 64, 4), np.float32))
    answers: list[bool] = []
    # The effect asks again and again while it waits; the tenth answer is yes.
    effect.asked_to_abort = lambda: answers.append(len(answers) >= 9) or answers[-1]
    status, _ = effect.render(Image(noise(seed=1)), output)
    os.kill(process, signal.SIGCONT)
    assert status == FAILED
    assert answers.count(True) == 1, "the effect went on waiting"
    assert effect.shown is None, "an abort is no error"
    assert not output.pixels.any()
    effect.asked_to_abort = lambda: False
    status, _ = effect.render(Image(noise()))
    assert status == OK


def test_without_an_image_the_render_fails_with_a_message(effect):
    output = Image(np.full((8, 8, 4), 7, np.float32))
    status, output = effect.render(None, output)
    assert status == FAILED
    assert "image" in effect.shown
    assert (output.pixels == 7).all()


def test_depths_must_agree(effect, noise):
    status, _ = effect.render(Image(noise()), Image(noise(np.uint8)))
    assert status == FAILED
    assert "one depth" in effect.shown


def test_a_message_goes_with_the_next_frame(effect, noise):
    effect.render(None, Image(noise()))
    assert effect.shown
    effect.render(Image(noise()))
    assert effect.shown is None
