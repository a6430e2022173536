"""The default agent on vectors, compiled: a decision and what is learned of it without operations of torch between.

:class:`~snnrl.agents.rstdp.RSTDP` is the definition; this gives the same but for rounding, with the same draws and the
same state, so that either may go on where the other was. It serves one way of being set up, which
:meth:`CompiledStep.of` and :meth:`CompiledStep.serves` tell; a test goes through all settings of the agent and holds
the two to be equal wherever it applies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from snnrl.agents.base import Metrics
from snnrl.agents.rstdp_config import RSTDPConfig, Suited
from snnrl.agents.rstdp_state import Decision, Outcome, RSTDPState
from snnrl.decoders import ActionCode
from snnrl.encoders import PopulationEncoder
from snnrl.encoders.normalise import LEAST_DEVIATION, Normaliser
from snnrl.encoders.population import PopulationState
from snnrl.envs import Feedback
from snnrl.kernels.decision import Cells, Choice, Closed, Episode, Fired, Synapses, Told, decide, learn, see
from snnrl.kernels.plain import takes_loop
from snnrl.kernels.running import Measured
from snnrl.networks import Activity, ActorCritic, ActorCriticState, Seen
from snnrl.networks.fused_readouts import FusedReadouts
from snnrl.neurons import EscapeNoiseState, SaturatingIFState
from snnrl.noise import uniform
from snnrl.plasticity import LARGEST_VALUE, ReturnScale, RunningScale
from snnrl.plasticity.returns import MARGIN
from snnrl.state import State
from snnrl.types import Array, Saved

_NOTHING: dict[str, Tensor] = {}


class Parts(NamedTuple):
    """What an agent decides and learns with."""

    config: RSTDPConfig
    suited: Suited
    network: ActorCritic
    code: ActionCode
    returns: ReturnScale | None
    td_scale: RunningScale
    input_scales: nn.ModuleDict
    generator: torch.Generator
    rate_scale: Callable[[], Tensor]
    """What is left of the learning rates, 0-d."""
    bonus: Callable[[Tensor | None, Tensor], Tensor]
    """The exploration bonus from the last one and the preference."""


class CompiledStep:
    """Acts and learns in place of an agent of which :meth:`of` says that it can be served.

    Args:
        agent: its parts.
        encoder: the agent's.
        fused: its readouts.
    """

    def __init__(self, agent: Parts, encoder: PopulationEncoder, fused: FusedReadouts) -> None:
        self.agent, self.encoder, self.fused = agent, encoder, fused
        counts = (*encoder.lines, *encoder.grids)
        self.cells = Cells(
            np.concatenate([torch.linspace(-1, 1, cells, dtype=torch.float32).numpy() for cells in counts]),
            np.array(encoder.lines, np.int64),
            np.array(encoder.grids, np.int64),
            encoder.get_buffer("_phase").numpy(),
        )
        self._modules = tuple(agent.network.modules())
        self.sizes = agent.code.get_buffer("_sizes").numpy()
        self.adapt_range = float(encoder.normaliser.adapt_range)
        self._kept: tuple[dict[str, Tensor], Measured] | None = None
        self.serving = False
        """What :meth:`serves` said last."""

    def __getstate__(self) -> Saved:
        """Without views of buffers: of a copy they would be of nothing that the copy has."""
        return {**self.__dict__, "_kept": None}

    @classmethod
    def of(cls, agent: Parts) -> CompiledStep | None:
        """What serves an agent with place cells, the default readouts and actions that have names, else ``None``.

        Torques of Pendulum were learned worse by it than by the definition (3 seeds), for a reason that is not known.
        """
        if agent.code.actions.continuous.any():
            return None
        encoder, fused = agent.network.encoder, agent.network.fused
        if fused is None or type(encoder) is not PopulationEncoder or type(encoder.normaliser) is not Normaliser:
            return None
        if agent.rate_scale().device.type != "cpu":
            return None
        return cls(agent, encoder, fused)

    @staticmethod
    def laid_out(rules: State) -> State:
        """States of rules whose eligibility lies in memory as :meth:`update` goes through it."""
        return tuple(rule._replace(eligibility=rule.eligibility.contiguous()) for rule in rules)

    def serves(self) -> bool:
        """Whether the agent is as this takes it.

        Weights change after each decision, by the TD error, all is on the CPU in single or double precision, and no
        hook waits for a part of the network to run.
        """
        agent, config = self.agent, self.agent.config
        weights, scale = (self.fused.to_actor.weight, self.fused.to_critic.weight), agent.td_scale.mean_square
        self.serving = (
            agent.network.fused is self.fused
            and config.update_every == 1
            and config.plasticity
            and config.modulator == "td"
            and takes_loop(*weights, scale, agent.rate_scale())
            and weights[0].t().is_contiguous()
            and weights[1].t().is_contiguous()
            and not any(module._forward_hooks or module._forward_pre_hooks for module in self._modules)
        )
        return self.serving

    def act(
        self, seen: Array, feedback: Feedback, state: RSTDPState, exploring: float
    ) -> tuple[Tensor, RSTDPState] | None:
        """The choice ``[batch, dims]`` and the state after it; ``exploring`` is by what the bonus is multiplied.

        ``None`` where actions are not permitted, and for observations that are no finite floating-point numbers.
        """
        if feedback.action_mask is not None or seen.ndim != 2 or seen.dtype not in (np.float32, np.float64):
            return None
        agent, fused, a, c = self.agent, self.fused, self.fused.actor, self.fused.critic
        weights, before = (fused.to_actor.weight, fused.to_critic.weight), state.network
        kind = _KINDS[weights[0].dtype]
        batch, time, actors, critics, size = len(seen), agent.config.sim_steps, a.size, c.size, self.encoder.size
        noise = uniform((time, batch, actors), weights[0], a.generator)
        after = Episode(
            np.empty((batch, size), np.float32),
            *(np.empty((batch, width), kind) for width in (actors, critics, critics, size)),
        )
        floors = fused.actor_rule.postsynaptic_floor, fused.critic_rule.postsynaptic_floor
        spikes = [np.empty((time, batch, width), kind) for width in (actors, critics)]
        factors = [np.empty_like(out) if floor else out for out, floor in zip(spikes, floors, strict=True)]
        traces, entering = (np.empty((time, batch, size), kind) for _ in range(2))
        fired = Fired(spikes[0], spikes[1], traces, factors[0], factors[1], entering)
        preference, level = np.empty((batch, agent.code.populations), kind), np.empty(batch, kind)
        (u_actor,), (u_critic, v_critic) = before.network.neurons
        assert isinstance(before.encoder, PopulationState)
        finite = see(
            np.ascontiguousarray(seen),
            self._measured(),
            self.adapt_range,
            LEAST_DEVIATION,
            self.encoder.normaliser.adaptive,
            self.cells,
            np.float32(2 * self.encoder.width),
            np.float32(self.encoder.group_rate),
            feedback.reset,
            c.phase.numpy(),
            Episode(*_arrays(before.encoder.phase.contiguous(), u_actor, u_critic, v_critic, before.trace)),
            after,
            weights[0].t().numpy(),
            weights[1].t().numpy(),
            noise.numpy(),
            (a.decay, a.v_threshold, a.width, a.rate_max),
            (c.decay, c.gain, c.tonic, c.rate_max),
            fused.actor_rule.decay_pre,
            (float(floors[0]), float(floors[1])),
            fired,
            preference,
            level,
        )
        if not finite:
            return None
        made = _tensors(*after)
        neurons = EscapeNoiseState(made[1]), SaturatingIFState(made[2], made[3])
        network = ActorCriticState(PopulationState(made[0]), before.network._replace(neurons=neurons), made[4])
        trace, train, *both = _tensors(traces, entering, *factors)
        views = {key: Seen(trace, factor) for key, factor in zip(fused.keys, both, strict=True)}
        out = dict(zip(("actor", "critic"), _tensors(*spikes), strict=True))
        rates = _tensors(preference, level)
        activity = Activity(rates[0], rates[1], _NOTHING, out, views, train)
        return self._decide(activity, feedback, state._replace(network=network), exploring)

    def _measured(self) -> Measured:
        """The normaliser's buffers as arrays, made anew where a buffer was replaced."""
        buffers = self.encoder.normaliser._buffers
        if self._kept is None or any(buffers[name] is not kept for name, kept in self._kept[0].items()):
            ends = ("lowest", "highest") if self.adapt_range else ("mean", "mean")
            names = ("_middle", "_reach", "_bounded", "_squash", "count", "mean", "spread", *ends)
            of = {name: self.encoder.normaliser.get_buffer(name) for name in names}
            self._kept = of, Measured(*_arrays(*(of[name].view(-1) for name in names)))
        return self._kept[1]

    def _decide(
        self, activity: Activity, feedback: Feedback, state: RSTDPState, exploring: float
    ) -> tuple[Tensor, RSTDPState]:
        agent, config, last, returns = self.agent, self.agent.config, state.decision, self.agent.returns
        preference, level, bonus = activity.preference, activity.level, state.exploration_bonus
        if agent.suited.exploration_bonus:
            bonus = agent.bonus(bonus, preference)
        batch, dims, numbers = len(level), agent.code.dims, level.numpy()
        noise = uniform((batch, dims, 1), preference, agent.generator)
        wanted = preference.numpy()
        made = Choice(np.empty((batch, dims), np.int64), *(np.empty_like(part) for part in (wanted, numbers, numbers)))
        sums, empty = state.returns.numpy(), np.empty_like
        closed = Closed(empty(numbers), np.empty(batch, np.bool_), empty(numbers), empty(numbers), empty(sums))
        told = (numbers, numbers) if last is None else (last.value.numpy(), last.surprisal.numpy())
        decide(
            wanted,
            wanted if bonus is None else bonus.numpy(),
            exploring if agent.suited.exploration_bonus else 0.0,
            noise.view(batch, dims).numpy(),
            self.sizes,
            float(config.temperature),
            numbers,
            self._fixed_range(),
            returns is not None and config.value_centre == "returns",
            returns is not None,
            _NO_ENDS if returns is None else (returns.low.view(1).numpy(), returns.high.view(1).numpy()),
            MARGIN,
            float(agent.suited.gamma),
            0 if returns is None else returns.horizon,
            made,
            last is not None,
            Told(*feedback[:4], *told),
            sums,
            closed,
        )
        choice, credit, surprisal, value = _tensors(*made)
        decision = Decision(activity, value, _NOTHING, credit, surprisal)
        if last is None:
            return choice, state._replace(decision=decision, exploration_bonus=bonus)
        td_error, decided, continuing, surprise, after = _tensors(*closed)
        outcome = Outcome(last.activity.seen, last.credit, td_error, decided, continuing, surprise, _NOTHING)
        returned = state.returns if returns is None else after
        return choice, state._replace(decision=decision, window=(outcome,), exploration_bonus=bonus, returns=returned)

    def _fixed_range(self) -> tuple[float, float]:
        """Values of both ends of the critic's rate, where they are not those of the returns that were seen."""
        low, high = self.agent.config.value_range or (-LARGEST_VALUE, LARGEST_VALUE)
        return float(low), float(high)

    def update(self, state: RSTDPState, exploring: float) -> tuple[RSTDPState, Metrics]:
        """Learn from the decision that was closed; ``exploring`` is by what ``entropy_coef`` is multiplied."""
        agent, fused, (outcome,) = self.agent, self.fused, state.window
        views = [outcome.seen[key] for key in fused.keys]
        traces = views[0].pre
        assert isinstance(traces, Tensor)
        deltas, parts = [], []
        scale, config = agent.td_scale, agent.config
        rules, rates = (fused.actor_rule, fused.critic_rule), (config.actor_lr, config.critic_lr)
        for rate, rule, kept, view in zip(rates, rules, state.rules, views, strict=True):
            eligibility = kept.eligibility.numpy()
            deltas.append(np.zeros_like(eligibility[0]))
            arrays = eligibility, view.post.numpy(), deltas[-1]
            parts.append(Synapses(*arrays, float(rate), float(rule.learning_rate), float(rule.decay)))
        power = next(iter(agent.input_scales.values()), scale)
        assert isinstance(power, RunningScale)
        rms = learn(
            outcome.td_error.numpy(),
            outcome.continuing.numpy(),
            outcome.surprisal.numpy(),
            outcome.credit.numpy(),
            traces.numpy(),
            (scale.mean_square.view(1).numpy(), scale.seen.view(1).numpy()),
            scale.horizon,
            config.normalise_td,
            exploring * float(agent.suited.entropy_coef),
            (power.mean_square.view(1).numpy(), power.seen.view(1).numpy()),
            power.horizon,
            config.lr_per_input,
            agent.rate_scale().view(1).numpy(),
            parts[0],
            parts[1],
        )
        for connection, delta in zip((fused.to_actor, fused.to_critic), deltas, strict=True):
            connection.apply_(torch.from_numpy(delta))
        assert state.decision is not None
        metrics: Metrics = {"train/td_error_rms": rms, "train/value_mean": state.decision.value.mean()}
        return state._replace(window=()), metrics


_NO_ENDS: tuple[Array, Array] = np.zeros(1), np.zeros(1)
_KINDS = {torch.float32: np.float32, torch.float64: np.float64}


def _arrays(*parts: Tensor) -> list[Array]:
    return [part.numpy() for part in parts]


def _tensors(*parts: Array) -> list[Tensor]:
    return [torch.from_numpy(part) for part in parts]
