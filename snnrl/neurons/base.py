"""What every neuron model offers: explicit state, one step, and a window of steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.neurons.settings import FINITE, Limits, Value, at_least, number
from snnrl.settings import accepted, refuse_unknown, settings_text
from snnrl.surrogate import Surrogate, make_surrogate, tracing
from snnrl.traces import decay_factor, decay_trace
from snnrl.types import Saved, Setting

S = TypeVar("S", bound=NamedTuple)


class Neuron(nn.Module, ABC, Generic[S]):
    """A population of neurons with the shape ``shape``.

    The state is a NamedTuple of tensors, every one ``[batch, *shape]``, which goes in and comes out; the module itself
    holds only what outlives an episode.

    A setting that is assigned after construction, ``neuron.tau_mem = 5.0``, is checked and counts from the next step
    on; those of :attr:`FIXED` are refused. Settings with one value for each neuron are saved with the weights.

    Args:
        shape: shape of the population.
        dt: simulation step in ms; ``None`` for a model that is the same for every step.
        **unknown: what no model took, which is refused.

    Raises:
        ConfigError: a shape without neurons, a step that is not positive, or a setting that the model does not have.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("shape", "dt")
    """Settings that hold for good, since states and networks are made for them."""
    LEFT_OUT: ClassVar[tuple[str, ...]] = ()
    """Settings of the models from which this one is derived that it does without."""
    FIRES: ClassVar[bool] = True
    """Whether what comes out are spikes, 0 or 1."""
    _step: ClassVar[tuple[object, ...]] = ()  # the methods of which one step is made
    _version = 2  # from which on state_dict holds the settings of each neuron

    shape: tuple[int, ...]
    dt: float
    _anchor: Tensor
    learnable: frozenset[str] = frozenset()
    """Names of the settings that a gradient trains."""

    def __init_subclass__(cls, **settings: Setting) -> None:
        super().__init_subclass__(**settings)
        parts = ("forward", "charge", "excess", "reset", "fire", "firing_probability")
        inside = ("_charged", "_lowered", "_draw", "_drive")
        cls._step = tuple(getattr(cls, part, None) for part in (*parts, *inside))

    def __init__(self, shape: int | tuple[int, ...], *, dt: float | None = None, **unknown: Setting) -> None:
        super().__init__()
        refuse_unknown(type(self), unknown)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        require(min(self.shape, default=0) > 0, "shape", self.shape, "positive sizes")
        if dt is not None:
            require(math.isfinite(dt) and dt > 0, "dt", dt, "a positive number of ms")
            self.dt = dt
        self._settings: dict[str, bool] = {}  # by name, whether it may differ between neurons
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    def limits(self, name: str) -> Limits:
        """The values that a setting may have: of at least ``dt`` for time constants, any finite number for the rest."""
        if name.startswith("tau_"):
            return at_least(self.dt, "a number of ms that is at least dt ({low})")
        return FINITE

    def value(self, name: str) -> Value:
        """A setting as it is in force: one that a gradient trains is kept within its limits."""
        kept: Value = getattr(self, name)
        return self.limits(name).nearest(kept) if name in self.learnable and isinstance(kept, Tensor) else kept

    def set_value(self, name: str, value: Value, *, per_neuron: bool = True) -> None:
        """Keep a setting, in a model's constructor; it is then :meth:`value` and may be assigned by its name.

        It becomes a number, a buffer with one value for each neuron or, if it is learnable, a parameter.

        Args:
            name: as in the constructor.
            value: a number, or a tensor ``[*shape]``.
            per_neuron: whether it may differ between neurons.

        Raises:
            ConfigError: what is no number, of another shape, or beyond the :meth:`limits`.
        """
        self._settings[name] = per_neuron
        if isinstance(value, nn.Parameter) and name in self._parameters:
            super().__setattr__(name, value)
            return
        given = number(name, value, self.limits(name), self.shape if per_neuron else None)
        kept = given.to(self._anchor)
        if name in self.learnable:
            held = self._parameters.get(name)
            if held is None:
                self.register_parameter(name, nn.Parameter(kept.clone()))
            else:
                require(kept.dim() in (0, held.dim()), name, list(kept.shape), "a number, as it was made")
                with torch.no_grad():
                    held.copy_(kept)
            return
        self.__dict__.pop(name, None)
        self._buffers.pop(name, None)
        if given.dim() == 0:
            object.__setattr__(self, name, given.item())
        else:
            self.register_buffer(name, kept.clone())

    def __setattr__(self, name: str, value: Setting) -> None:
        if name in self.FIXED and (name in self.__dict__ or callable(getattr(type(self), name, None))):
            raise ConfigError(f"{name}={value}: cannot be changed, make a new {type(self).__name__}")
        if name in self.LEFT_OUT and (name in self.__dict__ or name not in ("tau_trace", "surrogate")):
            refuse_unknown(type(self), {name: value})
        derived = getattr(type(self), name, None)
        if isinstance(derived, property) and derived.fset is None:
            raise ConfigError(f"{name}={value}: cannot be set, it follows from the settings")
        if name in self.__dict__.get("_settings", ()):
            self.set_value(name, value)
        else:
            super().__setattr__(name, value)

    def _load_from_state_dict(self, state_dict: Saved, prefix: str, metadata: Saved, *others: object) -> None:
        """As in torch; what was saved before settings of each neuron were saved has those of the constructor.

        Raises:
            ConfigError: a setting that the constructor would refuse; all are left as they were.
        """
        if (metadata.get("version") or 1) < 2:
            for name in self._settings.keys() & self._buffers.keys():
                state_dict.setdefault(prefix + name, self._buffers[name])
        before = {name: kept.clone() for name, kept in self._buffers.items() if kept is not None}
        super()._load_from_state_dict(state_dict, prefix, metadata, *others)
        loaded = {name: kept for name, kept in self._buffers.items() if name in self._settings and kept is not None}
        try:
            for name, kept in loaded.items():
                if not kept.is_meta:
                    number(name, kept, self.limits(name), self.shape)
        except ConfigError:
            for name, kept in before.items():
                self._buffers[name] = kept
            raise

    def decay_of(self, name: str) -> Value:
        """The factor ``exp(-dt / tau)`` by which what has the time constant ``name``, in ms, shrinks in one step."""
        tau = self.value(name)
        return torch.exp(-self.dt / _wide(tau)).to(tau.dtype) if isinstance(tau, Tensor) else math.exp(-self.dt / tau)

    def loss_of(self, name: str) -> Value:
        """The share ``1 - exp(-dt / tau)`` that what has the time constant ``name``, in ms, loses in one step."""
        tau = self.value(name)
        if isinstance(tau, Tensor):  # of a long time constant float32 would not tell it from 0
            return -torch.expm1(-self.dt / _wide(tau)).to(tau.dtype)
        return 1 - math.exp(-self.dt / tau)

    def extra_repr(self) -> str:
        """The settings, as torch shows them within the representation of a module."""
        known = [name for name in accepted(type(self)) if name != "shape"]
        kept = {name: self.value(name) if name in self._settings else self.__dict__.get(name) for name in known}
        return settings_text({"shape": self.shape, **kept})

    def zeros(self, batch: int) -> Tensor:
        """A leaf of the state ``[batch, *shape]`` that is 0, in the dtype and on the device of the neurons."""
        return self._anchor.new_zeros((batch, *self.shape))

    @abstractmethod
    def init_state(self, batch: int) -> S:
        """The state at rest for ``batch`` independent rows."""

    if TYPE_CHECKING:

        def __call__(self, current: Tensor, state: S) -> tuple[Tensor, S]:
            """:meth:`forward`, which torch calls."""

    @abstractmethod
    def forward(self, current: Tensor, state: S) -> tuple[Tensor, S]:
        """One simulation step: ``current`` ``[batch, *shape]`` to spikes of the same shape (0 or 1)."""

    def scan(self, current: Tensor, state: S, *, reuse: bool = False) -> tuple[Tensor, S]:
        """A window of steps: ``current`` ``[time, batch, *shape]`` to spikes of the same shape.

        The plain loop over :meth:`forward`; a model whose window has a closed form or a kernel overrides it, and a
        test holds the two to be equal. With ``reuse`` it may put the spikes where ``current`` is.
        """
        current = window_of(current, state)
        spikes = []
        for now in current.unbind():
            out, state = self(now, state)
            spikes.append(out)
        return torch.stack(spikes), state


def _wide(value: Tensor) -> Tensor:
    return value if value.device.type == "mps" else value.double()  # there is no float64 on mps


def step_of(current: Tensor, state: tuple[Tensor, ...]) -> Tensor:
    """``current`` ``[batch, *shape]``, as the state is, in numbers of the state's dtype.

    Raises:
        ConfigError: a current of another shape or on another device, or one that is not a tensor of real numbers.
    """
    like = state[0]
    if not tracing() and current.shape != like.shape:
        raise ConfigError(f"current={list(current.shape)}: must have the shape of the state {list(like.shape)}")
    return _cast(current, like)


def window_of(current: Tensor, state: tuple[Tensor, ...]) -> Tensor:
    """``current`` ``[time, batch, *shape]``, one step at least, in numbers of the state's dtype.

    Raises:
        ConfigError: as in :func:`step_of`.
    """
    like = state[0]
    if not tracing() and (current.shape[1:] != like.shape or not len(current)):
        shape = ", ".join(map(str, like.shape))
        raise ConfigError(f"current={list(current.shape)}: must be of shape [time, {shape}]")
    return _cast(current, like)


def _cast(current: Tensor, like: Tensor) -> Tensor:
    if current.dtype == like.dtype and current.device == like.device:
        return current
    if not isinstance(current, Tensor) or current.is_complex():
        raise ConfigError(f"current={current.dtype}: must be a tensor of real numbers")
    if current.device != like.device:
        raise ConfigError(f"current={current.device}: must be on the device of the state, {like.device}")
    return current.to(like.dtype)


AnyNeuron: TypeAlias = Neuron[Any]
"""Neurons of a model, and with a state, that are known only when it runs."""


def steps_like(model: type[AnyNeuron], other: type[AnyNeuron]) -> bool:
    """Whether ``model``, derived from ``other``, leaves one step as it is, so that a loop written for that serves."""
    return model._step == other._step


class SpikingNeuron(Neuron[S]):
    """A neuron that charges, fires and is reset, with what all such models share.

    A model says how it charges (:meth:`charge`), how far it is above its threshold (:meth:`excess`) and what a spike
    does to it (:meth:`reset`). The rest is done here once: the absolute refractory period, during which the potential
    ``v`` stands still and nothing is fired; the trace of the neuron's spikes; the surrogate gradient, which passes
    through the spike and not through the reset.

    The state of a model has the leaf ``v``, leaves of its own, and

    - ``refractory``: ``[batch, *shape]``, steps for which the neuron stays silent;
    - ``trace``: ``[batch, *shape]``, the trace of its spikes, or ``[batch, 0]`` without ``tau_trace``.

    Args:
        shape: shape of the population.
        t_refractory: absolute refractory period in ms, rounded to whole steps.
        tau_trace: time constant in ms of the trace of the neuron's spikes, ``None`` for none.
        surrogate: a :class:`~snnrl.surrogate.Surrogate` or its name, for training by gradient; ``None`` for none.
        learnable: names of settings that become parameters which a gradient trains.
        dt: simulation step in ms.
        **unknown: what no model took, which is refused.

    Raises:
        ConfigError: a setting out of range, or the name of one that cannot be learned or that there is not.
    """

    FIXED: ClassVar[tuple[str, ...]] = (*Neuron.FIXED, "learnable", "tau_trace")
    LEARNABLE: ClassVar[tuple[str, ...]] = ()
    """Names of the settings that ``learnable`` may list."""
    HELD: ClassVar[tuple[str, ...]] = ("v",)
    """Leaves that stand still during the refractory period."""
    t_refractory: float
    surrogate: Surrogate | None

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        t_refractory: float = 0.0,
        tau_trace: float | None = None,
        surrogate: Surrogate | str | None = None,
        learnable: Collection[str] = (),
        dt: float = 1.0,
        **unknown: Setting,
    ) -> None:
        super().__init__(shape, dt=dt, **unknown)
        names = [learnable] if isinstance(learnable, str) else list(learnable)
        for name in names:
            if name not in self.LEARNABLE:
                known = did_you_mean(name, self.LEARNABLE) if self.LEARNABLE else "nothing here can be learned"
                raise ConfigError(f"learnable={name}: {known}")
        self.learnable = frozenset(names)
        self.set_value("t_refractory", t_refractory, per_neuron=False)
        self.tau_trace = tau_trace
        self.trace_decay = None if tau_trace is None else decay_factor(tau_trace, self.dt, "tau_trace")
        self.surrogate = make_surrogate(surrogate)

    @property
    def refractory_steps(self) -> int:
        """The refractory period in steps."""
        return math.floor(self.t_refractory / self.dt + 0.5)

    def limits(self, name: str) -> Limits:
        return at_least(0, "at least 0 ms") if name == "t_refractory" else super().limits(name)

    def __setattr__(self, name: str, value: Setting) -> None:
        super().__setattr__(name, make_surrogate(value) if name == "surrogate" else value)

    def shared_leaves(self, batch: int) -> dict[str, Tensor]:
        """The leaves at rest that every state has besides its own, ``refractory`` and ``trace``, by their names."""
        zeros = self.zeros(batch)
        silent = zeros if zeros.element_size() >= 4 else zeros.float()  # 16 bits do not count to a thousand
        return {"refractory": silent, "trace": zeros.clone() if self.trace_decay else zeros.new_zeros((batch, 0))}

    @abstractmethod
    def charge(self, current: Tensor, state: S) -> S:
        """The state after one step of ``current``, before a spike is looked for."""

    @abstractmethod
    def excess(self, state: S) -> Tensor:
        """How far the charged neuron is above threshold ``[batch, *shape]``; it fires at 0 and above."""

    @abstractmethod
    def reset(self, state: S, spikes: Tensor) -> S:
        """The state after ``spikes`` (0 or 1, without gradient)."""

    def fire(self, excess: Tensor) -> Tensor:
        """Spikes (0 or 1) of neurons that are so far above threshold; -inf for those that are refractory."""
        return (excess >= 0).to(excess.dtype) if self.surrogate is None else self.surrogate(excess)

    def forward(self, current: Tensor, state: S) -> tuple[Tensor, S]:
        current = step_of(current, state)
        before: Any = state  # whose leaves a NamedTuple of any kind does not tell
        charged = self.charge(current, state)
        leaves = {}
        silence = self.refractory_steps
        if silence:
            awake = before.refractory <= 0
            held = {name: torch.where(awake, getattr(charged, name), getattr(before, name)) for name in self.HELD}
            charged = charged._replace(**held)
            excess = self.excess(charged)
            spikes = self.fire(torch.where(awake, excess, torch.full_like(excess, -torch.inf)))
            waited = (before.refractory - 1).clamp_min(0)
            leaves["refractory"] = torch.where(spikes.detach() > 0, float(silence), waited)
        else:
            spikes = self.fire(self.excess(charged))
        after = self.reset(charged, spikes.detach())
        if self.trace_decay is not None:
            leaves["trace"] = decay_trace(before.trace, spikes, self.trace_decay)
        return spikes, after._replace(**leaves) if leaves else after
