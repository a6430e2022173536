from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from snnrl.training.shutdown import GracefulShutdown

FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def handlers_unchanged() -> Iterator[None]:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_a_request(number: signal.Signals) -> None:
    with GracefulShutdown() as shutdown:
        assert shutdown.requested is None
        send(number)
        assert shutdown.requested == number.name
    assert shutdown.requested == number.name


def test_second_sigint_interrupts_at_once() -> None:
    with GracefulShutdown() as shutdown:
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert shutdown.requested == "SIGINT"


def test_sigint_after_sigterm_interrupts_and_sigterm_after_sigint_does_not() -> None:
    with GracefulShutdown() as shutdown:
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    with GracefulShutdown() as shutdown:
        send(signal.SIGINT)
        send(signal.SIGTERM)
        assert shutdown.requested == "SIGINT"


def test_handlers_come_back_after_an_error() -> None:
    heard: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with pytest.raises(ZeroDivisionError), GracefulShutdown():
            raise ZeroDivisionError
        send(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert heard == [signal.SIGINT]


def test_nested_uses_hear_only_their_own() -> None:
    with GracefulShutdown() as outer:
        with GracefulShutdown() as inner:
            send(signal.SIGTERM)
        assert (outer.requested, inner.requested) == (None, "SIGTERM")
        send(signal.SIGTERM)
        assert outer.requested == "SIGTERM"


def test_does_nothing_outside_the_main_thread() -> None:
    seen: list[object] = []

    def work() -> None:
        with GracefulShutdown() as shutdown:
            seen.extend([signal.getsignal(signal.SIGINT), shutdown.requested])

    thread = threading.Thread(target=work)
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert seen == [before, None]


@FORKS
def test_forked_workers_survive_ctrl_c_and_obey_terminate() -> None:
    context = multiprocessing.get_context("fork")
    with GracefulShutdown() as shutdown:
        worker = context.Process(target=time.sleep, args=(60,), daemon=True)
        worker.start()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGINT)
        worker.join(0.3)
        assert worker.is_alive()
        worker.terminate()
        worker.join(10)
        assert worker.exitcode == -signal.SIGTERM
        assert shutdown.requested is None
