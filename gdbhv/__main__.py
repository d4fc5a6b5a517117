"""``python -m gdbhv``."""

import sys

from gdbhv.cli import main

sys.exit(main())
