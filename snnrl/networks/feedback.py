"""Feedback of errors: synapses from what an agent got wrong to the neurons of a hidden layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from snnrl.errors import require


class ErrorFeedback(nn.Module):
    """Weights that broadcast the errors of actions and of the value to a hidden layer.

    The learning signal of a neuron is the sum of all errors times its feedback weights, ``L_j = sum_a B_ja (1[chosen a]
    - p(a)) + value B_j`` (reward-based e-prop, Bellec et al. 2020, Nat. Commun. 11:3625); what a decision was worth
    arrives besides, as the modulator. ``random`` weights never change (Lillicrap et al. 2016, Nat. Commun. 7:13276;
    broadcast to every layer as in Nøkland 2016, NeurIPS); ``symmetric`` ones are what the readouts' populations give
    the neuron on average; ``adaptive`` ones begin at random and make the readouts' changes too.

    Args:
        shape: of the hidden population.
        actions: populations of the actor.
        kind: ``random``, ``symmetric`` or ``adaptive``.
        std: standard deviation of random weights.
        value: weight of the value beside the actions.
        generator: where random weights are drawn from.
    """

    weight: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        actions: int,
        *,
        kind: str = "random",
        std: float = 1.0,
        value: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require(kind in ("random", "symmetric", "adaptive"), "kind", kind, "random, symmetric or adaptive")
        self.shape, self.kind, self.value = shape, kind, value
        size = (math.prod(shape), actions + 1)
        drawn = torch.zeros(size) if kind == "symmetric" else std * torch.randn(size, generator=generator)
        self.register_buffer("weight", drawn)

    def forward(self, credit: Tensor) -> Tensor:
        """Learning signals ``[steps, batch, *shape]`` of the actions' errors ``[steps, batch, actions]``."""
        weight = self.weight.to(credit.dtype)
        signal = credit @ weight[:, :-1].t() + self.value * weight[:, -1]
        return signal.view(*credit.shape[:-1], *self.shape)

    def read_actions(self, actor: Tensor) -> None:
        """Give actions the weights that an actor ``[neurons, size]`` gives them: symmetric feedback."""
        self.weight[:, :-1] = self._of_actor(actor)

    def read_value(self, critic: Tensor) -> None:
        """Give the value the weights that a critic ``[neurons, size]`` gives it.

        For symmetric feedback, and for a layer with a critic of its own, whose weights are at hand.
        """
        self.weight[:, -1] = critic.mean(0)

    def change(self, actor: Tensor | None, critic: Tensor | None) -> None:
        """Take note of the change of the readouts' weights ``[neurons, size]``, if they learn: adaptive feedback."""
        if self.kind == "adaptive" and actor is not None and critic is not None:
            self.weight[:, :-1] += self._of_actor(actor)
            self.weight[:, -1] += critic.mean(0)

    def _of_actor(self, actor: Tensor) -> Tensor:
        """The mean over each population's neurons, ``[size, actions]``."""
        return actor.reshape(self.weight.shape[1] - 1, -1, actor.shape[1]).mean(1).t()
