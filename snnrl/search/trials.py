"""Which process tries what: trials that are begun, and those of a process that died, which another goes on with."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from snnrl.runs.results import score
from snnrl.runs.work import Run
from snnrl.search.curves import curve
from snnrl.search.space import Space
from snnrl.search.study import asking, make_sampler
from snnrl.types import Setting

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

SCORES, ERROR = "scores", "error"
"""What a trial keeps beside its value: that of each seed, or the last line of one that failed."""


class Held:
    """A trial that this process carries out, and its runs, one for each seed.

    Args:
        trial: that has its settings.
        lock: of its folder, taken; the system gives it back when this process ends, however it ends.
        runs: in the order of their seeds.
    """

    def __init__(self, trial: Trial, lock: FileLock, runs: Sequence[Run]) -> None:
        self.trial, self.runs = trial, runs
        self.waiting = deque(run for run in runs if not run.finished())
        self.under_way: list[Run] = []
        self.pruned = False
        self.failure: tuple[str, ...] | None = None
        """The last lines of a run that failed."""
        self._lock, self._told = lock, len(_values(trial))

    @property
    def number(self) -> int:
        """Of the trial in its study."""
        return self.trial.number

    @property
    def over(self) -> bool:
        """Whether there is nothing left to carry out."""
        return not self.waiting and not self.under_way

    def report(self) -> bool:
        """Tell the study of evaluations that all seeds have had; whether the trial is to be pruned.

        The value of the n-th evaluation is the mean over all seeds, so that no seed alone decides.
        """
        curves = [curve(run.folder) for run in self.runs]
        for place in range(self._told, min(map(len, curves))):
            self.trial.report(sum(each[place] for each in curves) / len(curves), step=place + 1)
            self._told = place + 1
            if self.trial.should_prune():
                self.pruned = True
                return True
        return False

    def end(self) -> float | None:
        """Tell the study how the trial ended, and let go of it; its value, where it has one.

        Checkpoints are removed: what a search is for are settings, and a hundred trials have many.
        """
        from optuna.trial import TrialState

        scores = [score(run.summary()) for run in self.runs]
        value = None
        if self.failure is None and not self.pruned and None in scores:
            self.failure = ("error: there was no evaluation at the end",)
        study = self.trial.study
        if self.failure is not None:
            self.trial.set_user_attr(ERROR, self.failure[-1] if self.failure else "it printed nothing")
            study.tell(self.trial, state=TrialState.FAIL)
        elif self.pruned:
            study.tell(self.trial, state=TrialState.PRUNED)
        else:
            found = [each for each in scores if each is not None]
            value = sum(found) / len(found)
            self.trial.set_user_attr(SCORES, found)
            study.tell(self.trial, value)
        for run in self.runs:
            shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
        self.let_go()
        return value

    def let_go(self) -> None:
        """Leave the trial to whoever goes on with it."""
        self._lock.release(force=True)


def _values(trial: Trial) -> Mapping[int, float]:
    """What the study was told of a trial already."""
    return trial.study._storage.get_trial(trial._trial_id).intermediate_values


class Trials:
    """The trials of a study that this process may carry out.

    A trial belongs to the process that has the lock of its folder. One that is under way by the study's word and has a
    free lock lost its process: whoever sees it first goes on with it, with the runs as they were saved. So no trial is
    lost and none is made twice.

    Args:
        study: of Optuna.
        space: that is searched.
        out: the folder of all processes.
        limit: how many trials the study shall have.
        sampler: name, trials at random first, and seed of what draws settings.
        described: the runs of a trial, by its number and its settings.
    """

    def __init__(
        self,
        study: Study,
        space: Space,
        out: Path,
        limit: int,
        sampler: tuple[str, int, int],
        described: Callable[[int, Mapping[str, Setting]], Sequence[Run]],
    ) -> None:
        self.study, self.limit = study, limit
        self._space, self._out, self._sampler, self._described = space, out, sampler, described
        self._mine: set[int] = set()

    def take(self) -> Held | None:
        """A trial to carry out: one that lost its process, else a new one; ``None`` where there is none now."""
        from optuna.trial import Trial, TrialState

        with asking(self._out):
            trials = self.study.get_trials(deepcopy=False)
            for each in trials:
                if each.state is TrialState.RUNNING and each.number not in self._mine:
                    lock = self._lock(each.number)
                    if lock is not None:
                        if self.study._storage.get_trial(each._trial_id).state is TrialState.RUNNING:
                            return self._held(Trial(self.study, each._trial_id), lock)
                        lock.release()
            begun = sum(each.state is not TrialState.WAITING for each in trials)
            if begun >= self.limit:
                return None
            self.study.sampler = make_sampler(*self._sampler, number=begun)
            trial = self.study.ask()
            lock = self._lock(trial.number)
            assert lock is not None
            return self._held(trial, lock)

    def _held(self, trial: Trial, lock: FileLock) -> Held:
        self._mine.add(trial.number)
        return Held(trial, lock, self._described(trial.number, self._space.suggest(trial)))

    def _lock(self, number: int) -> FileLock | None:
        """The lock of a trial's folder, taken; ``None`` where another process has it."""
        folder = self._out / folder_of(number)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock

    def over(self) -> bool:
        """Whether the study has all its trials, and all have ended."""
        from optuna.trial import TrialState

        ended = sum(each.state.is_finished() for each in self.study.get_trials(deepcopy=False))
        return ended >= self.limit and not any(
            each.state is TrialState.RUNNING for each in self.study.get_trials(deepcopy=False)
        )


def folder_of(number: int) -> str:
    """The name of a trial's folder.

    >>> folder_of(7)
    'trial-0007'
    """
    return f"trial-{number:04d}"
