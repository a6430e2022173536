from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import Normaliser, PopulationEncoder
from snnrl.errors import ConfigError


def unit(dims: int) -> Normaliser:
    return Normaliser([-1.0] * dims, [1.0] * dims)


def encoder(dims: int, lines: tuple[int, ...] = (), grids: tuple[int, ...] = (), **kwargs: float) -> PopulationEncoder:
    return PopulationEncoder(
        unit(dims), **{"sim_steps": 20, "spikes_per_step": 1.0, **kwargs}, lines=lines, grids=grids
    )  # type: ignore[arg-type]


places = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)


@settings(deadline=None)
@given(place=places, rate=st.floats(0.1, 2.0))
def test_rates_of_all_cells_sum_to_the_given_rate_wherever_the_observation_is(place: list[float], rate: float) -> None:
    code = encoder(3, (5, 9), (4, 3), spikes_per_step=rate)
    rates = code.rates(torch.tensor([place]))
    assert rates.shape == (1, code.size)
    assert rates.min() >= 0
    assert rates.sum().item() == pytest.approx(rate, rel=1e-5)


@settings(deadline=None)
@given(place=places)
def test_every_group_has_the_same_share_of_the_rate(place: list[float]) -> None:
    rates = encoder(3, (5,), (4,), spikes_per_step=3.0).rates(torch.tensor([place]))[0]
    groups = rates.split([5] * 3 + [16] * 3)
    assert [group.sum().item() for group in groups] == pytest.approx([0.5] * 6, rel=1e-5)


@pytest.mark.parametrize("width", [0.5, 0.7, 1.5])
def test_tuning_is_a_gaussian_in_units_of_the_spacing(width: float) -> None:
    centres = torch.linspace(-1, 1, 7)
    rates = encoder(1, (7,), width=width).rates(centres[:, None])
    for cell in range(7):
        distance = torch.arange(7) - cell
        expected = torch.exp(-(distance**2) / (2 * width**2))
        torch.testing.assert_close(rates[cell], expected / expected.sum())


def test_tuning_between_two_cells_shares_equally() -> None:
    rates = encoder(1, (2,)).rates(torch.tensor([[0.0], [-1.0]]))
    torch.testing.assert_close(rates[0], torch.tensor([0.5, 0.5]))
    near, far = 1.0, math.exp(-1 / (2 * 0.7**2))
    torch.testing.assert_close(rates[1], torch.tensor([near, far]) / (near + far))


@settings(deadline=None)
@given(x=st.floats(-1, 1, width=32), y=st.floats(-1, 1, width=32))
def test_a_grid_is_the_product_of_two_lines(x: float, y: float) -> None:
    line = encoder(1, (5,))
    grid = encoder(2, (), (5,)).rates(torch.tensor([[x, y]])).view(5, 5)
    first, second = line.rates(torch.tensor([[x], [y]]))
    torch.testing.assert_close(grid, torch.outer(first, second))


@settings(deadline=None)
@given(place=places)
def test_the_code_of_the_mirrored_place_is_the_mirrored_code(place: list[float]) -> None:
    code = encoder(3, (6,))
    rates = code.rates(torch.tensor([place, [-x for x in place]])).view(2, 3, 6)
    torch.testing.assert_close(rates[1], rates[0].flip(-1), atol=1e-6, rtol=1e-4)


def test_what_lies_out_of_bounds_is_coded_as_the_bound() -> None:
    code = encoder(1, (5,))
    assert torch.equal(code.rates(torch.tensor([[7.0]])), code.rates(torch.tensor([[1.0]])))


@settings(deadline=None)
@given(place=places, windows=st.integers(1, 4))
def test_every_cell_keeps_its_rate_to_within_a_spike_over_several_windows(place: list[float], windows: int) -> None:
    code = encoder(3, (5,), (4,), spikes_per_step=3.0)
    observation, state, count = torch.tensor([place]), code.init_state(1), torch.zeros(1, code.size)
    for _ in range(windows):
        spikes, state = code(observation, state)
        assert spikes.shape == (20, 1, code.size)
        count += spikes.sum(0)
    assert (count - code.rates(observation) * 20 * windows).abs().max() <= 1 + 1e-4


@settings(deadline=None)
@given(batch=st.lists(places, min_size=2, max_size=5), row=st.integers(0, 4))
def test_rows_of_a_batch_spike_as_if_alone(batch: list[list[float]], row: int) -> None:
    row %= len(batch)
    code = encoder(3, (5,), (4,))
    observation = torch.tensor(batch)
    spikes, state = code(observation, code.init_state(len(batch)))
    alone, after = code(observation[row : row + 1], code.init_state(1))
    torch.testing.assert_close(state.phase[row] + spikes[:, row].sum(0), (after.phase + alone.sum(0))[0])


def test_cells_do_not_start_in_step() -> None:
    phase = encoder(2, (5,), (4,)).init_state(3).phase
    assert torch.equal(phase[0], phase[2])
    assert len(phase[0].unique()) == phase.shape[1]
    assert 0 <= phase.min() <= phase.max() < 1


@pytest.mark.parametrize("dims", [2, 3, 4, 5, 10, 11, 15, 16, 64])
def test_recommended_resolution_covers_every_dimension(dims: int) -> None:
    lines, grids = PopulationEncoder.resolution(dims)
    code = encoder(dims, lines, grids)
    centre = torch.zeros(1, dims)
    for dim in range(dims):
        moved = centre.clone()
        moved[0, dim] = 1.0
        assert not torch.allclose(code.rates(centre), code.rates(moved)), f"dimension {dim} is not seen"


def test_pairs_have_cells_as_long_as_there_are_few_of_them() -> None:
    assert [bool(PopulationEncoder.resolution(dims).grids) for dims in (14, 15, 16, 64)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("dims", "lines", "grids", "rate", "name"),
    [
        (2, (), (), 1.0, "lines"),
        (1, (), (6,), 1.0, "lines"),
        (2, (1,), (), 1.0, "lines"),
        (2, (), (1,), 1.0, "grids"),
        (2, (5,), (), 0.0, "spikes_per_step"),
        (2, (5,), (), 2.1, "spikes_per_step"),
    ],
)
def test_groups_and_rates_out_of_range_are_errors(
    dims: int, lines: tuple[int, ...], grids: tuple[int, ...], rate: float, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        encoder(dims, lines, grids, spikes_per_step=rate)
