"""Clips in, clips out."""
