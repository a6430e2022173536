"""What earlier versions wrote, in the words of this one: settings of runs and checkpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SECTIONS: Mapping[str, str] = {"pipeline": "learner"}
"""Sections of a run's settings, by their names in version 0.1."""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "agent": {
        "look_around": "warmup_steps",
        "urge": "exploration_bonus",
        "urge_decisions": "exploration_steps",
        "entropy": "entropy_coef",
        "actor_rate": "actor_lr",
        "critic_rate": "critic_lr",
        "rate_per_input": "lr_per_input",
        "learning_rate_end": "lr_end_factor",
        "clip_range_end": "clip_range_end_factor",
    },
    "learner": {
        "voting": "label_readout",
        "rivals": "spikes_per_place",
        "hidden_rate": "hidden_lr",
        "output_rate": "output_lr",
    },
}
"""Settings of a section, by their names in version 0.1."""

LEARNERS: Mapping[str, str] = {
    "unsupervised": "diehl_cook",
    "convolutional": "conv_stdp",
    "broadcast": "direct_feedback",
    "clamped": "contrastive",
    "surrogate": "backprop",
    "surrogate_conv": "backprop_conv",
}
"""Learners by their names in version 0.1."""

_CLASSES: Mapping[str, str] = {
    "Unsupervised": "DiehlCookLearner",
    "Convolutional": "ConvSTDPLearner",
    "Broadcast": "DirectFeedbackLearner",
    "Clamped": "ContrastiveLearner",
    "Surrogate": "BackpropLearner",
    "SurrogateConv": "BackpropConvLearner",
}
_WEIGHTS: tuple[tuple[str, str], ...] = (
    (r"^network\.encoder\.looked$", "network.encoder._calibrated"),
    (r"^network\.encoder\.figure$", "network.encoder.avatar"),
    (r"^ballot\.", "readout."),
)
"""Patterns of names of weights and buffers, and what has come in their place."""


def upgraded_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's ``config.yaml`` of any version holds, in the names of this one.

    >>> upgraded_settings({"pipeline": {"name": "clamped"}, "seed": 0})
    {'learner': {'name': 'contrastive'}, 'seed': 0}
    """
    found = {SECTIONS.get(key, key): value for key, value in settings.items()}
    for section, names in SETTINGS.items():
        own = found.get(section)
        if isinstance(own, Mapping):
            found[section] = {names.get(key, key): value for key, value in own.items()}
    learner = found.get("learner")
    if isinstance(learner, dict) and isinstance(learner.get("name"), str):
        learner["name"] = LEARNERS.get(learner["name"], learner["name"])
    return found


def upgraded_checkpoint(payload: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of version 1 of the file's layout, with the names that this version gives to what it holds."""
    kind, bracket, shapes = str(payload["architecture"]).partition("(")
    found = {**payload, "architecture": f"{_CLASSES.get(kind, kind)}{bracket}{shapes}"}
    for part in ("agent", "learner"):
        if isinstance(found.get(part), Mapping):
            found[part] = {_renamed(name): value for name, value in found[part].items()}
    return found


def _renamed(name: Any) -> Any:
    for pattern, new in _WEIGHTS:
        name = re.sub(pattern, new, name) if isinstance(name, str) else name
    return name
