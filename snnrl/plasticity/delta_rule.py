"""Supervised learning from an error at the postsynaptic neuron."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.connections.base import Connection
from snnrl.errors import require
from snnrl.plasticity.base import Rule, Shape, ThirdFactor, require_finite, spike_train
from snnrl.settings import register
from snnrl.spikes import SparseSpikes


class DeltaRuleState(NamedTuple):
    """State of :class:`DeltaRule`."""

    eligibility: Tensor
    """``[1, *weight.shape]``, of all rows of the batch together."""


@register("delta_rule")
class DeltaRule(Rule[DeltaRuleState]):
    r"""The delta rule with momentum: a three-factor rule whose eligibility is that of a whole batch.

    ``e <- momentum e + <gate post x pre>`` once for each window, the mean over its steps and the rows of the batch,
    then ``dw = learning_rate e``. With the teacher's activity less the neuron's own one as ``post`` it is the rule of
    Widrow & Hoff (1960, IRE WESCON Conv. Rec. 4:96; for spikes Ponulak & Kasinski 2010, Neural Comput. 22:467); with
    the error that reaches a neuron as the third factor's ``gate``, and its nearness to a spike as ``post``, it is a
    three-factor rule (Frémaux & Gerstner 2016, Front. Neural Circuits 9:85, eq. 3). Rows of a batch are examples, and
    not episodes that go on: the eligibility outlasts them.

    Args:
        learning_rate: of the eligibility.
        momentum: what is left of the eligibility after a window, in [0, 1).
        dt: simulation step in ms.

    Raises:
        ConfigError: a setting out of range.
    """

    shares_state: ClassVar[bool] = True

    def __init__(self, *, learning_rate: float = 0.1, momentum: float = 0.9, dt: float = 1.0) -> None:
        super().__init__()
        require_finite(learning_rate=learning_rate)
        require(0 <= momentum < 1, "momentum", momentum, "in [0, 1)")
        self.learning_rate, self.momentum, self.dt = learning_rate, momentum, dt

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> DeltaRuleState:
        return DeltaRuleState(connection.new_eligibility(1))

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: DeltaRuleState,
        third: ThirdFactor,
    ) -> tuple[Tensor, DeltaRuleState]:
        before = spike_train(pre, len(post)).flatten(0, 1)
        if third.gate is not None:
            post = post * third.gate.repeat_interleave(len(post) // len(third.gate), 0)
        after = post.flatten(0, 1)
        eligibility = state.eligibility.mul_(self.momentum)
        connection.hebbian((after / len(after)).unsqueeze(1), before.unsqueeze(1), out=eligibility)
        return self.learning_rate * eligibility[0], state
