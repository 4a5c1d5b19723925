"""Cuts of every editing program, styled."""
