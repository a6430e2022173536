"""Trials from their beginning to their end, as many runs at a time as an executor takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from snnrl.errors import RunError
from snnrl.runs.carry_out import LOOK
from snnrl.runs.executors.base import Executor
from snnrl.runs.work import Outcome, State
from snnrl.search.trials import Held, Trials
from snnrl.settings import Settings
from snnrl.training.folder import IN_USE

EVALUATIONS = 1.0
"""Seconds between two looks at the evaluations of trials under way."""
HOPELESS = 5
"""Trials that fail, with none before or between that does not, after which the search is given up."""


@dataclass(frozen=True)
class Ended:
    """A trial that has ended here.

    Attributes:
        number: its own.
        value: what it is judged by; ``None`` where it was pruned or failed.
        failure: the last lines of a run that failed; ``None`` where none did.
    """

    number: int
    value: float | None
    failure: tuple[str, ...] | None = None

    @property
    def failed(self) -> bool:
        """Whether a run failed."""
        return self.failure is not None


class Search:
    """Carries trials out until their study has all of them, also those of processes that died meanwhile.

    Args:
        trials: of the study.
        executor: entered.
        tell: what is told of each trial that has ended here.
    """

    def __init__(self, trials: Trials, executor: Executor[Settings], tell: Callable[[Ended], None]) -> None:
        self._trials, self._executor, self._tell = trials, executor, tell
        self._held: list[Held] = []
        self._failures: int | None = 0

    def run(self) -> None:
        """Until all trials have ended, here or in other processes.

        Raises:
            RunError: nothing but failures.
        """
        looked = time.monotonic()
        while True:
            self._fill()
            if not self._held and self._trials.over():
                return
            for outcome in self._executor.ended(LOOK):
                self._ended(outcome)
            if time.monotonic() - looked > EVALUATIONS:
                self._look()
                looked = time.monotonic()
            for held in [held for held in self._held if held.over]:
                self._end(held)

    def let_go(self) -> None:
        """Leave what has not ended to whoever goes on with it; the executor has been closed before."""
        for held in self._held:
            held.let_go()

    def _fill(self) -> None:
        """Give runs to the executor as long as it takes some; those of a new trial come last."""
        while sum(len(held.under_way) for held in self._held) < self._executor.slots:
            held = next((held for held in self._held if held.waiting), None)
            if held is None:
                held = self._trials.take()
                if held is None:
                    return
                self._held.append(held)
                if not held.waiting:
                    return
            run = held.waiting.popleft()
            self._executor.submit(run)
            held.under_way.append(run)

    def _ended(self, outcome: Outcome) -> None:
        held = next(held for held in self._held if outcome.run in held.under_way)
        held.under_way.remove(outcome.run)
        in_use = bool(outcome.lines) and IN_USE in outcome.lines[-1]  # by a process that outlived the one that had it
        if outcome.state is State.FAILED and not in_use and not held.pruned:
            held.failure = outcome.lines if held.failure is None else held.failure
            self._cancel(held)
        elif outcome.state is not State.FINISHED and not held.pruned and held.failure is None:
            held.waiting.append(outcome.run)  # it goes on, also where somebody else stopped it

    def _look(self) -> None:
        for held in self._held:
            if not held.pruned and held.failure is None and held.under_way and held.report():
                self._cancel(held)

    def _cancel(self, held: Held) -> None:
        """End what is left of a trial."""
        held.waiting.clear()
        for run in held.under_way:
            self._executor.cancel(run)

    def _end(self, held: Held) -> None:
        self._held.remove(held)
        value = held.end()
        self._tell(Ended(held.number, value, held.failure))
        if held.failure is None:
            self._failures = None
        elif self._failures is not None:
            self._failures += 1
            if self._failures == HOPELESS:
                last = held.failure[-1].removeprefix("error: ") if held.failure else "it printed nothing"
                raise RunError(
                    f"the first {HOPELESS} trials failed, the last of them: {last}; {held.runs[0].log} has more"
                )
