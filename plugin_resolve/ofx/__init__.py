"""The OpenFX effect: a small library in the host, and a render server in a process of its own."""
