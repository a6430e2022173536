"""Feed-forward spiking networks that are trained by gradient: layers of synapses and neurons over a few steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import torch
from torch import Tensor, nn

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.kernels import LIFWindow
from snnrl.kernels.counting import count_spikes
from snnrl.kernels.trains import spike_trains
from snnrl.networks.coding import PopulationInput
from snnrl.networks.normalisation import NORMS, LayerNorm, normalisation
from snnrl.networks.synapses import SpikeLinear
from snnrl.neurons import IF, LIF, AdaptiveLIF, AnyNeuron, CurrentLIF
from snnrl.neurons.settings import Value
from snnrl.settings import accepted, require_whole, setting
from snnrl.state import State
from snnrl.surrogate import make_surrogate
from snnrl.traces import decay_factor, decay_kernel
from snnrl.types import Setting, Settings

NEURONS: Mapping[str, type[AnyNeuron]] = {"lif": LIF, "if": IF, "adaptive_lif": AdaptiveLIF, "current_lif": CurrentLIF}
"""Neuron models by name."""

READOUTS = ("count", "rate", "leaky", "potential")
"""What can be read of the last layer."""


@dataclass(frozen=True)
class LayerSettings:
    """How the layers of a :class:`LayeredNetwork` spike.

    Raises:
        ConfigError: a value out of range or an unknown name.
    """

    sim_steps: int = setting(4, "simulation steps for each input, of 1 ms each")
    neuron: str = setting("if", "neuron model: if, lif, adaptive_lif or current_lif")
    neuron_kwargs: Settings = setting({}, "further settings of the neurons; times in ms")
    tau_mem: float = setting(2.0, "membrane time constant in ms, of neurons that leak")
    reset: str = setting(
        "soft", "soft subtracts the threshold, so that a count is the integral of the input; hard sets 0"
    )
    surrogate: str = setting("atan", "shape of the surrogate gradient: atan, sigmoid, triangle or fast_sigmoid")
    learnable: Collection[str] = setting((), "settings of each layer that the gradient trains: tau_mem, v_threshold")
    initial_potential: float = setting(
        0.0, "potential before the first step, as a share of the way from rest to threshold"
    )
    tonic: float = setting(0.5, "highest bias current at the start; each neuron's is drawn from 0 up to it")
    coding: str = setting(
        "direct",
        "direct: a constant input current; population: cells with Gaussian receptive fields spike in its place",
    )
    cells: int = setting(10, "cells of each dimension of the input, with coding=population")
    norm: str = setting("none", "normalisation of the currents of each layer: none, layer or batch (CaRe-BN)")
    readout: Literal["count", "rate", "leaky", "potential"] = setting(
        "rate",
        "count of the last layer's spikes, rate over the steps, leaky: weighed as a leaky integrator does, or "
        "potential: the count, and as a fraction of a spike the change of the potential",
    )
    tau_readout: float = setting(4.0, "time constant of that integrator in ms")

    def __post_init__(self) -> None:
        for name in ("sim_steps", "cells"):
            require_whole(name, getattr(self, name))
        if self.neuron not in NEURONS:
            raise ConfigError(f"neuron={self.neuron}: {did_you_mean(str(self.neuron), NEURONS)}")
        if not isinstance(self.neuron_kwargs, Mapping):
            raise ConfigError(f"neuron_kwargs={self.neuron_kwargs}: must be a mapping of settings")
        known = accepted(NEURONS[self.neuron])
        for name in self.neuron_kwargs:
            if name not in known:
                raise ConfigError(f"neuron_kwargs={dict(self.neuron_kwargs)}: {name}: {did_you_mean(str(name), known)}")
        make_surrogate(self.surrogate)
        require(self.reset in ("soft", "hard"), "reset", self.reset, "soft or hard")
        require(self.coding in ("direct", "population"), "coding", self.coding, "direct or population")
        require(self.norm in NORMS, "norm", self.norm, f"{', '.join(NORMS[:-1])} or {NORMS[-1]}")
        require(self.readout in READOUTS, "readout", self.readout, ", ".join(READOUTS[:-1]) + f" or {READOUTS[-1]}")
        for name in ("tau_mem", "tau_readout"):
            decay_factor(getattr(self, name), setting=name)
        require(0 <= self.initial_potential < 1, "initial_potential", self.initial_potential, "in [0, 1)")
        require(math.isfinite(self.tonic) and self.tonic >= 0, "tonic", self.tonic, "a number of at least 0")
        self.neurons(1)

    def neurons(self, shape: int | tuple[int, ...]) -> AnyNeuron:
        """A population of the model that the settings name."""
        leak = {} if self.neuron == "if" else {"tau_mem": self.tau_mem, "decay_input": False}
        common = {"reset": self.reset, "surrogate": self.surrogate, "learnable": tuple(self.learnable)}
        settings: dict[str, Setting] = {**leak, **common, **self.neuron_kwargs}
        try:
            neurons = NEURONS[self.neuron](shape, **settings)
        except TypeError as error:
            raise ConfigError(f"neuron_kwargs={dict(self.neuron_kwargs)}: {error}") from error
        return neurons

    @classmethod
    def split(cls, settings: Settings) -> tuple[Self, dict[str, Setting]]:
        """The settings of a dictionary that are of layers, and the rest."""
        own = {setting.name for setting in fields(cls)}
        mine = {key: value for key, value in settings.items() if key in own}
        return cls(**mine), {key: value for key, value in settings.items() if key not in own}

    def as_dict(self) -> dict[str, Setting]:
        """The settings as keyword arguments."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self)}


class SpikingLayer(nn.Module):
    """Synapses and the neurons that they feed, which start anew for every input.

    Args:
        synapses: from spikes ``[batch, ...]`` to currents ``[batch, *neurons.shape]``, linear but for a bias current.
        neurons: the population.
        settings: for how many steps, and from which potential.
    """

    def __init__(self, synapses: nn.Module, neurons: AnyNeuron, settings: LayerSettings) -> None:
        super().__init__()
        self.synapses: nn.Module = synapses
        self.neurons: AnyNeuron = neurons
        self.settings = settings
        self.norm = normalisation(settings.norm, neurons)

    def trains(self, current: Tensor) -> Tensor:
        """Spikes ``[time, batch, *shape]``.

        Args:
            current: ``[time, batch, *shape]``, or ``[1, batch, *shape]`` for a current that stays on.
        """
        steps, shape, window, start = self.settings.sim_steps, current.shape[1:], self._window(), self._start()
        if window is not None:
            spikes = spike_trains(current.flatten(1), steps, window, start)
            if spikes is not None:
                return spikes.view(steps, *shape)
        return self.neurons.scan(current.expand(steps, *shape), self._rest(shape[0]))[0]

    def _rest(self, batch: int) -> State:
        """The state before the first step."""
        state, start = self.neurons.init_state(batch), self._start()
        raised = state if start is None else state._replace(v=torch.zeros_like(state.v) + start)
        assert isinstance(raised, tuple)
        return raised

    def potentials(self, current: Tensor) -> Tensor:
        """The neurons' potentials after each step ``[time, batch, *shape]``; ``current`` is as for :meth:`trains`."""
        state = self._rest(current.shape[1])
        found: list[Tensor] = []
        for now in current.expand(self.settings.sim_steps, *current.shape[1:]):
            _, state = self.neurons(now, state)
            found.append(state[0])
        return torch.stack(found)

    def counts(self, current: Tensor, again: Callable[[], Tensor] | None = None) -> Tensor:
        """Spikes of the whole window ``[batch, *shape]``.

        Args:
            current: as for :meth:`trains`.
            again: gives the current once more; its memory may then be written to.
        """
        window, steps = self._window(), self.settings.sim_steps
        if window is not None:
            anew = None if again is None else lambda: again().flatten(1)
            start, reuse = self._start(), again is not None
            counted = count_spikes(current.flatten(1), steps, window, start, reuse=reuse, again=anew)
            if counted is not None:
                return counted.view(current.shape[1:])
        return self.trains(current).sum(0)

    def integrals(self, current: Tensor) -> Tensor:
        """Spikes of a window and the change of the potential as a fraction of one, 0 at least: ``[batch, *shape]``.

        Of an integrate-and-fire neuron with soft reset they are the sum of its input in units of the threshold, which
        the count alone rounds, and which spikes that came too early do not change; it is computed as that sum. So the
        gradient is that of the potential, in which a reset has none. ``current`` is as for :meth:`trains`.
        """
        steps, shape = self.settings.sim_steps, current.shape[1:]
        window = self._window()
        if window is not None and isinstance(self.neurons, IF) and window.soft and not window.refractory_steps:
            total = current[0] * steps if len(current) == 1 else current.sum(0)
            return (total.flatten(1) / window.drop).clamp_min(0).view(shape)
        before = self._rest(shape[0])
        spikes, after = self.neurons.scan(current.expand(steps, *shape), before)
        rise = (after.v - before[0]) / self._way()[1]
        integral: Tensor = spikes.detach().sum(0) + rise
        return integral.clamp_min(0)

    def gives_new_memory(self) -> bool:
        """Whether the currents are nobody else's, their arguments' and their own way back's included.

        And whether making them once more does nothing else.
        """
        if self.norm is not None:
            return isinstance(self.norm, LayerNorm)  # another would see each batch twice
        synapses = self._modules["synapses"]
        return isinstance(synapses[-1] if isinstance(synapses, nn.Sequential) else synapses, (nn.Linear, nn.Conv2d))

    def _window(self) -> LIFWindow | None:
        neurons = self._modules["neurons"]
        return neurons.window() if isinstance(neurons, LIF) else None

    def _start(self) -> Any:
        """The potential before the first step; ``None`` is rest."""
        share = self.settings.initial_potential
        if not share:
            return None
        rest, way = self._way()
        return rest + share * way

    def _way(self) -> tuple[Value, Value]:
        """The resting potential, and the way from there to the threshold."""
        neurons: Any = self.neurons  # with both
        return neurons.v_rest, neurons.value("v_threshold") - neurons.v_rest


class LayeredNetwork(nn.Module):
    """Layers one after the other, run for ``sim_steps`` steps from rest for each input.

    The first synapses see the input as a constant current (direct coding; Rueckauer et al. 2017, Front. Neurosci.
    11:682), so their product is made once. What follows the network is linear, so that a readout which integrates
    without spiking is the same as a linear layer on the features given here: spikes (``count``), their mean over the
    steps (``rate``), spikes weighted by how much of them a leaky membrane would still hold at the end (``leaky``), or
    spikes and the change of the potential as a fraction of one (``potential``; it follows from the balance of input,
    spikes and potential in Rueckauer et al.).

    Args:
        synapses: of each layer, the input's first.
        shapes: of each layer's neurons.
        settings: how they spike.
        inputs: dimensions of the input where ``coding`` is ``population``.
    """

    def __init__(
        self,
        synapses: Sequence[nn.Module],
        shapes: Sequence[int | tuple[int, ...]],
        settings: LayerSettings,
        inputs: int | None = None,
    ) -> None:
        self._compose(synapses, [settings.neurons(shape) for shape in shapes], settings, inputs)
        self.excite()

    @classmethod
    def of(cls, synapses: Sequence[nn.Module], neurons: Sequence[AnyNeuron], settings: LayerSettings) -> Self:
        """A network of synapses and neurons that exist, as they are; ``settings`` says for how many steps it runs."""
        network = cls.__new__(cls)
        network._compose(synapses, neurons, settings, None)
        return network

    _held: Tensor

    def _compose(
        self,
        synapses: Sequence[nn.Module],
        neurons: Sequence[AnyNeuron],
        settings: LayerSettings,
        inputs: int | None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.input_cells = None
        if settings.coding == "population" and inputs is not None:
            self.input_cells = PopulationInput(inputs, settings.cells, settings.sim_steps, settings.surrogate)
        self.layers = nn.ModuleList(
            SpikingLayer(synapse, population, settings) for synapse, population in zip(synapses, neurons, strict=True)
        )
        held = decay_kernel(settings.sim_steps, decay_factor(settings.tau_readout), torch.ones(1)).flip(0)
        self.register_buffer("_held", held, persistent=False)

    @classmethod
    def dense(cls, inputs: int, sizes: Sequence[int], settings: LayerSettings) -> Self:
        """All-to-all layers of the sizes given, the first from ``inputs`` dimensions."""
        cells = settings.coding == "population"
        pre = [inputs * settings.cells if cells else inputs, *sizes[:-1]]
        kinds = [SpikeLinear if cells else nn.Linear, *[SpikeLinear] * (len(sizes) - 1)]
        synapses = [kind(before, after) for kind, before, after in zip(kinds, pre, sizes, strict=True)]
        for linear in synapses:
            nn.init.orthogonal_(linear.weight, gain=math.sqrt(2))
        return cls(synapses, list(sizes), settings, inputs)

    @torch.no_grad()
    def excite(self) -> None:
        """Draw the bias currents: with different ones neurons fire at different times, and together resolve more."""
        for layer in self.layers:
            for module in layer.modules():
                if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
                    module.bias.uniform_(0, self.settings.tonic)

    def spikes(self, x: Tensor) -> list[Tensor]:
        """The spikes of each layer ``[time, batch, *shape]`` for inputs ``[batch, ...]``."""
        return self._trains(*self._first_input(x))

    def spikes_of(self, arriving: Tensor) -> list[Tensor]:
        """The same for what arrives at the first synapses, as :meth:`features` takes it."""
        steady = len(arriving) == 1
        return self._trains(arriving.flatten(0, 1) if steady else arriving, steady)

    def _trains(self, arriving: Tensor, steady: bool) -> list[Tensor]:
        trains: list[Tensor] = []
        for layer in self.spiking_layers():
            arriving, steady = layer.trains(self._current(layer, arriving, steady)), False
            trains.append(arriving)
        return trains

    def potentials(self, x: Tensor) -> list[Tensor]:
        """The potentials of each layer after each step ``[time, batch, *shape]`` for inputs ``[batch, ...]``."""
        found: list[Tensor] = []
        arriving, steady = self._first_input(x)
        for layer in self.spiking_layers():
            current = self._current(layer, arriving, steady)
            found.append(layer.potentials(current))
            arriving, steady = layer.trains(current), False
        return found

    if TYPE_CHECKING:

        def __call__(self, x: Tensor) -> Tensor:
            """:meth:`forward`."""

    def forward(self, x: Tensor) -> Tensor:
        """Features ``[batch, last layer]`` of inputs ``[batch, ...]``."""
        return self._features(*self._first_input(x))

    def features(self, arriving: Tensor, *, write_out: bool = False) -> Tensor:
        """Features ``[batch, last layer]`` of what arrives at the first synapses.

        Args:
            arriving: spikes ``[time, batch, ...]``, or ``[1, batch, ...]`` for a current that stays on.
            write_out: give a current that stays on to the first of several layers once for each step: torch and not the
                kernel then sums its gradient over the steps, which is slower and differs in the last bits.
        """
        steady = len(arriving) == 1
        return self._features(arriving.flatten(0, 1) if steady else arriving, steady, write_out)

    def _features(self, arriving: Tensor, steady: bool, write_out: bool = False) -> Tensor:
        *hidden, last = self.spiking_layers()
        for layer in hidden:
            current = self._current(layer, arriving, steady)
            if steady and write_out:
                current = current.expand(self.settings.sim_steps, *current.shape[1:])
            arriving, steady = layer.trains(current), False
        current = self._current(last, arriving, steady)
        if self.settings.readout == "potential":
            return last.integrals(current).flatten(1)
        if self.settings.readout != "leaky":
            again = partial(self._current, last, arriving, steady) if last.gives_new_memory() else None
            counts = last.counts(current, again).flatten(1)
            return counts if self.settings.readout == "count" else counts / self.settings.sim_steps
        weighted: Tensor = torch.tensordot(self._held, last.trains(current), 1)
        return weighted.flatten(1)

    def _first_input(self, x: Tensor) -> tuple[Tensor, bool]:
        """What arrives at the first synapses, in the dtype of the network, and whether it stays on for the window."""
        dtype = self._held.dtype
        if x.dtype != dtype:
            require(not x.is_complex(), "x", x.dtype, "a tensor of real numbers")
            x = x.to(dtype)
        return (x, True) if self.input_cells is None else (self.input_cells(x), False)

    def spiking_layers(self) -> Sequence[SpikingLayer]:
        """The layers in their order."""
        return cast(Sequence[SpikingLayer], self.layers)

    def _current(self, layer: SpikingLayer, arriving: Tensor, steady: bool) -> Tensor:
        """What the synapses of a layer give: ``[time, batch, *shape]``, or ``[1, ...]`` for an input that stays on.

        Args:
            layer: the synapses and neurons.
            arriving: ``[batch, ...]`` if it stays on, else spikes ``[time, batch, ...]``.
            steady: whether it stays on.
        """
        if steady:
            constant: Tensor = layer.synapses(arriving)
            current = constant.unsqueeze(0)
        else:
            varying: Tensor = layer.synapses(arriving.flatten(0, 1))
            current = varying.view(*arriving.shape[:2], *varying.shape[1:])
        norm = layer.norm
        if norm is not None:
            current = norm(current)
        return current
