from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import Normaliser
from snnrl.errors import ConfigError

INF = math.inf
numbers = st.floats(-1e4, 1e4, width=32)
rows = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6)


def test_finite_bounds_are_mapped_linearly_and_clipped() -> None:
    out = Normaliser([0.0, -4.0], [10.0, 0.0])(torch.tensor([[0.0, -4.0], [10.0, 0.0], [2.5, -2.0], [99.0, -99.0]]))
    torch.testing.assert_close(out, torch.tensor([[-1.0, -1.0], [1.0, 1.0], [-0.5, 0.0], [1.0, -1.0]]))


def test_scale_and_centre_take_the_place_of_bounds() -> None:
    out = Normaliser([-INF, 0.0], [INF, 1.0], scale=[2.0, 4.0], centre=[1.0, 0.0])(torch.tensor([[2.0, 9.0]]))
    torch.testing.assert_close(out, torch.tensor([[0.5, 1.0]]))


def test_squashed_dimensions_go_through_tanh_and_the_others_are_clipped() -> None:
    out = Normaliser([-INF] * 2, [INF] * 2, scale=[2.0, 2.0], squash=[True, False])(torch.tensor([[3.0, 3.0]]))
    torch.testing.assert_close(out, torch.tensor([[math.tanh(1.5), 1.0]]))


def test_observations_of_any_shape_and_type_are_flattened() -> None:
    out = Normaliser([0.0] * 4, [255.0] * 4)(torch.tensor([[[0, 255], [255, 0]]], dtype=torch.uint8))
    assert out.tolist() == [[-1.0, 1.0, 1.0, -1.0]]
    assert out.dtype == torch.float32


@settings(deadline=None)
@given(batches=st.lists(rows, min_size=1, max_size=6))
def test_running_statistics_are_those_of_all_rows_at_once(batches: list[list[tuple[float, float]]]) -> None:
    normaliser = Normaliser([-INF] * 2, [INF] * 2).train()
    for batch in batches:
        normaliser(torch.tensor(batch))
    seen = np.array([row for batch in batches for row in batch], dtype=np.float64)
    assert normaliser.count.item() == len(seen)
    np.testing.assert_allclose(normaliser.mean.numpy(), seen.mean(0), rtol=1e-9, atol=1e-7)
    deviation = np.sqrt(normaliser.spread.numpy() / len(seen))
    np.testing.assert_allclose(deviation, seen.std(0), rtol=1e-6, atol=1e-5)


def test_statistics_stay_exact_far_from_zero() -> None:
    generator = np.random.default_rng(3)
    seen = (1e5 + generator.normal(size=(500, 1))).astype(np.float32)
    normaliser = Normaliser([-INF], [INF]).train()
    for batch in np.split(seen, 50):
        normaliser(torch.as_tensor(batch))
    deviation = math.sqrt(normaliser.spread.item() / normaliser.count.item())
    assert deviation == pytest.approx(seen.astype(np.float64).std(), rel=1e-9)


def test_an_unbounded_dimension_becomes_tanh_of_half_its_z_score() -> None:
    generator = np.random.default_rng(0)
    seen = generator.normal(5.0, 3.0, size=(200, 1)).astype(np.float32)
    normaliser = Normaliser([-INF], [INF]).train()
    normaliser(torch.as_tensor(seen))
    z = (torch.as_tensor(seen) - seen.mean()) / seen.std()
    torch.testing.assert_close(normaliser.eval()(torch.as_tensor(seen)), torch.tanh(z / 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bounds", [(-INF, INF), (0.0, INF), (-INF, 0.0), (-3e38, 3e38)])
def test_a_dimension_without_useful_bounds_on_both_sides_is_learnt(bounds: tuple[float, float]) -> None:
    normaliser = Normaliser([bounds[0]], [bounds[1]]).train()
    out = normaliser(torch.tensor([[-3.0], [1.0]]))
    torch.testing.assert_close(out, torch.tanh(torch.tensor([[-0.5], [0.5]])))


def test_bounded_dimensions_beside_an_unbounded_one_keep_their_bounds() -> None:
    normaliser = Normaliser([0.0, -INF], [10.0, INF]).train()
    for value in (1.0, 2.0, 3.0):
        out = normaliser(torch.tensor([[value, value]]))
    assert out[0, 0].item() == pytest.approx(-0.4)


def test_training_mode_learns_statistics_and_evaluation_mode_does_not() -> None:
    normaliser = Normaliser([-INF], [INF]).train()
    normaliser(torch.tensor([[1.0], [5.0]]))
    learnt = {name: value.clone() for name, value in normaliser.state_dict().items()}
    normaliser.eval()(torch.tensor([[100.0]]))
    assert all(torch.equal(value, learnt[name]) for name, value in normaliser.state_dict().items())
    normaliser.train()(torch.tensor([[100.0]]))
    assert not torch.equal(normaliser.mean, learnt["mean"])


def test_bounded_observations_leave_no_statistics() -> None:
    normaliser = Normaliser([-1.0], [1.0]).train()
    normaliser(torch.tensor([[0.5]]))
    assert not any(value.any() for value in normaliser.state_dict().values())


def test_statistics_outlive_the_module_in_its_state_dict() -> None:
    old, new = (Normaliser([-INF], [INF]) for _ in range(2))
    old.train()(torch.tensor([[1.0], [5.0], [7.0]]))
    new.load_state_dict(old.state_dict())
    x = torch.tensor([[2.0]])
    assert torch.equal(old.eval()(x), new.eval()(x))


@settings(deadline=None)
@given(batch=rows, row=st.integers(0, 5))
def test_outputs_are_in_range_and_rows_independent_once_learnt(batch: list[tuple[float, float]], row: int) -> None:
    normaliser = Normaliser([-INF, -10.0], [INF, 10.0]).train()
    normaliser(torch.tensor([[0.0, 0.0], [50.0, 0.0]]))
    out = normaliser.eval()(torch.tensor(batch))
    assert out.abs().max() <= 1
    row %= len(batch)
    assert torch.equal(out[row : row + 1], normaliser(torch.tensor(batch[row : row + 1])))


def test_a_dimension_that_never_varies_gives_a_finite_number() -> None:
    normaliser = Normaliser([-INF], [INF]).train()
    for _ in range(3):
        out = normaliser(torch.full((2, 1), 4.0))
    assert out.tolist() == [[0.0], [0.0]]


def test_half_of_an_adapted_range_is_that_of_the_bounds_and_half_what_was_visited() -> None:
    plain, adapted = (Normaliser([-10.0], [10.0], adapt_range=share).train() for share in (0.0, 0.5))
    for normaliser in (plain, adapted):
        normaliser(torch.linspace(-0.5, 0.5, 100)[:, None])
        normaliser.eval()
    ends = torch.tensor([[-10.0], [-0.5], [0.0], [0.5], [10.0]])
    steep, flat = adapted(ends).flatten(), plain(ends).flatten()
    assert steep[3] - steep[1] > 7 * (flat[3] - flat[1])
    assert (steep.diff() > 0).all()
    assert steep[4] - steep[3] >= 0.45 * (flat[4] - flat[3])


def test_an_adapted_range_without_bounds_reaches_from_the_lowest_to_the_highest_value() -> None:
    normaliser = Normaliser([-INF], [INF], adapt_range=0.5).train()
    normaliser(torch.tensor([[3.0], [5.0], [4.0]]))
    low, middle, high, beyond = normaliser.eval()(torch.tensor([[3.0], [4.0], [5.0], [50.0]])).flatten()
    assert middle == pytest.approx(0.0, abs=1e-6)
    assert low == pytest.approx(-high.item())
    assert high < beyond <= 1


@pytest.mark.parametrize(("unit", "shift"), [(128.0, 0.0), (2.0**-20, 0.0), (1.0, 512.0)])
def test_an_adapted_range_does_not_depend_on_unit_or_origin(unit: float, shift: float) -> None:
    def seen(unit: float, shift: float) -> torch.Tensor:
        normaliser = Normaliser([-INF, -4.0 * unit + shift], [INF, 4.0 * unit + shift], adapt_range=0.5).train()
        drawn = torch.randint(-8, 8, (50, 2), generator=torch.Generator().manual_seed(0)).double() / 4
        return torch.flatten(normaliser(drawn * unit + shift))

    torch.testing.assert_close(seen(unit, shift), seen(1.0, 0.0), rtol=0, atol=1e-6)


def test_an_adapted_range_is_part_of_what_is_saved() -> None:
    one, other = (Normaliser([-INF], [INF], adapt_range=0.5) for _ in range(2))
    one.train()(torch.tensor([[3.0], [5.0], [9.0]]))
    other.load_state_dict(one.state_dict())
    asked = torch.tensor([[4.0], [8.0]])
    assert torch.equal(one.eval()(asked), other.eval()(asked))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"scale": [1.0]}, "scale"),
        ({"scale": [1.0, 1.0], "centre": [0.0]}, "centre"),
        ({"scale": [1.0, 1.0], "squash": [True] * 3}, "squash"),
        ({"scale": [1.0, 0.0]}, "scale"),
        ({"scale": [1.0, -1.0]}, "scale"),
        ({"adapt_range": 1.5}, "adapt_range"),
    ],
)
def test_lists_of_the_wrong_length_and_scales_that_are_not_positive_are_errors(
    settings: dict[str, list[float]], name: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}="):
        Normaliser([0.0, 0.0], [1.0, 1.0], **settings)  # type: ignore[arg-type]
