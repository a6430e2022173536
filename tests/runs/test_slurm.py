"""Runs as jobs of submitit, by its executor of one machine."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from snnrl.runs.carry_out import carry_out
from snnrl.runs.executors import make_executor
from snnrl.runs.executors.slurm import Performing
from snnrl.runs.work import State
from tests.runs.short_runs import short_runs

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed"),
    pytest.mark.filterwarnings("ignore"),  # submitit's own
]


def test_jobs_end_fail_and_are_stopped(tmp_path: Path) -> None:
    runs = short_runs(tmp_path, 2)
    runs[1].settings["env"]["kwargs"] = {"no_such_argument": 1}
    with make_executor("slurm", ["slurm.cluster=local"], jobs=2) as executor:
        found = {outcome.run: outcome for outcome in carry_out(runs, executor)}
        assert [found[run].state for run in runs] == [State.FINISHED, State.FAILED]
        assert "no_such_argument" in found[runs[1]].lines[-1]
        (long,) = short_runs(tmp_path / "long", 1, "env_steps=100000")
        executor.submit(long)
        until = time.monotonic() + 120
        while long.steps() == 0:
            assert time.monotonic() < until
            time.sleep(0.1)
        executor.cancel(long)
        (outcome,) = executor.ended(60)
        assert outcome.state is State.STOPPED
    assert not long.finished()


def test_a_job_whose_time_is_up_is_put_into_the_queue_again_as_it_was() -> None:
    again = Performing("line", 2).checkpoint()
    submission = getattr(again, "function")  # noqa: B009  submitit is not there for a type checker
    assert (submission.line, submission.threads) == ("line", 2)
