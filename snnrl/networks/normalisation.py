"""Normalisation of the currents that reach a layer of spiking neurons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.neurons import AnyNeuron

NORMS = ("none", "layer", "batch")
"""Kinds by name."""
EPS = 1e-5
MEMORY = 0.8
"""Share of what is known of the changes of batch statistics that one batch leaves."""


class LayerNorm(nn.Module):
    """Layer normalisation (Ba, Kiros & Hinton 2016, arXiv:1607.06450) of each row's currents in each step.

    A current becomes ``weight (I - mean) / std + bias``, the mean and the standard deviation being those of the layer,
    whatever the sizes of weights and input. ``weight`` begins at the distance from rest to threshold and ``bias`` at 0,
    so that currents are as large as a neuron needs, as in "Solving the spike feature information vanishing problem in
    spiking deep Q network with potential based normalization" (Sun, Zeng & Li 2022, Front. Neurosci. 16:953368). There
    are no running statistics: a network and its slow copy, or acting and training, never differ by them.

    Args:
        neurons: the population; behind a convolution ``weight`` and ``bias`` are one for each map.
    """

    def __init__(self, neurons: AnyNeuron) -> None:
        super().__init__()
        maps = neurons.shape[0]
        self.weight = nn.Parameter(torch.full((maps,), _drive(neurons)))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, current: Tensor) -> Tensor:
        """Currents ``[time, batch, *shape]`` to currents of the same shape, in memory of their own."""
        if current.dim() == 3:
            return functional.layer_norm(current, current.shape[2:], self.weight, self.bias)
        rows = current.flatten(0, 1)
        return functional.group_norm(rows, 1, self.weight, self.bias).view_as(current)


class ReCalibratedNorm(nn.Module):
    """Batch normalisation whose statistics fit a policy that changes: CaRe-BN (Xu et al. 2025, arXiv:2509.23791).

    A current becomes ``weight (I - mean) / std + bias``, both of which begin at half the distance from rest to
    threshold. While gradients are taken in training mode, mean and variance are those of the batch, over all steps and
    places; else the running ones, by which the network acts. How far those follow a batch depends on how sure it is:
    by ``K = p / (p + v)``, where ``p`` is a moving average of the squares of what batches differed from them, and ``v``
    the variance of a batch's estimate, ``var / (batch - 1)`` of the mean and ``2 var^2 / (batch - 1)`` of the variance.
    :func:`recalibration` sets them to those of many batches at once, since those of few lag behind weights.

    Args:
        neurons: the population; behind a convolution there is one of everything for each map.
    """

    running_mean: Tensor
    running_var: Tensor
    changes: Tensor

    def __init__(self, neurons: AnyNeuron) -> None:
        super().__init__()
        maps, half = neurons.shape[0], 0.5 * _drive(neurons)
        self.weight = nn.Parameter(torch.full((maps,), half))
        self.bias = nn.Parameter(torch.full((maps,), half))
        self.register_buffer("running_mean", torch.zeros(maps))
        self.register_buffer("running_var", torch.ones(maps))
        self.register_buffer("changes", torch.zeros(2, maps))
        self.gathered: Gathered | None = None

    def forward(self, current: Tensor) -> Tensor:
        """Currents ``[time, batch, *shape]`` to currents of the same shape, in memory of their own."""
        rows, running = current.flatten(0, 1), (self.running_mean, self.running_var)
        if self.gathered is not None:
            with torch.no_grad():
                running = self.gathered.add(*_statistics(rows), len(rows))
        elif self.training and torch.is_grad_enabled() and len(rows) > 1:
            self._follow(*_statistics(rows.detach()), max(current.shape[1] - 1, 1))
            return functional.batch_norm(rows, None, None, self.weight, self.bias, True, 0.0, EPS).view_as(current)
        return functional.batch_norm(rows, *running, self.weight, self.bias, False, 0.0, EPS).view_as(current)

    @torch.no_grad()
    def _follow(self, mean: Tensor, var: Tensor, others: int) -> None:
        found, known = torch.stack([mean, var]), torch.stack([self.running_mean, self.running_var])
        self.changes.lerp_((found - known).square(), 1 - MEMORY)
        unsure = torch.stack([var, 2 * var.square()]) / others
        gain = self.changes / (self.changes + unsure).clamp_min(torch.finfo(var.dtype).tiny)
        after = torch.lerp(known, found, gain)
        self.running_mean.copy_(after[0])
        self.running_var.copy_(after[1])


class Gathered:
    """Mean and variance of all batches so far."""

    def __init__(self) -> None:
        self.rows = 0
        self.mean, self.var = torch.zeros(()), torch.zeros(())

    def add(self, mean: Tensor, var: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """Take in a batch of so many rows, its mean and its variance; returns those of all."""
        share = rows / (self.rows + rows)
        apart = mean - self.mean.to(mean)
        self.var = torch.lerp(self.var.to(var), var, share) + share * (1 - share) * apart.square()
        self.mean, self.rows = self.mean.to(mean) + share * apart, self.rows + rows
        return self.mean, self.var


@contextmanager
def recalibration(*modules: nn.Module) -> Iterator[None]:
    """What runs through ``modules`` in here makes the running statistics of their normalisations anew."""
    norms = [part for module in modules for part in module.modules() if isinstance(part, ReCalibratedNorm)]
    for norm in norms:
        norm.gathered = Gathered()
    try:
        with torch.no_grad():
            yield
            for norm in norms:
                if norm.gathered is not None and norm.gathered.rows:
                    norm.running_mean.copy_(norm.gathered.mean)
                    norm.running_var.copy_(norm.gathered.var)
    finally:
        for norm in norms:
            norm.gathered = None


def normalisation(kind: str, neurons: AnyNeuron) -> nn.Module | None:
    """The normalisation by the name ``kind``, one of :data:`NORMS`, of what reaches ``neurons``."""
    if kind == "none":
        return None
    return LayerNorm(neurons) if kind == "layer" else ReCalibratedNorm(neurons)


def _drive(neurons: AnyNeuron) -> float:
    """The mean distance from rest to threshold."""
    drive = torch.as_tensor(neurons.value("v_threshold")) - torch.as_tensor(getattr(neurons, "v_rest", 0.0))
    return float(drive.mean())


def _statistics(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each map of ``[rows, maps, ...]``."""
    var, mean = torch.var_mean(rows, [0, *range(2, rows.dim())], correction=0)
    return mean, var
