"""Blends: styles that descend from one parent, mixed weight by weight.

Networks fine-tuned from one parent stay so close to each other that the networks between them
stylize too, at the cost of one (Wang et al., "Deep Network Interpolation for Continuous Imagery
Effect Transition", CVPR 2019).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from functools import reduce

import torch
from torch import Tensor

from .errors import StyleError, UsageError
from .style import Painting, Style

EXAMPLE = "wave:0.6+udnie:0.4"
NAME_LENGTH = 64
# Matches a mistyped weight: "0,6", "60%", nothing. No path looks like that.
_MISTYPED_WEIGHT = re.compile(r"[-\d.,%e ]*")


def parse_blend(text: str) -> list[tuple[str, float]]:
    r"""Split the text of `--style` into names and weights.

    Args:
        text: One name or path, or several joined by "+", each optionally followed by ":" and a
            weight. After a ":", text that is not a number belongs to the path, as in ``C:\wave``.

    Returns:
        Names or paths with their weights as given, 1 where none is; one pair for a plain name.

    Raises:
        UsageError: A part is missing, a weight is not a number above 0, or a lone style has one.
    """
    if "+" in text:
        return [_part(part.strip(), text) for part in text.split("+")]
    name, weight = _name_and_weight(text)
    if weight is not None:
        advice = f"a blend is {EXAMPLE}"
        if weight <= 1:
            advice += f"; for less of one style, stylize -s {name} --strength {weight:g}"
        raise UsageError(f"{text!r}: a weight needs several styles", hint=advice)
    return [(name, 1.0)]


def _part(part: str, text: str) -> tuple[str, float]:
    name, weight = _name_and_weight(part)
    if not name:
        raise UsageError(f"{text!r} lacks a style next to a +", hint=f"a blend is {EXAMPLE}")
    return name, 1.0 if weight is None else weight


def _name_and_weight(part: str) -> tuple[str, float | None]:
    name, colon, number = part.rpartition(":")
    weight = _weight(number) if colon else None
    return (part, None) if weight is None else (name.strip(), weight)


def _weight(number: str) -> float | None:
    try:
        weight = float(number)
    except ValueError:
        if not _MISTYPED_WEIGHT.fullmatch(number):
            return None
        weight = math.nan
    if not 0 < weight < math.inf:
        raise UsageError(
            f"{number!r} is not a valid weight", hint=f"a number above 0, as in {EXAMPLE}"
        )
    return weight


def blend(parts: Sequence[tuple[Style, float]]) -> Style:
    """Blend styles of one family into one style.

    Args:
        parts: Styles and weights; only the weights' ratio counts. A style that is listed
            twice counts with the sum.

    Returns:
        A style named after its parts ("wave-60_udnie-40"), with their paintings, and in
        `training` a "blend" of their names, digests and shares, and the weighted mean of their
        `lines`, so that strokes change size as evenly as everything else; the style itself if
        there is only one. The order of the parts does not change its weights.

    Raises:
        StyleError: The styles are not of one family.
        UsageError: A weight is negative or not finite, or all are 0.
    """
    parts = _merged(parts)
    first = parts[0][0]
    if len(parts) == 1:
        return first
    made_of = [
        {"name": style.name, "digest": style.digest, "share": share} for style, share in parts
    ]
    return replace(
        first,
        name=_name(parts, unique=hashlib.sha256(json.dumps(made_of).encode()).hexdigest()),
        title=", ".join(f"{style.name} {100 * share:.3g} %" for style, share in parts),
        painting=_joined([style.painting for style, _ in parts]),
        weights=interpolate(parts),
        training={"family": first.family, "blend": made_of},
        figures={},
        lines=round(sum(style.lines * share for style, share in parts)),
    )


def interpolate(parts: Sequence[tuple[Style, float]]) -> dict[str, Tensor]:
    """Compute the weighted mean of networks, parameter by parameter (Wang et al. 2019, section 3).

    Args:
        parts: Styles of one family and their weights, 0 or more; they are divided by their sum.

    Returns:
        Tensor name to float32 tensor on the CPU; computed in float64, in any order of the
        parts. Where one style has all the weight, its values unchanged.

    Raises:
        StyleError: The styles are not of one family.
        UsageError: A weight is negative or not finite, or all are 0.
    """
    shares = _shares([weight for _, weight in parts])
    styles = [style for style, _ in parts]
    _check_family(styles)
    ordered = sorted(zip(styles, shares, strict=True), key=lambda part: part[0].digest)
    return {name: _mean(name, ordered) for name in styles[0].weights}


def _mean(name: str, parts: Iterable[tuple[Style, float]]) -> Tensor:
    terms = [style.weights[name].double() * share for style, share in parts]
    return reduce(torch.add, terms).float().contiguous()


def _shares(weights: Sequence[float]) -> list[float]:
    if not any(weights) or not all(0 <= weight < math.inf for weight in weights):
        raise UsageError(f"weights must be 0 or more and not all 0, not {list(weights)}")
    # In fractions no sum overflows, and no order of the weights rounds otherwise than another.
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    return [float(weight / total) for weight in exact]


def _merged(parts: Sequence[tuple[Style, float]]) -> list[tuple[Style, float]]:
    """Return each style once, with its share of the whole."""
    styles: dict[str, Style] = {}
    shares: dict[str, list[float]] = {}
    for (style, _), share in zip(parts, _shares([weight for _, weight in parts]), strict=True):
        styles.setdefault(style.digest, style)
        shares.setdefault(style.digest, []).append(share)
    return [(style, math.fsum(shares[digest])) for digest, style in styles.items()]


def _check_family(styles: Sequence[Style]) -> None:
    first = styles[0]
    for other in styles[1:]:
        if (other.family, other.spec) != (first.family, first.spec):
            raise StyleError(
                f"{first.name} and {other.name} were not trained from one parent, so they "
                "can't be blended",
                hint=f"train {other.name} again with --from {first.name}",
            )


def _name(parts: Iterable[tuple[Style, float]], *, unique: str) -> str:
    """Return a style name; where it gets too long, it ends in a digest that tells it apart."""
    name = "_".join(f"{style.name}-{round(100 * share)}" for style, share in parts)
    if len(name) <= NAME_LENGTH:
        return name
    return f"{name[: NAME_LENGTH - 13]}_{unique[:12]}"


def _joined(paintings: Sequence[Painting]) -> Painting:
    """Return a painting whose fields list those of all the paintings, without repetition."""
    joined = {
        field.name: "; ".join(dict.fromkeys(str(getattr(each, field.name)) for each in paintings))
        for field in fields(paintings[0])
    }
    return replace(paintings[0], **joined)
