"""The style as an OpenFX effect: a small library in the host, a render server beside it."""
