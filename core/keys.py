"""Keys under which work is resumed and files are reused: facts in, a comparable value out.

What a key depends on is declared by whoever decides it (`Stylizer.settings`, a recipe's fields, a
reader's identity). tests/batch/resume/test_golden_keys.py stores today's values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def stored(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as a JSON file gives them back, so that they compare equal to stored ones."""
    return json.loads(json.dumps(facts, default=str))


def key_digest(facts: object, *, size: int | None = None, sort: bool = True) -> str:
    """Return facts as one hexadecimal value.

    Args:
        facts: Plain values, nested as JSON can nest them; anything else counts as its text.
        size: Bytes of a BLAKE2b digest; None for SHA-256.
        sort: Ignore the order of mappings.
    """
    text = json.dumps(facts, sort_keys=sort, default=str).encode()
    made = hashlib.sha256(text) if size is None else hashlib.blake2b(text, digest_size=size)
    return made.hexdigest()
