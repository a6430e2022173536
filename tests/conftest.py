"""What holds for all tests."""

from __future__ import annotations

import signal

# Workers of pytest-xdist ignore SIGINT, and so would the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
