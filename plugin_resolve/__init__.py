"""Styles inside editing programs: DaVinci Resolve, timeline files, OpenFX."""
