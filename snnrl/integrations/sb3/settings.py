"""What the spiking policies share: their settings, and their hidden layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gymnasium import spaces
from torch import nn

from snnrl.errors import require
from snnrl.networks.layered import LayeredNetwork, LayerSettings

CRITICS = ("spiking", "ann")
"""What a critic can be."""


def split_settings(settings: Mapping[str, Any]) -> tuple[LayerSettings, dict[str, Any]]:
    """Keyword arguments of a policy: those of the spiking layers, and those of SB3."""
    return LayerSettings.split(settings)


def require_critic(critic: str) -> str:
    """``critic``, or a ConfigError unless it is one of :data:`CRITICS`."""
    require(critic in CRITICS, "critic", critic, " or ".join(CRITICS))
    return critic


def require_cells(cells: int, action_space: spaces.Space[Any]) -> int:
    """``action_cells``, or a ConfigError unless the action space can have them."""
    whole = isinstance(cells, int) and not isinstance(cells, bool) and cells >= 0
    require(whole, "action_cells", cells, "an integer of at least 0")
    fits = cells == 0 or isinstance(action_space, spaces.Box)
    require(fits, "action_cells", cells, f"0 for {action_space}, whose actions are not continuous")
    return cells


def hidden_layers(inputs: int, sizes: Sequence[int], settings: LayerSettings) -> nn.Module:
    """Spiking layers of the sizes given, or nothing at all."""
    return LayeredNetwork.dense(inputs, sizes, settings) if sizes else nn.Identity()


def readout(
    inputs: int, sizes: Sequence[int], outputs: int, settings: LayerSettings, *after: nn.Module
) -> nn.Sequential:
    """Spiking layers, a linear readout of their features, and what follows it."""
    last = sizes[-1] if sizes else inputs
    return nn.Sequential(hidden_layers(inputs, sizes, settings), nn.Linear(last, outputs), *after)
