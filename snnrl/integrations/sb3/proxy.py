"""Target networks that do not spike, fitted to the spiking networks whose slow copies they replace."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn
from torch.nn import functional

from snnrl.errors import require
from snnrl.integrations.sb3.policies import SpikingPolicy
from snnrl.types import Saved, Setting


class Substitutable(nn.Module):
    """A target network that another may stand in for, to stand before SB3's own class among the bases of a class."""

    def stand_in(self, other: nn.Module) -> None:
        """Give what ``other`` gives from now on."""
        vars(self)["other"] = other  # no part of this module, whose own weights go on following

    def forward(self, *inputs: PyTorchObs) -> Setting:
        """As in SB3."""
        other = vars(self).get("other")
        return super().forward(*inputs) if other is None else other(*inputs)


class Target(NamedTuple):
    """A spiking network, and what its updates are computed with."""

    network: nn.Module
    slow_copy: Substitutable
    proxy: nn.Module
    """Of the same inputs and outputs, without spikes."""


class Proxies(nn.Module):
    """The proxies of a policy.

    Args:
        targets: which networks they are fitted to.
        learning_rate: of Adam, by which they follow.
    """

    def __init__(self, targets: Sequence[Target], learning_rate: float) -> None:
        super().__init__()
        self.fitted = nn.ModuleList(target.proxy for target in targets)
        vars(self)["targets"] = targets
        for target in targets:
            target.slow_copy.stand_in(target.proxy)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=learning_rate)

    def fit(self, observations: PyTorchObs, actions: Tensor) -> None:
        """One step towards what the networks give for a batch; critics see the actions too."""
        losses = []
        for network, _, proxy in vars(self)["targets"]:
            inputs = (observations, actions) if hasattr(network, "q_networks") else (observations,)
            with torch.no_grad():
                wanted = network(*inputs)
            found = proxy(*inputs)
            pairs = zip(found, wanted, strict=True) if isinstance(found, tuple) else ((found, wanted),)
            losses += [functional.mse_loss(one, other) for one, other in pairs]
        self.optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()  # so that no norm of all gradients counts them


class ProxyTargetPolicy(SpikingPolicy):
    """Base of the policies whose targets can be computed by networks without spikes (proxy targets).

    A spiking network gives one of a few values, so a slow copy, whose weights follow by small steps, stands still and
    jumps. A proxy is a network of ReLUs of the same shapes which is fitted to what the spiking one gives, by gradient
    descent on remembered observations, and moves smoothly (Xu et al. 2025, arXiv:2505.24161). It is needed for training
    alone.

    Args:
        *args: as for SB3's policy.
        proxy_target: whether targets are computed by proxies.
        proxy_lr: learning rate by which they follow.
        **kwargs: those of :class:`~snnrl.integrations.sb3.policies.SpikingPolicy`.

    Raises:
        ConfigError: proxies where images are seen, or where no target network spikes.
    """

    def __init__(self, *args: Setting, proxy_target: bool = False, proxy_lr: float = 1e-3, **kwargs: Setting) -> None:
        self.proxy_target, self.proxy_lr = proxy_target, proxy_lr
        fits = not proxy_target or self.EXTRACTOR is None
        require(fits, "proxy_target", proxy_target, "false where observations are images or Dicts")
        super().__init__(*args, **kwargs)

    proxies: Proxies | None

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        if not self.proxy_target:
            self.proxies = None
        else:
            targets = self.targets()
            require(bool(targets), "proxy_target", True, "false unless a network with a target spikes; critic=spiking")
            self.proxies = Proxies(targets, self.proxy_lr).to(self.device)

    @abstractmethod
    def targets(self) -> list[Target]:
        """The networks that spike and have a slow copy, each with a new proxy."""

    def _get_constructor_parameters(self) -> Saved:
        own = {"proxy_target": self.proxy_target, "proxy_lr": self.proxy_lr}
        return {**super()._get_constructor_parameters(), **own}
