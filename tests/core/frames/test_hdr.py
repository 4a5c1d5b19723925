"""HDR on its way to the network and back: the standards' numbers, and what must not be lost."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch

from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import Colour, Frame, Matrix, Range, pixel_format
from brushreel.core.frames.hdr import to_hdr, to_sdr
from brushreel.core.stylizer import Stylizer

TRANSFERS = {"PQ": 16, "HLG": 18}
HIGHEST = {"PQ": 940, "HLG": 1019}  # BT.2100, table 9: HLG has headroom
STEP = 1 / (876 + 1)  # a code at 10 bit, limited range


def hdr(transfer: str, primaries: int = 9) -> Colour:
    return Colour(Matrix.BT2020_NCL, Range.LIMITED, primaries, TRANSFERS[transfer])


def grey(*levels: float) -> torch.Tensor:
    """Return one pixel a level: (1, 3, 1, W)."""
    return torch.tensor(levels).view(1, 1, 1, -1).expand(1, 3, 1, -1).contiguous()


def pq(nits: float) -> float:
    """Compute the inverse EOTF of BT.2100, table 4, in the standard's own numbers."""
    y = (nits / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def noise(height: int = 24, width: int = 32) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(2))


def frame_of(rgb: torch.Tensor, name: str, colour: Colour) -> Frame:
    plane = np.zeros((1, 1), np.uint8)
    like = Frame(
        (plane,), pixel_format("gray"), 1, 1, 7, 1, Fraction(1, 50), Colour(Matrix.BT709, Range(2))
    )
    return from_rgb(rgb, like, pixel_format=pixel_format(name), colour=colour)


def greys(codes: np.ndarray, colour: Colour) -> Frame:
    """Return a row of these lumas without chroma."""
    planes = (codes, np.full_like(codes, 512), np.full_like(codes, 512))
    form = pixel_format("yuv444p10le")
    return Frame(planes, form, codes.size, 1, 0, 1, Fraction(1, 50), colour)


class Unchanging(torch.nn.Module):
    """A network that paints what it sees, times a factor, plus a wash of white."""

    parts = None  # for runtimes that have no tiles

    def __init__(self, factor: float = 1.0, wash: float = 0.0):
        super().__init__()
        self.factor, self.wash, self.seen = factor, wash, torch.empty(0)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        self.seen = frames
        return (frames * self.factor + self.wash).clamp(0, 1)


@pytest.fixture
def painting_with(tiny_style, monkeypatch):
    """A stylizer with another network in the place of a style's."""

    def make(network: torch.nn.Module, **options) -> Stylizer:
        stylizer = Stylizer(
            tiny_style, device="cpu", precision="fp32", stroke_size="native", **options
        )
        monkeypatch.setattr(stylizer._network, "runtime_for", lambda *_size: network)
        return stylizer

    return make


class TestWhatTheNetworkSees:
    @pytest.mark.parametrize(
        ("transfer", "levels"),
        # BT.2408, tables 1 and 3: 18 % grey at 26 cd/m², white paper at 203 cd/m².
        [("PQ", (0, 0.38, 0.58, pq(1000), 1)), ("HLG", (0, 0.38, 0.75, 1, 1))],
    )
    def test_grey_and_white_lie_where_sdr_has_them(self, transfer, levels):
        shown, _ = to_sdr(grey(*levels), hdr(transfer))
        black, middle, white, peak, most = shown[0, 0, 0].tolist()
        assert black == 0
        assert middle == pytest.approx((26 / 203) ** (1 / 2.4), abs=0.005)
        assert white == pytest.approx(0.90, abs=0.005)
        assert (peak, most) == pytest.approx((1, 1), abs=1e-4)

    @pytest.mark.parametrize("nits", [0.1, 5, 50, 87])
    def test_what_is_not_bright_is_shown_as_it_is(self, nits):
        shown, gain = to_sdr(grey(pq(nits)), hdr("PQ"))
        assert gain.item() == 1
        assert 203 * shown[0, 0].item() ** 2.4 == pytest.approx(nits, rel=1e-3)

    def test_hlg_is_light_of_a_display_of_1000(self):
        # BT.2100, table 5: signal 0.5 is scene light 1/12; the OOTF has a gamma of 1.2.
        shown, gain = to_sdr(grey(0.5), hdr("HLG"))
        light = 203 * gain.item() * shown[0, 0].item() ** 2.4
        assert light == pytest.approx(1000 * (1 / 12) ** 1.2, rel=1e-4)

    def test_colours_are_those_of_bt709(self):
        # BT.2087: red of BT.709 in BT.2020.
        red = [pq(100 * share) for share in (0.6274, 0.0691, 0.0164)]
        shown, _ = to_sdr(torch.tensor(red).view(1, 3, 1, 1), hdr("PQ"))
        assert shown.flatten().tolist() == pytest.approx([0.743, 0, 0], abs=0.03)

    def test_primaries_are_the_clip_s(self):
        green = torch.tensor([pq(1), pq(80), pq(1)]).view(1, 3, 1, 1)
        by_primaries = [to_sdr(green, hdr("PQ", primaries))[0] for primaries in (1, 9, 12)]
        of_709, of_2020, of_p3 = by_primaries
        assert of_709.flatten().tolist() == pytest.approx(
            [(nits / 203) ** (1 / 2.4) for nits in (1, 80, 1)], abs=1e-4
        )
        assert of_2020[0, 1] > of_p3[0, 1] > of_709[0, 1]
        assert torch.equal(to_sdr(green, hdr("PQ", 2))[0], of_2020)

    @pytest.mark.parametrize("transfer", TRANSFERS)
    def test_lies_in_0_to_1_whatever_comes(self, transfer):
        shown, gain = to_sdr(noise(), hdr(transfer))
        assert shown.min() >= 0
        assert shown.max() <= 1
        assert gain.min() >= 1

    def test_is_what_a_style_gets(self, painting_with):
        network, frame = Unchanging(), frame_of(noise(), "gbrp12le", rgb_colour())
        painting_with(network).stylize(frame)
        assert torch.equal(network.seen, to_sdr(to_rgb(frame), frame.colour)[0])


def rgb_colour() -> Colour:
    return Colour(Matrix.RGB, Range.FULL, 9, 16)


class TestBack:
    @pytest.mark.parametrize("transfer", TRANSFERS)
    def test_a_painting_that_changes_nothing_gives_the_source_back(self, transfer):
        colour = hdr(transfer)
        ramp = grey(*torch.linspace(0, 1, 4096).tolist())
        assert (to_hdr(*to_sdr(ramp, colour), colour) - ramp).abs().max() < STEP / 20

    @pytest.mark.parametrize("transfer", TRANSFERS)
    @pytest.mark.parametrize("brightest", [1.0, 4.0])
    def test_so_does_every_colour_inside_bt709(self, transfer, brightest):
        colour = hdr(transfer)
        gains = torch.linspace(1, brightest, 32).expand(1, 1, 24, 32)
        source = to_hdr(noise(), gains, colour)
        assert source.max() < 1
        assert (to_hdr(*to_sdr(source, colour), colour) - source).abs().max() < STEP / 20

    def test_stylized_white_is_white_paper_not_the_brightest_light(self, painting_with):
        frame = frame_of(grey(pq(26), pq(50)), "gbrp12le", rgb_colour())
        stylized = to_rgb(painting_with(Unchanging(wash=1)).stylize(frame))
        assert stylized[0].flatten().tolist() == pytest.approx(6 * [pq(203)], abs=STEP / 2)

    @pytest.mark.parametrize("transfer", TRANSFERS)
    @pytest.mark.parametrize(("factor", "wash"), [(1, 0), (0.7, 0), (0.5, 0.5)])
    def test_highlights_of_a_ramp_are_not_clipped(self, painting_with, transfer, factor, wash):
        # Every code from white paper on up to the highest, at 10 bit.
        codes = np.arange(64 + round(0.58 * 876), HIGHEST[transfer] + 1, dtype=np.uint16)[None]
        frame = greys(codes, hdr(transfer))
        stylized = painting_with(Unchanging(factor, wash)).stylize(frame).planes[0][0].astype(int)
        assert (np.diff(stylized) >= 0).all()
        assert len(set(stylized[codes[0] > 700])) > 0.8 * (codes > 700).sum()
        if wash == 0 and factor == 1:
            assert np.abs(stylized - codes[0]).max() <= 1

    def test_nothing_is_brighter_than_the_signal_can_say(self):
        for transfer in TRANSFERS:
            _, gain = to_sdr(noise(), hdr(transfer))
            signal = to_hdr(torch.ones(1, 3, 24, 32), gain, hdr(transfer))
            assert signal.max() <= (1 if transfer == "PQ" else 1.092)
            assert signal.isfinite().all()


class TestStylize:
    @pytest.mark.parametrize("transfer", TRANSFERS)
    @pytest.mark.parametrize("name", ["yuv420p10le", "yuv422p10le", "yuv444p10le", "yuva444p10le"])
    def test_strength_zero_is_the_source(self, tiny_style, transfer, name):
        frame = frame_of(noise(), name, hdr(transfer))
        stylizer = Stylizer(tiny_style, device="cpu", precision="fp32", strength=0)
        assert stylizer.stylize(frame) is frame

    @pytest.mark.parametrize("transfer", TRANSFERS)
    @pytest.mark.parametrize("strength", [0, 1e-6])
    def test_strength_zero_in_another_form_is_within_a_code(self, tiny_style, transfer, strength):
        frame = frame_of(noise(), "yuv444p10le", hdr(transfer))
        stylizer = Stylizer(tiny_style, device="cpu", precision="fp32", strength=strength)
        other = stylizer.stylize(frame, pixel_format=pixel_format("yuva444p10le"))
        for plane, source in zip(other.planes, frame.planes, strict=False):
            assert np.abs(plane.astype(int) - source).max() <= 1

    @pytest.mark.parametrize("options", [{}, {"strength": 0.5}, {"keep_colors": True}])
    @pytest.mark.parametrize("transfer", TRANSFERS)
    def test_tags_and_timing_stay_and_the_frame_is_stylized(self, tiny_style, transfer, options):
        frame = frame_of(noise(), "yuv420p10le", hdr(transfer))
        stylizer = Stylizer(tiny_style, device="cpu", precision="fp32", **options)
        stylized = stylizer.stylize(frame)
        for field in dataclasses.fields(Frame):
            if field.name != "planes":
                assert getattr(stylized, field.name) == getattr(frame, field.name)
        assert np.abs(stylized.planes[0].astype(int) - frame.planes[0]).mean() > 10

    @pytest.mark.parametrize("options", [{"strength": 0}, {"strength": 0.5}, {"keep_colors": True}])
    def test_hlg_above_its_nominal_peak_stays(self, painting_with, options):
        codes = np.arange(930, 1020, dtype=np.uint16)[None]
        stylizer = painting_with(Unchanging(), **options)
        deeper = stylizer.stylize(greys(codes, hdr("HLG")), pixel_format=pixel_format("gray12le"))
        assert np.abs(deeper.planes[0] / 4 - codes).max() <= 1

    def test_sdr_and_pq_have_nothing_above_white(self, painting_with):
        codes = np.array([[940, 941, 1019]], np.uint16)
        for colour in (hdr("PQ"), Colour(Matrix.BT709, Range.LIMITED, 1, 1)):
            stylized = painting_with(Unchanging()).stylize(greys(codes, colour))
            assert stylized.planes[0].tolist() == [[940, 940, 940]]

    def test_mixing_is_done_in_the_clip_s_own_signal(self, painting_with):
        frame = frame_of(noise(), "gbrp12le", rgb_colour())
        source = to_rgb(frame)
        full = to_rgb(painting_with(Unchanging(0.5)).stylize(frame))
        half = to_rgb(painting_with(Unchanging(0.5), strength=0.5).stylize(frame))
        torch.testing.assert_close(half, (source + full) / 2, atol=1e-3, rtol=0)

    @pytest.mark.parametrize("transfer", [1, 2, 6, 13, 14])
    def test_sdr_goes_straight_to_the_network(self, painting_with, transfer):
        colour = Colour(Matrix.RGB, Range.FULL, 9, transfer)
        frame, network = frame_of(noise(), "gbrp12le", colour), Unchanging()
        stylized = painting_with(network).stylize(frame)
        assert torch.equal(network.seen, to_rgb(frame))
        for plane, source in zip(stylized.planes, frame.planes, strict=True):
            np.testing.assert_array_equal(plane, source)
