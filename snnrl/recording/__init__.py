"""What went on while an agent played: every decision with its spikes, and many of them as one object."""

from snnrl.recording.moment import About, Moment
from snnrl.recording.play import Moments, moments

__all__ = ["About", "Moment", "Moments", "moments"]
