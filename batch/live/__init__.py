"""Frames stylized as they come: cameras, streams and files in, streams, files and cameras out."""
