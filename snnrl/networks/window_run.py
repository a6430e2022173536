"""One window of a network, during which its weights stand still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from snnrl.connections.base import gives_new_memory
from snnrl.errors import ConfigError
from snnrl.networks.graph import Edge, Loop
from snnrl.networks.inputs import NetworkInput, Spikes
from snnrl.networks.recording import Recorder
from snnrl.networks.structure import NetworkState, Structure
from snnrl.plasticity import ThirdFactor, spike_train
from snnrl.spikes import SparseSpikes, as_dtype
from snnrl.state import State


class Seen(NamedTuple):
    """What a plastic connection saw in a window: the arguments of its rule."""

    pre: Spikes
    """``[time, batch, *pre_shape]``, or sparse with rows ``(steps, batch)``."""
    post: Tensor
    """``[time, batch, *post_shape]`` spikes, or scores or excesses for a rule that needs those."""


def rule_changes(
    structure: Structure, seen: Mapping[str, Seen], third: Mapping[str, ThirdFactor], states: State
) -> tuple[dict[str, Tensor], State]:
    """What the rules make of a window.

    Args:
        structure: whose rules they are.
        seen: by the keys of plastic connections.
        third: likewise.
        states: of the rules, in the order of :meth:`~snnrl.networks.Structure.plastic`.

    Returns:
        The change of each connection's weights, and the states after the window.

    Raises:
        ConfigError: a rule that needs a modulator has none.
    """
    changes, after = {}, []
    for edge, state in zip(structure.plastic(), states, strict=True):
        rule = structure.rule(edge)
        if rule.uses_modulator and third[edge.key].modulator is None:
            raise ConfigError(f"modulator=None: must be given, {edge.key} learns by {type(rule).__name__}")
        pre, post = seen[edge.key]
        share = structure.share(edge)
        change, state = rule(structure.learned(edge), share.taken(pre), post, state, third[edge.key])
        changes[edge.key] = share.joined(change)
        after.append(state)
    return changes, tuple(after)


class WindowRun:
    """Runs the parts of a network in their order, each over all steps before the next.

    Args:
        network: what is run.
        given: its input.
        state: before the window.
        recorder: what is told of spikes and states.
        learning: whether rules will want to know what arrived.
    """

    def __init__(
        self, network: Structure, given: NetworkInput, state: NetworkState, recorder: Recorder, *, learning: bool
    ) -> None:
        self.network, self.given, self.recorder = network, given, recorder
        self.neurons = dict(zip(network.neurons, state.neurons, strict=True))
        self.under_way = dict(zip(network.connections, state.arriving, strict=True))
        self.rules = state.rules
        self.inputs = {name: given.inputs[name] for name in network.shapes if name not in network.neurons}
        self.spikes: dict[str, Tensor] = {}
        self.arrived: dict[str, Spikes] = {}
        self.scores: dict[str, Tensor] = {}
        self.excesses: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self.plastic = network.plastic()
        plastic = self.plastic if learning else []
        self.scored = {edge.post for edge in plastic if network.rule(edge).uses_score}
        self.measured = {edge.post for edge in plastic if network.rule(edge).uses_excess}
        self.changing = {edge.key for edge in plastic} if torch.is_grad_enabled() else set()

    def run(self, loops: list[Loop]) -> None:
        """Run all parts."""
        for loop in loops:
            names = [name for name in loop.members if name in self.network.neurons]
            if names:
                self._run_part(loop, names)
        self.recorder.advance(self.given.time)

    def learn(self, third: ThirdFactor) -> None:
        """Let every rule change its connection's weights by what the window was."""
        thirds = dict.fromkeys((edge.key for edge in self.plastic), third)
        changes, self.rules = rule_changes(self.network, self.seen(), thirds, self.rules)
        for edge in self.plastic:
            self.network.connection(edge).apply_(changes[edge.key])

    def seen(self) -> dict[str, Seen]:
        """What every plastic connection saw, by its key."""
        return {edge.key: self._seen(edge) for edge in self.plastic}

    def _seen(self, edge: Edge) -> Seen:
        rule, pre = self.network.rule(edge), self.arrived[edge.key]
        if isinstance(pre, SparseSpikes) and self.given.length == 1:  # one step after the other, as any spike train
            pre = pre.dense()
        told = self.scores if rule.uses_score else self.excesses if rule.uses_excess else self.spikes
        post = told[edge.post]
        return Seen(
            pre if isinstance(pre, SparseSpikes) else _viewed(pre, edge.pre_shape), _viewed(post, edge.post_shape)
        )

    def state(self) -> NetworkState:
        """The state after the window."""
        return NetworkState(tuple(self.neurons.values()), tuple(self.under_way.values()), self.rules)

    def _run_part(self, loop: Loop, names: list[str]) -> None:
        current = {name: self._current(name) for name in names}
        shared = set(self.given.inputs)
        for edge in loop.entering:
            transmitted = self._enter(edge)
            held = current[edge.post]
            current[edge.post] = transmitted if held is None else held + transmitted
            if held is None and not gives_new_memory(self.network.connection(edge)):
                shared.add(edge.post)
        whole = {name: self._silence(name) if value is None else value for name, value in current.items()}
        watched = self.scored | self.measured | set(self.given.inject)
        by_steps = loop.inside or any(name in watched or self.recorder.wants_state(name) for name in names)
        if by_steps:
            self._step(loop.inside, names, whole)
            return
        for name in names:
            neuron, before = self.network.neuron(name), self.neurons[name]
            if name in self.given.expected:
                fired, self.neurons[name] = neuron.expect(whole[name], before)
            else:
                fired, self.neurons[name] = neuron.scan(whole[name], before, reuse=name not in shared)
            self.spikes[name] = self._held(name, fired, slice(None))
            self.recorder.take_window(name, self.spikes[name])

    def _current(self, name: str) -> Tensor | None:
        """What comes to neurons from outside."""
        given = self.given.inputs.get(name)
        return given if isinstance(given, Tensor) else None

    def _enter(self, edge: Edge) -> Tensor:
        """The current ``[time, batch, *post_shape]`` of what arrives at a connection from a population run before."""
        events = self.inputs.get(edge.pre)
        if isinstance(events, SparseSpikes) and not self.network.delay(edge).longest and len(edge.pre_shape) == 1:
            self.arrived[edge.key] = events
            current = self._transmit(edge, events)
            if self.given.length == 1:
                return current
            whole = current.new_zeros((self.given.steps, self.given.length, *current.shape[1:]))
            whole[:, 0] = current
            return whole.flatten(0, 1)
        spikes = self._fired(edge.pre)
        arrived, self.under_way[edge.key] = self.network.delay(edge).shift(spikes, self.under_way[edge.key])
        self.arrived[edge.key] = arrived
        return self._transmit(edge, arrived)

    def _fired(self, name: str) -> Tensor:
        """The spikes of a population that was run, or of an input, ``[time, batch, *shape]``."""
        if name in self.inputs and name not in self.spikes:
            given = self.inputs[name]
            dense = spike_train(given, self.given.time)
            self.spikes[name] = dense if isinstance(given, Tensor) else _viewed(dense, self.network.shapes[name])
        return self.spikes[name]

    def _step(self, inside: tuple[Edge, ...], names: list[str], current: dict[str, Tensor]) -> None:
        under_way = {edge.key: self.under_way[edge.key].to(self.neurons[edge.pre][0].dtype) for edge in inside}
        past = {key: list(spikes.unbind(1)) for key, spikes in under_way.items()}
        heard: dict[str, list[Tensor]] = {edge.key: [] for edge in inside}
        fired: dict[str, list[Tensor]] = {name: [] for name in names}
        scores: dict[str, list[Tensor]] = {name: [] for name in names if name in self.scored}
        excesses: dict[str, list[Tensor]] = {name: [] for name in names if name in self.measured}
        for step in range(self.given.time):
            now = {name: current[name][step] for name in names}
            for edge in inside:
                reaching = self.network.delay(edge).at(past[edge.key], step)
                heard[edge.key].append(reaching)
                now[edge.post] = now[edge.post] + self._transmit(edge, reaching)
            for name in names:
                neuron, before = self.network.neuron(name), self.neurons[name]
                if name in self.given.inject:
                    potential = "v" if hasattr(before, "v") else before._fields[0]
                    raised = getattr(before, potential) + self.given.inject[name][step]
                    before = before._replace(**{potential: raised})
                if name in excesses:
                    excesses[name].append(neuron.above_threshold(now[name], before))
                if name in self.given.expected:
                    out, after = neuron.expect(now[name].unsqueeze(0), before)
                    out = out[0]
                else:
                    out, after = neuron(now[name], before)
                fired[name].append(self._held(name, out, step))
                self.neurons[name] = after
                if name in scores:
                    score = neuron.score(after[0], fired[name][-1])
                    silent = getattr(before, "refractory", None)  # a spike that cannot be has no score
                    scores[name].append(score if silent is None else score * (silent <= 0))
                self.recorder.take_step(name, step, fired[name][-1], after)
            for edge in inside:
                past[edge.key].append(fired[edge.pre][-1])
        for name in names:
            self.spikes[name] = torch.stack(fired[name])
        self.scores.update({name: torch.stack(score) for name, score in scores.items()})
        self.excesses.update({name: torch.stack(excess) for name, excess in excesses.items()})
        for edge in inside:
            self.arrived[edge.key] = torch.stack(heard[edge.key])
            self.under_way[edge.key] = torch.stack(past[edge.key][self.given.time :], dim=1)

    def _transmit(self, edge: Edge, spikes: Spikes) -> Tensor:
        """The current ``[..., *post_shape]`` of spikes ``[..., *pre_shape]``."""
        leading = tuple(spikes.shape[: len(spikes.shape) - len(self.network.shapes[edge.pre])])
        connection, shaped, led = self.network.connection(edge), spikes, False
        if isinstance(spikes, SparseSpikes):
            leading, led = spikes.rows, spikes.value.requires_grad
        else:
            shaped = spikes.reshape(*leading, *edge.pre_shape)
            led = shaped.requires_grad
        current: Tensor
        if edge.key in self.changing and (led or connection.weight.requires_grad):
            # the backward pass reads the weights as they are now; a rule will change them
            if edge.key not in self.weights:
                self.weights[edge.key] = connection.weight.clone()
            current = functional_call(connection, {"weight": self.weights[edge.key]}, (shaped,))
        else:
            current = connection(shaped)
        current = as_dtype(current, self.neurons[edge.post][0].dtype, f"{edge.key}, current")
        return current.reshape(*leading, *self.network.shapes[edge.post])

    def _silence(self, name: str) -> Tensor:
        potential: Tensor = self.neurons[name][0]
        return potential.new_zeros((self.given.time, *potential.shape))

    def _held(self, name: str, spikes: Tensor, steps: slice | int) -> Tensor:
        """Spikes after clamping."""
        for held, value in ((self.given.clamp, 1.0), (self.given.unclamp, 0.0)):
            if name in held:
                spikes = torch.where(held[name][steps], torch.full_like(spikes, value), spikes)
        return spikes


def _viewed(activity: Tensor, shape: tuple[int, ...]) -> Tensor:
    """``[time, batch, ...]`` as a connection sees it."""
    return activity.reshape(*activity.shape[:2], *shape)
