"""The render server of the OpenFX effect."""
