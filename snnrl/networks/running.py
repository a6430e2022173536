"""One stretch of steps of a network, during which its weights stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from snnrl.connections.base import gives_new_memory
from snnrl.errors import ConfigError
from snnrl.networks.graph import Edge, Loop
from snnrl.networks.recording import Recorder
from snnrl.plasticity import ThirdFactor
from snnrl.spikes import as_dtype

if TYPE_CHECKING:
    from snnrl.networks.network import Network


class NetworkState(NamedTuple):
    """Episode state of a :class:`~snnrl.networks.Network`."""

    neurons: tuple[Any, ...]
    """State of each population of neurons, in the order in which they were added."""
    arriving: tuple[Tensor, ...]
    """Spikes under way on each connection ``[batch, steps, *pre_shape]``, oldest first."""
    rules: tuple[Any, ...]
    """State of each plastic connection's rule."""


class Drive(NamedTuple):
    """What drives a network in a stretch, each by the name of a population and ``[time, batch, *shape]``."""

    inputs: dict[str, Tensor]
    clamp: dict[str, Tensor]
    unclamp: dict[str, Tensor]
    inject: dict[str, Tensor]
    steps: int
    batch: int

    def between(self, first: int, last: int) -> Drive:
        """The steps ``first .. last - 1``."""

        def cut(whole: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: value[first:last] for name, value in whole.items()}

        parts = cut(self.inputs), cut(self.clamp), cut(self.unclamp), cut(self.inject)
        return Drive(*parts, steps=last - first, batch=self.batch)

    def cast(self, neurons: dict[str, torch.dtype]) -> Drive:
        """Currents, potentials and spikes in the dtype of the neurons that they drive; bools remain."""
        spikes = next(iter(neurons.values()), torch.get_default_dtype())

        def cast(what: str, whole: dict[str, Tensor]) -> dict[str, Tensor]:
            return {
                name: value
                if value.dtype == torch.bool and name not in neurons
                else as_dtype(value, neurons.get(name, spikes), f"{what}.{name}")
                for name, value in whole.items()
            }

        return self._replace(inputs=cast("inputs", self.inputs), inject=cast("inject", self.inject))


class Stretch:
    """Runs the parts of a network in their order, each over all steps before the next.

    Args:
        network: what is run.
        drive: its input.
        state: before the stretch.
        recorder: what is told of spikes and states.
        learning: whether rules will want to know what arrived.
    """

    def __init__(
        self, network: Network, drive: Drive, state: NetworkState, recorder: Recorder, *, learning: bool
    ) -> None:
        self.network, self.drive, self.recorder = network, drive, recorder
        self.neurons = dict(zip(network.neurons, state.neurons, strict=True))
        self.under_way = dict(zip(network.connections, state.arriving, strict=True))
        self.rules = state.rules
        self.spikes = {name: drive.inputs[name] for name in network.shapes if name not in network.neurons}
        self.arrived: dict[str, Tensor] = {}
        self.scores: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        plastic = network.plastic() if learning else []
        self.scored = {edge.post for edge in plastic if network.rule(edge).uses_score}
        self.changing = {edge.key for edge in plastic} if torch.is_grad_enabled() else set()

    def run(self, loops: list[Loop]) -> None:
        """Run all parts."""
        for loop in loops:
            names = [name for name in loop.members if name in self.network.neurons]
            if names:
                self._run_part(loop, names)
        self.recorder.advance(self.drive.steps)

    def learn(self, modulator: Tensor | None) -> None:
        """Let every rule change its connection's weights by what the stretch was."""
        changes, after = [], []
        for edge, state in zip(self.network.plastic(), self.rules, strict=True):
            connection, rule = self.network.connection(edge), self.network.rule(edge)
            if rule.uses_modulator and modulator is None:
                raise ConfigError(f"modulator=None: must be given, {edge.key} learns by {type(rule).__name__}")
            pre = _viewed(self.arrived[edge.key], edge.pre_shape)
            post = _viewed((self.scores if rule.uses_score else self.spikes)[edge.post], edge.post_shape)
            change, state = rule(connection, pre, post, state, ThirdFactor(modulator))
            changes.append(change)
            after.append(state)
        for edge, change in zip(self.network.plastic(), changes, strict=True):
            self.network.connection(edge).apply_(change)
        self.rules = tuple(after)

    def state(self) -> NetworkState:
        """The state after the stretch."""
        return NetworkState(tuple(self.neurons.values()), tuple(self.under_way.values()), self.rules)

    def _run_part(self, loop: Loop, names: list[str]) -> None:
        current = {name: self.drive.inputs.get(name) for name in names}
        shared = set(self.drive.inputs)
        for edge in loop.entering:
            delay = self.network.delay(edge)
            arrived, self.under_way[edge.key] = delay.shift(self.spikes[edge.pre], self.under_way[edge.key])
            self.arrived[edge.key] = arrived
            transmitted = self._transmit(edge, arrived)
            held = current[edge.post]
            current[edge.post] = transmitted if held is None else held + transmitted
            if held is None and not gives_new_memory(self.network.connection(edge)):
                shared.add(edge.post)
        whole = {name: self._silence(name) if value is None else value for name, value in current.items()}
        by_steps = loop.inside or any(
            name in self.drive.inject or name in self.scored or self.recorder.wants_state(name) for name in names
        )
        if by_steps:
            self._step(loop.inside, names, whole)
            return
        for name in names:
            fired, self.neurons[name] = self.network.neuron(name).scan(
                whole[name], self.neurons[name], reuse=name not in shared
            )
            self.spikes[name] = self._held(name, fired, slice(None))
            self.recorder.take_window(name, self.spikes[name])

    def _step(self, inside: tuple[Edge, ...], names: list[str], current: dict[str, Tensor]) -> None:
        under_way = {edge.key: self.under_way[edge.key].to(self.neurons[edge.pre][0].dtype) for edge in inside}
        past = {key: list(spikes.unbind(1)) for key, spikes in under_way.items()}
        heard: dict[str, list[Tensor]] = {edge.key: [] for edge in inside}
        fired: dict[str, list[Tensor]] = {name: [] for name in names}
        scores: dict[str, list[Tensor]] = {name: [] for name in names if name in self.scored}
        for step in range(self.drive.steps):
            now = {name: current[name][step] for name in names}
            for edge in inside:
                reaching = self.network.delay(edge).at(past[edge.key], step)
                heard[edge.key].append(reaching)
                now[edge.post] = now[edge.post] + self._transmit(edge, reaching)
            for name in names:
                neuron, before = self.network.neuron(name), self.neurons[name]
                if name in self.drive.inject:
                    potential = "v" if hasattr(before, "v") else before._fields[0]
                    raised = getattr(before, potential) + self.drive.inject[name][step]
                    before = before._replace(**{potential: raised})
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
        for edge in inside:
            self.arrived[edge.key] = torch.stack(heard[edge.key])
            self.under_way[edge.key] = torch.stack(past[edge.key][self.drive.steps :], dim=1)

    def _transmit(self, edge: Edge, spikes: Tensor) -> Tensor:
        """The current ``[..., *post_shape]`` of spikes ``[..., *pre_shape]``."""
        leading = spikes.shape[: spikes.dim() - len(self.network.shapes[edge.pre])]
        connection, shaped = self.network.connection(edge), spikes.reshape(*leading, *edge.pre_shape)
        current: Tensor
        if edge.key in self.changing and (shaped.requires_grad or connection.weight.requires_grad):
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
        return potential.new_zeros((self.drive.steps, *potential.shape))

    def _held(self, name: str, spikes: Tensor, steps: slice | int) -> Tensor:
        """Spikes after clamping."""
        for held, value in ((self.drive.clamp, 1.0), (self.drive.unclamp, 0.0)):
            if name in held:
                spikes = torch.where(held[name][steps], torch.full_like(spikes, value), spikes)
        return spikes


def _viewed(activity: Tensor, shape: tuple[int, ...]) -> Tensor:
    """``[time, batch, ...]`` as a connection sees it."""
    return activity.reshape(*activity.shape[:2], *shape)
