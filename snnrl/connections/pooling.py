"""Pooling of spikes: no weights, nothing to learn."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from snnrl.connections.base import Projection, as_dense, new_memory
from snnrl.connections.fields import Fields, Size
from snnrl.errors import require
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.types import Setting


@register("pool")
class Pool(Projection):
    """Pools spikes ``[..., channels, *space]`` over receptive fields to ``[..., channels, *out_space]``.

    ``"max"`` passes a spike on where at least one neuron of the field spikes; ``"mean"`` passes on the share that does.

    Args:
        dimensions: of space, 1 to 3.
        kernel_size: extent of a field, a number or one for each dimension.
        mode: ``"max"`` or ``"mean"``.
        stride: step between fields, the extent of one unless given.

    Raises:
        ConfigError: a setting out of range.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("mode",)

    def __init__(
        self, dimensions: int, kernel_size: Size, *, mode: Literal["max", "mean"] = "max", stride: Size | None = None
    ) -> None:
        super().__init__()
        require(dimensions in (1, 2, 3), "dimensions", dimensions, "1, 2 or 3")
        require(mode in ("max", "mean"), "mode", mode, "max or mean")
        self.fields = Fields.of(dimensions, kernel_size, kernel_size if stride is None else stride, 0)
        self.mode = mode

    @classmethod
    def between(cls, pre: tuple[int, ...], post: tuple[int, ...]) -> dict[str, Setting]:
        return {"dimensions": len(pre) - 1}

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = as_dense(spikes)
        space = self.fields.dimensions
        require(dense.dim() > space + 1, "spikes", list(dense.shape), f"of shape [..., channels, *{space} dimensions]")
        out = self.fields.out_shape(tuple(dense.shape[-space:]))
        fields = self.fields.unfold(dense.flatten(0, -space - 1).unsqueeze(1))
        pooled = fields.amax(1) if self.mode == "max" else fields.mean(1)
        return pooled.view(*dense.shape[:-space], *out)
