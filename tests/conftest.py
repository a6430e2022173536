"""What holds for all tests."""

from __future__ import annotations

import signal

# Workers of pytest-xdist ignore SIGINT, and what nohup starts SIGHUP; so would the processes that tests start and signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
