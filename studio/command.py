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
        "renders. It is served to this machine alone, unless --host is given, and ends with Ctrl-C."
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
        help="Port that it is served on. Default: %(default)s, any that is free.",
    )
    add(
        "--host",
        metavar="ADDRESS",
        help="Address of this machine on which other machines reach the page, which then asks for "
        "the printed password. Default: 127.0.0.1, for this machine alone.",
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
        from .password import new_password
        from .server import LOOPBACK, served

        queue = JobQueue(data_folder() / "studio" / "queue.json")
        password = None if options.host is None else new_password()
        running = served(
            Studio(shelf, Stylizers(options.device), queue),
            options.port,
            host=options.host or LOOPBACK,
            password=password,
        )
    try:
        with running as guard:
            # The first address is used up by the browser; the second one is for this terminal's
            # eyes.
            opened = not (options.no_browser or password) and webbrowser.open(guard.address)
            print(f"http://{guard.host}{'/' if password else guard.root}", flush=True)
            if password:
                print(f"brushreel: the password is {password}", file=sys.stderr)
            open_there = "open this address in a browser"
            what = "the studio is open in your browser" if opened else open_there
            print(f"brushreel: {what}; Ctrl-C ends it", file=sys.stderr)
            ended = threading.Event()
            while not ended.wait(1):
                pass
    except KeyboardInterrupt:
        print("brushreel: the studio has ended", file=sys.stderr)
    return 0
