from __future__ import annotations

import json
import math
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.training.summary import bootstrap_interval, versions, write_json


def test_the_interval_of_many_returns_is_that_of_the_normal_distribution() -> None:
    returns = np.random.default_rng(0).normal(50.0, 10.0, 400)
    low, high = bootstrap_interval(returns)
    half = 1.96 * returns.std() / math.sqrt(len(returns))
    assert low == pytest.approx(returns.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(returns.mean() + half, abs=0.1 * half)


@pytest.mark.timeout(120)
def test_the_interval_covers_the_true_mean_in_about_19_of_20_experiments() -> None:
    generator = np.random.default_rng(1)
    experiments, covered = 60, 0
    for _ in range(experiments):
        low, high = bootstrap_interval(generator.exponential(3.0, 60))
        covered += low <= 3.0 <= high
    expected, spread = 0.95 * experiments, math.sqrt(experiments * 0.95 * 0.05)
    assert expected - 4 * spread <= covered
    assert covered < experiments, "an interval that always covers is too wide"


@pytest.mark.parametrize("returns", [[3.5], [3.5, 3.5, 3.5], [0.0, 0.0]])
def test_without_spread_the_interval_is_the_mean(returns: list[float]) -> None:
    assert bootstrap_interval(np.array(returns)) == (returns[0], returns[0])


@settings(max_examples=20, deadline=None)
@given(returns=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_the_interval_lies_within_the_returns_and_holds_their_order(returns: list[float]) -> None:
    low, high = bootstrap_interval(np.array(returns))
    slack = 1e-9 * max(1.0, *map(abs, returns))
    assert min(returns) - slack <= low <= high <= max(returns) + slack


def test_the_interval_of_two_returns_reaches_from_one_to_the_other() -> None:
    assert bootstrap_interval(np.array([1.0, 5.0])) == (1.0, 5.0)


def test_the_interval_is_the_same_each_time_and_leaves_the_global_generator_alone() -> None:
    returns = np.random.default_rng(2).normal(size=20)
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    assert bootstrap_interval(returns) == bootstrap_interval(returns)
    assert bootstrap_interval(returns) != bootstrap_interval(returns, seed=1)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]


def test_versions_are_those_installed() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"] == version("torch")
    assert found["gymnasium"] == version("gymnasium")
    assert found["snnrl"] != ""


def test_a_package_that_is_not_installed_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnrl.training.summary._PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "not installed"


def test_json_is_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    for seed in (1, 2):
        write_json(path, {"seed": seed})
    assert json.loads(path.read_text()) == {"seed": 2}
    assert list(tmp_path.iterdir()) == [path]
