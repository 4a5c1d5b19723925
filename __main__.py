"""``python -m brushreel`` is the ``brushreel`` command."""

import sys

from .cli import main

sys.exit(main())
