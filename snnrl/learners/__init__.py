"""Learning from data sets of labelled images; learners, one file each."""

from __future__ import annotations

from snnrl.learners.base import Learner
from snnrl.settings import Registry, read_named
from snnrl.types import Settings

LEARNERS: Registry[Learner] = Registry("learner", "snnrl.learners.base:Learner", config=True)
"""Learners by the names that recipes give them; see :class:`~snnrl.settings.Registry`."""

__all__ = ["LEARNERS", "Learner", "make_learner"]


def make_learner(settings: Settings, shape: tuple[int, int, int], classes: int, seed: int = 0) -> Learner:
    """The learner that a recipe describes.

    Args:
        settings: ``name``, as :data:`LEARNERS` knows it, and the settings of that learner's ``Config``.
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        seed: of the learner's randomness.

    Raises:
        ConfigError: an unknown learner or setting, or a value out of range.
    """
    kind, config = read_named(LEARNERS, settings, "learner")
    return kind(shape, classes, config, seed)
