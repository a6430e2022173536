"""What the supervised learners with a local rule share: images as currents, and synapses that learn from an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.connections import Dense
from snnrl.plasticity import DeltaRule, DeltaRuleState, ThirdFactor


def unit_current(images: Tensor) -> Tensor:
    """Images, uint8 ``[batch, ...]``, as currents ``[batch, inputs]`` of Euclidean norm 1; a blank one gives none."""
    return functional.normalize(images.flatten(1).to(torch.get_default_dtype()), dim=1)


class ErrorTrained(nn.Module):
    """A dense connection and its :class:`~snnrl.plasticity.DeltaRule`, whose eligibility is saved with the weights.

    Args:
        pre: presynaptic neurons.
        post: postsynaptic neurons.
        weight_std: of the first weights.
        momentum: what is left of the eligibility after one batch, in [0, 1).
        generator: where the first weights are drawn from.
    """

    eligibility: Tensor

    def __init__(self, pre: int, post: int, weight_std: float, momentum: float, generator: torch.Generator) -> None:
        super().__init__()
        self.dense = Dense(pre, post, weight_std=weight_std, generator=generator)
        self.rule = DeltaRule(momentum=momentum)
        self.register_buffer("eligibility", self.rule.init_state(self.dense, (pre,), (post,), 1).eligibility)

    if TYPE_CHECKING:

        def __call__(self, pre: Tensor) -> Tensor:
            """:meth:`forward`, which torch calls."""

    def forward(self, pre: Tensor) -> Tensor:
        """Currents ``[..., post]`` of presynaptic activity ``[..., pre]``."""
        return self.dense(pre)

    def learn(self, pre: Tensor, post: Tensor, learning_rate: float, gate: Tensor | None = None) -> None:
        """Change the weights by one batch.

        Args:
            pre: presynaptic traces ``[time, batch, pre]``.
            post: postsynaptic activity or error ``[time, batch, post]``.
            learning_rate: of the rule.
            gate: the error that reaches each neuron, ``[time, batch, post]``, where ``post`` is no error.
        """
        self.rule.learning_rate = learning_rate
        change, _ = self.rule(self.dense, pre, post, DeltaRuleState(self.eligibility), ThirdFactor(gate=gate))
        self.dense.apply_(change)


class ErrorReadout(nn.Module):
    """One neuron for each class, of which one fires at a time, taught by the delta rule.

    The neurons inhibit each other so that one of them fires, with probability ``softmax(gain v)`` (Nessler, Pfeiffer,
    Buesing & Maass 2013, PLoS Comput. Biol. 9:e1003037, eq. 3). The teacher's spike less the expected own spike
    modulates the presynaptic trace: ``dw = rate (teacher - p) x`` (Widrow & Hoff 1960; as STDP, Ponulak & Kasinski
    2010, Neural Comput. 22:467).

    Args:
        inputs: presynaptic neurons.
        classes: output neurons.
        gain: steepness of the competition, in 1 / potential.
        momentum: see :class:`ErrorTrained`.
        generator: for the first weights, which are 0.
    """

    def __init__(self, inputs: int, classes: int, gain: float, momentum: float, generator: torch.Generator) -> None:
        super().__init__()
        self.synapses = ErrorTrained(inputs, classes, 0.0, momentum, generator)
        self.classes, self.gain = classes, gain

    if TYPE_CHECKING:

        def __call__(self, activity: Tensor) -> Tensor:
            """:meth:`forward`, which torch calls."""

    def forward(self, activity: Tensor) -> Tensor:
        """Labels ``[batch]`` of activities ``[batch, inputs]``."""
        potential: Tensor = self.synapses(activity)
        return potential.argmax(1)

    def learn(self, activity: Tensor, error: Tensor, learning_rate: float) -> None:
        """Learn from the errors ``[batch, classes]`` of activities ``[batch, inputs]``."""
        self.synapses.learn(activity.unsqueeze(0), error.unsqueeze(0), learning_rate)

    def error(self, activity: Tensor, labels: Tensor) -> Tensor:
        """The teacher's spikes less the expected own ones ``[batch, classes]``."""
        expected = (self.gain * self.synapses(activity)).softmax(1)
        return torch.sub(functional.one_hot(labels, self.classes).to(expected.dtype), expected)


def error_probability(error: Tensor) -> Tensor:
    """The probability of another spike than the teacher's, averaged over the batch; of errors ``[batch, classes]``."""
    return error.clamp_min(0).sum(1).mean()
