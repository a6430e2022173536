"""Networks of every dtype, given numbers of every dtype, on every path of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Conv2d, Dense, Lateral, MeanField, OneToOne, Pool, Projection, Sparse
from snnrl.encoders import PoissonEncoder
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import MSTDPET, STDP, Oja

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.bool, torch.uint8, torch.int64)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
NETWORKS = (torch.float32, torch.float64)
every_network = pytest.mark.parametrize("own", NETWORKS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spikes(*shape: int, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=seeded(seed)) < 0.4).float()


def made(**weights: Any) -> Network:
    """An image that is convolved and pooled, a loop with delays, and connections of every other kind that learn."""
    network = Network()
    network.add("input", (1, 4, 4))
    network.add("maps", LIF((2, 4, 4), tau_mem=3.0))
    network.add("small", LIF((2, 2, 2), tau_mem=2.0, t_refractory=1.0))
    network.add("flat", LIF(8, tau_mem=4.0))
    draw = {"weight_mean": 0.5, "weight_std": 0.3, "generator": seeded()} | weights
    network.connect("input", "maps", Conv2d(1, 2, 3, padding=1, **draw), rule=STDP())
    network.connect("maps", "small", Pool(2, 2))
    delay = torch.arange(8.0).view(2, 2, 2) % 3
    network.connect("small", "flat", Dense(8, 8, **draw), rule=MSTDPET(), delay=delay)
    network.connect("small", "flat", OneToOne((2, 2, 2), **draw), rule=Oja(), delay=1.0)
    network.connect("flat", "flat", Lateral(8, **draw), delay=2.0, rule=STDP())
    network.connect("flat", "small", Sparse.random(8, 8, 0.5, **draw), rule=STDP())
    network.connect("maps", "flat", MeanField(32, 8, **draw), rule=STDP())
    return network


def ran(network: Network, dtype: torch.dtype, **more: Any) -> tuple[dict[str, dict[str, Tensor]], Any]:
    hold = torch.zeros(8, dtype=torch.bool)
    hold[0] = True
    floating = dtype if dtype.is_floating_point else torch.float64
    settings: dict[str, Any] = {
        "modulator": torch.ones(2).to(dtype),
        "window": 3,
        "clamp": {"flat": hold},
        "unclamp": {"small": hold.view(2, 2, 2)},
        "inject": {"small": torch.full((2, 2, 2), 0.5).to(floating)},
        "record": {"maps": ("spikes",), "small": ("spikes", "v", "refractory"), "flat": ("spikes",)},
    }
    given = {"input": spikes(10, 2, 1, 4, 4).to(dtype), "flat": torch.full((10, 2, 8), 0.25).to(floating)}
    return network.run(given, **settings | more)


@every_network
@every_dtype
def test_numbers_of_any_dtype_drive_a_network_as_those_of_its_own_do(own: torch.dtype, dtype: torch.dtype) -> None:
    network, same = made().to(own), made().to(own)
    recording, state = ran(network, dtype)
    expected, after = ran(same, own)
    assert all(train["spikes"].any() for train in expected.values())
    for name, variables in expected.items():
        for variable, values in variables.items():
            assert recording[name][variable].dtype == own, (name, variable)
            assert torch.equal(recording[name][variable], values), (name, variable)
    for key, value in same.state_dict().items():
        assert torch.equal(network.state_dict()[key], value), key
    further, _ = ran(network, own, state=state)
    again, _ = ran(same, own, state=after)
    assert torch.equal(further["flat"]["spikes"], again["flat"]["spikes"])


@every_dtype
def test_weights_in_bfloat16_are_driven_by_numbers_of_any_dtype(dtype: torch.dtype) -> None:
    network, same = made(dtype=torch.bfloat16), made(dtype=torch.bfloat16)
    recording, _ = ran(network, dtype)
    expected, _ = ran(same, torch.float32)
    near = 1 if dtype == torch.bfloat16 else 0  # a product of two bfloat16 is rounded to bfloat16
    for name in expected:
        assert recording[name]["spikes"].dtype == torch.float32
        apart = (recording[name]["spikes"] != expected[name]["spikes"]).float().mean()
        assert apart <= 0.2 * near, name


@every_dtype
def test_a_network_that_is_in_bfloat16_as_a_whole_runs(dtype: torch.dtype) -> None:
    recording, state = ran(made().bfloat16(), dtype)
    assert recording["small"]["v"].dtype == torch.bfloat16
    assert recording["small"]["spikes"].any()
    assert state.neurons[0].v.dtype == torch.bfloat16


class Converts(Projection):
    """A projection of a user's own, whose current has a dtype of its own."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, spikes: Tensor) -> Tensor:  # type: ignore[override]
        return spikes.to(self.dtype)


@every_network
@every_dtype
def test_a_current_of_any_dtype_drives_neurons_as_their_own(own: torch.dtype, dtype: torch.dtype) -> None:
    network = Network()
    network.add("input", 4)
    network.add("output", LIF(4, tau_mem=2.0, decay_input=False))
    network.connect("input", "output", Converts(dtype))
    given = spikes(10, 2, 4)
    recording, _ = network.to(own).run({"input": given})
    assert torch.equal(recording["output"]["spikes"], given.to(own))


@pytest.fixture
def double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_by_default")
@every_dtype
def test_a_network_made_where_float64_is_the_default_is_one_in_float64(dtype: torch.dtype) -> None:
    recording, state = ran(made(), dtype)
    assert recording["small"]["v"].dtype == torch.float64
    assert state.neurons[0].v.dtype == torch.float64


@pytest.mark.usefixtures("double_by_default")
def test_a_network_in_float32_runs_where_float64_is_the_default() -> None:
    recording, _ = ran(made().float(), torch.bool)
    assert recording["small"]["v"].dtype == torch.float32


def test_an_encoder_in_float32_drives_a_network_in_float64() -> None:
    network, encoder = made().double(), PoissonEncoder(16, sim_steps=10, rate_max=500.0, generator=seeded())
    train, _ = encoder(torch.rand(2, 16, generator=seeded()), encoder.init_state(2))
    recording, _ = network.run({"input": train.view(10, 2, 1, 4, 4)}, modulator=torch.ones(2))
    assert recording["flat"]["spikes"].dtype == torch.float64
    assert recording["maps"]["spikes"].any()


@pytest.mark.parametrize("where", ["inputs", "inject", "modulator"])
def test_what_is_no_real_number_is_refused_by_name(where: str) -> None:
    given = {"input": torch.zeros(2, 1, 1, 4, 4)}
    wrong = torch.zeros(2, 1, 8, dtype=torch.complex64)
    settings: dict[str, Any] = {"modulator": torch.ones(1)}
    if where == "inputs":
        given["flat"] = wrong
    else:
        settings |= {"inject": {"flat": wrong}} if where == "inject" else {"modulator": wrong[0, :, 0]}
    with pytest.raises(ConfigError, match=rf"^{where}.*=torch.complex64: must be "):
        made().run(given, **settings)


def test_arrays_of_numpy_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"^inputs.input=ndarray: must be a tensor$"):
        made().run({"input": torch.zeros(2, 1, 1, 4, 4).numpy()})  # type: ignore[dict-item]
