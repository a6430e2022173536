"""The actor-critic: a network that reads an encoder, and whose last populations prefer actions and predict reward."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from snnrl.connections import Projection
from snnrl.encoders import AnyEncoder
from snnrl.errors import require
from snnrl.networks.feedback import ErrorFeedback
from snnrl.networks.fused_readouts import fused_readouts
from snnrl.networks.graph import Edge
from snnrl.networks.inputs import NetworkInput, Spikes
from snnrl.networks.network import Network
from snnrl.networks.sharing import OwnNeurons, shared
from snnrl.networks.structure import NetworkState
from snnrl.networks.window_run import Seen, rule_changes
from snnrl.neurons import AnyNeuron, SaturatingIF
from snnrl.plasticity import AnyRule, EligibilityState, EProp, ThirdFactor, ThreeFactor, spike_train
from snnrl.ranks import Ranks
from snnrl.spikes import SparseSpikes, stack_spikes
from snnrl.state import State


class Layer(NamedTuple):
    """A population of neurons, and how it is connected."""

    neurons: AnyNeuron
    connection: Projection
    """From the population before."""
    rule: AnyRule | None
    recurrent: Projection | None = None
    """From the population itself; it learns by a rule of its own."""
    recurrent_rule: AnyRule | None = None
    feedback: ErrorFeedback | None = None
    """Of a hidden layer that is told what the readouts got wrong."""
    critic: Layer | None = None
    """Of a hidden layer that predicts reward by itself."""


class ActorCriticState(NamedTuple):
    """Episode state of :class:`ActorCritic`, without that of its rules."""

    encoder: State
    network: NetworkState
    trace: Tensor
    """``[batch, size]`` presynaptic trace, which fused readouts share; else ``[batch, 0]``."""


class Activity(NamedTuple):
    """What the network did in one window."""

    preference: Tensor
    """``[batch, actions]``: spikes per neuron of each action's population."""
    level: Tensor
    """``[batch]``: the critic's mean rate as a share of its highest, in [0, 1]."""
    own_levels: Mapping[str, Tensor]
    """``[batch]``: that of each hidden layer's own critic, by the layer's name."""
    fired: Mapping[str, Tensor]
    """Spikes of each population of neurons ``[time, batch, *shape]``, or the actor's probabilities of them."""
    seen: Mapping[str, Seen]
    """What each plastic connection saw, by its key, for :meth:`ActorCritic.joined`; empty in evaluation mode."""
    input: Spikes
    """The encoder's spikes ``[time, batch, size]``; synchronous ones have rows ``(batch,)``."""


class ActorCritic(Network):
    """Populations ``input``, ``hidden_1`` and so on, ``actor`` and ``critic``, the last two side by side.

    The encoder's spikes are the input. The actor has a population of neurons for each action, whose spikes per neuron
    are the preference for it; the critic's mean rate, between silence and its highest, stands for a value. Rules learn
    when all that followed from a decision is known, see :meth:`changes`.

    Behind an encoder of synchronous spikes each window begins anew, unless the network is ``persistent``: neurons and
    traces of spikes keep nothing of the window before. With any other they go on, so that what was seen earlier in an
    episode has an effect as long as membranes, adaptation and recurrent spikes last. Eligibility always lasts from
    window to window.

    Where there is no hidden layer and actor and critic are the default ones, windows are run and learned from by
    :class:`~snnrl.networks.fused_readouts.FusedReadouts`, which gives the same.

    Args:
        encoder: observation to spikes.
        hidden: hidden layers, the first of which reads the encoder.
        actor: the neurons of all actions, those of one action side by side.
        critic: the critic's neurons.
        actions: number of populations that share the actor's neurons equally.
        sim_steps: length of a window.
        dt: simulation step in ms.
        persistent: whether neurons and traces go on from one window to the next with synchronous spikes as well.
        fused: ``False`` goes without the fused implementation.
        graded: which of ``actor`` and ``critic`` have rates that resolve less than one spike, as what their membranes
            have gained counts as a part of one; they are :class:`~snnrl.neurons.SaturatingIF`.

    Attributes:
        scaled: plastic connections whose rates may be divided by the length of what reaches them, and the name under
            which that is kept: of three-factor rules the presynaptic population, of whose connections the first one
            counts; of e-prop, which filters spikes as the neurons do, the connection.

    Raises:
        ConfigError: a window without steps, actors that are no multiple of the actions, parts that do not fit.
    """

    def __init__(
        self,
        encoder: AnyEncoder,
        hidden: Sequence[Layer],
        actor: Layer,
        critic: Layer,
        *,
        actions: int,
        sim_steps: int,
        dt: float = 1.0,
        persistent: bool = False,
        fused: bool = True,
        graded: Collection[str] = (),
    ) -> None:
        super().__init__(dt=dt)
        require(sim_steps >= 1, "sim_steps", sim_steps, "at least 1")
        size = actor.neurons.size
        require(size % actions == 0, "actions", actions, f"a divisor of the {size} neurons of the actor")
        self.encoder, self.actions, self.sim_steps, self.persistent = encoder, actions, sim_steps, persistent
        self.add("input", encoder.size)
        self.feedback = nn.ModuleDict()
        self.own_critics: dict[str, str] = {}
        last = "input"
        for number, layer in enumerate(hidden, start=1):
            last = self._add_layer(f"hidden_{number}", layer, last)
            if layer.feedback is not None:
                self.feedback[last] = layer.feedback
            if layer.critic is not None:
                self.own_critics[last] = self._add_layer(f"{last}_critic", layer.critic, last)
        self._add_layer("actor", actor, last)
        self._add_layer("critic", critic, last)
        self.readouts = tuple(self._reading(name) for name in ("actor", "critic"))
        for name, layer in (("actor", actor), ("critic", critic)):
            fits = name not in graded or isinstance(layer.neurons, SaturatingIF)
            require(
                fits, f"{name}.neuron", type(layer.neurons).__name__, "saturating_if, whose membranes keep the rest"
            )
        self.actor_rate_max, self.graded = highest_rate(actor.neurons), frozenset(graded)
        self.fused = fused_readouts(self, sim_steps) if fused and not graded else None
        self.scaled = self._scaled()

    def _reading(self, name: str) -> Edge:
        """By which a population reads the one before."""
        return next(edge for edge in self.edges if edge.post == name)

    def _add_layer(self, name: str, layer: Layer, pre: str) -> str:
        self.add(name, layer.neurons)
        self.connect(pre, name, layer.connection, rule=layer.rule)
        if layer.recurrent is not None:
            self.connect(name, name, layer.recurrent, rule=layer.recurrent_rule)
        return name

    def begin(self, batch: int) -> ActorCriticState:
        """The state at the start of an episode, for ``batch`` rows."""
        anew = self.encoder.synchronous and not self.persistent
        size = self.encoder.size if self.fused is not None and not anew else 0
        activity = self.init_activity(batch)
        like: Tensor = activity.neurons[0][0]
        return ActorCriticState(self.encoder.init_state(batch), activity, like.new_zeros((batch, size)))

    def init_rules(self, batch: int) -> State:
        return tuple(self._init_rule(edge, batch) for edge in self.plastic())

    def _init_rule(self, edge: Edge, batch: int) -> State:
        rule, learned = self.rule(edge), self.learned(edge)
        few = edge.pre == "input" and self.encoder.synchronous and not self.persistent
        state: State
        if few and isinstance(rule, ThreeFactor) and rule.keeps_recent(self.connection(edge)):
            traces = () if self.fused is not None else rule.init_traces(learned, edge.pre_shape, edge.post_shape, batch)
            state = rule.init_recent(learned, traces, batch)
        elif self.fused is not None:
            state = EligibilityState((), learned.new_eligibility(batch))
        else:
            state = rule.init_state(learned, edge.pre_shape, edge.post_shape, batch)
        return state

    def share_out(self, ranks: Ranks) -> None:
        """Let several processes learn the synapses of large connections from synchronous spikes together.

        States of rules are made by :meth:`init_rules` after this.
        """
        if self.encoder.synchronous and not self.persistent:
            own, edges = OwnNeurons(ranks), [edge for edge in self.plastic() if edge.pre == "input"]
            self.shares = {edge.key: shared(self.connection(edge), self.rule(edge), own) for edge in edges}
            if self.fused is not None:
                self.fused.shares = self.shares

    def forward(
        self, observation: Tensor, state: ActorCriticState, *, expected: bool = False
    ) -> tuple[Activity, ActorCriticState]:
        """Run one window.

        Args:
            observation: ``[batch, *observation_shape]``.
            state: from :meth:`begin` or the last window.
            expected: take the actor's firing probabilities in place of drawn spikes, where the neurons have some, which
                makes the preference exact.

        Returns:
            The activity and the state after the window.
        """
        spikes, encoder_state = self._encoded(observation, state)
        if self.fused is not None:
            actor, critic = state.network.neurons
            window = self.fused.run(spikes, (actor, critic), state.trace, expected=expected, learning=self.training)
            after = ActorCriticState(encoder_state, state.network._replace(neurons=window.neurons), window.trace)
            return self._activity(spikes, {"actor": window.actor, "critic": window.critic}, window.seen), after
        fired, observed, network = self.observe(self._input(spikes, expected), state.network)
        activity = self._activity(spikes, fired, observed, self._gained(state.network, network))
        if isinstance(spikes, SparseSpikes):
            network = self.init_activity(spikes.rows[0])
        after = ActorCriticState(encoder_state, network, state.trace)
        return activity, after

    def _encoded(self, observation: Tensor, state: ActorCriticState) -> tuple[Spikes, State]:
        """The input of a window, and the encoder's state after it."""
        spikes, encoder_state = self.encoder(observation, state.encoder)
        if self.persistent and isinstance(spikes, SparseSpikes):
            spikes = spike_train(spikes.reshape_rows(1, len(observation)), self.sim_steps)
        return spikes, encoder_state

    def potentials(self, observation: Tensor, state: ActorCriticState, *, expected: bool = False) -> dict[str, Tensor]:
        """Potentials of all populations of neurons ``[time, batch, *shape]`` in the window that :meth:`forward` runs.

        Arguments are those of :meth:`forward`. The window draws and adapts as that does, so whoever wants both puts
        back in between what lasts; all neurons go step by step.
        """
        spikes, _ = self._encoded(observation, state)
        given = self._input(spikes, expected)
        wanted = {name: type(own)._fields[:1] for name, own in zip(self.neurons, state.network.neurons, strict=True)}
        recorded = self.recorded(given, state.network, wanted)
        return {name: next(iter(tracks.values())) for name, tracks in recorded.items()}

    def _gained(self, before: NetworkState, after: NetworkState) -> dict[str, Tensor] | None:
        """What the membranes of actor and critic have gained in a window, in spikes ``[batch, neurons]``."""
        if not self.graded:
            return None
        states = zip(self.neurons, before.neurons, after.neurons, strict=True)
        ends = {name: (self.neuron(name), old, new) for name, old, new in states if name in self.graded}
        return {name: each.gained(*pair) for name, (each, *pair) in ends.items() if isinstance(each, SaturatingIF)}

    def _input(self, spikes: Spikes, expected: bool) -> NetworkInput:
        together = isinstance(spikes, SparseSpikes)
        batch = spikes.rows[0] if isinstance(spikes, SparseSpikes) else spikes.shape[1]
        given = spikes.reshape_rows(1, batch) if isinstance(spikes, SparseSpikes) else spikes
        exact = frozenset({"actor"} if expected and hasattr(self.neurons["actor"], "expect") else ())
        length = self.sim_steps if together else 1
        return NetworkInput({"input": given}, {}, {}, {}, self.sim_steps, batch, length, exact)

    def _activity(
        self,
        spikes: Spikes,
        fired: Mapping[str, Tensor],
        seen: Mapping[str, Seen],
        gained: Mapping[str, Tensor] | None = None,
    ) -> Activity:
        counts = {name: fired[name].sum(0) for name in ("actor", "critic", *self.own_critics.values())}
        counts |= {name: counts[name] + gain for name, gain in (gained or {}).items()}
        own = {layer: self._level(name, counts[name]) for layer, name in self.own_critics.items()}
        preference = counts["actor"].view(len(counts["actor"]), self.actions, -1).mean(-1)
        return Activity(preference, self._level("critic", counts["critic"]), own, fired, seen, spikes)

    def _level(self, critic: str, counts: Tensor) -> Tensor:
        """The mean rate ``[batch]`` of spike counts ``[batch, neurons]`` as a share of the critic's highest."""
        return counts.mean(-1) / (highest_rate(self.neuron(critic)) * self.sim_steps)

    def joined(self, windows: Sequence[Mapping[str, Seen]]) -> dict[str, Seen]:
        """What plastic connections saw in several windows between two changes of weights, each a step of its own."""
        if self.fused is not None:
            shared = _stacked([window[self.fused.keys[0]].pre for window in windows])
            return {key: Seen(shared, _stacked_dense([window[key].post for window in windows])) for key in windows[0]}
        return {key: _in_a_row([window[key] for window in windows]) for key in windows[0]}

    def changes(
        self, seen: Mapping[str, Seen], third: Mapping[str, ThirdFactor], rules: State
    ) -> tuple[dict[str, Tensor], State]:
        """What the rules make of what they saw.

        Args:
            seen: from :meth:`joined`.
            third: by the keys of plastic connections; which windows begin anew behind an encoder of synchronous spikes
                is known here.
            rules: their states, from :meth:`init_rules` or the last changes; eligibility is updated in place.

        Returns:
            The change of each plastic connection's weights, by its key, and the states of the rules.
        """
        if self.fused is not None:
            return self.fused.changes(seen, third, rules)
        return rule_changes(self, seen, self._with_windows(seen, third), rules)

    def learning_signals(self, credit: Tensor) -> dict[str, Tensor]:
        """What each hidden layer that has feedback is told, ``[steps, batch, *shape]`` by its name.

        Args:
            credit: ``[steps, batch, actions]``: see :meth:`~snnrl.decoders.ActionCode.credit`.
        """
        signals = {}
        for name, feedback in self.feedback.items():
            assert isinstance(feedback, ErrorFeedback)
            own = self.own_critics.get(name)
            if feedback.kind == "symmetric":
                feedback.read_actions(self.connection(self.readouts[0]).weight)
            if feedback.kind == "symmetric" or own is not None:
                reading = self.readouts[1] if own is None else self._reading(own)
                feedback.read_value(self.connection(reading).weight)
            signals[name] = feedback(credit)
        return signals

    def change_feedback(self, changes: Mapping[str, Tensor]) -> None:
        """Tell adaptive feedback how the weights of plastic connections have been changed, by their keys."""
        actor, critic = (changes.get(edge.key) for edge in self.readouts)
        for feedback in self.feedback.values():
            assert isinstance(feedback, ErrorFeedback)
            feedback.change(actor, critic)

    def input_powers(
        self, seen: Mapping[str, Seen], third: Mapping[str, ThirdFactor], rules: State
    ) -> dict[str, Tensor]:
        """The mean squared length of what rules with eligibility multiply postsynaptic activity by, 0-d tensors.

        Arguments are those of :meth:`changes`; keys of the result are the names in :attr:`scaled`.
        """
        powers: dict[str, Tensor] = {}
        third = third if self.fused is not None else self._with_windows(seen, third)
        for edge, state in zip(self.plastic(), rules, strict=True):
            rule, name = self.rule(edge), self.scaled.get(edge.key)
            if name is None or name in powers or not isinstance(rule, ThreeFactor | EProp):
                continue
            pre, post = seen[edge.key]
            pre = pre if self.fused is not None else rule.presynaptic(pre, post, state, third[edge.key])
            values = pre.value if isinstance(pre, SparseSpikes) else pre
            events = pre.row_count if isinstance(pre, SparseSpikes) else pre[..., 0].numel()
            powers[name] = values.square().sum() / events
        return powers

    def _scaled(self) -> dict[str, str]:
        names = {}
        for edge in self.plastic():
            if isinstance(self.rule(edge), ThreeFactor | EProp):
                names[edge.key] = edge.pre if isinstance(self.rule(edge), ThreeFactor) else edge.key
        return names

    def _with_windows(self, seen: Mapping[str, Seen], third: Mapping[str, ThirdFactor]) -> dict[str, ThirdFactor]:
        """``third``, and that neurons begin anew after every window of synchronous spikes, and traces with them."""
        if not self.encoder.synchronous or self.persistent:
            return dict(third)
        known = {}
        for key, each in third.items():
            time, batch = seen[key].post.shape[:2]
            anew = seen[key].post.new_zeros((time // self.sim_steps, batch))
            known[key] = each._replace(activity_continuing=anew)
        return known


def _stacked(parts: list[Spikes]) -> Spikes:
    """Windows along a new first dimension, without a copy where there is but one."""
    sparse = [part for part in parts if isinstance(part, SparseSpikes)]
    return stack_spikes(sparse) if sparse else _stacked_dense([part for part in parts if isinstance(part, Tensor)])


def _stacked_dense(parts: list[Tensor]) -> Tensor:
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def _in_a_row(parts: list[Seen]) -> Seen:
    """Windows ``[time, batch, ...]`` one after the other; of synchronous spikes rows ``(steps, batch)``."""
    if len(parts) == 1:
        return parts[0]
    sparse = [part.pre for part in parts if isinstance(part.pre, SparseSpikes)]
    post = torch.cat([part.post for part in parts])
    if sparse:
        return Seen(stack_spikes(sparse).reshape_rows(len(sparse), sparse[0].rows[1]), post)
    return Seen(torch.cat([part.pre for part in parts if isinstance(part.pre, Tensor)]), post)


def highest_rate(neurons: AnyNeuron) -> float:
    """The most spikes that a neuron can fire in a simulation step, on average."""
    highest = getattr(neurons, "rate_max", None)
    return 1 / (1 + getattr(neurons, "refractory_steps", 0)) if highest is None else float(highest)
