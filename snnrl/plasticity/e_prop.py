"""e-prop: hidden neurons learn from eligibility that goes forward in time and errors that are broadcast to them."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.connections.base import Connection
from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.plasticity.base import Rule, Shape, ThirdFactor, per_row, presynaptic_trace, require_finite, zero_trace
from snnrl.plasticity.three_factor import required
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.surrogate import SURROGATES
from snnrl.traces import decay_factor, decay_kernel

FEEDBACK = ("random", "symmetric", "adaptive")
"""How errors reach a hidden layer; see :class:`~snnrl.networks.feedback.ErrorFeedback`."""


class EPropState(NamedTuple):
    """State of :class:`EProp`."""

    trace: Tensor
    """``[batch, *pre_shape]``: presynaptic spikes as the postsynaptic membrane filters them."""
    adaptation: Tensor
    """``[batch, *weight.shape]``: how far each synapse has raised its neuron's threshold."""
    filtered: Tensor
    """``[batch, *weight.shape]``: what each synapse has done to the neuron's spikes, as a readout filters them."""
    eligibility: Tensor
    """``[batch, *weight.shape]``: that times the errors, already decayed to the step that comes next."""


class _Past(NamedTuple):
    """How a sum over a step depends on presynaptic traces within it and on the adaptation before it."""

    within: Tensor
    """``[length, batch, *post_shape]``: factors of the presynaptic trace at each simulation step."""
    before: Tensor | None
    """``[batch, *post_shape]``: factors of what adaptation there was; ``None`` for neurons that do not adapt."""


@register("e_prop")
class EProp(Rule[EPropState]):
    r"""Reward-based e-prop, for spiking neurons of hidden layers, feed-forward and recurrent.

    Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein & Maass 2020, Nat. Commun. 11:3625, methods: eligibility traces
    of LIF and adaptive neurons, reward-based e-prop::

        h_j[t]    = surrogate'(v_j[t] - threshold_j[t])             how near the neuron was to a spike
        e_ji[t]   = h_j[t] (x_i[t] - a_ji[t])                       what the synapse did to the neuron's spike
        a_ji[t+1] = rho a_ji[t] + rise e_ji[t]                      and to its threshold
        f_ji[t]   = kappa f_ji[t-1] + e_ji[t]                       and to the readouts, which filter spikes
        E_ji[k]   = decay E_ji[k-1] + L_j[k] sum of f_ji over k     with the errors of decision k
        dw_ji     = learning_rate * modulator[k] E_ji[k]

    ``x_i`` is the presynaptic spike train as the membrane filters it, ``L_j`` the learning signal, which arrives as the
    third factor's ``gate``: for an agent the errors of its choice and of its value times feedback weights. Nothing goes
    backwards through time or through a layer. For a feed-forward layer ``sum L_j f_ji`` is the gradient of
    ``sum L_j`` times the filtered spikes; for a recurrent one it is that gradient without the paths through other
    neurons (a test compares both with autograd). As in the paper, the reset's own effect on the potential is left out.

    Traces go on from one decision to the next, so that errors reach what happened earlier in an episode: as far
    back as membranes remember, and in adaptive neurons as far as their thresholds do. All is per synapse, and a weight
    that several synapses share, as in a convolution, cannot learn by this rule.

    Args:
        decay: factor by which eligibility shrinks from one step of the third factor to the next, in [0, 1].
        feedback: how errors reach the layer: ``random`` weights that stay; ``symmetric`` ones, those of the readouts;
            or ``adaptive`` ones, which begin at random and change as those of the readouts do.
        feedback_std: standard deviation of random feedback weights, at least 0.
        value_feedback: weight of the value's error beside those of actions, at least 0.
        surrogate: shape of the pseudo-derivative, a name in :data:`~snnrl.surrogate.SURROGATES`.
        slope: of the surrogate, in 1 / potential, above 0.
        rate_target: firing rate in Hz to which neurons are drawn, at least 0.
        rate_cost: how strongly they are, at least 0; 0 for not at all.
        tau_mem: membrane time constant of the postsynaptic neurons in ms.
        tau_readout: time constant in ms with which readouts filter the layer's spikes.
        tau_adaptation: time constant of the postsynaptic threshold in ms.
        threshold_rise: by how much a spike raises that threshold at the next step; 0 for neurons that do not adapt.
        learning_rate: by which changes are multiplied.
        dt: simulation step in ms.

    Raises:
        ConfigError: a setting out of range, a time constant shorter than ``dt``, or a connection of shared weights.
    """

    uses_modulator: ClassVar[bool] = True
    uses_excess: ClassVar[bool] = True

    def __init__(
        self,
        decay: float = 0.9,
        *,
        feedback: str = "random",
        feedback_std: float = 1.0,
        value_feedback: float = 1.0,
        surrogate: str = "triangle",
        slope: float = 1.0,
        rate_target: float = 50.0,
        rate_cost: float = 0.0,
        tau_mem: float = 20.0,
        tau_readout: float = 10.0,
        tau_adaptation: float = 100.0,
        threshold_rise: float = 0.0,
        learning_rate: float = 1.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__()
        require(0 <= decay <= 1, "decay", decay, "in [0, 1]")
        require(feedback in FEEDBACK, "feedback", feedback, f"one of {', '.join(FEEDBACK)}")
        require_finite(learning_rate=learning_rate, threshold_rise=threshold_rise, rate_cost=rate_cost)
        require_finite(feedback_std=feedback_std, value_feedback=value_feedback, rate_target=rate_target)
        require(feedback_std >= 0, "feedback_std", feedback_std, "at least 0")
        require(value_feedback >= 0, "value_feedback", value_feedback, "at least 0")
        require(rate_target >= 0, "rate_target", rate_target, "at least 0 Hz")
        require(rate_cost >= 0, "rate_cost", rate_cost, "at least 0")
        require(threshold_rise >= 0, "threshold_rise", threshold_rise, "at least 0")
        if surrogate not in SURROGATES:
            raise ConfigError(f"surrogate={surrogate}: {did_you_mean(surrogate, SURROGATES)}")
        self.feedback, self.feedback_std, self.value_feedback = feedback, feedback_std, value_feedback
        self._pseudo = SURROGATES[surrogate](slope)
        self.decay, self.learning_rate, self.dt = decay, learning_rate, dt
        self.rate_target, self.rate_cost, self.threshold_rise = rate_target, rate_cost, threshold_rise
        self.decay_mem = decay_factor(tau_mem, dt, "tau_mem")
        self.decay_readout = decay_factor(tau_readout, dt, "tau_readout")
        self.decay_adaptation = decay_factor(tau_adaptation, dt, "tau_adaptation")

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> EPropState:
        shared = connection.at_synapses(zero_trace(connection, 1, post_shape) + 1, pre_shape).amax() > 1
        kind = type(connection).__name__
        require(not bool(shared), "connection", kind, "one in which each weight is that of one synapse, such as Dense")
        per_synapse = [connection.new_eligibility(batch) for _ in range(3)]
        return EPropState(zero_trace(connection, batch, pre_shape), *per_synapse)

    @torch.no_grad()
    def presynaptic(
        self, pre: Tensor | SparseSpikes, post: Tensor, state: EPropState, third: ThirdFactor
    ) -> Tensor | SparseSpikes:
        """What a neuron's nearness to a spike is multiplied by in a window; arguments are those of :meth:`forward`."""
        return presynaptic_trace(pre, len(post), state.trace, self.decay_mem, third.traces_continuing)[0]

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, state: EPropState, third: ThirdFactor
    ) -> tuple[Tensor, EPropState]:
        modulator = required(third.modulator)
        steps, length = len(modulator), len(post) // len(modulator)
        x_pre, trace = presynaptic_trace(pre, len(post), state.trace, self.decay_mem, third.traces_continuing)
        kernel = decay_kernel(length, self.decay_readout, post)
        reaching = kernel.cumsum(0).flip(0)  # a spike at each step, as the readouts have summed it up at the end
        faded = self.decay_readout**length
        lasting = self.decay_readout * (1 - faded) / (1 - self.decay_readout)  # the same of spikes before the step
        delta = torch.zeros_like(state.eligibility[0])
        for step in range(steps):
            rows = slice(step * length, (step + 1) * length)
            x, excess = x_pre[rows], post[rows]
            nearness = self._pseudo.derivative(excess)
            now, left, risen = self._pasts(nearness, torch.stack([reaching, kernel.flip(0)]))
            gate = torch.ones_like(excess[0]) if third.gate is None else third.gate[step]
            eligibility, shape = state.eligibility, x.shape[2:]
            if third.instant is not None:
                delta -= connection.sum_rows(eligibility, third.instant[step])
            connection.hebbian(now.within * gate, x, out=eligibility)
            eligibility.addcmul_(connection.at_synapses(lasting * gate, shape), state.filtered)
            if now.before is not None:
                eligibility.addcmul_(connection.at_synapses(now.before * gate, shape), state.adaptation)
            earned = modulator[step] if third.instant is None else modulator[step] + third.instant[step]
            delta += connection.sum_rows(eligibility, earned)
            if self.rate_cost:
                lack = self.rate_target * self.dt / 1000 - (excess >= 0).to(excess.dtype).mean(0)
                delta += self.rate_cost * connection.hebbian(now.within * lack, x).sum(0)
            going_on, anew = third.continuing, third.traces_continuing
            left_over = torch.full_like(earned, self.decay) if going_on is None else self.decay * going_on[step]
            eligibility.mul_(per_row(left_over, eligibility))
            known = torch.ones_like(earned) if anew is None else anew[step]
            self._go_on(connection, state, x, left, risen, known, faded)
        return self.learning_rate * delta, state._replace(trace=trace)

    @staticmethod
    def _go_on(
        connection: Connection,
        state: EPropState,
        x: Tensor,
        left: _Past,
        risen: _Past | None,
        known: Tensor,
        faded: float,
    ) -> None:
        """What is left of a step, in place: of the readouts' view of it, and of adaptation.

        Args:
            connection: the synapses.
            state: before the step.
            x: ``[length, batch, *pre_shape]``, presynaptic traces.
            left: of the readouts' view.
            risen: of adaptation; ``None`` for neurons that do not adapt.
            known: ``[batch]``: 0 where neurons begin anew, else 1.
            faded: what readouts keep over a step.
        """
        shape, each = x.shape[2:], per_row(known, left.within[0])
        state.filtered.mul_(per_row(faded * known, state.filtered))
        connection.hebbian(left.within * each, x, out=state.filtered)
        if left.before is None or risen is None or risen.before is None:
            return
        state.filtered.addcmul_(connection.at_synapses(left.before * each, shape), state.adaptation)
        state.adaptation.mul_(connection.at_synapses(risen.before * each, shape))
        connection.hebbian(risen.within * each, x, out=state.adaptation)

    def _pasts(self, nearness: Tensor, sums: Tensor) -> tuple[_Past, _Past, _Past | None]:
        """What a step's weighted sums of ``e[t]`` are made of, and the adaptation after it.

        The recursion of ``a[t]`` is linear, with factors of the postsynaptic neuron alone; so what each presynaptic
        trace adds to a sum is known after one pass over the neurons' own numbers, from the step's end to its beginning.

        Args:
            nearness: ``[length, batch, *post_shape]``, the pseudo-derivative.
            sums: ``[2, length]``, the weights of ``e[t]`` in two sums.
        """
        weighed = per_row(sums, nearness.unsqueeze(0)) * nearness
        if not self.threshold_rise:
            return _Past(weighed[0], None), _Past(weighed[1], None), None
        raised = self.threshold_rise * nearness
        kept = self.decay_adaptation - raised
        weighed = torch.cat([weighed, torch.zeros_like(nearness).unsqueeze(0)])
        within = torch.empty_like(weighed)
        ahead = torch.zeros_like(weighed[:, 0])
        ahead[2] = 1
        for t in range(len(nearness) - 1, -1, -1):
            torch.addcmul(weighed[:, t], ahead, raised[t], out=within[:, t])
            ahead = torch.addcmul(weighed[:, t].neg(), ahead, kept[t])
        return _Past(within[0], ahead[0]), _Past(within[1], ahead[1]), _Past(within[2], ahead[2])
