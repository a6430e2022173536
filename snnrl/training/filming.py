"""When a run shows its loggers an episode as a video."""

from __future__ import annotations

from snnrl.errors import require
from snnrl.training.clock import passed
from snnrl.training.task import AnyTask


class Filming:
    """An episode every so many steps, or as soon after as the model can play.

    Args:
        task: whose model plays.
    """

    def __init__(self, task: AnyTask) -> None:
        self._task, self._due = task, False

    def check(self, *, logs: bool) -> None:
        """Raise a ConfigError where videos are asked for and cannot be had.

        Args:
            logs: whether there is a folder, and so a logger, that takes them.
        """
        every = self._task.film_every
        require(logs or not every, "video.every", every, "0 without run_dir, to which loggers write")
        self._task.check_film()

    def is_due(self, before: int, steps: int) -> bool:
        """Whether a video is due after the ``steps``-th step, where ``before`` had been done already."""
        every = self._task.film_every
        self._due |= every > 0 and passed(every, before, steps)
        due = self._due and self._task.can_checkpoint
        self._due &= not due
        return due
