"""``brushreel studio``: its options, and its way from the start to the end."""

from __future__ import annotations

import argparse
import sys
import threading
import webbrowser
from pathlib import Path

from ..core.arguments import add_device, path
from ..core.moving import moving
from ..core.user_folders import cache_folder, data_folder

# Imports of torch and of everything that needs it wait inside the function: `--help` and a wrong
# flag answer at once.


def add_studio(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel studio``."""
    parser.description = (
        "Open a page in the browser that shows every style on your clips, plays them stylized, and "
        "renders. It is served to this machine alone and ends with Ctrl-C."
    )
    add = parser.add_argument
    add(
        "folders",
        nargs="*",
        type=path,
        default=[],
        metavar="FOLDER",
        help="Folders whose clips and image sequences are shown, subfolders included. Default: "
        "the current folder.",
    )
    add(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="Port on 127.0.0.1. Default: %(default)s, any that is free.",
    )
    add("--no-browser", action="store_true", help="Print the address, and open no browser.")
    add_device(add)


def studio(options: argparse.Namespace) -> int:
    """Run ``brushreel studio``."""
    from .shelf import Shelf

    shelf = Shelf(options.folders or [Path()], cache_folder() / "studio" / "dropped")
    with moving("starting the studio"):
        from .application import Studio
        from .job_queue import JobQueue
        from .look import Stylizers
        from .server import served

        queue = JobQueue(data_folder() / "studio" / "queue.json")
        running = served(Studio(shelf, Stylizers(options.device), queue), options.port)
    with running as guard:
        # The first address is used up by the browser; the second one is for this terminal's eyes.
        opened = not options.no_browser and webbrowser.open(guard.address)
        print(f"http://{guard.host}{guard.root}", flush=True)
        what = "the studio is open in your browser" if opened else "open this address in a browser"
        print(f"brushreel: {what}; Ctrl-C ends it", file=sys.stderr)
        ended = threading.Event()
        try:
            while not ended.wait(1):
                pass
        except KeyboardInterrupt:
            print("brushreel: the studio has ended", file=sys.stderr)
    return 0
