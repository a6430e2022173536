"""What the spiking policies share: settings, hidden layers, the way from an observation to an action, conversion."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from snnrl.errors import ConfigError, require
from snnrl.integrations.sb3.vision import SpikingNatureCNN
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.settings import require_whole
from snnrl.spaces.leaves import Space
from snnrl.types import Saved, Setting

CRITICS = ("spiking", "ann")
"""What a critic can be."""

Weights = nn.Linear | nn.Conv2d


class ActingPath(NamedTuple):
    """What of a policy acts: spiking layers, then the linear layer that reads them."""

    networks: list[LayeredNetwork]
    """Stacks of spiking layers, in the order of the computation."""
    readout: nn.Linear | PopulationReadout


class Stack(NamedTuple):
    """Layers of an ANN, and the spiking layers that take their place."""

    source: list[Weights]
    network: LayeredNetwork


class ConversionPath(NamedTuple):
    """Which part of an ANN policy becomes which part of a spiking one, in the order of the computation."""

    hidden: list[Stack]
    """Layers that come to spike, one stack after the other."""
    readouts: list[tuple[nn.Linear, nn.Linear]]
    """Linear layers that read the last stack."""
    kept: list[tuple[nn.Module, nn.Module]]
    """Modules that stay as they are."""
    values: Sequence[tuple[Tensor, Tensor]] = ()
    """Parameters that stay as they are."""
    targets: Sequence[tuple[nn.Module, nn.Module]] = ()
    """Modules of the spiking policy, each with its slow copy, which is to be equal at the start."""


class SpikingPolicy(BasePolicy):
    """Base of the spiking policies, to stand before SB3's own policy among the bases of a class.

    Args:
        *args: as for SB3's policy.
        **kwargs: settings of :class:`~snnrl.networks.layered.LayerSettings`, and those of SB3's policy.

    Attributes:
        spiking: how the layers spike.
        EXTRACTOR: the features extractor where ``features_extractor_class`` is not given; it gets the settings of the
            spiking layers. ``None`` leaves SB3's.
        NET_ARCH: ``net_arch`` where it is not given; ``None`` leaves SB3's.

    Raises:
        ConfigError: a setting out of range.
    """

    EXTRACTOR: ClassVar[type[BaseFeaturesExtractor] | None] = None
    NET_ARCH: ClassVar[Sequence[int] | None] = None

    def __init__(self, *args: Any, **kwargs: Setting) -> None:
        self.spiking, others = LayerSettings.split(kwargs)
        if self.EXTRACTOR is not None:
            given = others.get("features_extractor_kwargs") or {}
            others = {"features_extractor_class": self.EXTRACTOR, **others}
            others["features_extractor_kwargs"] = {**self.spiking.as_dict(), **given}
        if self.NET_ARCH is not None and others.get("net_arch") is None:
            others["net_arch"] = list(self.NET_ARCH)
        super().__init__(*args, **others)

    def _get_constructor_parameters(self) -> Saved:
        return {**super()._get_constructor_parameters(), **self.spiking.as_dict()}

    @abstractmethod
    def acting_path(self) -> ActingPath:
        """The layers between an observation and an action."""

    @abstractmethod
    def conversion_path(self, ann: BasePolicy) -> ConversionPath:
        """How the weights of SB3's policy of the same shapes become those of this one."""


class SpikingActorPolicy(SpikingPolicy):
    """Base of the spiking policies with an actor and a critic.

    Args:
        observation_space: as in SB3, like all that is not named here.
        action_space: as in SB3.
        *args: as in SB3.
        action_cells: neurons of the pool of each action dimension, from which it alone is read (Tang et al. 2020,
            CoRL, "PopSAN"); 0 reads all dimensions from the last hidden layer. For continuous actions.
        critic: ``ann`` for SB3's own, which is not needed to act, or ``spiking``.
        **kwargs: settings of :class:`~snnrl.networks.layered.LayerSettings`, and those of SB3's policy.

    Raises:
        ConfigError: a setting out of range.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        *args: Any,
        action_cells: int = 0,
        critic: str = "ann",
        **kwargs: Setting,
    ) -> None:
        require_whole("action_cells", action_cells, at_least=0)
        fits = action_cells == 0 or isinstance(action_space, spaces.Box)
        require(fits, "action_cells", action_cells, f"0 for {action_space}, whose actions are not continuous")
        require(critic in CRITICS, "critic", critic, " or ".join(CRITICS))
        self.action_cells, self.critic_kind = action_cells, critic
        super().__init__(observation_space, action_space, *args, **kwargs)

    def _get_constructor_parameters(self) -> Saved:
        own = {"action_cells": self.action_cells, "critic": self.critic_kind}
        return {**super()._get_constructor_parameters(), **own}


def spiking_policy(policy: nn.Module, setting: str = "policy") -> SpikingPolicy:
    """``policy``, or a ConfigError that names ``setting`` unless it spikes."""
    if not isinstance(policy, SpikingPolicy):
        raise ConfigError(f"{setting}={type(policy).__name__}: must be of a spiking policy (agent.network=spiking)")
    return policy


def spiking_parts(*modules: nn.Module) -> list[LayeredNetwork]:
    """The stacks of spiking layers of some modules, in their order."""
    return [part for module in modules for part in module.modules() if isinstance(part, LayeredNetwork)]


def weights_of(module: nn.Module) -> list[Weights]:
    """The layers of a module that have weights, in their order."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def readout_of(module: nn.Module) -> nn.Linear | PopulationReadout:
    """What of a module reads spiking layers, whatever clips or squashes it then."""
    (found,) = (part for part in module.modules() if isinstance(part, nn.Linear | PopulationReadout))
    return found


def linear_of(module: nn.Module) -> nn.Linear:
    """The one linear layer of a module, such as of a readout that is clipped."""
    (layer,) = (part for part in module.modules() if isinstance(part, nn.Linear))
    return layer


def stacks(old: nn.Module, new: nn.Module) -> list[Stack]:
    """The hidden layers of a module and the spiking ones that take their place, if there are any."""
    return [Stack(weights_of(old), network) for network in spiking_parts(new)]


def vision_stacks(old: nn.Module, new: nn.Module) -> list[Stack]:
    """The same of features extractors, where convolutions are in front of a policy's layers.

    Raises:
        ConfigError: convolutions for some parts of an observation and none for others.
    """
    found = stacks(old, new)
    plain = not found or isinstance(new, SpikingNatureCNN)
    require(plain, "run", type(new).__name__, "of an agent that sees one image, or none, to be converted")
    return found


def hidden_and_readout(old: nn.Module, new: nn.Module) -> tuple[list[Stack], tuple[nn.Linear, nn.Linear]]:
    """Of a sequence of hidden layers and a linear layer, those that come to spike and those that read them."""
    *layers, last = weights_of(old)
    assert isinstance(last, nn.Linear)
    assert isinstance(new, nn.Sequential)
    return [Stack(layers, network) for network in spiking_parts(new[0])], (last, linear_of(new[1]))


def hidden_layers(inputs: int, sizes: Sequence[int], settings: LayerSettings) -> nn.Module:
    """Spiking layers of the sizes given, or nothing at all."""
    return LayeredNetwork.dense(inputs, sizes, settings) if sizes else nn.Identity()


def readout(
    inputs: int, sizes: Sequence[int], outputs: int, settings: LayerSettings, *after: nn.Module
) -> nn.Sequential:
    """Spiking layers, a linear readout of their features, and what follows it."""
    last = sizes[-1] if sizes else inputs
    return nn.Sequential(hidden_layers(inputs, sizes, settings), nn.Linear(last, outputs), *after)
