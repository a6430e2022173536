"""How the processes of a run find each other: in a store that the first of them opens, and within a stated time.

``torch.distributed`` waits in compiled code, where no signal gets through, and does not say for whom.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from snnrl.errors import ConfigError, one_line

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")

PATIENCE = 600.0
"""Seconds in which all processes must have come."""
QUIET = 10.0
"""Seconds after which it is said who is waited for."""
LOOK = 0.05
"""Seconds between two looks."""
ANSWER = 5.0
"""Seconds in which a machine has to answer before it is asked again."""


def join(backend: str, timeout: timedelta, environment: Mapping[str, str]) -> None:
    """Make torch's group of all processes. What the handler of a signal raises ends the wait.

    Args:
        backend: as ``torch.distributed.init_process_group`` takes it.
        timeout: how long a message within the group may take afterwards.
        environment: has ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR`` and ``MASTER_PORT``, found right.

    Raises:
        ConfigError: the port is in use, two processes have one rank, or not all have come in time.
    """
    import torch.distributed as dist

    rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    place = f"{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}"
    waiting = _Waiting()
    store = _store(rank, environment, waiting)
    try:
        if store.add(str(rank), 1) > 1 and "TORCHELASTIC_RUN_ID" not in environment:
            raise ConfigError(
                f"RANK={rank}: another process at {place} has it; must be one of its own for each process, and "
                "MASTER_PORT one of its own for each run"
            )
        _wait_for_all(store, size, place, waiting)
    except RuntimeError as error:
        raise ConfigError(f"WORLD_SIZE={size}: process 0 at {place} has ended before all had come") from error

    def group() -> None:
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)

    try:
        _apart(group, waiting, f"connections between the {size} processes that came to {place}")
    except (RuntimeError, TimeoutError) as error:
        raise ConfigError(
            f"WORLD_SIZE={size}: all processes came to {place}, but cannot be connected to each other "
            f"({one_line(error) or 'no answer'}); must be on machines that let each other in on all ports "
            "(GLOO_SOCKET_IFNAME names the network interface)"
        ) from error


class _Waiting:
    """How long has been waited, and when that is said."""

    def __init__(self) -> None:
        self._began, self._said = time.monotonic(), False

    def looks(self) -> Iterator[bool]:
        """Now and then, until the end of patience; ``True`` once, when it is time to say who is waited for."""
        while (waited := time.monotonic() - self._began) < PATIENCE:
            due = not self._said and waited > QUIET
            self._said |= due
            yield due
            time.sleep(LOOK)


def _tell(whom: str) -> None:
    print(f"waiting for {whom}, up to {_within()}; Ctrl-C ends it", file=sys.stderr, flush=True)


def _within() -> str:
    """The patience in words."""
    return f"{PATIENCE / 60:.0f} minutes" if PATIENCE >= 120 else f"{PATIENCE:g} seconds"


def _store(rank: int, environment: Mapping[str, str], waiting: _Waiting) -> Store:
    """What all processes see: opened by the first of them, unless torchrun has opened one."""
    from torch.distributed.distributed_c10d import PrefixStore

    dist = import_module("torch.distributed")  # its stubs lack TCPStore
    host, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    opens = rank == 0 and environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    if not opens:
        _knock(host, port, waiting)
    limit = timedelta(seconds=PATIENCE)
    try:
        made = _apart(
            lambda: dist.TCPStore(host, port, None, opens, timeout=limit, wait_for_workers=False),
            waiting,
            f"an answer of process 0 at {host}:{port}",
        )
    except (RuntimeError, TimeoutError) as error:
        if "EADDRINUSE" in str(error):
            raise ConfigError(
                f"MASTER_PORT={port}: is in use on this machine, by another run or program; must be a free one, such "
                "as torchrun --standalone finds"
            ) from error
        raise _unreached(host, port, one_line(error) or "no answer") from error
    attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"snnrl/{attempt}", made)


def _knock(host: str, port: int, waiting: _Waiting) -> None:
    """Wait until something listens there; attempts of torch's own fill the terminal."""
    said = "no answer"
    for due in waiting.looks():
        try:
            socket.create_connection((host, port), timeout=ANSWER).close()
            return
        except OSError as error:
            said = error.strerror or one_line(error)
        if due:
            _tell(f"process 0 at {host}:{port} ({said})")
    raise _unreached(host, port, said)


def _unreached(host: str, port: int, said: str) -> ConfigError:
    return ConfigError(
        f"MASTER_ADDR={host}, MASTER_PORT={port}: process 0 did not answer within {_within()} ({said}); must be the "
        "machine of the process with RANK=0, and a port of it that others may reach"
    )


def _wait_for_all(store: Store, size: int, place: str, waiting: _Waiting) -> None:
    """Until each process has entered its rank."""
    every = [str(rank) for rank in range(size)]

    def missing() -> str:
        return _named([rank for rank in every if not store.check([rank])])

    for due in waiting.looks():
        if store.check(every):
            return
        if due:
            _tell(f"{missing()} of {size} at {place}")
    raise ConfigError(
        f"WORLD_SIZE={size}: {missing()} did not come to {place} within {_within()}; must be started too, each with "
        "its RANK and the same WORLD_SIZE, MASTER_ADDR and MASTER_PORT"
    )


def _named(ranks: list[str]) -> str:
    """Some of them, in words.

    >>> _named(["2"]), _named(["1", "3"])
    ('process 2', 'processes 1, 3')
    """
    more = ", ..." if len(ranks) > 10 else ""
    return f"{'process' if len(ranks) == 1 else 'processes'} {', '.join(ranks[:10])}{more}"


def _apart(make: Callable[[], T], waiting: _Waiting, whom: str) -> T:
    """What ``make`` gives, called in another thread, so that this one hears signals.

    Raises:
        TimeoutError: patience has ended.
    """
    made: Future[T] = Future()

    def work() -> None:
        try:
            made.set_result(make())
        except BaseException as error:
            made.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    for due in waiting.looks():
        if made.done():
            break
        if due:
            _tell(whom)
    return made.result(timeout=0)
