from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.surrogate import SURROGATES, ArcTan, FastSigmoid, Sigmoid, Surrogate, Triangle, make_surrogate

quick = settings(deadline=None, max_examples=30)
slopes = st.floats(0.1, 30.0)
shapes = pytest.mark.parametrize("name", SURROGATES)


def points(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@shapes
@given(slope=slopes, x=st.floats(-3.0, 3.0))
@quick
def test_the_derivative_is_that_of_the_smooth_function(name: str, slope: float, x: float) -> None:
    """Central differences, away from the corners of the triangle, between which they would average."""
    surrogate, step = SURROGATES[name](slope), 1e-5 / slope
    corners = points(0.0, 1 / slope, -1 / slope)
    if (corners - x).abs().min() < 2 * step:
        return
    slope_there = (surrogate.smooth(points(x + step)) - surrogate.smooth(points(x - step))) / (2 * step)
    assert surrogate.derivative(points(x)).item() == pytest.approx(slope_there.item(), rel=1e-4, abs=1e-7 * slope)


@pytest.mark.parametrize(
    ("surrogate", "at", "value"),
    [
        (ArcTan(2.0), 0.0, 1.0),
        (ArcTan(2.0), 1 / math.pi, 0.5),
        (Sigmoid(2.0), 0.0, 0.5),
        (Sigmoid(3.0), math.log(3) / 3, 9 / 16),
        (Triangle(2.0), 0.0, 2.0),
        (Triangle(2.0), 0.25, 1.0),
        (Triangle(2.0), 0.5, 0.0),
        (Triangle(2.0), 7.0, 0.0),
        (FastSigmoid(2.0), 0.0, 1.0),
        (FastSigmoid(2.0), 0.5, 0.25),
    ],
)
def test_the_derivative_has_known_values_on_both_sides_of_the_threshold(
    surrogate: Surrogate, at: float, value: float
) -> None:
    assert surrogate.derivative(points(at, -at)).tolist() == pytest.approx([value, value], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("name", "area"), [("atan", 1.0), ("sigmoid", 1.0), ("triangle", 1.0), ("fast_sigmoid", 1.0)])
def test_the_area_under_the_derivative_is_the_height_of_the_smooth_function(name: str, area: float) -> None:
    far = points(1e9)
    surrogate = SURROGATES[name](2.0)
    assert (surrogate.smooth(far) - surrogate.smooth(-far)).item() == pytest.approx(area, rel=1e-6)


@shapes
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_forward_pass_is_a_step_that_fires_at_zero(name: str, dtype: torch.dtype) -> None:
    tiny = torch.finfo(dtype).tiny
    x = torch.tensor([[-9.0, -tiny, -0.0], [0.0, tiny, 9.0]], dtype=dtype)
    spikes = SURROGATES[name](5.0)(x)
    assert spikes.tolist() == [[0, 0, 1], [1, 1, 1]]
    assert spikes.dtype == dtype


@shapes
def test_the_gradient_of_a_spike_is_the_derivative_times_what_comes_from_above(name: str) -> None:
    x = torch.linspace(-2, 2, 41, dtype=torch.float64).requires_grad_()
    weight = torch.randn(41, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    surrogate = SURROGATES[name](1.5)
    (surrogate(x) * weight).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0.1
    assert torch.equal(x.grad, weight * surrogate.derivative(x.detach()))


@shapes
def test_without_gradients_nothing_is_recorded(name: str) -> None:
    x = torch.zeros(3, requires_grad=True)
    with torch.no_grad():
        assert not SURROGATES[name]()(x).requires_grad
    assert not SURROGATES[name]()(x.detach()).requires_grad


@shapes
def test_a_higher_slope_narrows_the_range_that_learns(name: str) -> None:
    near, far = points(0.0), points(0.6)
    wide, narrow = ((kind.derivative(far) / kind.derivative(near)).item() for kind in map(SURROGATES[name], (1.0, 9.0)))
    assert narrow < wide / 2


def test_a_name_stands_for_the_shape_with_its_default_slope() -> None:
    expected = {"atan": ArcTan(), "fast_sigmoid": FastSigmoid(), "sigmoid": Sigmoid(), "triangle": Triangle()}
    assert {name: make_surrogate(name) for name in SURROGATES} == expected
    assert ArcTan().slope == 2.0


def test_a_surrogate_and_none_are_taken_as_they_are() -> None:
    own = Triangle(0.3)
    assert make_surrogate(own) is own
    assert make_surrogate(None) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("atn", r"^surrogate=atn: did you mean atan\?$"),
        ("Sigmoid", r"^surrogate=Sigmoid: did you mean sigmoid"),
        ("trangle", r"^surrogate=trangle: did you mean triangle\?$"),
        ("rectangle-wise", r"^surrogate=rectangle-wise: (did you mean triangle\?|there are: atan, .*triangle)$"),
        ("", r"^surrogate=: there are: atan, fast_sigmoid, sigmoid, triangle$"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_all(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_surrogate(name)


@shapes
@pytest.mark.parametrize("slope", [0.0, -1.0, math.nan, math.inf])
def test_a_slope_that_is_no_positive_number_is_refused(name: str, slope: float) -> None:
    with pytest.raises(ConfigError, match=rf"^slope={slope}: must be a positive number$"):
        SURROGATES[name](slope)


def test_a_surrogate_is_a_value() -> None:
    assert {Sigmoid(2.0), Sigmoid(2.0), Sigmoid(3.0), ArcTan(2.0)} == {Sigmoid(2.0), Sigmoid(3.0), ArcTan(2.0)}
    assert Sigmoid(2.0) != ArcTan(2.0)
    assert repr(Triangle(0.5)) == "Triangle(slope=0.5)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sigmoid(2.0).slope = 3.0  # type: ignore[misc]


def test_kernels_know_the_shapes_by_different_numbers() -> None:
    assert sorted(kind.code for kind in SURROGATES.values()) == list(range(len(SURROGATES)))
