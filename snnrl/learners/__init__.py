"""Learning from data sets of labelled images; learners, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snnrl.agents import find_class, read_settings
from snnrl.learners.base import Learner

LEARNERS: Mapping[str, str] = {
    "diehl_cook": "snnrl.learners.diehl_cook:DiehlCookLearner",
    "contrastive": "snnrl.learners.contrastive:ContrastiveLearner",
    "direct_feedback": "snnrl.learners.direct_feedback:DirectFeedbackLearner",
    "conv_stdp": "snnrl.learners.conv_stdp:ConvSTDPLearner",
    "backprop": "snnrl.learners.backprop:BackpropLearner",
    "backprop_conv": "snnrl.learners.backprop:BackpropConvLearner",
}
"""Where the learners that recipes name are; any other ``module:Class`` can stand in a recipe as well."""

__all__ = ["LEARNERS", "Learner", "make_learner"]


def make_learner(settings: Mapping[str, Any], shape: tuple[int, int, int], classes: int, seed: int = 0) -> Learner:
    """The learner that a recipe describes.

    Args:
        settings: ``name``, one of :data:`LEARNERS` or ``module:Class``, and the settings of that learner's ``Config``.
        shape: of one image, ``(channels, height, width)``.
        classes: how many labels there are.
        seed: of the learner's randomness.

    Raises:
        ConfigError: an unknown learner or setting, or a value out of range.
    """
    kind = find_class("learner", "a Learner", str(settings.get("name")), LEARNERS)
    config = read_settings(kind.Config, {key: value for key, value in settings.items() if key != "name"}, "learner")
    learner: Learner = kind(shape, classes, config, seed)
    return learner
