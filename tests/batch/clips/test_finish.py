"""Putting the finished file together: decoding times and the order of packets."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from brushreel.batch.clips.finish import decoding_time, interleaved


@pytest.mark.parametrize("delay", [0, 1, 2, 4])
def test_no_packet_is_decoded_after_it_is_shown(delay):
    rng = np.random.default_rng(delay)
    pts = np.cumsum(rng.integers(1, 50, 40)).tolist()
    # The worst order that lags so far: each run of `delay` + 1 frames with its last frame first.
    order = []
    for start in range(0, 40, delay + 1):
        run = list(range(start, min(start + delay + 1, 40)))
        order += [run[-1], *run[:-1]]
    assert max(place - frame for place, frame in enumerate(order)) == min(delay, 1)
    times = [decoding_time(place, pts, delay) for place in range(40)]
    assert all(before < after for before, after in pairwise(times))
    assert all(pts[frame] >= time for frame, time in zip(order, times, strict=True))


def test_without_reordering_decoding_is_showing():
    pts = [5, 6, 9, 100]
    assert [decoding_time(place, pts, 0) for place in range(4)] == pts


def packet(dts: int | None, tick: Fraction, pts: int | None = None) -> av.Packet:
    made = av.Packet(b"x")
    made.dts, made.pts, made.time_base = dts, pts, tick
    return made


def test_packets_are_in_the_order_of_decoding():
    picture = [packet(number, Fraction(1, 25)) for number in range(-1, 4)]
    sound = [packet(number, Fraction(1, 50)) for number in range(6)]
    together = list(interleaved(iter(picture), iter(sound)))
    times = [item.dts * item.time_base for item in together]
    assert times == sorted(times)
    assert len(together) == 11


def test_sound_that_is_longer_or_shorter_or_without_time():
    picture = [packet(number, Fraction(1, 25)) for number in range(3)]
    late = [packet(1000, Fraction(1, 25))]
    timeless = [packet(None, Fraction(1, 25))]
    shown = [packet(None, Fraction(1, 25), pts=1)]
    assert list(interleaved(iter(picture), iter(late))) == [*picture, *late]
    assert list(interleaved(iter(picture), iter([]))) == picture
    assert list(interleaved(iter([]), iter(late))) == late
    assert list(interleaved(iter(picture), iter(timeless))) == [*timeless, *picture]
    assert list(interleaved(iter(picture), iter(shown))) == [*picture[:2], *shown, picture[2]]
