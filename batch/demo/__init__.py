"""The generated clip that a newcomer first sees a style on."""
