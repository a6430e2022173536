"""Population code: Gaussian place cells over the dimensions of a vector observation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.base import Encoder, FittedEncoder, Window, as_values, regular_spikes, require_rows, require_steps
from snnrl.encoders.normalise import Normaliser
from snnrl.errors import require
from snnrl.settings import register
from snnrl.spaces import Space, number_view

MOST_DIMENSIONS = 4096
"""Place cells tile a vector of at most so many values."""
MOST_PAIRED = 15
"""Dimensions of which all pairs have cells where nothing else is said."""
USUAL_RATE = 18.0
"""Spikes of all cells in a simulation step where nothing else is said."""


class PopulationState(NamedTuple):
    """State of :class:`PopulationEncoder`."""

    phase: Tensor
    """``[batch, size]``: how far each cell is on its way to the next spike."""


class Resolution(NamedTuple):
    """Cells of a :class:`PopulationEncoder`'s groups."""

    lines: tuple[int, ...]
    grids: tuple[int, ...]


@register("population")
class PopulationEncoder(Encoder[PopulationState]):
    """Gaussian place cells that spike regularly at a rate given by the observation.

    Every dimension has a group of cells on a line, every pair of dimensions a group on a grid; within a group the
    activities sum to the same rate, whatever the observation, so that no place in it is silent
    (Georgopoulos, Schwartz & Kettner 1986, Science 233:1416; normalisation: Frémaux, Sprekeler & Gerstner 2013,
    PLoS Comput. Biol. 9:e1003024).

    Args:
        normaliser: maps the observation onto [-1, 1].
        sim_steps: length of the window in simulation steps.
        lines: cells of each one-dimensional group; several numbers make several groups.
        grids: cells along each side of each two-dimensional group.
        spikes_per_step: summed rate of all cells, in spikes for each simulation step.
        width: standard deviation of a tuning curve in units of the cells' spacing.

    Raises:
        ConfigError: no group at all, fewer than 2 cells, or a rate above one spike a step and cell.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("normaliser", "sim_steps", "lines", "grids", "width")

    def __init__(
        self,
        normaliser: Normaliser,
        *,
        sim_steps: int,
        lines: Sequence[int] = (9,),
        grids: Sequence[int] = (6,),
        spikes_per_step: float = 1.5,
        width: float = 0.7,
    ) -> None:
        super().__init__()
        require_steps(sim_steps)
        require(math.isfinite(width) and width > 0, "width", width, "above 0")
        self.normaliser, self.sim_steps, self.width = normaliser, sim_steps, width
        dims = normaliser.dims
        pairs = list(combinations(range(dims), 2)) if grids else []
        self.lines, self.grids = tuple(lines), tuple(grids) if pairs else ()
        require(bool(self.lines or self.grids), "lines", list(lines), "at least one group of cells")
        for name, cells in (("lines", self.lines), ("grids", self.grids)):
            require(all(count >= 2 for count in cells), name, list(cells), "at least 2 cells in each group")
        groups = self.groups(dims, self.lines, self.grids)
        self.group_rate = spikes_per_step / groups
        require(
            spikes_per_step > 0 and self.group_rate <= 1,
            "spikes_per_step",
            spikes_per_step,
            f"above 0 and at most {groups}, one for each group of cells",
        )
        self.total_rate = spikes_per_step
        self.size = dims * sum(self.lines) + len(pairs) * sum(side**2 for side in self.grids)
        self.register_buffer("_first", torch.tensor([a for a, _ in pairs], dtype=torch.long), persistent=False)
        self.register_buffer("_second", torch.tensor([b for _, b in pairs], dtype=torch.long), persistent=False)
        phase = (torch.arange(self.size, dtype=torch.float32) * 0.6180339887) % 1.0
        self.register_buffer("_phase", phase, persistent=False)

    @classmethod
    def for_space(  # type: ignore[override]
        cls,
        space: Space,
        window: Window,
        *,
        lines: Sequence[int] | None = None,
        grids: Sequence[int] | None = None,
        spikes_per_step: float | None = None,
        width: float = 0.7,
        scale: Sequence[float] | None = None,
        centre: Sequence[float] | None = None,
        squash: Sequence[bool] | None = None,
        adapt_range: float = 0.5,
    ) -> FittedEncoder:
        """Place cells for all numbers of an observation side by side; see :meth:`Encoder.for_space`.

        Args:
            space: of one observation, of at most 4,096 numbers.
            window: in which a decision is made.
            lines: see the class; ``None`` is as :meth:`resolution` says.
            grids: the same.
            spikes_per_step: see the class; ``None`` is 18, or one for each group of cells where these are fewer.
            width: see the class.
            scale: see :class:`~snnrl.encoders.normalise.Normaliser`, as for the next two.
            centre: what is in the middle.
            squash: in which dimensions.
            adapt_range: share of the cells that lie where observations are.

        Raises:
            ConfigError: a space of more numbers, or a setting out of range.
        """
        view, low, high = number_view(space, plain=scale is not None or squash is not None, most=MOST_DIMENSIONS)
        normaliser = Normaliser(low, high, scale=scale, centre=centre, squash=squash, adapt_range=adapt_range)
        usual = cls.resolution(normaliser.dims)
        lines, grids = usual.lines if lines is None else lines, usual.grids if grids is None else grids
        groups = cls.groups(normaliser.dims, lines, grids)
        rate = min(USUAL_RATE, groups) if spikes_per_step is None else spikes_per_step
        made = cls(normaliser, sim_steps=window.sim_steps, lines=lines, grids=grids, spikes_per_step=rate, width=width)
        return FittedEncoder(view, made)

    @staticmethod
    def resolution(dims: int) -> Resolution:
        """Cells that serve an observation of ``dims`` dimensions well: fine grids for two, coarser ones for many.

        Up to 15 dimensions all pairs have grids, 3,780 cells at most; beyond, each dimension has cells alone.
        """
        if dims == 2:
            return Resolution(lines=(), grids=(12, 8))
        if dims <= 4:
            return Resolution(lines=(9,), grids=(6,))
        return Resolution(lines=(7,), grids=(6,)) if dims <= MOST_PAIRED else Resolution(lines=(9,), grids=())

    @staticmethod
    def groups(dims: int, lines: Sequence[int], grids: Sequence[int]) -> int:
        """Number of groups of cells for an observation of ``dims`` dimensions."""
        return dims * len(lines) + dims * (dims - 1) // 2 * len(grids)

    def check(self, observation: Tensor) -> None:
        as_values(observation, self.normaliser.dims)

    def init_state(self, batch: int) -> PopulationState:
        return PopulationState(self.get_buffer("_phase").expand(batch, -1))

    def _tuning(self, x: Tensor, cells: int) -> Tensor:
        """``[batch, dims]`` to the normalised activities ``[batch, dims, cells]`` of one-dimensional groups."""
        centres = torch.linspace(-1, 1, cells, device=x.device, dtype=x.dtype)
        distance = (x.unsqueeze(-1) - centres) * ((cells - 1) / (2 * self.width))
        return torch.softmax(-0.5 * distance**2, dim=-1)

    def rates(self, observation: Tensor) -> Tensor:
        """Rate of each cell in spikes per step, ``[batch, size]``."""
        x = self.normaliser(observation)
        parts = [self._tuning(x, cells).flatten(1) for cells in self.lines]
        for side in self.grids:
            line = self._tuning(x, side)
            first, second = line[:, self.get_buffer("_first")], line[:, self.get_buffer("_second")]
            parts.append((first.unsqueeze(-1) * second.unsqueeze(-2)).flatten(1))
        return torch.cat(parts, dim=1) * self.group_rate

    def forward(self, observation: Tensor, state: PopulationState) -> tuple[Tensor, PopulationState]:
        require_rows(state.phase, len(observation))
        spikes, phase = regular_spikes(self.rates(observation), state.phase, self.sim_steps)
        return spikes.to(self.spike_dtype), PopulationState(phase)
