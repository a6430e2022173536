"""What holds for all tests."""

from __future__ import annotations

import signal

# Workers of pytest-xdist ignore SIGINT, what nohup starts ignores SIGHUP, and so would processes that tests signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
