"""A look into what learns: histograms and shares that are logged at evaluations, and what they warn of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MOST = 100_000
"""Values of which a histogram is made, at most; of more every so many-th is taken."""
NEAR = 0.95
"""Share of its highest rate from which on a neuron, or a critic, counts as saturated."""
OFTEN = 0.5
"""Share of the last decisions at an end of the critic's range from which on it is worth a word."""


class Look(NamedTuple):
    """What was seen."""

    metrics: Mapping[str, float]
    """For the log, such as ``neurons/actor_silent``."""
    values: Mapping[str, NDArray[np.float32]]
    """Of which histograms are made, such as ``weights/network.connections.0.weight``; flat."""
    warnings: tuple[str, ...] = ()
    """What a user should know."""


def sampled(values: Tensor) -> NDArray[np.float32]:
    """At most :data:`MOST` of some values, evenly spaced, on the CPU."""
    flat = values.detach().flatten()
    return flat[:: -(-flat.numel() // MOST) or 1].to("cpu", torch.float32).numpy()


def weights_of(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The weights of a model by name, but for single numbers."""
    return {f"weights/{name}": sampled(each) for name, each in model.named_parameters() if each.numel() > 1}


def firing(name: str, spikes: Tensor, highest: float) -> tuple[dict[str, float], NDArray[np.float32]]:
    """How a population fires.

    Args:
        name: of the population.
        spikes: ``[time, batch, *shape]``.
        highest: the most spikes of a neuron in a step, on average.

    Returns:
        Mean rate, share of silent and of saturated neurons; the rate of each neuron in spikes a step.
    """
    rates = spikes.float().mean((0, 1)).flatten()
    shares = {
        f"neurons/{name}_rate": float(rates.mean()),
        f"neurons/{name}_silent": float((rates == 0).float().mean()),
        f"neurons/{name}_saturated": float((rates >= NEAR * highest).float().mean()),
    }
    return shares, sampled(rates)


def critic_range(level: Tensor) -> tuple[dict[str, float], tuple[str, ...]]:
    """How often a critic is at the end of its range.

    Args:
        level: its rate as a share of the highest, one for each decision.
    """
    ends = {"lower": float((level <= 1 - NEAR).float().mean()), "upper": float((level >= NEAR).float().mean())}
    return {f"critic/at_{end}_end": share for end, share in ends.items()}, tuple(_words(ends))


def _words(ends: Mapping[str, float]) -> Iterator[str]:
    for end, share in ends.items():
        if share >= OFTEN:
            yield (
                f"the critic was at the {end} end of its range in {100 * share:.0f} % of the last decisions, where it "
                "cannot predict what lies beyond; agent.value_range=[lowest, highest] sets another range, in units of "
                "reward"
            )
