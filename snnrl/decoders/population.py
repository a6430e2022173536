"""From output spikes to action preferences to actions."""

from __future__ import annotations

import torch
from torch import Tensor

from snnrl.noise import uniform


def population_rates(spikes: Tensor, populations: int) -> Tensor:
    """Mean spike count of each population's neurons over a window.

    Args:
        spikes: ``[time, batch, populations * neurons]``, neurons of one population side by side.
        populations: number of populations.

    Returns:
        ``[batch, populations]``, spikes per neuron.
    """
    return spikes.sum(0).view(spikes.shape[1], populations, -1).mean(-1)


def first_spike(spikes: Tensor, populations: int) -> Tensor:
    """The population that spikes first; the one with more spikes at that step where several do.

    Args:
        spikes: ``[time, batch, populations * neurons]``.
        populations: number of populations.

    Returns:
        ``[batch]`` int64. Where no neuron spikes at all it is 0.
    """
    counts = spikes.unflatten(-1, (populations, -1)).sum(-1)
    steps = counts.shape[0]
    earliness = torch.arange(steps, 0, -1, device=spikes.device, dtype=spikes.dtype).view(-1, 1, 1)
    most = counts.amax(dim=(0, 2), keepdim=True).clamp_min(1)
    score = torch.where(counts > 0, earliness + counts / (2 * most), torch.zeros_like(counts))
    return score.amax(0).argmax(-1)


def softmax_policy(preference: Tensor, temperature: float) -> Tensor:
    """Probability of each choice, ``softmax(preference / temperature)`` over the last dimension."""
    return torch.softmax(preference / temperature, dim=-1)


def sample(probability: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw a choice from each distribution by inverting its cumulative sum: ``[..., choices]`` to ``[...]`` int64."""
    noise = uniform((*probability.shape[:-1], 1), probability, generator)
    below = probability.cumsum(-1)[..., :-1] <= noise
    return below.sum(-1)


def population_vector(weight: Tensor, preferred: Tensor) -> Tensor:
    """The mean of the preferred values weighted by activity (Georgopoulos et al. 1986, Science 233:1416).

    Args:
        weight: ``[..., choices]``, non-negative; where all are zero the plain mean is returned.
        preferred: ``[..., choices]`` or broadcastable.

    Returns:
        ``[...]``.
    """
    total = weight.sum(-1, keepdim=True)
    share = torch.where(total > 0, weight / total.clamp_min(1e-12), torch.full_like(weight, 1.0 / weight.shape[-1]))
    return (share * preferred).sum(-1)
