"""Commands, each in a process of its own that is forked where all modules are loaded already.

    python forked.py < COMMANDS > ENDS

Each line of COMMANDS is a JSON list: the arguments of ``brushreel``, or "open" and an image as
training reads it. Each line of ENDS is an `End` as a JSON object, in the same order. A process for
each keeps a crash, a hang and a leak from the next; starting Python for each would take seconds.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from brushreel import cli
from brushreel.core.errors import BrushreelError
from brushreel.core.standard_streams import own_standard_error

SECONDS = 60
"""Of the clock, after which a command counts as hanging; of the CPU, a third of that."""
# More than any file that is meant; a stated size must not take the machine down.
_ADDRESSES = 16 << 30


@dataclass(frozen=True)
class End:
    """The end of a command.

    Attributes:
        status: Its exit status; negative: the signal that ended it.
        printed: Its standard output.
        said: Its standard error.
        megabytes: Its largest resident memory.
        seconds: How long it took.
    """

    status: int
    printed: str
    said: str
    megabytes: int
    seconds: float


def _run(command: list[str]) -> int:
    if command[0] != "open":
        sys.argv[1:] = command
        return cli.main()
    from brushreel.training.data.images import open_image

    # As the command does.
    own_standard_error(libraries=False)
    warnings.simplefilter("ignore")
    try:
        open_image(Path(command[1])).convert("RGB")
    except BrushreelError as error:
        sys.stderr.write(f"brushreel: {error}\n")
        return 1
    return 0


def _child(command: list[str], printed: BinaryIO, said: BinaryIO) -> None:
    import resource  # only where processes are forked

    status = 99
    try:
        os.dup2(printed.fileno(), 1)
        os.dup2(said.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS // 3, SECONDS // 3))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
        status = _run(command)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001  the process must end here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(command: list[str]) -> End:
    """Run a command to its end, or end it."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        since = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(command, printed, said)
        signal.alarm(SECONDS)
        try:
            _, status, used = os.wait4(child, 0)
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
        finally:
            signal.alarm(0)
        texts = []
        for file in (printed, said):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        code = os.waitstatus_to_exitcode(status)
        printed_text, said_text = texts
        megabytes = used.ru_maxrss // 1024
        return End(code, printed_text, said_text, megabytes, time.monotonic() - since)


def _too_long(_signal: int, _frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    # Only what is loaded before need not be loaded by every child.
    for name in ("av", "OpenEXR", "PIL.Image", "torch", "opentimelineio", "numpy"):
        __import__(name)
    for part in ("batch.workers", "batch.reporting.progress", "core.pictures.exr", "core.export"):
        __import__(f"brushreel.{part}")
    for part in ("training.data.images", "plugin_resolve.timelines.styling"):
        __import__(f"brushreel.{part}")
    gc.freeze()  # else every child copies all objects
    signal.signal(signal.SIGALRM, _too_long)
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(asdict(ended(json.loads(line))))}\n")
        sys.stdout.flush()
