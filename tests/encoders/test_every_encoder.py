"""What every encoder does with observations of any dtype, of a wrong size, or that are not numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.encoders import (
    BernoulliEncoder,
    BlobEncoder,
    DeltaEncoder,
    Encoder,
    FrameEncoder,
    LatencyEncoder,
    Normaliser,
    ObjectEncoder,
    OneHotEncoder,
    PatchEncoder,
    PoissonEncoder,
    PopulationEncoder,
    RankOrderEncoder,
    RateAdaptation,
)
from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def place_cells(adaptive: bool) -> PopulationEncoder:
    limit = float("inf") if adaptive else 1.0
    return PopulationEncoder(Normaliser([-limit] * 4, [limit] * 4), sim_steps=7, lines=(5,), grids=(3,))


VALUES: dict[str, Callable[[], Encoder[Any]]] = {
    "Bernoulli": lambda: BernoulliEncoder(4, sim_steps=7, generator=seeded()),
    "Poisson": lambda: PoissonEncoder(4, sim_steps=7, rate_max=500.0, generator=seeded()),
    "latency": lambda: LatencyEncoder(4, sim_steps=7),
    "latency of a membrane": lambda: LatencyEncoder(4, sim_steps=7, tau=5.0),
    "rank order": lambda: RankOrderEncoder(4, sim_steps=7),
    "delta": lambda: DeltaEncoder(4, sim_steps=7, threshold=0.125),
    "place cells": lambda: place_cells(adaptive=False),
    "place cells, by running statistics": lambda: place_cells(adaptive=True),
}
"""Encoders of four values."""
IMAGES: dict[str, Callable[[], Encoder[Any]]] = {
    "frames": lambda: FrameEncoder(24, 32),
    "patches": lambda: PatchEncoder(24, 32),
    "scenes": lambda: ObjectEncoder(24, 32),
    "blobs": lambda: BlobEncoder(24, 32),
}
ONE_HOT: dict[str, Callable[[], Encoder[Any]]] = {"one-hot": lambda: OneHotEncoder(4, sim_steps=7)}
ALL = VALUES | IMAGES | ONE_HOT
WINDOWS = [[0.25, 0.5, 0.75, 1.0], [1.0, 0.5, 0.0, 0.25]]
"""Observations that every floating dtype holds exactly."""


def observations(name: str) -> list[Tensor]:
    if name in IMAGES:
        return [torch.randint(256, (1, 1, 24, 32), dtype=torch.uint8, generator=seeded()) for _ in range(2)]
    return [torch.tensor([2]), torch.tensor([0])] if name in ONE_HOT else [torch.tensor([row]) for row in WINDOWS]


def spikes_of(code: Encoder[Any], seen: list[Tensor]) -> list[Tensor]:
    """The spikes of windows that follow each other, dense."""
    state, found = code.init_state(len(seen[0])), []
    for observation in seen:
        spikes, state = code(observation, state)
        found.append(spikes.dense() if isinstance(spikes, SparseSpikes) else spikes)
    assert sum(spikes.sum() for spikes in found) > 0
    return found


def same(first: list[Tensor], second: list[Tensor], dtype: torch.dtype) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.dtype == dtype
        assert torch.equal(one, other.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", VALUES)
def test_an_observation_of_any_dtype_gives_the_same_spikes(name: str, dtype: torch.dtype) -> None:
    plain = observations(name)
    other = spikes_of(VALUES[name](), [observation.to(dtype) for observation in plain])
    same(other, spikes_of(VALUES[name](), plain), torch.float32)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", ALL)
def test_a_network_of_another_precision_gets_the_same_spikes_in_its_dtype(name: str, dtype: torch.dtype) -> None:
    seen = observations(name)
    found = spikes_of(ALL[name]().to(dtype), seen)
    same(found, spikes_of(ALL[name](), seen), dtype)
    code = ALL[name]()
    behind = torch.nn.ModuleDict({"code": code, "dense": Dense(code.size, 3)}).to(dtype)
    spikes, _ = code(seen[0], code.init_state(1))
    assert behind["dense"](spikes).dtype == dtype


@pytest.mark.parametrize("name", ALL)
def test_torchs_default_dtype_is_that_of_the_spikes_alone(name: str) -> None:
    plain = spikes_of(ALL[name](), observations(name))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        found = spikes_of(ALL[name](), observations(name))
    finally:
        torch.set_default_dtype(before)
    same(found, plain, torch.float64)


def test_a_conversion_and_its_reverse_leave_running_statistics_exact() -> None:
    normaliser, adaptation = Normaliser([-float("inf")], [float("inf")]), RateAdaptation(3)
    normaliser(torch.tensor([[1.0], [1e7]]))
    adaptation.observe(torch.tensor([0, 1, 1]), 3)
    for module in (normaliser, adaptation):
        before = {key: value.clone() for key, value in module.state_dict().items()}
        after = module.bfloat16().float().state_dict()
        for key, value in before.items():
            assert after[key].dtype == value.dtype
            assert torch.equal(after[key], value)


@pytest.mark.parametrize("shape", [(1, 3), (1, 5), (1, 2, 3), (4,), (1, 0)])
@pytest.mark.parametrize("name", VALUES)
def test_observations_of_another_size_are_refused(name: str, shape: tuple[int, ...]) -> None:
    code = VALUES[name]()
    with pytest.raises(ConfigError, match=r"observation=.*must be \[batch, 4\]"):
        code(torch.zeros(shape), code.init_state(shape[0]))


def test_one_value_is_not_many() -> None:
    code = PopulationEncoder(Normaliser([-1.0], [1.0]), sim_steps=3, spikes_per_step=1.0)
    with pytest.raises(ConfigError, match=r"must be \[batch, 1\]"):
        code(torch.zeros(2, 3), code.init_state(2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", VALUES)
def test_what_is_no_number_is_refused_and_learned_from_nowhere(name: str, value: float) -> None:
    code = VALUES[name]()
    before = {key: kept.clone() for key, kept in code.state_dict().items()}
    with pytest.raises(ConfigError, match=r"observation\[1\]=.*must be finite"):
        code(torch.tensor([[0.0, 0.5, 0.5, 1.0], [0.0, value, 0.5, 1.0]]), code.init_state(2))
    assert all(torch.equal(kept, before[key]) for key, kept in code.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("name", ["Bernoulli", "Poisson", "latency", "latency of a membrane"])
def test_pixels_that_nobody_divided_are_refused(name: str, dtype: torch.dtype) -> None:
    code = VALUES[name]()
    with pytest.raises(ConfigError, match=r"up to 255: must be intensities in \[0, 1\]; divide"):
        code(torch.tensor([[0, 9, 128, 255]], dtype=dtype), code.init_state(1))
    code(torch.tensor([[0, 1, 1, 0]], dtype=dtype), code.init_state(1))


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (torch.tensor([1, 4]), "observation=4: must be an integer from 0 to 3"),
        (torch.tensor([-1]), "observation=-1: must be an integer from 0 to 3"),
        (torch.tensor([2.7]), "observation=2.7"),
        (torch.tensor([float("nan")]), "observation.*must be finite"),
        (torch.tensor([[0, 1], [1, 0]]), r"observation=\[2, 2\]: must be \[batch\]"),
    ],
)
def test_values_that_a_one_hot_code_does_not_have_are_refused(observation: Tensor, message: str) -> None:
    code = OneHotEncoder(4, sim_steps=3)
    with pytest.raises(ConfigError, match=message):
        code(observation, code.init_state(1))


@pytest.mark.parametrize("name", ["delta", "place cells", "frames", "scenes", "blobs"])
def test_a_state_of_another_number_of_rows_is_refused(name: str) -> None:
    code = ALL[name]()
    seen = torch.cat([observations(name)[0]] * 3)
    with pytest.raises(ConfigError, match=r"state=1 rows: must have the 3"):
        code(seen, code.init_state(1))


@pytest.mark.parametrize("name", IMAGES)
def test_frames_of_another_dtype_are_refused(name: str) -> None:
    code = IMAGES[name]()
    with pytest.raises(ConfigError, match=r"observation=torch.float32 .*must be uint8"):
        code(torch.zeros(1, 1, 24, 32), code.init_state(1))


@pytest.mark.parametrize("steps", [0, -1, 2.5, True])
def test_a_window_has_a_whole_number_of_steps(steps: Any) -> None:
    makers: list[Callable[[], Any]] = [
        lambda: BernoulliEncoder(3, sim_steps=steps),
        lambda: PoissonEncoder(3, sim_steps=steps),
        lambda: LatencyEncoder(3, sim_steps=steps),
        lambda: RankOrderEncoder(3, sim_steps=steps),
        lambda: DeltaEncoder(3, sim_steps=steps, threshold=0.1),
        lambda: OneHotEncoder(3, sim_steps=steps),
        lambda: PopulationEncoder(Normaliser([-1.0], [1.0]), sim_steps=steps),
    ]
    for make in makers:
        with pytest.raises(ConfigError, match="sim_steps="):
            make()


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (BernoulliEncoder, (3,)),
        (PoissonEncoder, (3,)),
        (LatencyEncoder, (3,)),
        (RankOrderEncoder, (3,)),
        (DeltaEncoder, (3,)),
        (OneHotEncoder, (3,)),
        (PopulationEncoder, (Normaliser([-1.0], [1.0]),)),
    ],
)
def test_a_misspelt_setting_is_named_with_the_right_one(kind: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match=f"sim_step=5: {kind.__name__} has no such setting; did you mean sim_steps"):
        kind(*arguments, sim_step=5)


@pytest.mark.parametrize("kind", [FrameEncoder, PatchEncoder, ObjectEncoder, BlobEncoder])
def test_a_misspelt_setting_of_an_encoder_of_images_is_named_with_the_right_one(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"target_rates=0.1: .*did you mean target_rate\?"):
        kind(24, 32, target_rates=0.1)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("given", [[[0.0] * 4], np.zeros((1, 4)), None], ids=lambda given: type(given).__name__)
def test_what_is_no_tensor_is_refused_by_name(kind: str, given: Any) -> None:
    encoder = ALL[kind]()
    with pytest.raises(ConfigError, match=r"^observation=(list|ndarray|NoneType): must be a tensor \[batch, \.\.\.\]"):
        encoder(given, encoder.init_state(1))
    with pytest.raises(ConfigError, match=r"^observation="):
        Normaliser([-1.0] * 4, [1.0] * 4)(given)
