"""Styles measured on footage."""
