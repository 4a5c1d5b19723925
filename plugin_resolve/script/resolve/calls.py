"""Access to Resolve's API, by the names that it lists and never by `hasattr`."""

from __future__ import annotations

from typing import Any, TypeAlias

from ....core.errors import EditorError

Raw: TypeAlias = Any
"""An object of the API, or a plain value that it returned."""

MEANWHILE = "was something deleted in the meantime? Run it again: stylized shots are kept"


def can(thing: Raw, method: str) -> bool:
    """Return whether an object of the API has a method.

    Some versions return something for every attribute, so that `hasattr` is always true; the list
    of names can be trusted.
    """
    return method in dir(thing) and callable(getattr(thing, method))


def call(thing: Raw, method: str, *arguments: object) -> Raw:
    """Call a method of the API.

    The return value proves nothing: failures return False or None, and True may be returned
    without effect. Callers that change something look it up afterwards.

    Raises:
        EditorError: There is no project, timeline or clip to call, or this version of Resolve
            does not have the method.
    """
    if thing is None:
        raise EditorError(
            f"Resolve returned nothing to call {method} on", hint="is a project open?"
        )
    if not can(thing, method):
        raise EditorError(f"this version of DaVinci Resolve has no {method}", hint="update it")
    return getattr(thing, method)(*arguments)


def number(thing: Raw, method: str, *arguments: object) -> int:
    """Call a method that returns a whole number.

    Raises:
        EditorError: See `call`; or it returns none, as deleted items do.
    """
    answer = call(thing, method, *arguments)
    try:
        return int(answer)
    except (TypeError, ValueError):
        raise EditorError(f"Resolve answers {answer!r} to {method}", hint=MEANWHILE) from None


def listed(answer: Raw) -> list[Raw]:
    """Return a list of the API without gaps; the API returns None for an empty one."""
    return [thing for thing in answer or [] if thing is not None]
