"""``python -m snnrl.runs.worker``: a process that carries out the runs that it is told of, one after the other.

It reads a run a line from standard input and writes how it ended, a line each, to standard output. Importing torch
takes seconds, so a process is used for many runs; a SIGTERM saves the one under way.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict

from snnrl.runs.perform import perform
from snnrl.runs.work import Outcome, Run, State

_PR_SET_PDEATHSIG = 1
PATIENCE = 60.0
"""Seconds that a run waits for its folder, where a process that has lost its parent may still save."""


def main() -> None:
    """Serve until there is nothing more to read."""
    _end_with(os.getppid())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    threads = int(sys.argv[1])
    for line in sys.stdin.buffer:
        outcome = perform(Run.from_json(line), threads, PATIENCE)
        print(as_answer(outcome), file=answers, flush=True)


def as_answer(outcome: Outcome) -> str:
    """How a run ended, in one line."""
    return json.dumps({key: value for key, value in asdict(outcome).items() if key != "run"})


def of_answer(run: Run, line: str | bytes) -> Outcome:
    """How ``run`` ended, from the line of :func:`as_answer`."""
    found = json.loads(line)
    return Outcome(run, State(found["state"]), tuple(found["lines"]), found["seconds"])


def _end_with(parent: int) -> None:
    """Let the end of the parent, also by SIGKILL, be a SIGTERM here, where the system can (Linux).

    Elsewhere the run under way is carried out and no other.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit()


if __name__ == "__main__":
    main()
