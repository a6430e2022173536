"""Processes of a run that do not come, or come to a place that is taken: said in time; signals are heard."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from snnrl import rendezvous
from snnrl.errors import ConfigError
from snnrl.training.shutdown import Interrupted, interruptible


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "PATIENCE", 0.4)
    monkeypatch.setattr(rendezvous, "QUIET", 0.1)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port where something listens that says nothing."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made.getsockname()[1]


def free() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def known(rank: int, port: int, size: int = 3) -> dict[str, str]:
    return {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def join(rank: int, port: int) -> None:
    rendezvous.join("gloo", timedelta(seconds=1), known(rank, port))


def test_processes_that_do_not_come_are_named_at_first_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    port = free()
    with pytest.raises(ConfigError, match=rf"^WORLD_SIZE=3: processes 1, 2 did not come to 127\.0\.0\.1:{port} within"):
        join(0, port)
    assert capsys.readouterr().err == (
        f"waiting for processes 1, 2 of 3 at 127.0.0.1:{port}, up to 0.4 seconds; Ctrl-C ends it\n"
    )


def test_a_first_process_that_does_not_come_or_does_not_answer_is_named(taken: int) -> None:
    for port, why in ((free(), "Connection refused"), (taken, "no answer")):
        with pytest.raises(ConfigError, match=rf"MASTER_PORT={port}: process 0 did not answer within .* \({why}\)"):
            join(1, port)


def test_a_port_in_use_and_a_rank_that_another_has_are_said_at_once(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendezvous, "PATIENCE", 30.0)
    with pytest.raises(ConfigError, match=f"^MASTER_PORT={taken}: is in use on this machine"):
        join(0, taken)
    port = free()
    store = rendezvous._store(0, known(0, port), rendezvous._Waiting())
    store.add("1", 1)
    with pytest.raises(ConfigError, match=f"^RANK=1: another process at 127.0.0.1:{port} has it"):
        join(1, port)


def test_a_signal_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "PATIENCE", 30.0)
    sent = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM))
    with interruptible():
        sent.start()
        with pytest.raises(Interrupted, match="SIGTERM"):
            join(0, free())
