"""How recordings are made: an agent plays in one environment and is looked at."""

from snnrl.recording.game import Game
from snnrl.recording.play import Moments
from snnrl.recording.record import record
from snnrl.trajectory import About, Moment, Trace

__all__ = ["About", "Game", "Moment", "Moments", "Trace", "record"]
