"""One node of a graph of the Neuromorphic Intermediate Representation as neurons or as weights; see :mod:`.nir`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnrl.errors import ConfigError, one_line, require
from snnrl.neurons import IF, LIF, NEURONS, AnyNeuron, CurrentLIF, LeakyIntegrator
from snnrl.settings import Part, build, is_number
from snnrl.types import Setting

Numbers: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]

NEURON_FIELDS: Mapping[type, tuple[str, ...]] = {
    nir.LIF: ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    nir.IF: ("r", "v_threshold", "v_reset"),
    nir.CubaLIF: ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
    nir.LI: ("tau", "r", "v_leak"),
}
"""Nodes that are neurons, and their parameters."""
WEIGHT_NODES = (
    *(nir.Affine, nir.Linear, nir.Scale, nir.Conv1d, nir.Conv2d),
    *(nir.AvgPool2d, nir.SumPool2d, nir.Flatten),
)
"""Nodes that are linear in what they take, but for a bias."""


class Elementwise(nn.Module):
    """``scale x + shift``, with one number for each neuron ``[*shape]``."""

    def __init__(self, scale: Numbers, shift: Numbers | None = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.as_tensor(scale, dtype=torch.float32))
        self.shift = None if shift is None else nn.Parameter(torch.as_tensor(shift, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, *shape]`` to the same shape."""
        scaled = x * self.scale
        return scaled if self.shift is None else scaled + self.shift


class Population(NamedTuple):
    """What a node of neurons comes to."""

    neurons: AnyNeuron
    gain: Numbers | None
    """By which arriving currents are multiplied, ``[*shape]``; ``None`` is 1."""
    shift: Numbers | None
    """What is added to what comes out, ``[*shape]``: the potential from which membranes are counted; ``None`` is 0."""
    initial: float
    """The potential before the first step, as a share of the way from rest to threshold."""


def positive_dt(value: Setting) -> float:
    """The number of seconds of a step.

    Raises:
        ConfigError: it is none.
    """
    require(is_number(value) and value > 0, "dt", value, "a positive number of seconds")
    return float(value)


def numbers(where: str, value: Setting, dims: Sequence[int] | None = None) -> Numbers:
    """A parameter, be it an array or a tensor, as finite numbers of one of ``dims`` dimensions."""
    array = value.detach().cpu().double().numpy() if isinstance(value, Tensor) else np.asarray(value)
    require(array.dtype.kind in "fiub", where, one_line(str(value), 60), "real numbers")
    given = array.astype(np.float64)
    require(bool(np.isfinite(given).all()), where, one_line(str(value), 60), "finite")
    if dims is not None:
        right = " or ".join(map(str, dims))
        require(given.ndim in dims, where, f"an array of shape {list(given.shape)}", f"of {right} dimensions")
    return given


def population_shape(name: str, node: nir.NIRNode, arriving: Shape | None) -> Shape | None:
    """The shape of a node's neurons: that of its parameters; single numbers hold for all of the shape that arrives."""
    sizes = {field: numbers(f"{name}.{field}", getattr(node, field)).shape for field in NEURON_FIELDS[type(node)]}
    return next((size for size in sizes.values() if size), arriving)


def population(name: str, node: nir.NIRNode, dt: float, shape: Shape) -> Population:
    """The neurons of a node, of the shape that arrives there.

    Raises:
        ConfigError: parameters of another shape or out of range; the node is named.
    """
    given: dict[str, Numbers] = {}
    for field in NEURON_FIELDS[type(node)]:
        value = numbers(f"{name}.{field}", getattr(node, field), (0, 1, 2, 3))
        right = f"a number, or of the shape that arrives, {list(shape)}"
        require(value.shape in ((), shape), f"{name}.{field}", list(value.shape), right)
        given[field] = np.array(np.broadcast_to(value, shape))
    initial = float(numbers(f"{name}.metadata.initial_potential", node.metadata.get("initial_potential", 0.0)))
    if "model" in node.metadata:
        return Population(_own_model(name, node, shape), None, None, initial)
    make = {nir.IF: _integrator, nir.LIF: _leaky, nir.CubaLIF: _current_based, nir.LI: _readout}[type(node)]
    return make(name, node, given, dt)._replace(initial=initial)


def _own_model(name: str, node: nir.NIRNode, shape: Shape) -> AnyNeuron:
    """Neurons of a model that NIR has no node for, by what is written beside the node that comes near it."""
    said = node.metadata["model"]
    model = said.decode() if isinstance(said, bytes) else said
    require(model in NEURONS.ours, f"{name}.metadata.model", one_line(str(model), 60), "the name of a neuron of snnrl")
    written = node.metadata.get("settings", {})
    settings = {str(key): numbers(f"{name}.metadata.{key}", value, (0,)).item() for key, value in written.items()}
    return build(NEURONS, Part(str(model), settings), f"{name}.metadata", shape=shape)


def _integrator(name: str, node: nir.IF, given: Mapping[str, Numbers], dt: float) -> Population:
    """``v <- v + dt R I``, or ``v + I`` where R is 1, by which norse, sinabs and others mean one unit a step."""
    reset, settings = _resetting(node, given)
    gain = np.where(np.isclose(given["r"], 1), 1.0, given["r"] * dt)
    shape = given["v_threshold"].shape
    written = numbers(f"{name}.v_rest", node.metadata.get("v_rest", 0.0), (0, len(shape)))
    settings["v_rest"] = _value(given["v_reset"] if reset == "soft" else written)
    return Population(_made(name, IF, shape, settings), _unless_one(gain), None, 0.0)


def _leaky(name: str, node: nir.LIF, given: Mapping[str, Numbers], dt: float) -> Population:
    """``v <- v + (dt / tau) (v_leak - v + R I)``."""
    decay, tau = _decay(name, "tau", given["tau"], dt)
    decay_input, gain = _gain(given["r"], decay)
    settings = {**_resetting(node, given)[1], "tau_mem": tau, "v_rest": _value(given["v_leak"])}
    made = _made(name, LIF, decay.shape, {**settings, "decay_input": decay_input})
    return Population(made, gain, None, 0.0)


def _current_based(name: str, node: nir.CubaLIF, given: Mapping[str, Numbers], dt: float) -> Population:
    """``i <- i + (dt / tau_syn) (w_in I - i)``, then ``v <- v + (dt / tau_mem) (v_leak - v + R i)``."""
    kept, tau_syn = _decay(name, "tau_syn", given["tau_syn"], dt)
    decay, tau_mem = _decay(name, "tau_mem", given["tau_mem"], dt)
    decay_input, gain = _gain(given["r"] * given["w_in"] * (1 - kept), decay)
    settings = {**_resetting(node, given)[1], "tau_syn": tau_syn, "tau_mem": tau_mem}
    settings |= {"v_rest": _value(given["v_leak"]), "decay_input": decay_input}
    return Population(_made(name, CurrentLIF, decay.shape, settings), gain, None, 0.0)


def _readout(name: str, node: nir.LI, given: Mapping[str, Numbers], dt: float) -> Population:
    """``v <- v + (dt / tau) (v_leak - v + R I)``, which is what comes out."""
    decay, tau = _decay(name, "tau", given["tau"], dt)
    decay_input, gain = _gain(given["r"], decay)
    made = _made(name, LeakyIntegrator, decay.shape, {"tau_mem": tau, "decay_input": decay_input})
    return Population(made, gain, given["v_leak"] if given["v_leak"].any() else None, 0.0)


def _resetting(node: nir.NIRNode, given: Mapping[str, Numbers]) -> tuple[str, dict[str, Setting]]:
    """How a spike resets, and the settings that say so."""
    said = node.metadata.get("reset", "hard")
    reset = said.decode() if isinstance(said, bytes) else said
    settings: dict[str, Setting] = {"reset": reset, "surrogate": "atan", "v_threshold": _value(given["v_threshold"])}
    if reset == "hard":
        settings["v_reset"] = _value(given["v_reset"])
    return reset, settings


def _decay(name: str, field: str, given: Numbers, dt: float) -> tuple[Numbers, float | Tensor]:
    """The factor ``1 - dt / tau`` of a step by forward Euler, and the time constant in steps whose exact one it is."""
    decay = 1 - dt / given.clip(1e-300)
    within = bool(((decay > 0) & (decay < 1)).all())
    require(within, f"{name}.{field}", float(np.min(given)), f"above dt ({dt})")
    tau = -1 / np.log(decay)
    shortest = dt / (1 - math.exp(-1))
    require(bool((tau >= 1).all()), f"{name}.{field}", float(np.min(given)), f"at least {shortest:.3g}")
    return decay, _value(tau)


def _gain(full: Numbers, decay: Numbers) -> tuple[bool, Numbers | None]:
    """``decay_input`` of the neurons, and what is left of the factor ``full (1 - decay)`` of the current."""
    if not np.allclose(full, 1) and np.allclose(full * (1 - decay), 1, rtol=1e-4):
        return False, None
    return True, _unless_one(full)


def _unless_one(gain: Numbers) -> Numbers | None:
    return None if np.allclose(gain, 1) else gain


def _made(name: str, kind: type[AnyNeuron], shape: Shape, settings: Mapping[str, Setting]) -> AnyNeuron:
    """A population; what is wrong with it is said with the node's name."""
    try:
        return kind(shape, **settings)
    except ConfigError as error:
        raise ConfigError(f"{name}.{error}") from error


def _value(given: Numbers) -> float | Tensor:
    """One number where all neurons have the same, else a tensor."""
    same = np.unique(given)
    return float(same[0]) if same.size == 1 else torch.as_tensor(given, dtype=torch.float32)


def synapses(name: str, node: nir.NIRNode) -> nn.Module:
    """The module of a node of weights.

    Raises:
        ConfigError: a node of another kind, or parameters that do not fit; the node is named.
    """
    if isinstance(node, nir.Flatten):
        first, last = (int(axis) + (axis >= 0) for axis in (node.start_dim, node.end_dim))
        return nn.Flatten(first, last)
    if isinstance(node, nir.Scale):
        return Elementwise(numbers(f"{name}.scale", node.scale))
    if isinstance(node, nir.Affine | nir.Linear):
        weight = numbers(f"{name}.weight", node.weight, (2,))
        bias = _bias(name, getattr(node, "bias", None), len(weight))
        return _filled(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None), weight, bias)
    if isinstance(node, nir.AvgPool2d | nir.SumPool2d):
        kernel, stride, padding = (_along(name, field, node, 2) for field in ("kernel_size", "stride", "padding"))
        return _module(name, node, nn.AvgPool2d, kernel, stride, padding, False, True, *_divisor(node))
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        dims = 2 if isinstance(node, nir.Conv2d) else 1
        weight = numbers(f"{name}.weight", node.weight, (dims + 2,))
        bias, groups = _bias(name, node.bias, len(weight)), int(node.groups)
        along = [_along(name, field, node, dims) for field in ("stride", "padding", "dilation")]
        sizes = (weight.shape[1] * groups, len(weight), weight.shape[2:])
        made = _module(name, node, (nn.Conv1d, nn.Conv2d)[dims - 1], *sizes, *along, groups, bias is not None)
        return _filled(made, weight, bias)
    right = f"{', '.join(kind.__name__ for kind in (*WEIGHT_NODES, *NEURON_FIELDS))} or NIRGraph"
    raise ConfigError(f"{name}={type(node).__name__}: must be {right}")


def _divisor(node: nir.NIRNode) -> tuple[int, ...]:
    return (1,) if isinstance(node, nir.SumPool2d) else ()


def _module(name: str, node: nir.NIRNode, kind: type[nn.Module], *arguments: Setting) -> nn.Module:
    try:
        return kind(*arguments)
    except ValueError as error:
        raise ConfigError(f"{name}={type(node).__name__}: {one_line(error)}") from error


def _bias(name: str, value: Setting, size: int) -> Numbers | None:
    """A bias for each of ``size`` outputs; a graph may have ``None`` for none."""
    if value is None:
        return None
    bias = numbers(f"{name}.bias", value, (1,))
    require(len(bias) == size, f"{name}.bias", f"{len(bias)} numbers", f"one for each of the {size} outputs")
    return bias


@torch.no_grad()
def _filled(module: nn.Module, weight: Numbers, bias: Numbers | None) -> nn.Module:
    module.get_parameter("weight").copy_(torch.from_numpy(weight))
    if bias is not None:
        module.get_parameter("bias").copy_(torch.from_numpy(bias))
    return module


def _along(name: str, field: str, node: nir.NIRNode, dims: int) -> str | tuple[int, ...]:
    """A size for each of ``dims`` dimensions."""
    value = getattr(node, field)
    if isinstance(value, str | bytes):
        return value.decode() if isinstance(value, bytes) else value
    given = numbers(f"{name}.{field}", value, (0, 1))
    require(given.size in (1, dims), f"{name}.{field}", value, "one number" if dims == 1 else f"one number or {dims}")
    return tuple(int(number) for number in np.broadcast_to(given, (dims,)))


def shape_after(name: str, module: nn.Module, shape: Shape | None) -> Shape | None:
    """The shape of what a module gives for an input of ``shape``, which it must be able to take.

    Raises:
        ConfigError: it cannot; the node is named.
    """
    if shape is None:
        return (module.out_features,) if isinstance(module, nn.Linear) else None
    try:
        with torch.no_grad():
            after = tuple(module(torch.zeros(1, *shape)).shape[1:])
    except (RuntimeError, IndexError) as error:
        raise ConfigError(f"{name}: cannot take what arrives, of shape {listed(shape)}; {one_line(error)}") from error
    kept = not isinstance(module, Elementwise) or after == shape
    require(kept, f"{name}.scale", list(after), f"of the shape that arrives, {listed(shape)}")
    return after


def listed(shape: Shape | None) -> str:
    """A shape in words."""
    return str(list(shape or ()))
