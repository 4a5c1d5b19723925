"""The API's double is strict; rates are read as Resolve writes them; the bridge carries values."""

from __future__ import annotations

import io
import json
from fractions import Fraction

import pytest

from brushreel.core.errors import EditorError
from brushreel.plugin_resolve.script.bridge import Bridge
from brushreel.plugin_resolve.script.marker import MarkerData
from brushreel.plugin_resolve.script.resolve.calls import call, can
from brushreel.plugin_resolve.script.resolve.rate import resolve_rate, same_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        (25.0, Fraction(25)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("24", Fraction(24)),
        ("29.97 DF", Fraction(30000, 1001)),
        (59.94005994, Fraction(60000, 1001)),
        ("", None),
        ("fast", None),
        ("12.7", None),
    ],
)
def test_rates_are_exact(text, rate):
    assert resolve_rate(text) == rate


def test_near_rates_are_told_apart():
    assert same_rate(Fraction(25), Fraction(25_000, 1_000))
    assert same_rate(Fraction(2_997, 100), Fraction(30_000, 1_001))
    assert not same_rate(Fraction(24), Fraction(24_000, 1_001))
    assert not same_rate(None, None)


def test_double_refuses_what_is_not_documented(cut):
    resolve = cut().resolve
    with pytest.raises(AttributeError):
        resolve.GetPruductName()
    with pytest.raises(TypeError):
        resolve.GetProductName("now")
    with pytest.raises(TypeError):
        resolve.OpenPage(1)


def test_missing_method_is_an_error_of_the_editor(cut):
    for answers_all in (False, True):
        the = cut(answers_all=answers_all)
        assert not can(the.resolve, "GetPruductName")
        with pytest.raises(EditorError, match="GetPruductName"):
            call(the.resolve, "GetPruductName")
    with pytest.raises(EditorError):
        call(None, "GetName")


def test_bridge_carries_values_and_objects_both_ways():
    answers = [
        {"do": "hello", "window": False},
        {"id": 1, "value": ["GetItems"]},
        {"id": 2, "value": [{"object": 4}, {"object": 5}]},
        {"id": 3, "value": {"pairs": [[96.0, {"pairs": [["note", "x"]]}]]}},
        {"id": 4, "error": "ValueError: no"},
    ]
    said = io.BytesIO()
    bridge = Bridge(io.BytesIO(b"".join(json.dumps(a).encode() + b"\n" for a in answers)), said)
    one, two = call(bridge.resolve, "GetItems")
    assert two.Mark([one], {"a": 1.5}) == {96.0: {"note": "x"}}
    with pytest.raises(EditorError, match=r"^Resolve fails in Wrong \(try again"):
        one.Wrong()
    with pytest.raises(EditorError, match="has ended"):
        one.Later()
    assert bridge.cancelled.is_set()
    sent = [json.loads(line) for line in said.getvalue().splitlines()]
    assert sent[2] == {
        "do": "call",
        "id": 3,
        "object": 5,
        "method": "Mark",
        "arguments": [[{"object": 4}], {"pairs": [["a", 1.5]]}],
    }


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"brushreel": 2}', '{"brushreel": 1}'])
def test_notes_of_others_are_not_ours(text):
    assert MarkerData.from_json(text) is None


def test_marker_data_reads_back():
    data = MarkerData("{}", "d1", "/a.mov", 3, 8)
    assert MarkerData.from_json(data.to_json()) == data
