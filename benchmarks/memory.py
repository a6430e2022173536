"""Whether the memory of a long run stays flat.

    python benchmarks/memory.py env=SpaceInvaders env_steps=1000000

Takes the words of ``python -m snnrl.train``, runs it, and prints the resident memory of the process while it trains.
Linux only: it reads ``/proc``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path


def resident_mebibytes(pid: int) -> float:
    """Resident set size of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main(words: list[str], every: float = 15.0) -> int:
    process = subprocess.Popen([sys.executable, "-m", "snnrl.train", *words])
    began = time.monotonic()
    while process.poll() is None:
        try:
            process.wait(every)
        except subprocess.TimeoutExpired:
            print(f"{time.monotonic() - began:6.0f} s  {resident_mebibytes(process.pid):7.1f} MiB", flush=True)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
