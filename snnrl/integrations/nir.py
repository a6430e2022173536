"""Exchange of spiking networks through the Neuromorphic Intermediate Representation.

NIR describes neurons by differential equations (Pedersen et al. 2024, Nat. Commun. 15:8122); what a simulator makes of
them depends on how it steps. Those that read NIR step by forward Euler, ``v <- v + (dt / tau) (v_leak - v + R I)``.
An export therefore chooses ``tau = dt / (1 - decay)`` and ``R`` such that this step is the exact one of
:class:`~snnrl.neurons.LIF`, ``v <- v_rest + decay (v - v_rest) + gain I``: spikes are then equal, step by step.
What NIR has no word for, soft reset, the potential at the start and the number of steps, is in the nodes' metadata.

    python -m snnrl.integrations.nir run=RUN_DIR out=policy.nir
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnrl.cli import run_command
from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.networks.layered import LayeredNetwork, LayerSettings, SpikingLayer
from snnrl.neurons import IF, LIF

USAGE = """
usage: python -m snnrl.integrations.nir run=RUN_DIR out=FILE [key=value ...]

  run            folder of a run of a spiking policy (agent=ppo, dqn, a2c, sac, td3; or what snnrl.convert wrote)
  out            file to write
  resistance     scaled, or unit for readers that take R = 1 (norse)
  dt             seconds of a step (0.001; snnTorch takes 0.0001)
"""

DEFAULTS: dict[str, Any] = {"run": None, "out": None, "resistance": "scaled", "dt": 0.001}

Resistance = Literal["scaled", "unit"]


class Imported(NamedTuple):
    """What a graph comes to."""

    network: LayeredNetwork
    readout: nn.Linear | None
    """A linear layer after the last neurons, applied to their mean spikes."""

    def forward(self, x: Tensor) -> Tensor:
        """The mean output of a step for inputs ``[batch, ...]``."""
        features: Tensor = self.network(x)
        return features if self.readout is None else cast(Tensor, self.readout(features))


def to_nir(
    network: LayeredNetwork,
    input_shape: Sequence[int],
    readout: nn.Linear | None = None,
    *,
    resistance: Resistance = "scaled",
    dt: float = 1e-3,
) -> nir.NIRGraph:
    """The network as a graph that takes the input at every step; its output's mean over the steps is what it says.

    Args:
        network: with direct coding, and neurons that are LIF or integrate-and-fire.
        input_shape: of one input.
        readout: a linear layer that reads the last layer's rates or counts.
        resistance: ``scaled`` leaves weights as they are; ``unit`` has R = 1, as norse expects, and scales weights.
        dt: seconds of a step; snnTorch takes 0.0001 for granted.

    Raises:
        ConfigError: what NIR cannot say.
    """
    settings = network.settings
    require(settings.coding == "direct", "coding", settings.coding, "direct to be exported")
    require(settings.readout in ("rate", "count"), "readout", settings.readout, "rate or count to be exported")
    require(resistance in ("scaled", "unit"), "resistance", resistance, "scaled or unit")
    require(dt > 0, "dt", dt, "a positive number of seconds")
    shape = tuple(int(size) for size in input_shape)
    nodes: list[Any] = [nir.Input({"input": np.array(shape)})]
    for layer in cast(Sequence[SpikingLayer], network.layers):
        node, weight_scale = _neuron(layer.neurons, settings, resistance, dt)
        shape = _add_synapses(nodes, layer.synapses, shape, weight_scale)
        nodes.append(node)
    if readout is not None:
        scale = settings.sim_steps if settings.readout == "count" else 1
        bias = np.zeros(readout.out_features, np.float32) if readout.bias is None else _array(readout.bias)
        nodes.append(nir.Affine(_array(readout.weight) * scale, bias))
    graph = nir.NIRGraph.from_list(*nodes, nir.Output({"output": nodes[-1].output_type["output"]}))
    graph.metadata = {"sim_steps": settings.sim_steps, "dt": dt, "written_by": "snnrl"}
    return graph


def from_nir(graph: nir.NIRGraph, *, dt: float | None = None, sim_steps: int | None = None) -> Imported:
    """The network that a feed-forward graph describes.

    Args:
        graph: affine, linear, convolutional and flattening nodes, each followed by LIF or IF neurons, and perhaps a
            last affine node that reads them.
        dt: seconds of a step; ``None`` is what the graph's metadata say, else 0.001.
        sim_steps: steps for each input; ``None`` is what the metadata say, else 4.

    Raises:
        ConfigError: a graph with loops or branches, or a node of another kind.
    """
    dt = float(graph.metadata.get("dt", 1e-3)) if dt is None else dt
    steps = int(graph.metadata.get("sim_steps", 4)) if sim_steps is None else sim_steps
    synapses: list[nn.Module] = []
    populations: list[Any] = []
    waiting: list[nn.Module] = []
    initial: float | None = None
    for name, node in _in_order(graph):
        if isinstance(node, nir.LIF | nir.IF):
            require(bool(waiting), name, type(node).__name__, "neurons behind weights")
            populations.append(_population(name, node, dt))
            synapses.append(waiting[0] if len(waiting) == 1 else nn.Sequential(*waiting))
            start = float(node.metadata.get("initial_potential", 0.0))
            require(initial in (None, start), name, start, f"neurons that start alike, at {initial}")
            initial, waiting = start, []
        elif not isinstance(node, nir.Input | nir.Output):
            waiting.append(_synapses(name, node))
    require(bool(populations), "graph", sorted(graph.nodes), "a graph with spiking neurons")
    readout = waiting[0] if waiting else None
    alone = len(waiting) <= 1 and (readout is None or isinstance(readout, nn.Linear))
    require(alone, "graph", [type(module).__name__ for module in waiting], "one linear layer after the last neurons")
    settings = LayerSettings(sim_steps=steps, tonic=0.0, initial_potential=initial or 0.0)
    network = LayeredNetwork.of(synapses, populations, settings)
    return Imported(network, cast("nn.Linear | None", readout))


def policy_to_nir(policy: Any, *, resistance: Resistance = "scaled", dt: float = 1e-3) -> nir.NIRGraph:
    """The acting part of a spiking policy of stable-baselines3: its outputs are logits, action values or means.

    Args:
        policy: one of :mod:`snnrl.integrations.sb3`.
        resistance: as in :func:`to_nir`.
        dt: as in :func:`to_nir`.

    Raises:
        ConfigError: a policy that does not spike, or what NIR cannot say.
    """
    from snnrl.integrations.sb3.acting import acting_part

    networks, readout = acting_part(policy)
    kind = type(policy).__name__
    require(len(networks) == 1, "policy", kind, "one stack of spiking layers (net_arch=[] behind convolutions)")
    require(isinstance(readout, nn.Linear), "action_cells", type(readout).__name__, "0 to be exported")
    space = policy.observation_space
    convolutional = isinstance(cast(Any, networks[0].layers[0]).synapses, nn.Conv2d)
    shape = space.shape if convolutional else (cast(Any, networks[0].layers[0]).synapses.in_features,)
    return to_nir(networks[0], shape, readout, resistance=resistance, dt=dt)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(export, USAGE, words)


def export(words: Sequence[str]) -> int:
    """Write the file that the command line asks for.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be exported.
    """
    from snnrl.config import read_config, read_words
    from snnrl.integrations.sb3.training import load_sb3_agent

    for word in words:
        key = word.partition("=")[0]
        if key not in DEFAULTS or "=" not in word:
            raise ConfigError(f"{word}: there is no such option; {did_you_mean(key, DEFAULTS)}")
    options: dict[str, Any] = {**DEFAULTS, **read_words(words, as_written=("run", "out", "resistance"))}
    for key in ("run", "out"):
        require(options[key] is not None, key, options[key], "a folder" if key == "run" else "a file to write")
    config = read_config(options["run"])
    spiking = config.agent.get("network") == "spiking"
    require(spiking, "run", options["run"], "of an algorithm of stable-baselines3 with agent.network=spiking")
    agent = load_sb3_agent(config, Path(options["run"]), device="cpu")
    graph = policy_to_nir(agent.policy, resistance=options["resistance"], dt=float(options["dt"]))
    nir.write(options["out"], graph)
    print(f"{len(graph.nodes)} nodes written to {options['out']}: nir.read(...) takes it anywhere")
    return 0


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().float().numpy().copy()
    return array


def _neuron(neurons: Any, settings: LayerSettings, resistance: Resistance, dt: float) -> tuple[Any, Any]:
    """The node of a population, and by what the weights before it are multiplied."""
    require(isinstance(neurons, LIF | IF), "neuron", settings.neuron, "lif or if to be exported")
    if isinstance(neurons, LIF):
        require(not neurons.refractory_steps, "t_refractory", neurons.refractory_steps, "0 to be exported")

    def filled(value: Any) -> NDArray[np.float64]:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        return np.array(np.broadcast_to(np.asarray(array, np.float64), neurons.shape))

    threshold = filled(neurons.value("v_threshold"))
    reset = filled(neurons.v_rest if neurons.soft_reset else neurons.v_reset)
    metadata = {"reset": "soft" if neurons.soft_reset else "hard", "initial_potential": settings.initial_potential}
    gain, decay = filled(neurons.gain), filled(neurons.decay)
    if isinstance(neurons, IF):
        unit = resistance == "unit"
        node: Any = nir.IF(filled(1.0 if unit else 1 / dt), threshold, reset, metadata={**metadata, "unit": unit})
        return node, 1.0
    leak = 1 - decay
    tau, full = dt / leak, gain / leak
    scale: Any = full if resistance == "unit" else 1.0
    r = filled(1.0) if resistance == "unit" else full
    node = nir.LIF(tau, r, filled(neurons.v_rest), threshold, reset, metadata=metadata)
    return node, scale


def _add_synapses(nodes: list[Any], synapses: nn.Module, shape: tuple[int, ...], scale: Any) -> tuple[int, ...]:
    """Add the nodes of a layer's weights; returns the shape of what they give."""
    parts = list(synapses) if isinstance(synapses, nn.Sequential) else [synapses]
    for part in parts:
        if isinstance(part, nn.Flatten):
            nodes.append(nir.Flatten({"input": np.array(shape)}, 0, -1))
            shape = (int(np.prod(shape)),)
        elif isinstance(part, nn.Linear):
            row = np.broadcast_to(scale, (part.out_features,))
            bias = np.zeros(part.out_features, np.float32) if part.bias is None else _array(part.bias)
            nodes.append(nir.Affine(_array(part.weight) * row[:, None], bias * row))
            shape = (part.out_features,)
        elif isinstance(part, nn.Conv2d):
            one = np.unique(scale)
            require(one.size == 1, "resistance", "unit", "scaled where neurons behind a convolution differ")
            bias = np.zeros(part.out_channels, np.float32) if part.bias is None else _array(part.bias)
            spatial: Any = (part.stride, part.padding, part.dilation, part.groups)
            nodes.append(nir.Conv2d(shape[1:], _array(part.weight) * one[0], *spatial, bias * one[0]))
            with torch.no_grad():
                shape = tuple(part(torch.zeros(1, *shape, device=part.weight.device)).shape[1:])
        else:
            raise ConfigError(f"synapses={type(part).__name__}: must be Linear, Conv2d or Flatten to be exported")
    return shape


def _in_order(graph: nir.NIRGraph) -> list[tuple[str, Any]]:
    """The nodes of a chain from its input to its output."""
    after: dict[str, str] = {}
    for source, target in graph.edges:
        if source in after or target in after.values():
            raise ConfigError(f"graph={source} -> {target}: must be a chain, without branches and loops")
        after[source] = target
    (name,) = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    found = [(name, graph.nodes[name])]
    while name in after:
        name = after[name]
        found.append((name, graph.nodes[name]))
    return found


def _population(name: str, node: Any, dt: float) -> LIF | IF:
    """The neurons of a node."""
    reset = node.metadata.get("reset", "hard")
    shape = tuple(int(size) for size in node.v_threshold.shape)

    def value(array: Any) -> Any:
        same = np.unique(array)
        return float(same[0]) if same.size == 1 else torch.as_tensor(np.asarray(array), dtype=torch.float32)

    common: dict[str, Any] = {"reset": reset, "surrogate": "atan", "v_threshold": value(node.v_threshold)}
    if reset == "hard":
        common["v_reset"] = value(node.v_reset)
    if isinstance(node, nir.IF):
        unit = node.metadata.get("unit", False) or np.allclose(node.r * dt, 1)
        require(bool(unit), f"{name}.r", float(np.mean(node.r)), f"1 / dt ({1 / dt}), one unit of potential a step")
        return IF(shape, v_rest=value(node.v_reset) if reset == "soft" else 0.0, **common)
    decay = 1 - dt / np.asarray(node.tau, np.float64)
    require(bool(((decay > 0) & (decay < 1)).all()), f"{name}.tau", float(np.min(node.tau)), f"above dt ({dt})")
    full = np.asarray(node.r, np.float64)
    if np.allclose(full, 1):
        decay_input = True
    else:
        plain = np.allclose(full * (1 - decay), 1, rtol=1e-4)
        require(
            bool(plain), f"{name}.r", float(np.mean(full)), "1, or tau / dt: a current's gain of 1 - decay, or of 1"
        )
        decay_input = False
    tau = -1 / np.log(decay)
    require(bool((tau >= 1).all()), f"{name}.tau", float(np.min(node.tau)), f"at least {dt / (1 - np.exp(-1)):.3g}")
    return LIF(shape, tau_mem=value(tau), v_rest=value(node.v_leak), decay_input=decay_input, **common)


def _synapses(name: str, node: Any) -> nn.Module:
    """The module of a node of weights."""
    if isinstance(node, nir.Flatten):
        return nn.Flatten()
    if isinstance(node, nir.Affine | nir.Linear):
        weight = torch.as_tensor(np.asarray(node.weight), dtype=torch.float32)
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=isinstance(node, nir.Affine))
        linear.weight.data.copy_(weight)
        if isinstance(node, nir.Affine):
            linear.bias.data.copy_(torch.as_tensor(np.asarray(node.bias)))
        return linear
    if isinstance(node, nir.Conv2d):
        weight = torch.as_tensor(np.asarray(node.weight), dtype=torch.float32)
        along: Any = (_pair(node.stride), _pair(node.padding), _pair(node.dilation), int(node.groups))
        kernel: Any = tuple(weight.shape[2:])
        convolution = nn.Conv2d(weight.shape[1] * int(node.groups), weight.shape[0], kernel, *along)
        convolution.weight.data.copy_(weight)
        cast(Tensor, convolution.bias).data.copy_(torch.as_tensor(np.asarray(node.bias)))
        return convolution
    raise ConfigError(f"{name}={type(node).__name__}: must be Affine, Linear, Conv2d, Flatten, LIF or IF")


def _pair(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return tuple(int(number) for number in np.broadcast_to(value, (2,)))


if __name__ == "__main__":
    sys.exit(main())
