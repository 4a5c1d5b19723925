"""How anything of Resolve's is called: by names that it lists, and never trusting `hasattr`."""

from __future__ import annotations

from typing import Any, TypeAlias

from ....core.errors import EditorError

Raw: TypeAlias = Any
"""An object of the API, or a plain value that it gave."""

MEANWHILE = "was something deleted meanwhile? Run it again: what is painted is kept"


def can(thing: Raw, method: str) -> bool:
    """Whether an object of the API has a method.

    Some versions answer every attribute that they are asked for, so that `hasattr` is always
    true; the list of names is honest.
    """
    return method in dir(thing) and callable(getattr(thing, method))


def call(thing: Raw, method: str, *arguments: object) -> Raw:
    """Call a method of the API.

    What comes back is no proof of anything: failures come as False or None, and True may come
    without effect. Whoever writes looks at the result afterwards.

    Raises:
        EditorError: There is no project, timeline or clip to call, or this version of Resolve
            does not have the method.
    """
    if thing is None:
        raise EditorError(f"Resolve gave nothing to call {method} on", hint="is a project open?")
    if not can(thing, method):
        raise EditorError(f"this version of DaVinci Resolve has no {method}", hint="update it")
    return getattr(thing, method)(*arguments)


def number(thing: Raw, method: str, *arguments: object) -> int:
    """A whole number that a method of the API gives.

    Raises:
        EditorError: See `call`; or it gives none, as what was deleted does.
    """
    answer = call(thing, method, *arguments)
    try:
        return int(answer)
    except (TypeError, ValueError):
        raise EditorError(f"Resolve answers {answer!r} to {method}", hint=MEANWHILE) from None


def listed(answer: Raw) -> list[Raw]:
    """A list that the API gave; it gives None for an empty one."""
    return [thing for thing in answer or [] if thing is not None]
