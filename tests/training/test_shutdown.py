from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium import spaces

from snnrl import train
from snnrl.training.shutdown import GracefulShutdown, interruptible, stoppable

FORKS = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def handlers_unchanged() -> Iterator[None]:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


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


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN, lambda number, frame: os._exit(3)], ids=["", "ignored", "own"])
def answered(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the process did about SIGTERM before, as Ray leaves a handler of its own."""
    previous = signal.signal(signal.SIGTERM, request.param)
    yield
    signal.signal(signal.SIGTERM, previous)


@FORKS
@pytest.mark.usefixtures("answered")
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


def test_a_closed_window_is_a_request_like_any_other() -> None:
    with GracefulShutdown() as shutdown:
        send(signal.SIGHUP)
        assert shutdown.requested == "SIGHUP"


def test_under_nohup_a_closed_window_is_none() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(), GracefulShutdown() as shutdown:
            send(signal.SIGHUP)
            assert shutdown.requested is None
    finally:
        signal.signal(signal.SIGHUP, previous)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_where_nothing_is_to_be_saved_ends_a_command_with_its_code(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(words: Sequence[str]) -> int:
        with GracefulShutdown():
            pass
        send(number)
        return 0

    assert stoppable(command)([]) == 128 + number
    assert capsys.readouterr().err == f"stopped by {number.name}\n"


@pytest.mark.parametrize(
    ("number", "when"), [(signal.SIGINT, "made"), (signal.SIGTERM, "reset"), (signal.SIGHUP, "stepped")]
)
def test_a_signal_at_any_time_leaves_no_run_or_one_that_goes_on(
    tmp_path: Path, number: signal.Signals, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    class Signalling(gymnasium.Env[int, int]):
        observation_space = action_space = spaces.Discrete(2)

        def happen(self, now: str) -> None:
            if now == when and not happened:
                happened.append(when)
                send(number)

        def __init__(self) -> None:
            self.happen("made")

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[int, dict[str, Any]]:
            super().reset(seed=seed)
            self.happen("reset")
            return 0, {}

        def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
            self.happen("stepped")
            return 0, 1.0, True, False, {}

    happened: list[str] = []
    run_dir = tmp_path / "run"
    words = ("env.id=Signalling-v0", "agent=random", "num_envs=1", "env_steps=20", "progress=none", "logger=none")
    gymnasium.register("Signalling-v0", Signalling)
    try:
        assert train.main([*words, "eval.episodes=1", f"run_dir={run_dir}"]) == 128 + number
        assert f"stopped by {number.name}" in capsys.readouterr().err
        assert run_dir.exists() == (when == "stepped")
        if run_dir.exists():
            assert train.main([f"resume={run_dir}"]) == 0
    finally:
        del gymnasium.registry["Signalling-v0"]


def test_a_library_that_makes_ctrl_c_of_every_signal_does_not_change_which_it_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command(words: Sequence[str]) -> int:
        try:
            send(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None
        return 0

    assert stoppable(command)([]) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "stopped by SIGTERM\n"
