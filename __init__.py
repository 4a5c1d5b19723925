"""Brushreel: trained painting styles for video, without flicker.

>>> from brushreel import stylize_clip
>>> stylize_clip("holiday.mp4", "holiday.wave.mp4", "wave")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .core.version import __version__ as __version__

if TYPE_CHECKING:
    from .batch.clips.clip import stylize_clip
    from .batch.clips.report import ClipReport
    from .core.errors import BrushreelError
    from .core.library import list_styles, load_style
    from .core.style import Style
    from .core.stylizer import Stylizer

__all__ = [
    "BrushreelError",
    "ClipReport",
    "Style",
    "Stylizer",
    "list_styles",
    "load_style",
    "stylize_clip",
]

_HOMES = {
    "ClipReport": ".batch.clips.clip",
    "BrushreelError": ".core.errors",
    "Style": ".core.style",
    "Stylizer": ".core.stylizer",
    "list_styles": ".core.library",
    "load_style": ".core.library",
    "stylize_clip": ".batch.clips.clip",
}


def __dir__() -> list[str]:
    """Return the names of the package, those that are not imported yet included."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module's attributes are of any type
    # PyTorch takes a second to import; `brushreel --help` need not wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
