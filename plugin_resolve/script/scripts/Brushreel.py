# Installed by Brushreel: brushreel resolve install
"""The menu entry Workspace > Scripts > Brushreel: starts Brushreel as a process of its own.

Runs in Resolve's own Python: 3.6 or newer, standard library only.
"""

import json
import os
import sys
from typing import Any, Dict, Iterator, Optional

CONFIG = "Brushreel.json"
AGAIN = "run this in a terminal: brushreel resolve install"


def folders() -> Iterator[str]:
    """Yield possible folders of the settings: the script's own, then those of scripts."""
    # Resolve does not always set `__file__`.
    here = globals().get("__file__") or sys._getframe().f_code.co_filename
    if os.path.isabs(here):
        yield os.path.dirname(here)
    home, end = os.path.expanduser("~"), os.path.join("Fusion", "Scripts", "Utility")
    if sys.platform == "darwin":
        for root in (home, "/"):
            library = os.path.join(root, "Library", "Application Support")
            yield os.path.join(library, "Blackmagic Design", "DaVinci Resolve", end)
    elif sys.platform == "win32":
        brand = os.path.join("Blackmagic Design", "DaVinci Resolve")
        yield os.path.join(os.environ.get("APPDATA", home), brand, "Support", end)
        yield os.path.join(os.environ.get("PROGRAMDATA", "C:\\ProgramData"), brand, end)
    else:
        data = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
        for root in (os.path.join(data, "DaVinciResolve"), "/opt/resolve", "/home/resolve"):
            yield os.path.join(root, end)


def settings() -> Optional[Dict[str, Any]]:
    """Read the installation's settings; return None if they or the program are missing."""
    for folder in folders():
        path = os.path.join(folder, CONFIG)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
            if os.path.isfile(found["python"]) and os.path.isdir(found["scripts"]):
                return found
    return None


def main(given: Dict[str, Any]) -> None:
    """Run with the names that Resolve gives to its scripts."""
    if sys.version_info < (3, 6):
        print("Brushreel: Resolve runs Python older than 3.6 here; install Python 3.10 to 3.12")
        return
    found = settings()
    if found is None:
        print("Brushreel: its program was moved or removed; " + AGAIN)
        return
    sys.path.insert(0, found["scripts"])
    try:
        import brushreel_bridge
    except ImportError:
        print("Brushreel: its program has changed; " + AGAIN)
        return
    finally:
        sys.path.remove(found["scripts"])
    brushreel_bridge.run(found, given)


if __name__ == "__main__":
    main(globals())
