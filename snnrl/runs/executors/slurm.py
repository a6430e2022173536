"""A Slurm queue, by way of submitit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from snnrl.errors import ConfigError, one_line
from snnrl.runs.executors.base import Executor
from snnrl.runs.work import Outcome, Run, State, last_lines
from snnrl.settings import Settings, register, setting

WAIT = 1.0
"""Seconds between two looks at jobs."""
MOST = 1000
"""Jobs that are in the queue at a time unless ``jobs`` says so."""


@dataclass(frozen=True)
class SlurmSettings(Settings, section="slurm"):
    """Settings of ``executor=slurm``."""

    partition: str | None = setting(None, "of the queue", default_text="the cluster's default")
    minutes: int = setting(24 * 60, "that a run may take; one that needs more is put in the queue again", at_least=1)
    cpus: int = setting(1, "cores that a run takes up", at_least=1)
    gpus: int = setting(0, "GPUs that a run takes up", at_least=0)
    memory_gb: float = setting(4.0, "memory that a run takes up, in GB", above=0)
    cluster: str = setting(
        "slurm", "slurm, or local: submitit's processes of this machine, to try things out", choices=("slurm", "local")
    )


class _Job(Protocol):
    """What of submitit's jobs is used."""

    def done(self) -> bool: ...

    def result(self) -> tuple[str, list[str], float]: ...

    def cancel(self) -> object: ...


class _Submitter(Protocol):
    """What of submitit's executors is used."""

    def update_parameters(self, **parameters: object) -> None: ...

    def submit(self, job: Performing) -> _Job: ...


class Performing:
    """A run as a job; where its time is up, Slurm puts the same run into the queue again, which goes on."""

    def __init__(self, line: str, threads: int) -> None:
        self.line, self.threads = line, threads

    def __call__(self) -> tuple[str, list[str], float]:
        """Carry it out."""
        from snnrl.runs.perform import perform

        outcome = perform(Run.from_json(self.line), self.threads, patience=60.0)
        return outcome.state.value, list(outcome.lines), outcome.seconds

    def checkpoint(self) -> object:
        """What submitit puts into the queue when the time is up or the job makes way for another."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(Performing(self.line, self.threads))


@register("slurm")
class Slurm(Executor[SlurmSettings]):
    """Runs as jobs of Slurm; every node has snnrl and sees the folder of the runs."""

    Config = SlurmSettings

    def __init__(self, config: SlurmSettings, *, jobs: int | None, retries: int) -> None:
        super().__init__(config, jobs=jobs, retries=retries)
        self._jobs: dict[Run, _Job] = {}
        self._began: dict[Run, float] = {}
        self._lost: dict[Run, int] = {}
        self._cancelled: set[Run] = set()

    @property
    def slots(self) -> int:
        return self.jobs or MOST

    def start(self) -> None:
        try:
            self._submitit = import_module("submitit")
        except ImportError as error:
            raise ConfigError('executor=slurm: needs submitit; pip install "snnrl[slurm]" installs it') from error
        try:
            self._submitter(None)
        except RuntimeError as error:
            raise ConfigError(
                f"slurm.cluster={self.config.cluster}: cannot be used ({one_line(error)}); must be slurm where sbatch "
                "is found, or local"
            ) from error

    def _submitter(self, run: Run | None) -> _Submitter:
        """What submits a job, with its files beside the runs' logs."""
        folder = "." if run is None else str(run.log.parent / "slurm")
        made: _Submitter = self._submitit.AutoExecutor(folder=folder, cluster=self.config.cluster)
        memory = f"{self.config.memory_gb:g}GB"
        common = {"timeout_min": self.config.minutes, "cpus_per_task": self.config.cpus, "slurm_mem": memory}
        own = {"slurm_partition": self.config.partition} if self.config.partition else {}
        made.update_parameters(
            **common, **own, gpus_per_node=self.config.gpus, name="snnrl" if run is None else run.name
        )
        return made

    def submit(self, run: Run) -> None:
        self._jobs[run] = self._submitter(run).submit(Performing(run.as_json(), self.config.cpus))
        self._began[run] = time.monotonic()

    def ended(self, seconds: float) -> list[Outcome]:
        until = time.monotonic() + seconds
        while True:
            found = [outcome for run in list(self._jobs) if (outcome := self._outcome(run)) is not None]
            if found or time.monotonic() > until:
                return found
            time.sleep(min(WAIT, max(until - time.monotonic(), 0.01)))

    def _outcome(self, run: Run) -> Outcome | None:
        """How a run ended; ``None`` where it has not, or is taken up again."""
        job = self._jobs[run]
        if not job.done():
            return None
        del self._jobs[run]
        seconds = time.monotonic() - self._began[run]
        try:
            state, lines, took = job.result()
        except Exception as error:  # submitit raises what it likes where a job was lost
            if run in self._cancelled:
                return Outcome(run, State.STOPPED, (), seconds)
            self._lost[run] = self._lost.get(run, 0) + 1
            if self._lost[run] <= self.retries:
                self.submit(run)
                return None
            lost = f"error: its job was lost ({type(error).__name__}: {one_line(error)})"
            return Outcome(run, State.FAILED, (*last_lines(run.log, 4), lost), seconds)
        return Outcome(run, State(state), tuple(lines), took)

    def cancel(self, run: Run) -> None:
        if run in self._jobs:
            self._cancelled.add(run)
            self._jobs[run].cancel()

    def close(self) -> None:
        for run in list(self._jobs):
            self.cancel(run)
        self._jobs.clear()
