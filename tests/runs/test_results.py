"""What many runs came to."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from snnrl.errors import ConfigError
from snnrl.intervals import bootstrap_interval, interquartile_mean
from snnrl.plot import performance
from snnrl.plot.profiles import performance_profile
from snnrl.runs.page import Page
from snnrl.runs.results import Scores, draw, score, table
from snnrl.runs.work import Outcome, Run, State


def run(name: str) -> Run:
    return Run(Path("runs") / name, {"env_steps": 100}, Path(f"{name}.log"), {"seed": "0"})


def test_the_interquartile_mean_leaves_a_quarter_out_at_either_end() -> None:
    values = np.array([[100.0, -5.0, 3.0, 1.0, 2.0, 0.0, 4.0, -90.0], [1, 2, 3, 4, 5, 6, 7, 8]])
    assert interquartile_mean(values, axis=1).tolist() == [1.5, 4.5]
    assert float(interquartile_mean(np.array([7.0, 1.0]))) == 4.0


def test_the_interval_is_that_of_the_statistic() -> None:
    values = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1000.0])
    assert bootstrap_interval(values, statistic=interquartile_mean)[1] < bootstrap_interval(values)[1]


def test_a_profile_is_the_share_of_runs_above_each_threshold() -> None:
    share, low, high = performance_profile(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 2.0, 3.5, 4.0]))
    assert share.tolist() == [1.0, 0.5, 0.25, 0.0]
    assert (low <= share).all()
    assert (share <= high).all()


def test_the_score_is_the_return_or_the_accuracy() -> None:
    assert score({"seed": 3, "eval/return_mean": 12.5, "eval/return_std": 1.0}) == 12.5
    assert score({"seed": 3, "test/accuracy": 0.9}) == 0.9
    assert score({"seed": 3}) is None


def test_the_table_names_what_failed_with_its_last_lines() -> None:
    groups = [Scores({"env": "CartPole", "agent": "rstdp"}, np.array([1.0, 2.0, 3.0]))]
    outcomes = [Outcome(run("a"), State.FAILED, ("first", "error: last")), Outcome(run("b"), State.STOPPED)]
    found = table(groups, outcomes, "return")
    assert "| env | agent | runs | interquartile mean | mean | each |" in found
    assert "| CartPole | rstdp | 3 | 2 (1" in found
    assert "a failed (a.log):\n    first\n    error: last" in found
    assert "1 run was stopped, saved; the same command goes on" in found


def test_a_row_of_panels_is_drawn_for_each_environment(tmp_path: Path) -> None:
    groups = [Scores({"env": env, "agent": agent}, np.arange(4.0)) for env in ("A", "B") for agent in ("rstdp", "ppo")]
    draw(groups, tmp_path / "picture.png", "title", "return")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    with pytest.raises(ConfigError, match="at least one run"):
        performance({})


@pytest.mark.parametrize("mode", ["plain", "bar", "none"])
def test_the_page_tells_how_runs_end_and_how_many_are_left(mode: str) -> None:
    stream = io.StringIO()
    runs = [run(name) for name in "abc"]
    with Page(runs, mode, stream) as page:
        page.look(runs[:2])
        page.ended(Outcome(runs[0], State.FINISHED))
        page.ended(Outcome(runs[1], State.FINISHED, (), 2.0))
        page.ended(Outcome(runs[2], State.FAILED, ("error: why",), 1.0))
    shown = stream.getvalue()
    assert (shown == "") == (mode == "none")
    if mode == "plain":
        assert shown.splitlines() == [
            "2 of 3 runs, about 1 minute left; b finished in 2 s",
            "3 of 3 runs, 1 failed; c failed: error: why; see c.log",
        ]
    if mode == "bar":
        assert "c failed: error: why; see c.log" in shown
