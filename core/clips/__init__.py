"""Clips and sequences, read with exact times; parts of them to the frame."""
