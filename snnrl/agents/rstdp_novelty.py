"""What is new to the R-STDP agent, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from snnrl.agents.rstdp_config import HabituationConfig, RSTDPConfig
from snnrl.agents.rstdp_state import Signal
from snnrl.connections import Dense
from snnrl.encoders import AnyEncoder, OneHotEncoder
from snnrl.networks import ActorCritic
from snnrl.plasticity import Habituation

ACTOR_POWER, CRITIC_POWER = 0.25, 0.5
"""Powers with which learning rates fall, see :meth:`~snnrl.plasticity.Habituation.plasticity`."""


class Visit(NamedTuple):
    """Where an observation has led."""

    cell: Tensor
    """``[batch]`` int64: the input neuron that is active."""
    untried: Tensor
    """``[batch, populations]``: how much each action is preferred for being tried there seldom."""


class Novelty(nn.Module):
    """Reward for what is new, preference for what is untried, and learning rates that fall with use.

    Args:
        encoder: which neuron is active.
        config: how much each of them counts.
        populations: of actions.
        unit: of the critic's values, in which returns are measured.
    """

    def __init__(self, encoder: OneHotEncoder, config: HabituationConfig, populations: int, unit: float) -> None:
        super().__init__()
        self.config, self.unit = config, unit
        self._index = encoder.index
        self.habituation = Habituation(encoder.size, populations)

    def visit(self, observation: Tensor) -> Visit:
        """Take note of observations ``[batch]``."""
        cell = self._index(observation)
        self.habituation.visit(cell)
        return Visit(cell, self.config.untried_bonus * self.habituation.untried(cell))

    def use(self, visit: Visit, signal: Signal, chosen: Tensor) -> None:
        """Take note of choices ``[batch, populations]``, but where an episode has ended and none is carried out."""
        ended = signal.terminated | signal.truncated
        self.habituation.use(visit.cell, chosen * ~ended.unsqueeze(1))

    def reward(self, visit: Visit) -> Tensor:
        """What it is worth to have come there, ``[batch]`` in units of the critic's values."""
        return self.unit * self.config.novelty_reward * self.habituation.novelty(visit.cell)

    def stiffen(self, network: ActorCritic, changes: Mapping[str, Tensor]) -> None:
        """Multiply changes ``[post, pre]`` of dense connections in place, by more at first and less with use."""
        ends = {"actor": (self.config.actor_boost, ACTOR_POWER), "critic": (self.config.critic_boost, CRITIC_POWER)}
        for edge in network.plastic():
            boost, power = ends[edge.post]
            if isinstance(network.connection(edge), Dense):
                changes[edge.key].mul_(boost * self.habituation.plasticity(power))


def novelty(encoder: AnyEncoder, config: RSTDPConfig, populations: int) -> Novelty | None:
    """What is new to an agent with a neuron for each observation and no hidden layer; ``None`` for others."""
    if config.habituation is None or config.network.hidden or not isinstance(encoder, OneHotEncoder):
        return None
    unit = 1.0 if config.value_range is None else max(map(abs, config.value_range))
    return Novelty(encoder, config.habituation, populations, unit)
