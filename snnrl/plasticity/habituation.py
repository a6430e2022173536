"""Habituation: what neurons and synapses that are used often lose against those that are new."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.kernels import add_rows
from snnrl.settings import KnownSettings

FEW = 10.0
"""Visits up to which an input's synapses learn about as fast as at first."""


class Habituation(KnownSettings, nn.Module):
    r"""How often each input neuron of a table was active, and each action was chosen there.

    Where every observation has a neuron of its own, nothing that is learned in one place says anything of another, so
    that an agent has to try each action in each place. Three local consequences of use make it:

    * **Novelty is a reward.** Dopamine neurons respond to what is new and cease to (Kakade & Dayan 2002, Neural
      Networks 15:549). :meth:`novelty` is ``1 / sqrt(visits)`` of the active neuron, a bonus under which exploration
      comes near the best policy in few steps (Strehl & Littman 2008, J. Comput. Syst. Sci. 74:1309).
    * **Used synapses habituate.** :meth:`untried` is ``1 / sqrt(1 + uses)`` of the synapses from the active neuron to
      each action, so that what was tried seldom is preferred.
    * **Used synapses get stiff** (metaplasticity: Abraham & Bear 1996, Trends Neurosci. 19:126). :meth:`plasticity` is
      ``(1 + visits / 10) ** -power``: what is learned in a place is an average over what happened there, whose share of
      the latest falls (Robbins & Monro 1951, Ann. Math. Stat. 22:400).

    Args:
        inputs: number of input neurons, one of which is active at a time.
        populations: number of populations of actions.

    Attributes:
        visits: ``[inputs]`` int64, decisions and ends of episodes at which a neuron was active.
        uses: ``[inputs, populations]`` int64, decisions there in which an action was chosen.

    Raises:
        ConfigError: a number below 1.
    """

    visits: Tensor
    uses: Tensor

    def __init__(self, inputs: int, populations: int) -> None:
        super().__init__()
        require(inputs >= 1, "inputs", inputs, "at least 1")
        require(populations >= 1, "populations", populations, "at least 1")
        self.register_buffer("visits", torch.zeros(inputs, dtype=torch.int64))
        self.register_buffer("uses", torch.zeros((inputs, populations), dtype=torch.int64))

    @torch.no_grad()
    def visit(self, active: Tensor) -> None:
        """Take note of the neurons ``[batch]`` that are active."""
        add_rows(self.visits, active, torch.ones_like(active))

    @torch.no_grad()
    def use(self, active: Tensor, chosen: Tensor) -> None:
        """Take note of decisions: ``chosen`` ``[batch, populations]`` is 1 for what was chosen, int64."""
        add_rows(self.uses, active, chosen)

    def novelty(self, active: Tensor) -> Tensor:
        """``[batch]``, 1 for a neuron at its first visit, less and less later."""
        return self.visits[active].clamp_min(1).rsqrt()

    def untried(self, active: Tensor) -> Tensor:
        """``[batch, populations]``, 1 for an action that was never chosen there, less and less later."""
        return (1 + self.uses[active]).rsqrt()

    def plasticity(self, power: float) -> Tensor:
        """``[inputs]``, 1 for the synapses of neurons that were never active, less and less later."""
        return (1 + self.visits / FEW) ** -power
