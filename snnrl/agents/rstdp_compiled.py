"""The default agent on vectors, compiled: a decision and what is learned of it without operations of torch between.

:class:`~snnrl.agents.rstdp.RSTDP` is the definition; this gives the same but for rounding, with the same draws and the
same state, so that either may go on where the other was. It serves one way of being set up, which
:meth:`CompiledStep.of` and :meth:`CompiledStep.serves` tell; a test goes through all settings of the agent and holds
the two to be equal wherever it applies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from snnrl.agents.rstdp_state import Decision, Outcome, RSTDPState
from snnrl.encoders import PopulationEncoder
from snnrl.encoders.normalise import LEAST_DEVIATION, Normaliser
from snnrl.envs import Feedback
from snnrl.kernels import takes_loop
from snnrl.kernels.decision import Cells, Choice, Closed, Episode, Fired, Synapses, Told, decide, learn, see
from snnrl.kernels.running import Measured
from snnrl.networks import Activity, ActorCriticState, Seen
from snnrl.networks.fused_readouts import FusedReadouts
from snnrl.neurons import EscapeNoiseState, SaturatingIFState
from snnrl.noise import uniform
from snnrl.plasticity.returns import MARGIN
from snnrl.types import Array

if TYPE_CHECKING:
    from snnrl.agents.base import Metrics
    from snnrl.agents.rstdp import RSTDP

_NOTHING: dict[str, Tensor] = {}


class CompiledStep:
    """Acts and learns in place of an agent of which :meth:`of` says that it can be served.

    Args:
        agent: whose weights, statistics and generator these are.
        encoder: the agent's.
        fused: its readouts.
    """

    def __init__(self, agent: RSTDP, encoder: PopulationEncoder, fused: FusedReadouts) -> None:
        self.agent, self.encoder, self.fused = agent, encoder, fused
        self.cells = Cells(
            encoder.get_buffer("_centres").numpy(),
            np.array(encoder.lines, np.int64),
            np.array(encoder.grids, np.int64),
            encoder.get_buffer("_phase").numpy(),
        )
        self.sizes = agent.code.get_buffer("_sizes").numpy()
        self.adapt_range = float(encoder.normaliser.adapt_range)

    @classmethod
    def of(cls, agent: RSTDP) -> CompiledStep | None:
        """What serves an agent with place cells that adapt to what is seen and the default readouts, else ``None``."""
        encoder, fused = agent.network.encoder, agent.network.fused
        if fused is None or type(encoder) is not PopulationEncoder or type(encoder.normaliser) is not Normaliser:
            return None
        if agent.device.type != "cpu" or not encoder.normaliser.adaptive:
            return None
        return cls(agent, encoder, fused)

    def serves(self) -> bool:
        """Whether the agent is as this takes it.

        Weights change after each decision, by the TD error, and all is on the CPU in single or double precision.
        """
        agent, config = self.agent, self.agent.config
        weights, scale = self._weights(), agent.td_scale.mean_square
        return (
            agent.network.fused is self.fused
            and config.update_every == 1
            and config.plasticity
            and config.modulator == "td"
            and takes_loop(*weights, scale, agent.get_buffer("learning_rate_scale"))
            and weights[0].t().is_contiguous()
            and weights[1].t().is_contiguous()
        )

    def _weights(self) -> tuple[Tensor, Tensor]:
        return self.fused.to_actor.weight, self.fused.to_critic.weight

    def act(self, seen: Array, feedback: Feedback, state: RSTDPState) -> tuple[Tensor, RSTDPState] | None:
        """The choice ``[batch, dims]`` and the state after it.

        ``None`` where actions are not permitted, and for observations that are no finite floating-point numbers.
        """
        if feedback.action_mask is not None or seen.ndim != 2 or seen.dtype not in (np.float32, np.float64):
            return None
        agent, fused, weights = self.agent, self.fused, self._weights()
        like, batch, time = weights[0], len(seen), agent.config.sim_steps
        actors, critics, size = fused.actor.size, fused.critic.size, self.encoder.size
        before, made = state.network, [like.new_empty((batch, width)) for width in (actors, critics, critics, size)]
        phase = torch.empty((batch, size))
        noise = uniform((time, batch, actors), like, fused.actor.generator)
        actor, critic = like.new_empty((time, batch, actors)), like.new_empty((time, batch, critics))
        traces = like.new_empty((time, batch, size))
        a, c = fused.actor, fused.critic
        floors = fused.actor_rule.postsynaptic_floor, fused.critic_rule.postsynaptic_floor
        factors = [torch.empty_like(out) if floor else out for out, floor in zip((actor, critic), floors, strict=True)]
        preference, level = like.new_empty((batch, agent.code.populations)), like.new_empty(batch)
        (u_actor,), (u_critic, v_critic) = before.network.neurons
        finite = see(
            np.ascontiguousarray(seen),
            self._measured(),
            self.adapt_range,
            LEAST_DEVIATION,
            self.cells,
            np.float32(2 * self.encoder.width),
            np.float32(self.encoder.group_rate),
            feedback.reset,
            fused.critic.phase.numpy(),
            Episode(*_arrays(before.encoder.phase.contiguous(), u_actor, u_critic, v_critic, before.trace)),
            Episode(*_arrays(phase, *made)),
            *(weight.t().numpy() for weight in weights),
            noise.numpy(),
            (a.decay, a.v_threshold, a.width, a.rate_max),
            (c.decay, c.gain, c.tonic, c.rate_max),
            fused.actor_rule.decay_pre,
            (float(floors[0]), float(floors[1])),
            Fired(*_arrays(actor, critic, traces, *factors)),
            preference.numpy(),
            level.numpy(),
        )
        if not finite:
            return None
        network = ActorCriticState(
            type(before.encoder)(phase),
            before.network._replace(neurons=(EscapeNoiseState(made[0]), SaturatingIFState(made[1], made[2]))),
            made[3],
        )
        views = {key: Seen(traces, factor) for key, factor in zip(fused.keys, factors, strict=True)}
        activity = Activity(preference, level, _NOTHING, {"actor": actor, "critic": critic}, views)
        return self._decide(activity, feedback, state._replace(network=network))

    def _measured(self) -> Measured:
        fixed, seen, _, _ = self.encoder.normaliser.numbers()
        count, mean, spread, *extremes = seen
        return Measured(*_arrays(*fixed, count.view(1), mean, spread, *(extremes or (mean, mean))))

    def _decide(self, activity: Activity, feedback: Feedback, state: RSTDPState) -> tuple[Tensor, RSTDPState]:
        agent, config, last, returns = self.agent, self.agent.config, state.decision, self.agent.returns
        preference, level, bonus = activity.preference, activity.level, state.exploration_bonus
        if config.exploration_bonus:
            bonus = agent.exploration_bonus(bonus, preference)
        batch = len(level)
        noise = uniform((batch, agent.code.dims, 1), preference, agent.generator)
        choice = torch.empty((batch, agent.code.dims), dtype=torch.int64)
        credit, surprisal, value = torch.empty_like(preference), torch.empty_like(level), torch.empty_like(level)
        told = (level, level) if last is None else (last.value, last.surprisal)
        closing = [torch.empty_like(level) for _ in range(3)]
        decided, sums = torch.empty(batch, dtype=torch.bool), torch.empty_like(state.returns)
        ends = _ONE if returns is None else tuple(_arrays(returns.low.view(1), returns.high.view(1)))
        decide(
            preference.numpy(),
            (preference if bonus is None else bonus).numpy(),
            bool(config.exploration_bonus),
            noise.view(batch, -1).numpy(),
            self.sizes,
            float(config.temperature),
            level.numpy(),
            (0.0, 0.0) if config.value_range is None else tuple(map(float, config.value_range)),
            returns is not None,
            ends,
            MARGIN,
            float(config.gamma),
            0 if returns is None else returns.horizon,
            Choice(*_arrays(choice, credit, surprisal, value)),
            last is not None,
            Told(*feedback[:4], *_arrays(*told)),
            state.returns.numpy(),
            Closed(*_arrays(closing[0], decided, closing[1], closing[2], sums)),
        )
        decision = Decision(activity, value, _NOTHING, credit, surprisal)
        if last is None:
            return choice, state._replace(decision=decision, exploration_bonus=bonus)
        seen, own = last.activity.seen, _NOTHING
        outcome = Outcome(seen, last.credit, closing[0], decided, closing[1], closing[2], own)
        return choice, state._replace(decision=decision, window=(outcome,), exploration_bonus=bonus, returns=sums)

    def update(self, state: RSTDPState) -> tuple[RSTDPState, Metrics]:
        """Learn from the decision that was closed."""
        agent, fused, (outcome,) = self.agent, self.fused, state.window
        views = [outcome.seen[key] for key in fused.keys]
        traces = views[0].pre
        assert isinstance(traces, Tensor)
        deltas, parts = [], []
        scale, config = agent.td_scale, agent.config
        rules, rates = (fused.actor_rule, fused.critic_rule), (config.actor_lr, config.critic_lr)
        for rate, rule, kept, view in zip(rates, rules, state.rules, views, strict=True):
            deltas.append(kept.eligibility.new_zeros(kept.eligibility.shape[1:]))
            arrays = _arrays(kept.eligibility, view.post.unsqueeze(0), deltas[-1])
            parts.append(Synapses(*arrays, float(rate), float(rule.learning_rate), float(rule.decay)))
        power = next(iter(agent.input_scales.values()), scale)
        rms = learn(
            *_arrays(outcome.td_error, outcome.continuing, outcome.surprisal),
            *_arrays(outcome.credit.unsqueeze(0), traces.unsqueeze(0)),
            tuple(_arrays(scale.mean_square.view(1), scale.seen.view(1))),
            scale.horizon,
            config.normalise_td,
            float(config.entropy_coef),
            tuple(_arrays(power.mean_square.view(1), power.seen.view(1))),
            power.horizon,
            config.lr_per_input,
            agent.get_buffer("learning_rate_scale").view(1).numpy(),
            *parts,
        )
        for connection, delta in zip((fused.to_actor, fused.to_critic), deltas, strict=True):
            connection.apply_(delta)
        assert state.decision is not None
        metrics = {"train/td_error_rms": rms, "train/value_mean": state.decision.value.mean()}
        return state._replace(window=()), metrics


_ONE = np.zeros(1), np.zeros(1)


def _arrays(*parts: Tensor) -> list[Array]:
    return [part.numpy() for part in parts]
