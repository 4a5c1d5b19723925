"""Evaluation: styles measured on footage."""
