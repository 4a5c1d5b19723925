"""``python -m housestyle`` is the ``housestyle`` command."""

import sys

from .cli import main

sys.exit(main())
