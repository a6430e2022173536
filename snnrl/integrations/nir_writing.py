"""Exchange of spiking networks through the Neuromorphic Intermediate Representation.

NIR describes neurons by differential equations (Pedersen et al. 2024, Nat. Commun. 15:8122); what a simulator makes of
them depends on how it steps. Those that read NIR step by forward Euler, ``v <- v + (dt / tau) (v_leak - v + R I)``.
An export therefore chooses ``tau = dt / (1 - decay)`` and ``R`` such that this step is the exact one of
:class:`~snnrl.neurons.LIF`, ``v <- v_rest + decay (v - v_rest) + gain I``: spikes are then equal, step by step.
What NIR has no word for, soft reset, the potential at the start and the number of steps, is in the nodes' metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnrl.errors import ConfigError, one_line, require
from snnrl.integrations.nir_reading import positive_dt
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import IF, LIF, AnyNeuron
from snnrl.types import Setting

Scale: TypeAlias = float | NDArray[np.float64]
"""By what weights are multiplied: one number, or one for each neuron."""
Resistance = Literal["scaled", "unit"]


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
        ConfigError: what NIR cannot say, or an input shape that the network cannot take.
    """
    settings = network.settings
    require(settings.coding == "direct", "coding", settings.coding, "direct to be exported")
    require(settings.norm == "none", "norm", settings.norm, "none to be exported")
    require(settings.readout in ("rate", "count"), "readout", settings.readout, "rate or count to be exported")
    require(resistance in ("scaled", "unit"), "resistance", resistance, "scaled or unit")
    dt = positive_dt(dt)
    shape = tuple(int(size) for size in input_shape)
    nodes: list[nir.NIRNode] = [nir.Input({"input": np.array(shape)})]
    for layer in network.spiking_layers():
        node, weight_scale = _neuron(layer.neurons, settings, resistance, dt)
        shape = _add_synapses(nodes, layer.synapses, shape, weight_scale)
        nodes.append(node)
    if readout is not None:
        if len(shape) > 1:
            nodes.append(nir.Flatten({"input": np.array(shape)}, 0, -1))
        scale = settings.sim_steps if settings.readout == "count" else 1
        bias = np.zeros(readout.out_features, np.float32) if readout.bias is None else _array(readout.bias)
        nodes.append(nir.Affine(_array(readout.weight) * scale, bias))
    graph = nir.NIRGraph.from_list(*nodes, nir.Output({"output": nodes[-1].output_type["output"]}))
    graph.metadata = {"sim_steps": settings.sim_steps, "dt": dt, "written_by": "snnrl"}
    return graph


def policy_to_nir(policy: nn.Module, *, resistance: Resistance = "scaled", dt: float = 1e-3) -> nir.NIRGraph:
    """The acting part of a spiking policy of stable-baselines3: its outputs are logits, action values or means.

    Args:
        policy: one of :mod:`snnrl.integrations.sb3`.
        resistance: as in :func:`to_nir`.
        dt: as in :func:`to_nir`.

    Raises:
        ConfigError: a policy that does not spike, or what NIR cannot say.
    """
    from snnrl.integrations.sb3.policies import spiking_policy

    spiking = spiking_policy(policy)
    networks, readout = spiking.acting_path()
    kind = type(policy).__name__
    require(len(networks) == 1, "policy", kind, "one stack of spiking layers (net_arch=[] behind convolutions)")
    if not isinstance(readout, nn.Linear):
        raise ConfigError(f"action_cells={readout.cells}: must be 0 to be exported")
    first = networks[0].spiking_layers()[0].synapses
    shape = (first.in_features,) if isinstance(first, nn.Linear) else spiking.observation_space.shape or ()
    return to_nir(networks[0], shape, readout, resistance=resistance, dt=dt)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.array(tensor.detach().cpu().float().numpy(), np.float32, order="C")


def _neuron(
    neurons: AnyNeuron, settings: LayerSettings, resistance: Resistance, dt: float
) -> tuple[nir.NIRNode, Scale]:
    """The node of a population, and by what the weights before it are multiplied."""
    require(type(neurons) in (LIF, IF), "neuron", settings.neuron, "lif or if to be exported")
    assert isinstance(neurons, LIF)
    require(not neurons.refractory_steps, "t_refractory", neurons.refractory_steps, "0 to be exported")

    def filled(value: object) -> NDArray[np.float64]:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        return np.array(np.broadcast_to(np.asarray(array, np.float64), neurons.shape))

    threshold = filled(neurons.value("v_threshold"))
    reset = filled(neurons.v_rest if neurons.soft_reset else neurons.v_reset)
    metadata: dict[str, Setting] = {"reset": "soft" if neurons.soft_reset else "hard"}
    metadata["initial_potential"] = settings.initial_potential
    gain, decay = filled(neurons.gain), filled(neurons.decay)
    if isinstance(neurons, IF):
        unit = resistance == "unit"
        if not neurons.soft_reset:
            metadata["v_rest"] = filled(neurons.v_rest)
        node = nir.IF(filled(1.0 if unit else 1 / dt), threshold, reset, metadata={**metadata, "unit": unit})
        return node, 1.0
    leak = 1 - decay
    tau, full = dt / leak, gain / leak
    scale: Scale = full if resistance == "unit" else 1.0
    r = filled(1.0) if resistance == "unit" else full
    node = nir.LIF(tau, r, filled(neurons.v_rest), threshold, reset, metadata=metadata)
    return node, scale


def _add_synapses(
    nodes: list[nir.NIRNode], synapses: nn.Module, shape: tuple[int, ...], scale: Scale
) -> tuple[int, ...]:
    """Add the nodes of a layer's weights; returns the shape of what they give."""
    parts = list(synapses) if isinstance(synapses, nn.Sequential) else [synapses]
    for part in parts:
        if not isinstance(part, nn.Flatten | nn.Linear | nn.Conv2d):
            raise ConfigError(f"synapses={type(part).__name__}: must be Linear, Conv2d or Flatten to be exported")
        after = _shape_after(part, shape)
        if isinstance(part, nn.Flatten):
            node = nir.Flatten({"input": np.array(shape)}, 0, -1)
        elif isinstance(part, nn.Linear):
            row = np.broadcast_to(scale, (part.out_features,))
            bias = np.zeros(part.out_features, np.float32) if part.bias is None else _array(part.bias)
            node = nir.Affine(_array(part.weight) * row[:, None], bias * row)
        else:
            one = np.unique(scale)
            require(one.size == 1, "resistance", "unit", "scaled where neurons behind a convolution differ")
            require(part.padding_mode == "zeros", "padding_mode", part.padding_mode, "zeros to be exported")
            bias = np.zeros(part.out_channels, np.float32) if part.bias is None else _array(part.bias)
            spatial = (part.stride, part.padding, part.dilation, part.groups)
            node = nir.Conv2d(shape[1:], _array(part.weight) * one[0], *spatial, bias * one[0])
        told = tuple(node.input_type["input"]) == shape and tuple(node.output_type["output"]) == after
        expected = "of shapes that NIR can tell to be exported: one group, a square kernel, everything flattened"
        require(told, "synapses", part, expected)
        nodes.append(node)
        shape = after
    return shape


def _shape_after(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what weights give for one input of ``shape``."""
    place = next((parameter.device for parameter in module.parameters()), None)
    try:
        with torch.no_grad():
            return tuple(module(torch.zeros(1, *shape, device=place)).shape[1:])
    except (RuntimeError, IndexError) as error:
        raise ConfigError(f"input_shape: {list(shape)} arrives at {module}; {one_line(error)}") from error
