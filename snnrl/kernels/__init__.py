"""Compiled loops for CPU and GPU, behind plain functions; each has a reference implementation in torch.

The reference serves every device and is where the definition is read; a test holds the two to be equal.
"""

from snnrl.kernels.frames import frame_events
from snnrl.kernels.lif import lif_scan
from snnrl.kernels.objects import object_events
from snnrl.kernels.outer import add_outer_events
from snnrl.kernels.spike_product import dense_product, spike_product
from snnrl.kernels.sums import add_rows, count_each
from snnrl.kernels.window import LIFWindow

__all__ = [
    "LIFWindow",
    "add_outer_events",
    "add_rows",
    "count_each",
    "dense_product",
    "frame_events",
    "lif_scan",
    "object_events",
    "spike_product",
]
