"""Normalisation of the currents that reach a layer of spiking neurons."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.neurons import AnyNeuron

NORMS = ("none", "layer")
"""Kinds by name."""


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
        drive = torch.as_tensor(neurons.value("v_threshold")) - torch.as_tensor(getattr(neurons, "v_rest", 0.0))
        self.weight = nn.Parameter(torch.full((maps,), float(drive.mean())))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, current: Tensor) -> Tensor:
        """Currents ``[time, batch, *shape]`` to currents of the same shape, in memory of their own."""
        if current.dim() == 3:
            return functional.layer_norm(current, current.shape[2:], self.weight, self.bias)
        rows = current.flatten(0, 1)
        return functional.group_norm(rows, 1, self.weight, self.bias).view_as(current)


def normalisation(kind: str, neurons: AnyNeuron) -> nn.Module | None:
    """The normalisation by the name ``kind``, one of :data:`NORMS`, of what reaches ``neurons``."""
    return LayerNorm(neurons) if kind == "layer" else None
