"""Encoding of the stylized video."""
