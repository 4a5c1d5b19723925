"""Version of Brushreel."""

__version__ = "0.1.0"
