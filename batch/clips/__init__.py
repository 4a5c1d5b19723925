"""Conversion of one clip or image sequence: read, stylize, write, verify, rename."""
