"""How recordings are made: an agent plays in one environment and is looked at."""

from snnrl.recorded import About, Moment, Trace
from snnrl.recording.play import Moments, moments
from snnrl.recording.record import record

__all__ = ["About", "Moment", "Moments", "Trace", "moments", "record"]
