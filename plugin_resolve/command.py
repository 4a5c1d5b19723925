"""``brushreel resolve``: installation into Resolve's menu, removal, and diagnosis."""

from __future__ import annotations

import argparse
import os
import sys


def add_resolve(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``brushreel resolve``."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="resolve_command")
    for name, summary in {
        "install": "install Brushreel in Resolve's menu",
        "uninstall": "remove Brushreel from Resolve's menu",
        "doctor": "show which of Resolve's parts are installed, and what is wrong",
    }.items():
        command = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + "."
        )
        command.add_argument("--ofx", action="store_true", help="Include the OpenFX effect.")
        if name == "doctor":
            command.add_argument(
                "--json",
                action="store_true",
                help="Print one JSON object per finding, a line each.",
            )
        else:
            command.add_argument(
                "--system",
                action="store_true",
                help="Act for all users of this machine; may need an administrator.",
            )
            command.add_argument(
                "--dry-run",
                action="store_true",
                help="List what would be done, and change nothing.",
            )
    # Started by the script in Resolve; it talks JSON on standard input and output.
    commands.add_parser("run")


def resolve(options: argparse.Namespace) -> int:
    """Run ``brushreel resolve``; return the exit status."""
    return {"install": _install, "uninstall": _install, "doctor": _doctor, "run": _run}[
        options.resolve_command
    ](options)


def _install(options: argparse.Namespace) -> int:
    from .script import install as scripts
    from .script.folders import Folders

    act = scripts.install if options.resolve_command == "install" else scripts.uninstall
    print("\n".join(act(Folders.here(), system=options.system, dry_run=options.dry_run)))
    if options.ofx:
        print("\n".join(_ofx(options)))
    if options.resolve_command == "install" and not options.dry_run:
        print("In Resolve: Workspace > Scripts > Brushreel", file=sys.stderr)
    return 0


def _ofx(options: argparse.Namespace) -> list[str]:
    from .ofx import bundle

    act = bundle.install if options.resolve_command == "install" else bundle.uninstall
    return act(None, system=options.system, dry_run=options.dry_run)


def _doctor(options: argparse.Namespace) -> int:
    from ..core.finding import Finding, json_lines, lines
    from .script.doctor import examine
    from .script.folders import Folders

    findings = examine(Folders.here())
    if options.ofx:
        from .ofx import bundle

        wrong = bundle.check()
        findings += [Finding("openfx", "broken", line) for line in wrong]
        findings += [] if wrong else [Finding("openfx", "ok", "the effect loads")]
    print(*(json_lines(findings) if options.json else lines(findings)), sep="\n")
    return int(any(finding.status == "broken" for finding in findings))


def _run(_options: argparse.Namespace) -> int:
    # Anything printed goes to standard error, and child processes read nothing: neither mixes with
    # the messages.
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(sys.stderr.fileno(), 1)
    from .script.bridge import Bridge
    from .script.session import serve

    return serve(Bridge(incoming, outgoing))
