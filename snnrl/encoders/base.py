"""What every encoder offers: an observation becomes the spikes of one window of simulation steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnrl.devices import moved, readable
from snnrl.errors import ConfigError, require
from snnrl.ranks import ALONE, Ranks
from snnrl.settings import FixedSettings, KnownSettings, accepted, is_whole
from snnrl.spaces import Space, Unit, Vector, View
from snnrl.spikes import SparseSpikes
from snnrl.state import State
from snnrl.types import Array, Observation, Setting

S = TypeVar("S", bound=State)


class Window(NamedTuple):
    """The window of simulation steps in which an agent makes a decision."""

    sim_steps: int
    """Its length."""
    dt: float = 1.0
    """Length of a simulation step in ms."""
    generator: torch.Generator | None = None
    """Where random spikes come from; ``None`` is torch's global generator."""


class FittedEncoder(NamedTuple):
    """An encoder that was made for a space of observations."""

    view: View
    """From the space's observations to those that the encoder takes."""
    encoder: AnyEncoder


class FixedPrecision(KnownSettings, FixedSettings, nn.Module):
    """A module whose buffers are moved from device to device, but keep the precision that they were made with.

    What observations are measured against, and running statistics above all, would be damaged by a network's
    ``.half()`` or ``.float()``.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        before = dict(self._buffers)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, buffer in before.items():
            moved = self._buffers[name]
            if buffer is not None and moved is not None and moved.dtype != buffer.dtype:
                self._buffers[name] = buffer.to(moved.device)
        return self


class _SpikeDtype(nn.Module):
    """Knows which dtype a network around it was made or converted to."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("anchor", torch.zeros(()), persistent=False)


class Encoder(FixedPrecision, ABC, Generic[S]):
    """Turns a batch of observations into spikes.

    An encoder returns either a spike train, a tensor ``[time, batch, size]``, or synchronous spikes: those of one
    instant, at the window's start, as :class:`~snnrl.spikes.SparseSpikes` with rows ``(batch,)``. What it must remember
    from one observation to the next within an episode is its state; what it learns for life is in its buffers, and
    changes only while the module is in training mode.

    Observations may have any dtype: what is made of them is computed in single precision at least, so that the same
    spikes come out whatever the precision of the network; ``.double()``, ``.to(dtype)`` and torch's default dtype
    decide the dtype of the spikes alone.

    What was set when an encoder was made holds for good, but for the ``dtype`` of spikes and the ``generator``.

    Attributes:
        size: number of neurons.
        total_rate: spikes of all neurons in a simulation step, where that is the same for every observation.
        synchronous: whether it returns synchronous spikes.
        takes_intensities: whether an observation has to be values in [0, 1]; otherwise they may be of any range.
        shares_rows: whether it looks only at its process's own rows of a batch in a run of several processes, which
            then send one another the events; others are given all rows in every process.
        ranks: the processes of the run in which it is trained.
    """

    size: int
    total_rate: float | None = None
    synchronous: bool = False
    takes_intensities: ClassVar[bool] = False
    shares_rows: ClassVar[bool] = False
    ranks: Ranks = ALONE

    def __init__(self) -> None:
        super().__init__()
        self._spikes = _SpikeDtype()

    if TYPE_CHECKING:

        def __call__(self, observation: Tensor, state: S) -> tuple[Any, S]:
            """:meth:`forward`, of tensors alone."""

    else:

        def __call__(self, observation, *state, **named):
            require_tensor(observation)
            return super().__call__(observation, *state, **named)

    @classmethod
    def for_space(cls, space: Space, window: Window, **settings: Setting) -> FittedEncoder:
        """The encoder for the observations of a space, as a recipe names it in ``agent.encoder``.

        This one serves encoders that are made as ``cls(values, sim_steps=..., **settings)``, with ``dt`` and
        ``generator`` if the constructor takes them, and that see observations as a vector of so many values; with
        :attr:`takes_intensities`, as their place between the space's bounds. Others say here what they need; the
        keywords that they list are the settings that a recipe may have.

        Args:
            space: of one observation; a Tuple or Dict has several parts.
            window: in which a decision is made.
            **settings: those of ``agent.encoder`` but its name.

        Raises:
            ConfigError: a space that it cannot take, or a setting out of range.
        """
        view = Unit(space) if cls.takes_intensities else Vector(space)
        fixed = {name: value for name, value in window._asdict().items() if name in accepted(cls)}
        made = cls(math.prod(view.shape), **fixed, **settings)  # type: ignore[call-arg]
        return FittedEncoder(view, made)

    @property
    def spike_dtype(self) -> torch.dtype:
        """The dtype of spikes: torch's default when the encoder was made, or what it has been converted to since."""
        return self._spikes.get_buffer("anchor").dtype

    @property
    def sharing(self) -> Ranks:
        """With whom the rows of a batch are shared: nobody, but in training."""
        return self.ranks if self.training else ALONE

    @property
    def calibrated(self) -> bool:
        """Whether all is known that :meth:`calibrate` can tell; false makes an agent begin with a warm-up.

        An encoder that needs one keeps this, and what it has learned, in buffers, so that it is saved with the weights.
        It gives spikes before as well, since predictions may be asked for at any time.
        """
        return True

    def calibrate(self, observations: Array, actions: NDArray[np.int64], joined: NDArray[np.bool_]) -> None:
        """Learn from random play what there is to see; afterwards the encoder is :attr:`calibrated`.

        An agent acts at random for ``warmup_steps`` decisions, calls this once and begins to learn. Most encoders need
        none of it.

        Args:
            observations: ``[time, batch, *observation_shape]``, as :meth:`forward` is given them.
            actions: ``[time - 1, batch]``, a number for each combination of choices, what was done between two
                observations.
            joined: ``[time - 1, batch]``, whether the two observations are of one episode.
        """

    def check(self, observation: Tensor) -> None:
        """Raise a ConfigError for values that :meth:`forward` cannot take, such as NaN.

        A GPU would have to be waited for, so :meth:`forward` checks values of tensors on the CPU alone.
        """

    def placed(self, observation: Array, device: torch.device) -> Tensor:
        """An array ``[batch, *observation_shape]`` as :meth:`forward` takes it where the weights are on ``device``.

        Raises:
            ConfigError: see :meth:`check`, which comes before the copy to a GPU.
        """
        given = torch.as_tensor(observation)
        if device.type == "cpu":
            return given
        self.check(given)
        return moved(given, device)

    @abstractmethod
    def init_state(self, batch: int) -> S:
        """The state at the start of an episode."""

    @abstractmethod
    def forward(self, observation: Tensor, state: S) -> tuple[Tensor | SparseSpikes, S]:
        """Spikes of one window for observations ``[batch, *observation_shape]``."""


class HostEncoder(Encoder[S]):
    """An encoder that looks at observations on the host, wherever the network is; only its spikes are moved there.

    Its own buffers and its states stay on the host; its parts, of which :attr:`device` is one, move.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        for part in self.children():
            part._apply(fn, recurse)
        return self

    def placed(self, observation: Array, device: torch.device) -> Tensor:
        return torch.as_tensor(observation)

    @property
    def device(self) -> torch.device:
        """Where its spikes go."""
        return self._spikes.get_buffer("anchor").device


AnyEncoder: TypeAlias = Encoder[Any]
"""An encoder with a state that is known only when it runs."""


def require_tensor(observation: Observation) -> None:
    """Refuse a list or an array.

    Raises:
        ConfigError: it is no tensor.
    """
    if not isinstance(observation, Tensor):
        raise ConfigError(
            f"observation={type(observation).__name__}: must be a tensor [batch, ...]; torch.as_tensor makes one"
        )


def require_steps(sim_steps: Setting) -> int:
    """The length of a window.

    Raises:
        ConfigError: it is no integer of at least 1.
    """
    return require_count("sim_steps", sim_steps, "an integer of at least 1")


def require_count(setting: str, value: Setting, expected: str) -> int:
    """A number of things of which there is one at least.

    Raises:
        ConfigError: it is none.
    """
    require(is_whole(value, 1), setting, value, expected)
    return int(value)


def as_values(observation: Tensor, size: int) -> Tensor:
    """Observations ``[batch, *shape]`` as ``[batch, size]``, in single precision at least.

    Raises:
        ConfigError: another number of values in an observation, or, on the CPU, one that is NaN or infinite.
    """
    require_tensor(observation)
    shape = list(observation.shape)
    if not shape or math.prod(shape[1:]) != size:
        raise ConfigError(f"observation={shape}: must be [batch, {size}], or of another shape of {size} values a row")
    values = observation.reshape(shape[0], size)
    if not values.is_floating_point():
        require(not values.is_complex(), "observation", values.dtype, "of real numbers")
        return values.to(torch.float32)
    if values.dtype.itemsize < torch.float32.itemsize:
        values = values.to(torch.float32)
    if readable(values) and not bool(torch.isfinite(values).all()):
        row = int(torch.isfinite(values).all(1).logical_not().nonzero()[0])
        raise ConfigError(f"observation[{row}]={values[row].tolist()}: must be finite")
    return values


def as_intensities(observation: Tensor, size: int) -> Tensor:
    """Observations ``[batch, *shape]`` as intensities ``[batch, size]`` in [0, 1], float32.

    Floating-point numbers beyond are clipped.

    Raises:
        ConfigError: as :func:`as_values`, or whole numbers above 1, which are pixels that nobody has divided.
    """
    values = as_values(observation, size)
    if not observation.is_floating_point() and observation.dtype != torch.bool and values.numel() and readable(values):
        most = int(values.max())
        expected = "intensities in [0, 1]; divide the pixels of an image by 255.0"
        require(most <= 1, "observation", f"{observation.dtype} up to {most}", expected)
    return values.to(torch.float32).clamp(0, 1)


def require_frames(observation: Tensor, height: int, width: int) -> None:
    """Refuse what are no grey frames.

    Raises:
        ConfigError: another dtype than uint8, or another shape than ``[batch, 1, height, width]``.
    """
    shape = tuple(observation.shape)
    if observation.dtype != torch.uint8 or len(shape) != 4 or shape[1:] != (1, height, width):
        raise ConfigError(f"observation={observation.dtype} {shape}: must be uint8 (n, 1, {height}, {width})")


def interval(name: str, value: Sequence[int] | None, height: int) -> tuple[int, int]:
    """First and one past the last row that a setting names; ``None`` is all rows.

    Raises:
        ConfigError: it names others than the picture's.
    """
    given = (0, height) if value is None else tuple(value)
    ordered = len(given) == 2 and all(is_whole(end, 0) for end in given) and given[0] < given[1] <= height
    require(ordered, name, list(given), f"[first, past] with 0 <= first < past <= {height}")
    return given[0], given[1]


def require_rows(state: Tensor, batch: int) -> None:
    """Refuse a state ``[rows, ...]`` of another number of rows than the observations have.

    Raises:
        ConfigError: it has.
    """
    if len(state) != batch:
        raise ConfigError(f"state={len(state)} rows: must have the {batch} of the observation, as init_state({batch})")


def regular_spikes(rate: Tensor, phase: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Regular spiking: each neuron adds its rate at every step and spikes, keeping the rest, on reaching 1.

    Args:
        rate: ``[batch, size]`` spikes for each step, in [0, 1].
        phase: ``[batch, size]`` in [0, 1), what is left from before.
        steps: length of the window.

    Returns:
        Spikes ``[steps, batch, size]`` and the phase after the window.
    """
    time = torch.arange(1, steps + 1, device=rate.device, dtype=rate.dtype)
    reached = torch.floor(phase + rate * time.view(-1, 1, 1))
    spikes = torch.diff(reached, dim=0, prepend=torch.zeros_like(reached[:1])).clamp_max_(1)
    return spikes, (phase + rate * steps - reached[-1]).clamp_(0.0, 1.0 - 1e-6)
