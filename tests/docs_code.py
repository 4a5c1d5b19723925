"""The modules of docs/, which belong to no package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[1] / "docs"


def from_docs(name: str) -> ModuleType:
    """Import a module of docs/, where modules import each other by their plain names."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))
