"""Processes of this machine, as many as it has cores."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snnrl.runs.executors.base import Executor
from snnrl.runs.work import Outcome, Run, State, last_lines
from snnrl.runs.worker import of_answer
from snnrl.settings import Settings, register, setting

GRACE = 60.0
"""Seconds that runs have to be saved in when all is stopped."""


@dataclass(frozen=True)
class LocalSettings(Settings, section="local"):
    """Settings of ``executor=local``."""

    runs_per_process: int = setting(
        100, "runs after which a process makes way for a fresh one, which takes seconds to start", at_least=1
    )


class _Worker:
    """One process, and the run that it has."""

    def __init__(self, place: int, environment: dict[str, str], threads: int, told: queue.Queue[_Told]) -> None:
        self.place, self.began, self.served, self.stopping = place, 0.0, 0, False
        self.run: Run | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "snnrl.runs.worker", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is this process's to answer
        )
        threading.Thread(target=self._listen, args=(told,), daemon=True).start()

    def _listen(self, told: queue.Queue[_Told]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as answers:
            for line in answers:
                told.put((self, line))
        self.process.wait()
        told.put((self, None))

    def give(self, run: Run) -> None:
        """Let it carry a run out; one that has died tells so by itself."""
        self.run, self.began = run, time.monotonic()
        self.served += 1
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{run.as_json()}\n".encode())
            self.process.stdin.flush()
        except OSError:
            return

    def retire(self) -> None:
        """Let it end, as it has nothing to do."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except OSError:
            return

    def stop(self) -> None:
        """Ask for the end of the run, saved."""
        self.stopping = True
        self.process.terminate()
        self.retire()


_Told = tuple[_Worker, bytes | None]
"""Who tells, and what: a line, or ``None`` at its end."""


@register("local")
class Local(Executor[LocalSettings]):
    """Runs in processes of this machine, each used for many; a run that kills its process harms no other."""

    Config = LocalSettings

    def __init__(self, config: LocalSettings, *, jobs: int | None, retries: int) -> None:
        super().__init__(config, jobs=jobs, retries=retries)
        self._cores = available_cores()
        self._slots = jobs or self._cores
        self._gpus = visible_gpus()
        self._workers: list[_Worker] = []
        self._told: queue.Queue[_Told] = queue.Queue()
        self._deaths: dict[Run, int] = {}
        self._again: deque[Run] = deque()

    @property
    def slots(self) -> int:
        return self._slots

    def require_devices(self, names: Iterable[str]) -> None:
        named = sorted(set(names) - {"auto", "cpu"})
        if not named:
            return

        from snnrl.training.device import choose_device

        for name in named:
            choose_device(name)

    def start(self) -> None:
        return

    def submit(self, run: Run) -> None:
        idle = next((worker for worker in self._workers if worker.run is None and not worker.stopping), None)
        if idle is None:
            places = {worker.place for worker in self._workers}
            place = next(number for number in range(len(places) + 1) if number not in places)
            threads = max(self._cores // self._slots, 1)
            idle = _Worker(place, self._environment(place, run), threads, self._told)
            self._workers.append(idle)
        idle.give(run)

    def _environment(self, place: int, run: Run) -> dict[str, str]:
        """Of a process: modules are found where this one finds them; one GPU each, in turn, unless runs name theirs."""
        found = {"PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}
        gpus = [] if str(run.settings.get("device")).startswith("cuda:") else self._gpus
        if gpus:
            found["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]
        return {**os.environ, **found}

    def ended(self, seconds: float) -> list[Outcome]:
        found: list[Outcome] = []
        until = time.monotonic() + seconds
        while (not found and (rest := until - time.monotonic()) > 0) or not self._told.empty():
            try:
                worker, line = self._told.get(timeout=max(rest, 0))
            except queue.Empty:
                break
            outcome = self._died(worker) if line is None else self._answered(worker, line)
            if outcome is not None:
                found.append(outcome)
            while self._again:
                self.submit(self._again.popleft())
        return found

    def _answered(self, worker: _Worker, line: bytes) -> Outcome:
        run = worker.run
        assert run is not None
        worker.run = None
        outcome = of_answer(run, line)
        if worker.served >= self.config.runs_per_process or outcome.state is State.FAILED:
            worker.stopping = True
            worker.retire()
        return outcome

    def _died(self, worker: _Worker) -> Outcome | None:
        self._workers.remove(worker)
        worker.retire()
        run, worker.run = worker.run, None
        if run is None:
            return None
        seconds = time.monotonic() - worker.began
        if worker.stopping:
            return Outcome(run, State.STOPPED, (), seconds)
        self._deaths[run] = self._deaths.get(run, 0) + 1
        if self._deaths[run] <= self.retries:
            self._again.append(run)
            return None
        how = _how(worker.process.returncode)
        return Outcome(run, State.FAILED, (*last_lines(run.log, 4), f"error: its process {how}"), seconds)

    def cancel(self, run: Run) -> None:
        for worker in self._workers:
            if worker.run == run:
                worker.stop()

    def close(self) -> None:
        try:
            for worker in self._workers:
                worker.stop()
            until = time.monotonic() + GRACE
            for worker in self._workers:
                worker.process.wait(max(until - time.monotonic(), 0))
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            for worker in self._workers:
                worker.process.kill()
        self._workers.clear()


def _how(code: int) -> str:
    """How a process ended, by its return code.

    >>> _how(-9), _how(1)
    ('was ended by SIGKILL', 'ended with exit code 1')
    """
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus(devices: Path = Path("/dev"), environment: dict[str, str] | None = None) -> Sequence[str]:
    """GPUs as ``CUDA_VISIBLE_DEVICES`` names them: those that it names already, else all; torch is not asked.

    >>> visible_gpus(environment={"CUDA_VISIBLE_DEVICES": "3,5"})
    ['3', '5']
    """
    given = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    return [path.name.removeprefix("nvidia") for path in sorted(devices.glob("nvidia[0-9]*"))]
