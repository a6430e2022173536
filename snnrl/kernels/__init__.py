"""Compiled loops for the CPU, behind plain functions; each has a twin in torch that serves every device.

The twins are where the definition is read; a test holds the two to be equal.
"""

from snnrl.kernels.frames import frame_events
from snnrl.kernels.outer import add_outer_events

__all__ = ["add_outer_events", "frame_events"]
