"""From networks to graphs of the Neuromorphic Intermediate Representation.

NIR describes neurons by differential equations (Pedersen et al. 2024, Nat. Commun. 15:8122); what a simulator makes of
them depends on how it steps. Those that read NIR step by forward Euler, ``v <- v + (dt / tau) (v_leak - v + R I)``.
An export therefore chooses ``tau = dt / (1 - decay)`` and ``R`` such that this step is the exact one of
:class:`~snnrl.neurons.LIF`, ``v <- v_rest + decay (v - v_rest) + gain I``: spikes are then equal, step by step.
What NIR has no word for, soft reset, the potential at the start and the number of steps, is in the nodes' metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnrl.errors import ConfigError, one_line, require
from snnrl.integrations.nir_nodes import Elementwise, Shape, positive_dt
from snnrl.networks.layered import LayeredNetwork
from snnrl.neurons import IF, LIF, AnyNeuron, CurrentLIF, EscapeNoise, LeakyIntegrator, SaturatingIF
from snnrl.neurons.lif import LeakyMembrane
from snnrl.types import Setting

Scale: TypeAlias = float | NDArray[np.float64]
"""By what weights are multiplied: one number, or one for each neuron."""
Resistance = Literal["scaled", "unit"]
ENDLESS = 1e6
"""Steps of the time constant of a membrane that NIR shall not let leak, with currents to match."""

_OWN_SETTINGS: Mapping[type, tuple[str, ...]] = {
    EscapeNoise: ("tau_mem", "v_threshold", "width", "rate_max"),
    SaturatingIF: ("tau_syn", "gain", "tonic", "rate_max"),
}


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
        network: with direct coding, and neurons that are LIF, integrate-and-fire or current-based LIF.
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
        known = type(layer.neurons) in (LIF, IF, CurrentLIF)
        require(known, "neuron", settings.neuron, "lif, if or current_lif to be exported")
        node, weight_scale = neuron_node(layer.neurons, resistance, dt)
        node.metadata["initial_potential"] = settings.initial_potential
        found, shape = weight_nodes(layer.synapses, shape, weight_scale)
        nodes += [*found, node]
    if readout is not None:
        if len(shape) > 1:
            nodes.append(nir.Flatten({"input": np.array(shape)}, 0, -1))
        scale = settings.sim_steps if settings.readout == "count" else 1
        bias = np.zeros(readout.out_features, np.float32) if readout.bias is None else array(readout.bias)
        nodes.append(nir.Affine(array(readout.weight) * scale, bias))
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


def array(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor's numbers."""
    return np.array(tensor.detach().cpu().float().numpy(), np.float32, order="C")


def neuron_node(neurons: AnyNeuron, resistance: Resistance, dt: float) -> tuple[nir.NIRNode, Scale]:
    """The node of a population, and by what the weights before it are multiplied.

    Of :class:`~snnrl.neurons.EscapeNoise` and :class:`~snnrl.neurons.SaturatingIF`, which NIR has no node for, it is
    the nearest one, and the model and its settings, times in steps, are in the metadata.

    Args:
        neurons: the population.
        resistance: as in :func:`to_nir`.
        dt: seconds of a step.

    Raises:
        ConfigError: a model that NIR cannot say.
    """

    def filled(value: object) -> NDArray[np.float64]:
        given = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        return np.array(np.broadcast_to(np.asarray(given, np.float64), neurons.shape))

    kind = type(neurons)
    if isinstance(neurons, EscapeNoise | SaturatingIF) and kind in (EscapeNoise, SaturatingIF):
        settings = {name: getattr(neurons, name) for name in _OWN_SETTINGS[kind]}
        in_steps = {name: value / neurons.dt if name.startswith("tau_") else value for name, value in settings.items()}
        metadata: dict[str, Setting] = {"model": "escape_noise", "settings": in_steps}
        after = 1 - neurons.decay
        tau, full, zero = filled(dt / after), filled(1 / after), filled(0.0)
        if isinstance(neurons, EscapeNoise):
            return nir.LIF(tau, full, zero, filled(neurons.v_threshold), zero, metadata=metadata), 1.0
        drive = neurons.rate_max * ENDLESS
        metadata |= {"model": "saturating_if", "reset": "soft"}
        currents = (filled(drive * neurons.gain), filled(drive * neurons.tonic))
        return nir.CubaLIF(tau, filled(dt * ENDLESS), *currents, filled(1.0), zero, full, metadata=metadata), 1.0
    if kind not in (LIF, IF, CurrentLIF, LeakyIntegrator) or not isinstance(neurons, LeakyMembrane):
        raise ConfigError(
            f"neuron={kind.__name__}: must be LIF, IF, CurrentLIF, LeakyIntegrator, EscapeNoise or SaturatingIF to be "
            "exported"
        )
    gain, leak = filled(neurons.gain), 1 - filled(neurons.decay)
    unit = resistance == "unit"
    if isinstance(neurons, LeakyIntegrator):
        scale: Scale = gain / leak if unit else 1.0
        return nir.LI(dt / leak, filled(1.0) if unit else gain / leak, filled(0.0)), scale
    require(not neurons.refractory_steps, "t_refractory", neurons.refractory_steps, "0 to be exported")
    threshold = filled(neurons.value("v_threshold"))
    reset = filled(neurons.v_rest if neurons.soft_reset else neurons.v_reset)
    metadata = {"reset": "soft" if neurons.soft_reset else "hard"}
    if isinstance(neurons, IF):
        if not neurons.soft_reset:
            metadata["v_rest"] = filled(neurons.v_rest)
        return nir.IF(filled(1.0 if unit else 1 / dt), threshold, reset, metadata=metadata), 1.0
    rest = filled(neurons.v_rest)
    if isinstance(neurons, CurrentLIF):
        kept = 1 - filled(neurons.decay_of("tau_syn"))
        w_in, r = (filled(1.0), filled(1.0)) if unit else (1 / kept, gain / leak)
        scale = gain / leak / kept if unit else 1.0
        node = nir.CubaLIF(dt / kept, dt / leak, r, rest, threshold, reset, w_in, metadata=metadata)
        return node, scale
    r = filled(1.0) if unit else gain / leak
    return nir.LIF(dt / leak, r, rest, threshold, reset, metadata=metadata), gain / leak if unit else 1.0


def weight_nodes(synapses: nn.Module, shape: Shape, scale: Scale = 1.0) -> tuple[list[nir.NIRNode], Shape]:
    """The nodes of weights that take ``shape``, and the shape of what they give.

    Args:
        synapses: one module, or several one after the other.
        shape: of what arrives.
        scale: by what the last weights are multiplied.

    Raises:
        ConfigError: a module that NIR has no node for, or whose shapes it cannot tell.
    """
    nodes: list[nir.NIRNode] = []
    parts = list(synapses) if isinstance(synapses, nn.Sequential) else [synapses]
    scaled = [part for part in parts if isinstance(part, nn.Linear | nn.Conv2d)][-1:]
    for part in parts:
        if isinstance(part, nn.Identity):
            continue
        after = _shape_after(part, shape)
        node = _weight_node(part, shape, scale if part in scaled else 1.0)
        if not isinstance(node, nir.AvgPool2d | nir.SumPool2d):  # whose shapes NIR leaves open
            told = tuple(node.input_type["input"]) == shape and tuple(node.output_type["output"]) == after
            expected = "of shapes that NIR can tell to be exported: one group, a square kernel, everything flattened"
            require(told, "synapses", part, expected)
        nodes.append(node)
        shape = after
    plain = bool(scaled) or np.array_equal(np.unique(scale), [1.0])
    require(plain, "resistance", "unit", "scaled where no weights are before neurons")
    return nodes, shape


def _weight_node(part: nn.Module, shape: Shape, scale: Scale) -> nir.NIRNode:
    if isinstance(part, nn.Flatten):
        return nir.Flatten({"input": np.array(shape)}, 0, -1)
    if isinstance(part, nn.Linear):
        row = np.broadcast_to(scale, (part.out_features,))
        bias = np.zeros(part.out_features, np.float32) if part.bias is None else array(part.bias)
        return nir.Affine(array(part.weight) * row[:, None], bias * row)
    if isinstance(part, Elementwise) and part.shift is None:
        return nir.Scale(np.broadcast_to(array(part.scale), shape).copy())
    if isinstance(part, nn.AvgPool2d):
        require(not part.ceil_mode and part.count_include_pad, "synapses", part, "a pool without ceil_mode")
        kind = {None: nir.AvgPool2d, 1: nir.SumPool2d}.get(part.divisor_override)
        if kind is None:
            raise ConfigError(f"divisor_override={part.divisor_override}: must be None or 1 to be exported")
        sizes = (part.kernel_size, part.stride, part.padding)
        return kind(*(np.array(np.broadcast_to(size, (2,))) for size in sizes))
    if isinstance(part, nn.Conv2d):
        one = np.unique(scale)
        require(one.size == 1, "resistance", "unit", "scaled where neurons behind a convolution differ")
        require(part.padding_mode == "zeros", "padding_mode", part.padding_mode, "zeros to be exported")
        bias = np.zeros(part.out_channels, np.float32) if part.bias is None else array(part.bias)
        spatial = (part.stride, part.padding, part.dilation, part.groups)
        return nir.Conv2d(shape[1:], array(part.weight) * one[0], *spatial, bias * one[0])
    raise ConfigError(f"synapses={type(part).__name__}: must be Linear, Conv2d, AvgPool2d or Flatten to be exported")


def _shape_after(module: nn.Module, shape: Shape) -> Shape:
    """The shape of what weights give for one input of ``shape``."""
    place = next((parameter.device for parameter in module.parameters()), None)
    try:
        with torch.no_grad():
            return tuple(module(torch.zeros(1, *shape, device=place)).shape[1:])
    except (RuntimeError, IndexError) as error:
        raise ConfigError(f"input_shape: {list(shape)} arrives at {module}; {one_line(error)}") from error
