"""Networks: populations and connections composed, and run over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from numbers import Integral
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from snnrl.connections import Connection, Projection
from snnrl.errors import ConfigError, FixedSettings, KnownSettings, did_you_mean, require
from snnrl.networks.delay import Delay
from snnrl.networks.graph import Edge, Loop, loops_in_order
from snnrl.networks.recording import Recorder, Recording
from snnrl.networks.running import Drive, NetworkState, Stretch
from snnrl.neurons import Neuron
from snnrl.plasticity import Rule
from snnrl.state import compact, copied, leaves


class Network(FixedSettings, KnownSettings, nn.Module):
    """Populations and connections.

    ::

        network = Network()
        network.add("input", 784)
        network.add("excitatory", DiehlCook(400))
        network.connect("input", "excitatory", Dense(784, 400, weight_std=0.1, bounds=(0, 1)), rule=STDP())
        network.connect("excitatory", "excitatory", Lateral(400, weight_mean=-10.0))
        recording, state = network.run({"input": spikes})

    Spikes arrive in the step in which they are fired, after the ``delay`` of their connection; a connection that is
    part of a loop takes at least one step. What is not part of a loop is run over a whole window at once, one product
    for all steps and one scan of the neurons; loops go step by step.

    Args:
        dt: simulation step in ms, that of every neuron.

    Raises:
        ConfigError: a step that is not positive.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("dt",)

    def __init__(self, *, dt: float = 1.0) -> None:
        super().__init__()
        require(math.isfinite(dt) and dt > 0, "dt", dt, "a positive number of ms")
        self.dt = dt
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.edges: list[Edge] = []
        self.loops: list[Loop] = []
        self.neurons, self.connections = nn.ModuleDict(), nn.ModuleDict()
        self.rules, self.delays = nn.ModuleDict(), nn.ModuleDict()

    def add(self, name: str, population: Neuron[Any] | int | tuple[int, ...]) -> None:
        """Add a population: a neuron model, or the shape of an input whose spikes come from outside.

        Raises:
            ConfigError: a name that is taken or cannot be used, or neurons with another ``dt``.
        """
        require(name not in self.shapes and "." not in name and name != "", "name", name, "new, and without a dot")
        require(not hasattr(nn.ModuleDict, name), "name", name, "another word, torch.nn.ModuleDict has a method of it")
        if isinstance(population, Neuron):
            step = getattr(population, "dt", self.dt)
            require(step == self.dt, f"{name}.dt", step, f"the network's {self.dt}")
            self.shapes[name] = population.shape
            self.neurons[name] = population
        else:
            shape = population if isinstance(population, tuple | list) else (population,)
            whole = all(isinstance(size, Integral) and not isinstance(size, bool) for size in shape)
            require(whole, f"{name}", population, "neurons, or the shape of an input in whole numbers")
            require(min(shape, default=0) > 0, f"{name}.shape", shape, "positive sizes")
            shape = tuple(map(int, shape))
            self.shapes[name] = shape
        self.loops = loops_in_order(self.shapes, self.edges)

    def connect(
        self,
        pre: str,
        post: str,
        connection: Projection,
        *,
        rule: Rule[Any] | None = None,
        delay: float | Tensor = 0.0,
    ) -> None:
        """Add a connection from ``pre`` to ``post``.

        Args:
            pre: the presynaptic population; it is flattened for a connection that takes flat spikes.
            post: the postsynaptic population of neurons.
            connection: what carries the spikes.
            rule: how it learns, ``None`` for not at all.
            delay: in ms, for the connection or for each presynaptic neuron ``[*pre_shape]``.

        Raises:
            ConfigError: an unknown population, shapes that do not fit, a rule for what cannot learn, a negative delay.
        """
        for role, name in (("pre", pre), ("post", post)):
            if name not in self.shapes:
                raise ConfigError(f"{role}={name}: {did_you_mean(name, self.shapes)}")
        require(post in self.neurons, "post", post, "a population of neurons, not an input")
        kind = type(connection).__name__
        require(isinstance(connection, Projection), "connection", kind, "a Projection, as Dense is one")
        learns = rule is None or isinstance(rule, Rule)
        require(learns, "rule", getattr(rule, "__name__", type(rule).__name__), "a Rule, as STDP() is one, or None")
        if rule is not None:
            learner, name = type(rule).__name__, type(connection).__name__
            require(isinstance(connection, Connection), "rule", learner, f"None, a {name} has no weights")
            require(rule.dt == self.dt, f"{learner}.dt", rule.dt, f"the network's {self.dt}")
            can_score = not rule.uses_score or hasattr(self.neurons[post], "score")
            require(can_score, "rule", learner, f"one that does without the score of stochastic neurons in {post}")
        count = sum((edge.pre, edge.post) == (pre, post) for edge in self.edges)
        key = f"{pre} to {post}" + (f" {count + 1}" if count else "")
        seen = _shapes_seen(key, connection, self.shapes[pre], self.shapes[post])
        self.delays[key] = Delay(delay, self.dt, self.shapes[pre])
        self.connections[key] = connection
        if rule is not None:
            self.rules[key] = rule
        self.edges.append(Edge(key, pre, post, *seen))
        self.loops = loops_in_order(self.shapes, self.edges)

    def init_state(self, batch: int) -> NetworkState:
        """The state at rest for ``batch`` independent rows.

        Raises:
            ConfigError: a batch below 1.
        """
        require(batch >= 1, "batch", batch, "at least 1")
        looped = {edge.key for loop in self.loops for edge in loop.inside}
        return NetworkState(
            tuple(self.neuron(name).init_state(batch) for name in self.neurons),
            tuple(self.delay(edge).init_state(batch, least=int(edge.key in looped)) for edge in self.edges),
            tuple(
                self.rule(edge).init_state(self.connection(edge), edge.pre_shape, edge.post_shape, batch)
                for edge in self.plastic()
            ),
        )

    def run(
        self,
        inputs: Mapping[str, Tensor],
        state: NetworkState | None = None,
        *,
        modulator: Tensor | None = None,
        window: int = 1,
        record: Mapping[str, Sequence[str]] | None = None,
        record_every: int = 1,
        record_limit: int = 1 << 30,
        clamp: Mapping[str, Tensor] | None = None,
        unclamp: Mapping[str, Tensor] | None = None,
        inject: Mapping[str, Tensor] | None = None,
    ) -> tuple[Recording, NetworkState]:
        """Run over time. Rules change weights in training mode (``network.train()``), not in evaluation mode.

        Args:
            inputs: spikes ``[time, batch, *shape]`` for each input; for a population of neurons, a current.
            state: from :meth:`init_state` or the last run; ``None`` is rest.
            modulator: the third factor in force, ``[batch]`` or ``[time, batch]``.
            window: steps during which weights stand still, after which rules change them. A long window is faster;
                without learning the whole run is one.
            record: names of state variables for each population, ``"spikes"`` among them; the spikes of all neurons
                unless given. Other variables make their population go step by step.
            record_every: keep every so many steps.
            record_limit: bytes that the recording may take.
            clamp: neurons that fire, a bool tensor that broadcasts to ``[time, batch, *shape]``. It replaces what
                others see of a neuron; the neuron itself is neither reset nor made refractory by it.
            unclamp: neurons that do not fire, likewise.
            inject: potential that is added to ``v`` before each step, likewise.

        Numbers may have any real dtype; they are cast to that of the neurons.

        Returns:
            The recording, by population and variable ``[time, batch, *shape]``, and the state after the run.

        Raises:
            ConfigError: an unknown name, a shape that does not fit, input that is not finite or on another device than
                the network, a recording that is too large.
        """
        require(isinstance(window, Integral) and window >= 1, "window", window, "at least 1 step")
        drive = self._drive(inputs, clamp or {}, unclamp or {}, inject or {})
        third = _third_factor(modulator, drive, self._device())
        state = self.init_state(drive.batch) if state is None else state
        for leaf in leaves(state):
            require(len(leaf) == drive.batch, "state", f"{len(leaf)} rows", f"of {drive.batch} rows, as the inputs are")
        wanted = dict.fromkeys(self.neurons, ("spikes",)) if record is None else record
        recorder = Recorder(wanted, record_every, record_limit)
        recorder.check(self.shapes, list(self.neurons), state.neurons, drive.steps, drive.batch)
        drive = drive.cast({name: own[0].dtype for name, own in zip(self.neurons, state.neurons, strict=True)})
        learning = self.training and len(self.rules) > 0
        if learning:
            state = state._replace(rules=copied(state.rules))  # rules work in place, on what is theirs
        stride = window if learning else drive.steps
        for first in range(0, drive.steps, stride):
            last = min(first + stride, drive.steps)
            stretch = Stretch(self, drive.between(first, last), state, recorder, learning=learning)
            stretch.run(self.loops)
            if learning:
                stretch.learn(None if third is None else third[first:last])
            state = stretch.state()
        return recorder.stacked(), compact(state)

    def _drive(
        self,
        inputs: Mapping[str, Tensor],
        clamp: Mapping[str, Tensor],
        unclamp: Mapping[str, Tensor],
        inject: Mapping[str, Tensor],
    ) -> Drive:
        require(len(inputs) > 0, "inputs", "{}", "a tensor [time, batch, *shape] for each input")
        for what, given in (("inputs", inputs), ("clamp", clamp), ("unclamp", unclamp), ("inject", inject)):
            for name, value in given.items():
                require(isinstance(value, Tensor), f"{what}.{name}", type(value).__name__, "a tensor")
        for name in self.shapes:
            require(name in inputs or name in self.neurons, "inputs", sorted(inputs), f"complete: {name} is missing")
        first = next(iter(inputs.values()))
        require(first.dim() >= 2 and first.numel() > 0, "inputs", list(first.shape), "of shape [time, batch, *shape]")
        steps, batch = first.shape[:2]
        device = self._device()

        def part(what: str, given: Mapping[str, Tensor], known: Mapping[str, Any]) -> dict[str, Tensor]:
            for name in given:
                if name not in known:
                    raise ConfigError(f"{what}={name}: {did_you_mean(name, known)}")
            whole = {name: (steps, batch, *self.shapes[name]) for name in given}
            return {
                name: _sequence(f"{what}.{name}", value, whole[name], what, device) for name, value in given.items()
            }

        for name in inputs:
            spikes = name not in self.neurons or inputs[name].is_floating_point()
            require(spikes, f"inputs.{name}", inputs[name].dtype, "a current of floating-point numbers")

        return Drive(
            part("inputs", inputs, self.shapes),
            part("clamp", clamp, dict(self.neurons.items())),
            part("unclamp", unclamp, dict(self.neurons.items())),
            part("inject", inject, dict(self.neurons.items())),
            steps=steps,
            batch=batch,
        )

    def _device(self) -> torch.device:
        """Where the network is, by the first of its tensors."""
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    def neuron(self, name: str) -> Any:
        """The neurons of a population."""
        return self.neurons[name]

    def connection(self, edge: Edge) -> Connection:
        """What carries an edge's spikes."""
        return cast(Connection, self.connections[edge.key])

    def delay(self, edge: Edge) -> Delay:
        """The delay of an edge."""
        return cast(Delay, self.delays[edge.key])

    def rule(self, edge: Edge) -> Rule[Any]:
        """How a plastic edge learns."""
        return cast(Rule[Any], self.rules[edge.key])

    def plastic(self) -> list[Edge]:
        """The edges that learn."""
        return [edge for edge in self.edges if edge.key in self.rules]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the step of every population by ``torch.compile``, whose arguments these are.

        It pays where populations go step by step. On a GPU, ``mode="reduce-overhead"`` replays CUDA graphs.
        """
        for neuron in self.neurons.values():
            neuron.compile(*args, **kwargs)

    def summary(self) -> str:
        """Populations and connections as a table.

        >>> from snnrl.connections import Dense
        >>> from snnrl.neurons import LIF
        >>> network = Network()
        >>> network.add("input", 3)
        >>> network.add("output", LIF(2))
        >>> network.connect("input", "output", Dense(3, 2))
        >>> print(network.summary())
        population       model  shape      neurons
        input            input  3          3
        output           LIF    2          2
        connection       model  weight     synapses  learns by  delay in steps
        input to output  Dense  2x3        6         -          0
        total                   5 neurons  6
        """
        rows: list[tuple[str, ...]] = [("population", "model", "shape", "neurons")]
        for name, shape in self.shapes.items():
            model = type(self.neurons[name]).__name__ if name in self.neurons else "input"
            rows.append((name, model, _times(shape), str(math.prod(shape))))
        rows.append(("connection", "model", "weight", "synapses", "learns by", "delay in steps"))
        synapses = 0
        for edge in self.edges:
            connection = self.connections[edge.key]
            weight = tuple(connection.weight.shape) if isinstance(connection, Connection) else (0,)
            synapses += math.prod(weight)
            rule = type(self.rules[edge.key]).__name__ if edge.key in self.rules else "-"
            delay = str(self.delay(edge).longest)
            rows.append((edge.key, type(connection).__name__, _times(weight), str(math.prod(weight)), rule, delay))
        rows.append(("total", "", f"{sum(map(math.prod, self.shapes.values()))} neurons", str(synapses)))
        widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(max(map(len, rows)))]
        cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in rows)
        return "\n".join("  ".join(row).rstrip() for row in cells)


def _shapes_seen(
    key: str, connection: Projection, pre: tuple[int, ...], post: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes in which a connection takes spikes of ``pre``, flattened if it must be, and gives its current."""
    device = next((parameter.device for parameter in connection.parameters()), torch.device("cpu"))
    shape = (math.prod(pre),) if connection.TAKES_FLAT else pre
    try:
        given = tuple(connection(torch.zeros((1, *shape), device=device)).shape[1:])
    except ConfigError:
        name = type(connection).__name__
        raise ConfigError(f"{key}={name}: must take spikes of the shape {list(pre)}") from None
    require(math.prod(given) == math.prod(post), key, list(given), f"of as many neurons as {list(post)}")
    return shape, given


def _sequence(setting: str, value: Tensor, shape: tuple[int, ...], what: str, device: torch.device) -> Tensor:
    """A tensor of ``shape``, or for other things than inputs one that broadcasts to it; finite, and on ``device``."""
    _require_device(setting, value, device)
    if what == "inputs":
        require(tuple(value.shape) == shape, setting, list(value.shape), f"of shape {list(shape)}")
    elif what != "inject":
        require(value.dtype == torch.bool, setting, value.dtype, "a bool tensor")
    require(_finite(value), setting, "nan or inf", "finite in every entry")
    try:
        return value.expand(shape)
    except RuntimeError:
        raise ConfigError(f"{setting}={list(value.shape)}: must broadcast to {list(shape)}") from None


def _finite(value: Tensor) -> bool:
    """Whether every entry is; the sum, which is quick, tells so unless it overflows."""
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())


def _require_device(setting: str, value: Tensor, device: torch.device) -> None:
    require(value.device == device, f"{setting}.device", value.device, f"{device}, where the network is")


def _third_factor(modulator: Tensor | None, drive: Drive, device: torch.device) -> Tensor | None:
    if modulator is None:
        return None
    require(isinstance(modulator, Tensor), "modulator", modulator, "a tensor [batch] or [time, batch]")
    _require_device("modulator", modulator, device)
    whole = (drive.steps, drive.batch)
    fits = modulator.shape in ((drive.batch,), whole)
    require(fits, "modulator", list(modulator.shape), f"of shape [{drive.batch}] or {list(whole)}")
    require(_finite(modulator), "modulator", "nan or inf", "finite in every entry")
    return modulator.expand(whole)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
