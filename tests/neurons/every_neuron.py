"""A table of every neuron model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from snnrl.neurons import (
    IF,
    LIF,
    LSNN,
    SRM0,
    AdaptiveLIF,
    CumulativeSRM,
    CurrentLIF,
    DiehlCook,
    EscapeNoise,
    Izhikevich,
    LeakyIntegrator,
    McCullochPitts,
    SaturatingIF,
)


class Model(NamedTuple):
    """A line of the table: settings with which normal currents of ``mean`` and ``spread`` make the model fire."""

    kind: Callable[..., Any]
    settings: dict[str, Any] = {}  # noqa: RUF012
    mean: float = 0.5
    spread: float = 2.0
    per_neuron: dict[str, tuple[float, float]] = {}  # noqa: RUF012
    """Settings that may differ between neurons, with two values that float32 holds exactly."""
    stochastic: bool = False


LEAKY = {"tau_mem": (5.0, 20.0), "v_threshold": (0.75, 1.25), "v_rest": (0.0, -0.25), "v_reset": (0.25, -2.0)}
LEAKY_BUT_TAU = {name: values for name, values in LEAKY.items() if name != "tau_mem"}
SOFT = {name: values for name, values in LEAKY.items() if name != "v_reset"}
MODELS: dict[str, Model] = {
    "McCullochPitts": Model(McCullochPitts, per_neuron={"v_threshold": (0.5, 1.5)}),
    "IF": Model(IF, spread=0.75, mean=0.25, per_neuron={**LEAKY_BUT_TAU, "v_rest": (0.0, -2.0)}),
    "IF, soft": Model(IF, {"reset": "soft"}, spread=0.75, mean=0.25, per_neuron={"v_threshold": (0.75, 1.25)}),
    "LIF": Model(LIF, {"tau_mem": 5.0}, per_neuron=LEAKY),
    "LIF, soft": Model(LIF, {"tau_mem": 5.0, "reset": "soft"}, per_neuron=SOFT),
    "CurrentLIF": Model(CurrentLIF, {"tau_mem": 5.0}, per_neuron={"tau_syn": (2.0, 8.0), **LEAKY}),
    "AdaptiveLIF": Model(
        AdaptiveLIF,
        {"tau_mem": 5.0, "tau_adaptation": 20.0},
        per_neuron={"tau_adaptation": (10.0, 50.0), "increment": (0.125, 0.5), **LEAKY},
    ),
    "LSNN": Model(
        LSNN,
        {"tau_mem": 5.0, "tau_adaptation": 20.0},
        per_neuron={"tau_adaptation": (10.0, 50.0), "beta": (0.5, 4.0), "tau_mem": (5.0, 20.0)},
    ),
    "DiehlCook": Model(
        DiehlCook, {"one_spike": False}, mean=100.0, spread=400.0, per_neuron={"v_threshold": (-50.0, -55.0)}
    ),
    "DiehlCook, one spike": Model(DiehlCook, mean=100.0, spread=400.0),
    "Izhikevich": Model(
        Izhikevich,
        {"d": 2.0},
        mean=10.0,
        spread=10.0,
        per_neuron={"a": (0.03125, 0.125), "b": (0.1875, 0.25), "c": (-65.0, -55.0), "d": (2.0, 8.0)},
    ),
    "SRM0": Model(SRM0, {"tau_mem": 5.0}, stochastic=True),
    "CumulativeSRM": Model(
        CumulativeSRM,
        {"tau_mem": 3.0},
        spread=0.75,
        per_neuron={"v_threshold": (0.5, 1.5), "tau_refractory": (5.0, 20.0)},
    ),
    "LeakyIntegrator": Model(LeakyIntegrator, {"tau_mem": 5.0}, per_neuron={"tau_mem": (5.0, 20.0)}),
    "EscapeNoise": Model(EscapeNoise, {"v_threshold": 1.0}, stochastic=True),
    "SaturatingIF": Model(SaturatingIF),
}
WITHOUT_TEMPLATE = ("EscapeNoise", "SaturatingIF")
FIRING = [name for name in MODELS if name not in (*WITHOUT_TEMPLATE, "LeakyIntegrator")]
"""Those that charge, fire and are reset."""
TEMPLATE = [*FIRING, "LeakyIntegrator"]
PER_NEURON = [(name, setting) for name, model in MODELS.items() for setting in model.per_neuron]
LEARNABLE = [(name, setting) for name in TEMPLATE for setting in MODELS[name].kind.LEARNABLE]


def every(names: Any = tuple(MODELS)) -> Any:
    return pytest.mark.parametrize("name", names)


def make(name: str, shape: int | tuple[int, ...] = 3, *, seed: int = 0, **overrides: Any) -> Any:
    """A population in float64 and evaluation mode, in which nothing is shared by the rows of a batch."""
    model = MODELS[name]
    generator = {"generator": torch.Generator().manual_seed(seed)} if model.stochastic else {}
    return model.kind(shape, **{**model.settings, **generator, **overrides}).double().eval()


def drive(name: str, *shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return MODELS[name].mean + MODELS[name].spread * noise


def strong_current(name: str) -> Tensor:
    """A current that fires one neuron at every step."""
    return torch.full((1, 1), 500.0 if name == "Izhikevich" else 1e5, dtype=torch.float64)


def equal(first: Any, second: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
