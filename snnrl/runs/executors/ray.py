"""A Ray cluster, or a Ray of this machine where no address is given."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

from snnrl.errors import ConfigError, one_line
from snnrl.runs.executors.base import Executor
from snnrl.runs.executors.fetched import Keeper, perform_apart
from snnrl.runs.work import Outcome, Run, State, last_lines
from snnrl.settings import Settings, register, setting

PATIENCE = 120.0
"""Seconds that a run waits for its folder, which a process of a machine that was lost may still hold."""
GRACE = 60.0
"""Seconds that runs have to be saved in when all is stopped."""
ANSWERS = 10.0
"""Seconds in which a cluster's address has to answer."""
MANY = 100_000
"""Runs that are handed over at once, so that a cluster which grows with its queue sees it all."""


@dataclass(frozen=True)
class RaySettings(Settings, section="ray"):
    """Settings of ``executor=ray``."""

    address: str | None = setting(
        None,
        "auto (RAY_ADDRESS, or the cluster of this machine) or ip:port",
        default_text="a Ray of this machine alone",
    )
    cpus: float = setting(1.0, "cores that a run takes up", above=0)
    gpus: float = setting(0.0, "GPUs that a run takes up; 0.25 lets four share one", at_least=0)
    memory_gb: float = setting(0.0, "memory that a run takes up, in GB; 0 does not count it", at_least=0)
    folders: str = setting(
        "auto",
        "shared: all machines see the folder of the runs; fetched: they write to their own disks and send it; auto: "
        "each machine finds out",
        choices=("auto", "shared", "fetched"),
    )


class _Method(Protocol):
    """A method of an actor of Ray."""

    def remote(self, *arguments: object) -> object: ...


class _KeeperActor(Protocol):
    """A :class:`Keeper` on the command's machine, as the cluster sees it."""

    begin: _Method
    keep: _Method


@dataclass(frozen=True)
class _Away:
    """What a process elsewhere needs to tell whether it sees the command's folders, and to send what it does not."""

    keeper: _KeeperActor
    mark: Path | None
    """A file that is there where folders are shared; ``None`` where they are not, whatever is seen."""


@register("ray")
class Ray(Executor[RaySettings]):
    """Runs as tasks of Ray; every machine of the cluster has snnrl.

    A run whose machine is lost is taken up by another, from its last checkpoint. Machines that do not see the folder of
    the runs send what they write, see :mod:`snnrl.runs.executors.fetched`.
    """

    Config = RaySettings

    def __init__(self, config: RaySettings, *, jobs: int | None, retries: int) -> None:
        super().__init__(config, jobs=jobs, retries=retries)
        self._runs: dict[object, Run] = {}
        self._cancelled: set[Run] = set()
        self._began: dict[Run, float] = {}
        self._ours = False
        self._keeper: _KeeperActor | None = None
        self._marks: dict[Path, Path] = {}

    @property
    def slots(self) -> int:
        return self.jobs or MANY

    def start(self) -> None:
        ray = _imported()
        if not ray.is_initialized():
            self._connect(ray)
            self._ours = True
        threads = max(int(self.config.cpus), 1)
        options = {
            "num_cpus": self.config.cpus,
            "num_gpus": self.config.gpus,
            "max_retries": self.retries,
            **({"memory": int(self.config.memory_gb * 1e9)} if self.config.memory_gb else {}),
        }
        self._ray = ray
        self._task = ray.remote(_perform).options(**options)
        self._threads = threads
        if self.config.folders == "fetched" or (self.config.folders == "auto" and self.config.address is not None):
            affinity = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
            here = affinity(ray.get_runtime_context().get_node_id(), soft=False)
            self._keeper = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here).remote()

    def _away(self, run: Run) -> _Away | None:
        if self._keeper is None:
            return None
        if self.config.folders == "fetched":
            return _Away(self._keeper, None)
        folder = run.log.parent.absolute()
        if folder not in self._marks:
            folder.mkdir(parents=True, exist_ok=True)
            self._marks[folder] = folder / f".seen-{secrets.token_hex(8)}"
            self._marks[folder].touch()
        return _Away(self._keeper, self._marks[folder])

    def _connect(self, ray: ModuleType) -> None:
        """Start a Ray of this machine, or join the cluster.

        Raises:
            ConfigError: there is no Ray at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        address = self.config.address
        own = {"include_dashboard": False} if address is None else {}
        answered = signal.getsignal(signal.SIGTERM)
        try:
            _knock(address)
            ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
        except Exception as error:  # Ray raises what it likes, among it Exception itself
            if address is None:
                raise ConfigError(
                    f"executor=ray: a Ray of this machine cannot be started ({one_line(error)}); must be tried again "
                    "where the machine is less busy, or be executor=local"
                ) from error
            raise ConfigError(
                f"ray.address={address}: there is no Ray that can be joined ({one_line(error)}); must be auto or "
                "ip:port of a cluster that `ray start --head` began, or be left out for this machine alone"
            ) from error
        finally:
            if answered is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, answered)  # in place of Ray's, which ends the process with nothing said

    def submit(self, run: Run) -> None:
        self._runs[self._task.remote(run.as_json(), self._threads, os.getcwd(), self._away(run))] = run
        self._began[run] = time.monotonic()

    def ended(self, seconds: float) -> list[Outcome]:
        if not self._runs:
            return []
        ready, _ = self._ray.wait(list(self._runs), num_returns=1, timeout=seconds)
        more, _ = self._ray.wait(list(self._runs), num_returns=len(self._runs), timeout=0)
        return [self._outcome(task) for task in dict.fromkeys([*ready, *more])]

    def _outcome(self, task: object) -> Outcome:
        run = self._runs.pop(task)
        seconds = time.monotonic() - self._began.pop(run)
        try:
            state, lines, took = self._ray.get(task)
        except self._ray.exceptions.TaskCancelledError:
            return Outcome(run, State.STOPPED, (), seconds)
        except self._ray.exceptions.RayError as error:
            if run in self._cancelled:
                return Outcome(run, State.STOPPED, (), seconds)
            lost = f"error: its process or machine was lost ({type(error).__name__}: {one_line(error)})"
            return Outcome(run, State.FAILED, (*last_lines(run.log, 4), lost), seconds)
        return Outcome(run, State(state), tuple(lines), took)

    def cancel(self, run: Run) -> None:
        for task, each in self._runs.items():
            if each is run:
                self._cancelled.add(run)
                self._ray.cancel(task, force=False)

    def close(self) -> None:
        if not hasattr(self, "_ray"):
            return
        for run in list(self._runs.values()):
            self.cancel(run)
        until = time.monotonic() + GRACE
        while self._runs and time.monotonic() < until:
            self.ended(1.0)
        for mark in self._marks.values():
            mark.unlink(missing_ok=True)
        if self._keeper is not None:
            self._ray.kill(self._keeper)
        if self._ours:
            self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise an OSError where nothing listens at an address, which Ray itself finds after minutes."""
    if address == "auto":
        current = Path("/tmp/ray/ray_current_cluster")  # where Ray keeps the address of a cluster of this machine
        address = os.environ.get("RAY_ADDRESS") or (current.read_text(encoding="utf-8") if current.is_file() else None)
    host, colon, port = (address or "").strip().removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWERS).close()


def _perform(line: str, threads: int, folder: str, away: _Away | None) -> tuple[str, list[str], float]:
    """What a process of the cluster does: a run, in the working folder of the command where this machine has it."""
    from snnrl.runs.perform import perform

    if os.path.isdir(folder):
        os.chdir(folder)
        if folder not in sys.path:
            sys.path.append(folder)
    os.environ.pop("OMP_NUM_THREADS", None)  # Ray sets it; an agent computes on one thread, a learner on its cores
    if away is None or (away.mark is not None and away.mark.is_file()):
        outcome = perform(Run.from_json(line), threads, PATIENCE)
    else:
        get, keeper = import_module("ray").get, away.keeper
        outcome = perform_apart(
            line,
            lambda own: perform(own, threads),
            lambda *sent: get(keeper.begin.remote(*sent)),
            lambda *sent: get(keeper.keep.remote(*sent)),
        )
    return outcome.state.value, list(outcome.lines), outcome.seconds


def _imported() -> ModuleType:
    """The package ``ray``.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module("ray")
    except ImportError as error:
        raise ConfigError('executor=ray: needs the package ray; pip install "snnrl[ray]" installs it') from error
