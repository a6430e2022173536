"""From a list of runs to their outcomes, whoever carries them out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from snnrl.runs.executors.base import Executor
from snnrl.runs.work import Outcome, Run, State
from snnrl.settings import Settings

LOOK = 0.5
"""Seconds between two looks at what has ended."""


def carry_out(
    runs: Sequence[Run], executor: Executor[Settings], look: Callable[[Sequence[Run]], None] | None = None
) -> Iterator[Outcome]:
    """Carry runs out, as many at a time as the executor takes.

    Args:
        runs: those that are finished are not done again, those that were stopped or killed go on.
        executor: entered.
        look: told now and then which runs are under way.

    Yields:
        How each ended, as they end, those that were finished already first. A failure does not end the others.
    """
    waiting, under_way = deque[Run](), list[Run]()
    for run in runs:
        if run.finished():
            yield Outcome(run, State.FINISHED)
        else:
            waiting.append(run)
    looked = time.monotonic()
    while waiting or under_way:
        while waiting and len(under_way) < executor.slots:
            run = waiting.popleft()
            executor.submit(run)
            under_way.append(run)
        for outcome in executor.ended(LOOK):
            under_way.remove(outcome.run)
            yield outcome
        if look is not None and time.monotonic() - looked > LOOK:
            look(under_way)
            looked = time.monotonic()
