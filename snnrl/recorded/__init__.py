"""What a recording holds: single decisions, and many of them as one object that can be kept in a file."""

from snnrl.recorded.collector import Collector
from snnrl.recorded.images import of_images
from snnrl.recorded.moment import About, Moment
from snnrl.recorded.trace import Packed, Spikes, Trace

__all__ = ["About", "Collector", "Moment", "Packed", "Spikes", "Trace", "of_images"]
