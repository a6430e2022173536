"""What every neuron model offers: explicit state, one step, and a window of steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.surrogate import Surrogate, make_surrogate
from snnrl.traces import decay_factor, decay_trace

S = TypeVar("S", bound=NamedTuple)

Value = float | Tensor
"""A setting: a number, or a tensor with one number for each neuron ``[*shape]``."""


class Neuron(nn.Module, ABC, Generic[S]):
    """A population of neurons with the shape ``shape``.

    The state is a NamedTuple of tensors, every one ``[batch, *shape]``, which goes in and comes out; the module itself
    holds only what outlives an episode.
    """

    shape: tuple[int, ...]

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        require(min(self.shape, default=0) > 0, "shape", self.shape, "positive sizes")
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    def _zeros(self, batch: int) -> Tensor:
        return cast(Tensor, self._anchor).new_zeros((batch, *self.shape))

    @abstractmethod
    def init_state(self, batch: int) -> S:
        """The state at rest for ``batch`` independent rows."""

    @abstractmethod
    def forward(self, current: Tensor, state: S) -> tuple[Tensor, S]:
        """One simulation step: ``current`` ``[batch, *shape]`` to spikes of the same shape (0 or 1)."""

    def scan(self, current: Tensor, state: S, *, reuse: bool = False) -> tuple[Tensor, S]:
        """A window of steps: ``current`` ``[time, batch, *shape]`` to spikes of the same shape.

        The plain loop over :meth:`forward`; a model whose window has a closed form or a kernel overrides it, and a
        test holds the two to be equal. With ``reuse`` it may put the spikes where ``current`` is.
        """
        require_window(current, state)
        spikes = []
        for now in current:
            out, state = self(now, state)
            spikes.append(out)
        return torch.stack(spikes), state


def require_step(current: Tensor, state: Any) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` unless ``current`` is ``[batch, *shape]``, as the state is."""
    if current.shape != state[0].shape:
        raise ConfigError(f"current={list(current.shape)}: must have the shape of the state {list(state[0].shape)}")


def require_window(current: Tensor, state: Any) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` unless ``current`` is ``[time, batch, *shape]``, one step at least."""
    shape = list(state[0].shape)
    if list(current.shape[1:]) != shape or not len(current):
        raise ConfigError(f"current={list(current.shape)}: must be of shape [time, {', '.join(map(str, shape))}]")


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

    Raises:
        ConfigError: a setting out of range, or the name of one that cannot be learned.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ()
    """Names of the settings that ``learnable`` may list."""
    HELD: ClassVar[tuple[str, ...]] = ("v",)
    """Leaves that stand still during the refractory period."""

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        t_refractory: float = 0.0,
        tau_trace: float | None = None,
        surrogate: Surrogate | str | None = None,
        learnable: Collection[str] = (),
        dt: float = 1.0,
    ) -> None:
        super().__init__(shape)
        require(math.isfinite(dt) and dt > 0, "dt", dt, "a positive number of ms")
        require(math.isfinite(t_refractory) and t_refractory >= 0, "t_refractory", t_refractory, "at least 0 ms")
        for name in [learnable] if isinstance(learnable, str) else learnable:
            if name not in self.LEARNABLE:
                known = did_you_mean(name, self.LEARNABLE) if self.LEARNABLE else "nothing here can be learned"
                raise ConfigError(f"learnable={name}: {known}")
        self.dt = dt
        self.learnable = frozenset([learnable] if isinstance(learnable, str) else learnable)
        self.refractory_steps = math.floor(t_refractory / dt + 0.5)
        self.trace_decay = None if tau_trace is None else decay_factor(tau_trace, dt, "tau_trace")
        self.surrogate = make_surrogate(surrogate)

    def _set(self, name: str, value: Value, valid: Callable[[Tensor], Tensor], expected: str) -> None:
        """Keep a setting as a number, a buffer or, if it is learnable, a parameter."""
        tensor = torch.as_tensor(value, dtype=torch.get_default_dtype())
        single = tensor.dim() == 0
        require(single or tensor.shape == self.shape, name, list(tensor.shape), f"a number or of shape {self.shape}")
        fits = bool((torch.isfinite(tensor) & valid(torch.as_tensor(value, dtype=torch.float64))).all())
        require(fits, name, value, expected)
        if name in self.learnable:
            setattr(self, name, nn.Parameter(tensor.clone()))
        elif single:
            setattr(self, name, float(value))
        else:
            self.register_buffer(name, tensor.clone(), persistent=False)

    def _set_tau(self, name: str, value: Value) -> None:
        """Keep a time constant, and the factor ``exp(-dt / tau)`` where it stands still."""
        self._set(name, value, lambda tau: tau >= self.dt, f"a number of ms that is at least dt ({self.dt})")
        if name not in self.learnable:
            tau = getattr(self, name)
            if isinstance(tau, Tensor):
                self.register_buffer(f"_{name}_decay", torch.exp(-self.dt / tau), persistent=False)
            else:
                setattr(self, f"_{name}_decay", decay_factor(tau, self.dt, name))

    def _decay(self, name: str) -> Value:
        """The factor by which what has the time constant ``name`` shrinks in one step."""
        if name in self.learnable:
            return torch.exp(-self.dt / getattr(self, name).clamp_min(self.dt))
        return cast(Value, getattr(self, f"_{name}_decay"))

    def _rest(self, batch: int) -> dict[str, Tensor]:
        """The leaves that every state has besides its own."""
        silent = self._zeros(batch)
        return {"refractory": silent, "trace": silent.clone() if self.trace_decay else silent.new_zeros((batch, 0))}

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
        require_step(current, state)
        before = cast(Any, state)
        charged: Any = self.charge(current, state)
        leaves = {}
        if self.refractory_steps:
            awake = before.refractory <= 0
            held = {name: torch.where(awake, getattr(charged, name), getattr(before, name)) for name in self.HELD}
            charged = charged._replace(**held)
            excess = self.excess(charged)
            spikes = self.fire(torch.where(awake, excess, torch.full_like(excess, -torch.inf)))
            waited = (before.refractory - 1).clamp_min(0)
            leaves["refractory"] = torch.where(spikes.detach() > 0, float(self.refractory_steps), waited)
        else:
            spikes = self.fire(self.excess(charged))
        after: Any = self.reset(charged, spikes.detach())
        if self.trace_decay is not None:
            leaves["trace"] = decay_trace(before.trace, spikes, self.trace_decay)
        return spikes, after._replace(**leaves) if leaves else after
