"""Compiled loops for CPU and GPU, behind plain functions; each has a reference implementation in torch.

The reference serves every device and is where the definition is read; a test holds the two to be equal.
"""

from snnrl.kernels.choices import choose
from snnrl.kernels.coincidences import gather_outer
from snnrl.kernels.frames import frame_events
from snnrl.kernels.lif import lif_scan
from snnrl.kernels.objects import object_events
from snnrl.kernels.outer import add_outer_events
from snnrl.kernels.place_cells import place_cell_spikes
from snnrl.kernels.plain import takes_loop
from snnrl.kernels.readouts import NeuronNumbers, readout_window
from snnrl.kernels.running import discounted_return, normalised, return_range, running_scale
from snnrl.kernels.spike_product import dense_product, spike_product
from snnrl.kernels.sums import add_rows, count_each
from snnrl.kernels.window import LIFWindow

__all__ = [
    "LIFWindow",
    "NeuronNumbers",
    "add_outer_events",
    "add_rows",
    "choose",
    "count_each",
    "dense_product",
    "discounted_return",
    "frame_events",
    "gather_outer",
    "lif_scan",
    "normalised",
    "object_events",
    "place_cell_spikes",
    "readout_window",
    "return_range",
    "running_scale",
    "spike_product",
    "takes_loop",
]
