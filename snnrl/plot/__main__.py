"""``python -m snnrl.plot run=<dir>``."""

import sys

from snnrl.plot import main

sys.exit(main())
