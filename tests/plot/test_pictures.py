"""Pictures of what there is: drawn from real runs, in one style, without state of pyplot."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import snnrl
from snnrl import plot
from snnrl.connections import Dense
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF, EscapeNoise, LeakyIntegrator
from snnrl.plasticity import MSTDP, STDP, Rmax, TripletSTDP, WeightDependentSTDP
from snnrl.plot.curves import mean_and_band
from snnrl.plot.parts import rates_at, window_of
from snnrl.plot.style import tile
from snnrl.trajectory import Trace
from tests.test_imports import MODULES

ROOT = Path(__file__).parents[2]
RUNS = Path(__file__).parents[1] / "data" / "runs_0.1"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return snnrl.make_agent("CartPole").record(episodes=2, potentials=True, deterministic=False)


@pytest.fixture(scope="module")
def policy() -> Trace:
    return snnrl.make_agent("CartPole", "ppo").record()


def drawn(figure: Figure) -> int:
    """Colours on a picture that has been laid out, warnings being errors."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


PICTURES: dict[str, Callable[[Trace], Figure]] = {
    "raster": plot.raster,
    "raster of one": lambda trace: plot.raster(trace, ["actor"], decisions=slice(3, 9)),
    "raster of an array": lambda trace: plot.raster(trace.spikes["critic"].reshape(-1, 40)),
    "voltages": lambda trace: plot.voltages(trace, threshold=1.0, decisions=slice(0, 4)),
    "voltages of an array": lambda _: plot.voltages(np.sin(np.arange(60.0)).reshape(20, 3)),
    "rates": lambda trace: plot.rates(trace, window=2),
    "game": lambda trace: plot.game(trace, slice(2, 12)),
    "preferences": plot.preferences,
    "weights": lambda _: plot.weights(np.arange(12.0).reshape(3, 4) - 6, before=np.zeros((3, 4))),
    "receptive fields": lambda _: plot.receptive_fields(np.arange(54.0).reshape(6, 9), (1, 3, 3), "fields"),
    "signed fields": lambda _: plot.signed_fields(np.arange(54.0).reshape(6, 9) - 27, (1, 3, 3), "fields"),
    "assignments": lambda _: plot.assignments(np.array([0, 3, -1, 2]), 10),
    "confusion": lambda _: plot.confusion(np.eye(3, dtype=int) * 5, ["a", "b", "c"]),
    "shown images": lambda _: plot.shown_images(np.array([[0, -1, 2], [1, 1, -1]]), np.array([3, 7])),
    "accuracy": lambda _: plot.accuracy_curve([(100, 0.5), (200, 0.75)], "test"),
    "curves": lambda _: plot.learning_curves(RUNS / "ppo", levels={"random": 21.0}),
    "several curves": lambda _: plot.learning_curves({"ppo": [RUNS / "ppo", RUNS / "ppo"]}),
    "metrics": lambda _: plot.metrics(RUNS / "cartpole"),
    "conversion": lambda _: plot.conversion([(2, 100.0), (4, 300.0)], 400.0, (390.0, 410.0), 20.0, "converted"),
    "scaling": lambda _: plot.scaling({"a": [(10, 1.0), (100, 9.0)]}, ["a"], "n", "seconds", "cost"),
    "strip plot": lambda _: plot.strip_plot(
        {"whole": [500.0, 480.0], "without": [9.0]}, "mean return", "what each is for"
    ),
    "performance": lambda _: plot.performance(
        {"A": {"whole": [500.0, 480.0, 9.0], "without": [9.0]}, "B": {"whole": [1.0]}}
    ),
    "window": lambda _: plot.stdp_window(STDP(), longest=5.0),
    "current": lambda _: plot.fi_curve(LIF(1), duration=50.0),
    "network": lambda _: plot.network(snnrl.make_agent("CartPole").network),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_with_a_title(name: str, trace: Trace) -> None:
    before = dict(matplotlib.rcParams)
    figure = PICTURES[name](trace)
    assert figure.get_suptitle()
    assert drawn(figure) > 10
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("draw", [plot.game, plot.preferences, plot.rates, plot.raster])
def test_a_policy_of_stable_baselines3_is_drawn_too(draw: Callable[[Trace], Figure], policy: Trace) -> None:
    assert drawn(draw(policy)) > 10


def test_nothing_is_drawn_through_pyplot() -> None:
    """Read from the source: its state is the process's, which may be a user's application."""
    for module, tree in MODULES.items():
        assert "pyplot" not in ast.unparse(tree).replace("matplotlib.pyplot``", ""), module
    for path in (path for folder in ("benchmarks", "docs", "examples") for path in (ROOT / folder).rglob("*.py")):
        assert "pyplot" not in path.read_text(encoding="utf-8"), path


def test_axes_say_what_they_are_and_in_which_unit(trace: Trace) -> None:
    assert plot.raster(trace).axes[-1].get_xlabel() == "simulation time (ms)"
    assert plot.rates(trace).axes[0].get_ylabel() == "rate (Hz)"
    assert plot.game(trace).axes[-1].get_xlabel() == "simulation time (ms), 20 ms a decision"
    assert "drawn actions" in plot.game(trace).get_suptitle()


def test_legends_lie_beside_the_data() -> None:
    figure = plot.learning_curves({"ppo": [RUNS / "ppo"]}, levels={"random": 21.0})
    figure.canvas.draw()
    (legend,), (axes,) = figure.legends, figure.axes
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_every_spike_of_a_raster_is_a_mark(trace: Trace) -> None:
    lines = plot.raster(trace, ["critic"], decisions=slice(2, 5)).axes[0].lines
    assert sum(len(line.get_xdata()) for line in lines) == trace.spikes.part("critic", 2, 5).sum()
    actor = plot.raster(trace, ["actor"]).axes[0]
    assert [label.get_text() for label in actor.get_yticklabels()] == ["0", "1"]


def test_rates_are_spikes_in_a_second(trace: Trace) -> None:
    line = plot.rates(trace, ["critic"]).axes[0].lines[0]
    assert np.allclose(line.get_ydata(), trace.spikes["critic"].mean((1, 2)) * 1000)


@pytest.mark.parametrize("rule", [STDP(a_minus=0.02), WeightDependentSTDP(), TripletSTDP(), MSTDP()])
def test_the_window_of_a_rule_is_what_pairs_of_spikes_do(rule: STDP) -> None:
    distance, change = window_of(rule, longest=10.0)
    assert np.array_equal(distance, np.arange(-10.0, 11.0))
    assert (change[distance >= 0] >= 0).all()
    assert (change[distance < 0] <= 0).all()
    assert change.any()


def test_the_window_of_pairs_is_that_of_its_equation() -> None:
    distance, change = window_of(STDP(a_plus=0.03, a_minus=0.01, tau_pre=10.0, tau_post=30.0), longest=40.0)
    later = distance >= 0
    assert np.allclose(change[later], 0.03 * np.exp(-distance[later] / 10))
    assert np.allclose(change[~later], -0.01 * np.exp(distance[~later] / 30))


def test_the_rate_of_a_neuron_at_a_current_is_that_of_its_equation() -> None:
    """``T = tau ln(I / (I - theta))`` for a leaky membrane with a constant current of asymptote ``I``."""
    neuron = LIF(1, tau_mem=20.0, dt=0.1)
    current, rate = rates_at(neuron, np.array([0.5, 1.5, 3.0]))
    expected = [0.0, *(1000 / (20 * np.log(level / (level - 1))) for level in current[1:])]
    assert rate == pytest.approx(expected, rel=0.05)


def test_a_neuron_is_as_it_was_after_its_curve_was_drawn() -> None:
    generator = torch.Generator().manual_seed(1)
    neuron = EscapeNoise(5, generator=generator)
    assert plot.fi_curve(neuron, duration=50.0).axes
    assert neuron.training
    with pytest.raises(ConfigError, match=r"^neuron=LeakyIntegrator: must be a model that fires"):
        plot.fi_curve(LeakyIntegrator(1))


def test_a_band_is_where_the_mean_of_the_runs_may_lie() -> None:
    steps = np.array([0.0, 10.0])
    x, mean, low, high = mean_and_band([(steps, np.array([0.0, 10.0 + run])) for run in range(5)])
    assert (x[0], x[-1]) == (0.0, 10.0)
    assert mean[-1] == 12.0
    assert low[-1] < 12.0 < high[-1]
    assert low[-1] > 10.0


def test_populations_of_a_network_stand_in_the_order_of_its_spikes() -> None:
    network = Network()
    network.add("in", 3)
    network.add("a", LIF(4))
    network.add("b", LIF((2, 2)))
    for pre, post, size in (("in", "a", 3), ("a", "b", 4), ("b", "a", 4), ("a", "a", 4)):
        network.connect(pre, post, Dense(size, 4), rule=STDP() if pre == "in" else None)
    texts = {text.get_text(): text.get_position() for text in plot.network(network).axes[0].texts}
    assert texts["in"][0] < texts["a"][0]
    assert {"Dense\nSTDP", "Dense", "2×2 LIF", "3 inputs"} <= set(texts)


def test_tiles_fill_a_square_row_by_row() -> None:
    found = tile(np.arange(3, dtype=np.float32).reshape(3, 1, 1))
    assert np.array_equal(found, [[0, 1], [2, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda trace: plot.raster(trace, ["actr"]), r"^populations=actr: did you mean actor\?"),
        (lambda trace: plot.voltages(trace, "input"), r"^population=input: must be one of actor, critic"),
        (lambda trace: plot.game(trace, slice(9999, None)), r"^decisions=slice.*: must be some of the"),
        (lambda _: plot.learning_curves(RUNS / "none"), r"^run=.*none: must be the folder of a run"),
        (
            lambda _: plot.learning_curves(RUNS / "ppo", "rollout/lenth_mean"),
            r"^metric=rollout/lenth_mean: did you mean rollout/l",
        ),
        (lambda _: plot.metrics(RUNS / "ppo", ["x"]), r"^names=x: there are: "),
        (lambda _: plot.stdp_window(Rmax()), r"^rule=Rmax: must be one that learns from spikes"),
        (lambda _: plot.accuracy_curve([], "test"), r"^points=\[\]: must be at least one"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(draw: Callable[[Trace], Figure], said: str, trace: Trace) -> None:
    with pytest.raises(ConfigError, match=said):
        draw(trace)
