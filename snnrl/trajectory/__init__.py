"""What a recording holds: single decisions, and many of them as one object that can be kept in a file."""

from snnrl.trajectory.collector import Collector
from snnrl.trajectory.images import of_images
from snnrl.trajectory.moment import About, Moment
from snnrl.trajectory.trace import Packed, Spikes, Trace

__all__ = ["About", "Collector", "Moment", "Packed", "Spikes", "Trace", "of_images"]
