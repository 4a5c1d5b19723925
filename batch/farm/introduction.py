"""Introduction of a node: what its Brushreel is and can, in plain values of any version."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any


def introduce(paths: Sequence[str] = ()) -> dict[str, Any]:
    """Return the facts of this node, by name; runs there.

    Versions of Brushreel that differ ask each other: names stay what they are.

    Args:
        paths: Files and folders to look for.
    """
    import av  # noqa: PLC0415  a node may lack it
    import torch  # noqa: PLC0415

    from ...core.devices import choose_device, choose_precision  # noqa: PLC0415
    from ...core.runtimes.runtime import Wanted, able  # noqa: PLC0415
    from ...core.version import __version__  # noqa: PLC0415

    devices = {}
    for name in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        device = choose_device(name)
        precision = choose_precision("auto", device)
        devices[name] = {"precision": precision, "runtimes": able(Wanted(device, precision))}
    return {
        "brushreel": __version__,
        "av": [av.__version__, dict(av.library_versions)],
        "torch": torch.__version__,
        "devices": devices,
        "sees": {path: os.path.exists(path) for path in paths},  # noqa: PTH110
    }
