"""The default agent on vectors, compiled: a decision and what is learned of it without operations of torch between."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from snnrl.agents.base import Metrics
from snnrl.agents.compiled_step import KINDS, NOTHING, CompiledStep, Parts, arrays, tensors
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.encoders import PopulationEncoder
from snnrl.encoders.normalise import LEAST_DEVIATION
from snnrl.encoders.population import PopulationState
from snnrl.envs import Feedback
from snnrl.kernels.decision import Cells, Episode, Fired, LearningMemory, Synapses, WindowMemory, learn, see
from snnrl.kernels.running import Measured, normalise
from snnrl.networks import Activity, ActorCriticState, Seen
from snnrl.networks.fused_readouts import FusedReadouts
from snnrl.neurons import EscapeNoiseState, SaturatingIFState
from snnrl.noise import uniform
from snnrl.plasticity import RunningScale
from snnrl.state import State
from snnrl.types import Array, Saved


class CompiledVectors(CompiledStep):
    """For an encoder of place cells, where weights change after each decision by the TD error.

    Args:
        agent: its parts.
        encoder: the agent's.
        fused: its readouts.
    """

    def __init__(self, agent: Parts, encoder: PopulationEncoder, fused: FusedReadouts) -> None:
        super().__init__(agent, fused.to_actor, fused.to_critic)
        self.fused, self.encoder = fused, encoder
        self.first = np.cumsum(self.sizes) - self.sizes
        counts = (*encoder.lines, *encoder.grids)
        self.widest = max(counts)
        self.cells = Cells(
            np.concatenate([torch.linspace(-1, 1, cells, dtype=torch.float32).numpy() for cells in counts]),
            np.array(encoder.lines, np.int64),
            np.array(encoder.grids, np.int64),
            encoder.get_buffer("_phase").numpy(),
        )
        self.adapt_range = float(encoder.normaliser.adapt_range)
        self._kept: tuple[dict[str, Tensor], Measured] | None = None

    def __getstate__(self) -> Saved:
        """Without views of buffers: of a copy they would be of nothing that the copy has."""
        return {**self.__dict__, "_kept": None}

    def laid_out(self, rules: State) -> State:
        return tuple(rule._replace(eligibility=rule.eligibility.contiguous()) for rule in rules)

    def serves(self) -> bool:
        config = self.agent.config
        fits = config.update_every == 1 and config.plasticity and config.modulator == "td"
        self.serving = fits and self.agent.network.fused is self.fused and super().serves()
        return self.serving

    def see(
        self, seen: Array, feedback: Feedback, before: ActorCriticState
    ) -> tuple[Activity, ActorCriticState] | None:
        """See :meth:`CompiledStep.see`; ``None`` for observations that are no finite floating-point numbers."""
        if seen.ndim != 2 or seen.dtype not in (np.float32, np.float64):
            return None
        agent, fused, a, c = self.agent, self.fused, self.fused.actor, self.fused.critic
        weights = fused.to_actor.weight, fused.to_critic.weight
        kind = KINDS[weights[0].dtype]
        batch, time, actors, critics, size = len(seen), agent.config.sim_steps, a.size, c.size, self.encoder.size
        noise = uniform((time, batch, actors), weights[0], a.generator)
        place = np.empty(seen.shape, np.float32)
        normaliser, measured = self.encoder.normaliser, self._measured()
        observed = np.ascontiguousarray(seen)
        if not normalise(observed, measured, self.adapt_range, LEAST_DEVIATION, normaliser.adaptive, place):
            return None
        (u_actor,), (u_critic, v_critic) = before.network.neurons
        assert isinstance(before.encoder, PopulationState)
        last = arrays(before.encoder.phase.contiguous(), u_actor, u_critic, v_critic, before.trace)
        state = Episode(last[0].copy(), *(was.astype(kind, "C") for was in last[1:]))
        if feedback.reset.any():
            nothing = np.zeros(1, kind)
            starts = self.cells.phase, nothing, nothing, c.phase.numpy(), nothing
            for part, start in zip(state, starts, strict=True):
                part[feedback.reset] = start
        spikes = [np.empty((time, batch, width), kind) for width in (actors, critics)]
        traces, entering = (np.empty((time, batch, size), kind) for _ in range(2))
        preference, level = np.empty((batch, agent.code.populations), kind), np.empty(batch, kind)
        see(
            place,
            self.cells,
            np.float32(2 * self.encoder.width),
            np.float32(self.encoder.group_rate),
            state,
            weights[0].t().numpy(),
            weights[1].t().numpy(),
            noise.numpy(),
            (a.decay, a.v_threshold, a.width, a.rate_max),
            (c.decay, c.gain, c.tonic, c.rate_max),
            fused.actor_rule.decay_pre,
            WindowMemory(
                np.empty((seen.shape[1], self.widest), np.float32),
                np.empty(size, np.float32),
                np.empty(size, np.int32),
                np.empty((2, size), np.int64),
                np.empty(actors, kind),
                np.empty(critics, kind),
                np.empty(critics, np.float64),
            ),
            Fired(spikes[0], spikes[1], traces, entering),
            preference,
            level,
        )
        floors = fused.actor_rule.postsynaptic_floor, fused.critic_rule.postsynaptic_floor
        factors = [out + kind(floor) if floor else out for out, floor in zip(spikes, floors, strict=True)]
        made = tensors(*state)
        neurons = EscapeNoiseState(made[1]), SaturatingIFState(made[2], made[3])
        network = ActorCriticState(PopulationState(made[0]), before.network._replace(neurons=neurons), made[4])
        trace, train, *both = tensors(traces, entering, *factors)
        views = {key: Seen(trace, factor) for key, factor in zip(fused.keys, both, strict=True)}
        out = dict(zip(("actor", "critic"), tensors(*spikes), strict=True))
        rates = tensors(preference, level)
        return Activity(rates[0], rates[1], NOTHING, out, views, train), network

    def bonus(self, last: Tensor | None, preference: Tensor) -> Tensor:
        """The exploration bonus ``[batch, populations]`` after the last one: the agent's, by the same draws."""
        agent, suited = self.agent, self.agent.suited
        if last is None:
            return agent.bonus(None, preference)
        choice = agent.code.at_random(len(preference), preference.device, agent.generator).numpy()
        drawn = uniform((len(preference), 1), preference, agent.generator).numpy()
        rows = np.flatnonzero(drawn < 1 / suited.exploration_steps)
        if not len(rows):
            return last
        made = last.to(preference.dtype).numpy().copy()
        made[rows] = 0
        made[rows[:, None], self.first + choice[rows]] = suited.exploration_bonus
        return torch.from_numpy(made)

    def _measured(self) -> Measured:
        """The normaliser's buffers as arrays, made anew where a buffer was replaced."""
        buffers = self.encoder.normaliser._buffers
        if self._kept is None or any(buffers[name] is not kept for name, kept in self._kept[0].items()):
            ends = ("lowest", "highest") if self.adapt_range else ("mean", "mean")
            names = ("_middle", "_reach", "_bounded", "_squash", "count", "mean", "spread", *ends)
            of = {name: self.encoder.normaliser.get_buffer(name) for name in names}
            self._kept = of, Measured(*arrays(*(of[name].view(-1) for name in names)))
        return self._kept[1]

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
        kind, (time, _, size) = KINDS[traces.dtype], traces.shape
        product, whole, (scales, length, gate) = np.empty(size, kind), np.empty(size, kind), np.ones((3, 1), kind)
        memory = LearningMemory(np.empty(time, np.int64), product, whole, np.zeros(size, kind), scales, length, gate)
        rms = learn(
            outcome.td_error.numpy(),
            outcome.continuing.numpy(),
            outcome.surprisal.numpy(),
            outcome.credit.numpy(),
            traces.numpy(),
            (scale.mean_square.view(1).numpy(), scale.seen.view(1).numpy()),
            scale.horizon,
            config.normalise_td,
            float(agent.suited.td_limit),
            exploring * float(agent.suited.entropy_coef),
            (power.mean_square.view(1).numpy(), power.seen.view(1).numpy()),
            power.horizon,
            config.lr_per_input,
            agent.rate_scale().view(1).numpy(),
            parts[0],
            parts[1],
            memory,
        )
        for connection, delta in zip((fused.to_actor, fused.to_critic), deltas, strict=True):
            connection.apply_(torch.from_numpy(delta))
        assert state.decision is not None
        metrics: Metrics = {"train/td_error_rms": rms, "train/value_mean": state.decision.value.mean()}
        return state._replace(window=()), metrics
