"""The version of Brushreel."""

__version__ = "0.1.0"
