"""Frames whose stream changes its matrix or range, written as one."""

from __future__ import annotations

from .frame import Colour, Frame


def recoloured(frame: Frame, colour: Colour) -> Frame:
    """Return a frame with the same R'G'B' in codes of another matrix and range.

    Args:
        frame: The frame, with its own colours.
        colour: The colours that it is to have.
    """
    from .colour import from_rgb, to_rgb  # noqa: PLC0415  torch, for few clips

    return from_rgb(to_rgb(frame), frame, pixel_format=frame.pixel_format, colour=colour)
