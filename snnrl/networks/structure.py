"""What a network consists of: populations, and the connections between them."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from snnrl.connections import Connection, Projection
from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.networks.delay import Delay
from snnrl.networks.graph import Edge, Loop, loops_in_order
from snnrl.networks.sharing import WHOLE, WholeConnection
from snnrl.neurons import AnyNeuron, Neuron
from snnrl.plasticity import AnyRule, Rule
from snnrl.settings import FixedSettings, KnownSettings, is_whole
from snnrl.state import State


class NetworkState(NamedTuple):
    """Episode state of a :class:`~snnrl.networks.Network`."""

    neurons: State
    """State of each population of neurons, in the order in which they were added."""
    arriving: tuple[Tensor, ...]
    """Spikes under way on each connection ``[batch, steps, *pre_shape]``, oldest first."""
    rules: State
    """State of each plastic connection's rule."""


class Structure(FixedSettings, KnownSettings, nn.Module):
    """Populations, connections, and what is known of each; :class:`~snnrl.networks.Network` runs them.

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
        self.shares: dict[str, WholeConnection] = {}

    def add(self, name: str, population: AnyNeuron | int | tuple[int, ...]) -> None:
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
            require(
                all(map(is_whole, shape)), f"{name}", population, "neurons, or the shape of an input in whole numbers"
            )
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
        rule: AnyRule | None = None,
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
            has_excess = not rule.uses_excess or hasattr(self.neurons[post], "above_threshold")
            require(has_excess, "rule", learner, f"another, the neurons in {post} are no leaky membranes")
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
        return self.init_activity(batch)._replace(rules=self.init_rules(batch))

    def init_activity(self, batch: int) -> NetworkState:
        """The state at rest of neurons and of spikes under way, without that of rules, of which there is then none."""
        require(batch >= 1, "batch", batch, "at least 1")
        looped = {edge.key for loop in self.loops for edge in loop.inside}
        return NetworkState(
            tuple(self.neuron(name).init_state(batch) for name in self.neurons),
            tuple(self.delay(edge).init_state(batch, least=int(edge.key in looped)) for edge in self.edges),
            (),
        )

    def init_rules(self, batch: int) -> State:
        """The state at rest of each plastic connection's rule."""
        return tuple(
            self.rule(edge).init_state(self.learned(edge), edge.pre_shape, edge.post_shape, batch)
            for edge in self.plastic()
        )

    def device(self) -> torch.device:
        """Where the network is, by the first of its tensors."""
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    def neuron(self, name: str) -> Any:
        """The neurons of a population."""
        return self.neurons[name]

    def connection(self, edge: Edge) -> Connection:
        """What carries an edge's spikes."""
        return cast(Connection, self.connections[edge.key])

    def share(self, edge: Edge) -> WholeConnection:
        """Which of a plastic edge's synapses are learned in this process."""
        return self.shares.get(edge.key, WHOLE)

    def learned(self, edge: Edge) -> Connection:
        """The connection of these synapses."""
        return self.share(edge).learned(self.connection(edge))

    def delay(self, edge: Edge) -> Delay:
        """The delay of an edge."""
        return cast(Delay, self.delays[edge.key])

    def rule(self, edge: Edge) -> AnyRule:
        """How a plastic edge learns."""
        return cast(AnyRule, self.rules[edge.key])

    def plastic(self) -> list[Edge]:
        """The edges that learn."""
        return [edge for edge in self.edges if edge.key in self.rules]

    def has_weights(self, edge: Edge) -> bool:
        """Whether what carries an edge's spikes has weights."""
        return isinstance(self.connections[edge.key], Connection)

    def summary(self) -> str:
        """Populations and connections as a table.

        >>> from snnrl.connections import Dense
        >>> from snnrl.networks import Network
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


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
