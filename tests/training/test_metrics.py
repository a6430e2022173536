from __future__ import annotations

import pytest
import torch

from snnrl.training.metrics import RunningMetrics


def test_means_are_over_the_reports_since_the_last_time() -> None:
    metrics = RunningMetrics()
    metrics.add({"td_error": 1.0, "value": torch.tensor(2.0)})
    metrics.add({"td_error": 4.0, "value": torch.tensor(5.0)})
    assert metrics.take() == {"td_error": 2.5, "value": 3.5}
    metrics.add({"td_error": 7.0})
    assert metrics.take() == {"td_error": 7.0}


def test_a_metric_that_is_not_always_reported_is_a_mean_over_its_own_reports() -> None:
    metrics = RunningMetrics()
    for number in range(4):
        metrics.add({"often": float(number)} | ({"seldom": 10.0} if number == 2 else {}))
    assert metrics.take() == {"often": 1.5, "seldom": 10.0}


def test_without_reports_there_are_no_metrics() -> None:
    metrics = RunningMetrics()
    assert metrics.take() == {}
    metrics.add({})
    assert metrics.take() == {}
    metrics.add({"once": 1.0})
    metrics.take()
    assert metrics.take() == {}


def test_what_is_reported_is_left_alone_and_may_be_overwritten_afterwards() -> None:
    metrics, value = RunningMetrics(), torch.tensor(1.0)
    metrics.add({"value": value})
    metrics.add({"value": value})
    assert value.item() == 1.0
    assert metrics.take() == {"value": 1.0}


def test_whole_numbers_are_averaged_as_numbers() -> None:
    metrics = RunningMetrics()
    for value in (1, 2):
        metrics.add({"count": value})
    (mean,) = metrics.take().values()
    assert mean == pytest.approx(1.5)
    assert isinstance(mean, float)
