"""Networks of populations, and agents that learn by local rules, as graphs of the Neuromorphic Representation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import nir
import numpy as np
import torch

from snnrl.agents.actor_critic import ActorCriticAgent
from snnrl.connections import Conv1d, Conv2d, OneToOne
from snnrl.errors import ConfigError, require
from snnrl.integrations.nir_network import Modules
from snnrl.integrations.nir_nodes import Shape, positive_dt
from snnrl.integrations.nir_writing import array, neuron_node, weight_nodes
from snnrl.networks import Network
from snnrl.networks.graph import Edge
from snnrl.settings import accepted
from snnrl.types import Setting


def network_to_nir(network: Network, *, outputs: Sequence[str] | None = None, dt: float | None = None) -> nir.NIRGraph:
    """Populations and connections as a graph, which :func:`~snnrl.integrations.nir.network_from_nir` reads back.

    Weights are written as they are now; rules are not part of it. Connections that take flattened spikes are written as
    dense ones, those that are not there as 0.

    Args:
        network: with neurons and connections that NIR can say.
        outputs: populations that are read, each by an output node of its own; by default those that drive no other.
        dt: seconds of a step; ``None`` is the network's own.

    Raises:
        ConfigError: what NIR cannot say, under the name of the population or connection.
    """
    seconds = positive_dt(network.dt / 1000 if dt is None else dt)
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[tuple[str, str]] = []
    for name, shape in network.shapes.items():
        try:
            known = name in network.neurons
            node = (
                neuron_node(network.neuron(name), "scaled", seconds)[0]
                if known
                else nir.Input({"input": np.array(shape)})
            )
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error
        nodes[name] = node
    looped = {edge.key for loop in network.loops for edge in loop.inside}
    for edge in network.edges:
        way = [edge.pre]
        for node in [*_delay(network, edge, seconds, looped=edge.key in looped), *_connection(network, edge)]:
            way.append(f"{edge.key.replace(' ', '_')}_{type(node).__name__.lower()}_{len(way)}")
            nodes[way[-1]] = node
        edges += list(zip(way, [*way[1:], edge.post], strict=True))
    driving = {edge.pre for edge in network.edges if edge.pre != edge.post}
    read = [name for name in network.neurons if name not in driving] if outputs is None else list(outputs)
    require(bool(read), "outputs", read, "populations that are read")
    for name in read:
        require(name in network.neurons, "outputs", name, f"one of {', '.join(network.neurons)}")
        nodes[f"output_{name}"] = nir.Output({"output": np.array(network.shapes[name])})
        edges.append((name, f"output_{name}"))
    metadata: dict[str, Setting] = {"dt": seconds, "written_by": "snnrl"}
    graph = nir.NIRGraph(nodes, edges, metadata, False)
    graph.infer_types()
    return graph


def agent_to_nir(agent: ActorCriticAgent) -> nir.NIRGraph:
    """Synapses and neurons of an agent that learns by local rules, such as ``rstdp``.

    The graph takes the spikes of the agent's encoder at its input node and gives those of ``actor``, ``critic`` and
    hidden layers' own critics.
    Metadata name the encoder with its settings (what it has learned of what is seen is not in it), say how many steps a
    decision takes and whether neurons go on from one decision to the next (``persistent``), and how many neurons of the
    actor stand for each of ``actions``. Actors that draw their spikes are written as the leaky neurons with the same
    membrane and threshold, critics as current-based ones without the limits of their drive; the metadata of these nodes
    name the models that snnrl makes of them again.

    Args:
        agent: as ``snnrl.load`` gives it.

    Raises:
        ConfigError: neurons or connections that NIR cannot say.
    """
    network = agent.network
    graph = network_to_nir(network, outputs=("actor", "critic", *network.own_critics.values()))
    encoder = network.encoder
    said = agent.config.encoder
    given = {name: value for name, value in said.items() if name != "name"} if isinstance(said, Mapping) else {}
    held = {name: getattr(encoder, name, None) for name in accepted(type(encoder))} | given
    goes_on = network.persistent or not encoder.synchronous
    graph.metadata |= {
        "sim_steps": network.sim_steps,
        "persistent": bool(goes_on),
        "actions": network.actions,
        "per_action": network.neuron("actor").size // network.actions,
        "encoder": {
            "name": str(getattr(encoder, "recipe_name", type(encoder).__name__)),
            "settings": {name: plain for name, value in held.items() if (plain := _plain(value)) is not None},
        },
    }
    return graph


def _entry(shape: Shape) -> nir.Input:
    return nir.Input({"input": np.array(shape)})


def _plain(value: Setting) -> Setting:
    """A setting as a file of NIR can hold it, or ``None``."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, bool | int | float | str | np.ndarray):
        return value
    numbers = isinstance(value, list | tuple) and all(isinstance(each, bool | int | float) for each in value)
    return np.array(value) if numbers and value else None


def _delay(network: Network, edge: Edge, seconds: float, *, looped: bool) -> list[nir.NIRNode]:
    """The delay of a connection; a step is what a loop takes without one."""
    delay, shape = network.delay(edge), network.shapes[edge.pre]
    if delay.longest <= (1 if looped else 0):
        return []
    steps = torch.as_tensor(delay.longest if delay.steps is None else delay.steps, dtype=torch.float64)
    steps = steps.clamp_min(1) if looped else steps
    return [nir.Delay(np.array(steps.expand(shape).cpu().numpy() * seconds))]


def _connection(network: Network, edge: Edge) -> list[nir.NIRNode]:
    """The nodes of what carries an edge's spikes."""
    connection, shape, to = network.connections[edge.key], network.shapes[edge.pre], network.shapes[edge.post]
    require(edge.post_shape == to, edge.key, list(edge.post_shape), f"of the shape of {edge.post}, {list(to)}")
    flat: list[nir.NIRNode] = [] if edge.pre_shape == shape else [nir.Flatten({"input": np.array(shape)}, 0, -1)]
    try:
        if isinstance(connection, Modules):
            return [*flat, *weight_nodes(connection.modules_in_order, edge.pre_shape)[0]]
        if isinstance(connection, OneToOne):
            return [*flat, nir.Scale(array(connection.weight))]
        if isinstance(connection, Conv2d):
            fields, kernel = connection.fields, array(connection.weight)
            sizes = (fields.stride, fields.padding, (1, 1), 1)
            return [nir.Conv2d(shape[1:], kernel, *sizes, np.zeros(len(kernel), np.float32))]
    except ConfigError as error:
        raise ConfigError(f"{edge.key}: {error}") from error
    plain = len(edge.pre_shape) == 1 and len(to) == 1 and not isinstance(connection, Conv1d)
    require(plain and network.has_weights(edge), edge.key, type(connection).__name__, "one that NIR can say")
    weight = network.connection(edge)
    with torch.no_grad():
        each = torch.eye(math.prod(edge.pre_shape), device=weight.weight.device)
        return [*flat, nir.Linear(array(weight(each)).T.copy())]
