"""All-to-all synapses between layers of spiking neurons."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from snnrl.kernels.spike_linear import spike_linear


class SpikeLinear(nn.Linear):
    """``nn.Linear`` for spikes ``[rows, pre]``: it multiplies by adding up, where few of many neurons spike.

    The same to rounding, with the same parameters and gradients; any other input is multiplied as usual.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Currents ``[rows, post]``."""
        found = spike_linear(input, self.weight, self.bias)
        return functional.linear(input, self.weight, self.bias) if found is None else found
