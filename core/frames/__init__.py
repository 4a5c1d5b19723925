"""Decoded frames: planes, colour, fields, orientation, HDR."""
