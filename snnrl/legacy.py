"""What earlier versions wrote, in the words of this one: settings of runs and checkpoints."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from snnrl.types import Saved, Setting, Settings

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
        "steps": "sim_steps",
        "tau": "tau_mem",
        "trace_tau": "tau_pre",
    },
}
"""Settings of a section, by their names in version 0.1."""

NETWORK: Mapping[str, str] = {
    "actor_neurons": "network.actor.per_action",
    "actor_threshold": "network.actor.neuron.v_threshold",
    "actor_width": "network.actor.neuron.width",
    "critic_neurons": "network.critic.size",
    "critic_gain": "network.critic.neuron.gain",
    "critic_tonic": "network.critic.neuron.tonic",
}
"""Settings of the agent ``rstdp`` that stood beside each other in version 0.1, and where they are now."""

MOVED: Mapping[str, str] = {
    "env.value_range": "agent.value_range (of a task, under tuned in its recipe)",
    "env.observation": "agent.encoder (of a task, under tuned in its recipe)",
    "env.frames": "agent.encoder (of a task, under tuned in its recipe)",
    "agent.spikes_per_step": "agent.encoder.spikes_per_step",
    "agent.target_rate": "agent.encoder.target_rate",
    **{f"agent.{old}": f"agent.{new}" for old, new in NETWORK.items()},
}
"""Settings that now stand in another section, by their full names in version 0.1."""

LEARNERS: Mapping[str, str] = {
    "unsupervised": "diehl_cook",
    "convolutional": "conv_stdp",
    "broadcast": "direct_feedback",
    "clamped": "contrastive",
    "surrogate": "backprop",
    "surrogate_conv": "backprop_conv",
}
"""Learners by their names in version 0.1."""


FROM_0_1 = "from_0_1"
"""Marks settings of an encoder that were written when encoders took of them what they could use."""


class OldAgent(NamedTuple):
    """A recipe of an agent that version 0.1 had."""

    now: str
    """The recipe that has come in its place."""
    settings: Settings
    """What it set besides; kept until the next release."""

    @property
    def recipe(self) -> dict[str, Setting]:
        """As a recipe's file would hold it."""
        return {"defaults": [self.now], **nested(self.settings)}

    def advice(self, old: str) -> str:
        """What to write in place of its name ``old``."""
        return (
            f"agent={old}: goes with the next release; write agent={self.now}, which takes what suits a task from the "
            "section tuned of the task's recipe"
        )


_QUIET = {
    "entropy_coef": 0.0,
    "exploration_bonus": 0.0,
    "exploration_steps": 50,
    "habituation": None,
    "td_limit": math.inf,
}
_FINE = {
    **_QUIET,
    "tau": 10.0,
    "encoder": {FROM_0_1: True, "spikes_per_step": 4.5},
    "weight_mean": 0.05,
    "weight_std": 0.007,
    "critic_neurons": 20,
    "critic_tonic": 0.0,
    "trace_lambda": 0.9,
    "action_bins": 9,
    "gamma": 0.98,
    "actor_lr": 0.00035,
    "critic_lr": 0.00011,
    "lr_per_input": False,
    "normalise_td": False,
    "postsynaptic_floor": 0.0,
}
_SCALED = {
    **_FINE,
    "critic_neurons": 40,
    "gamma": 0.99,
    "actor_lr": 0.003,
    "critic_lr": 0.01,
    "lr_per_input": True,
    "normalise_td": True,
}
_DENSE = {
    **_SCALED,
    "tau": 5.0,
    "encoder": {FROM_0_1: True, "spikes_per_step": 18.0},
    "weight_mean": 0.0125,
    "weight_std": 0.0017,
    "critic_lr": 0.001,
    "postsynaptic_floor": 0.05,
    "entropy_coef": 0.05,
    "exploration_bonus": 1.0,
    "exploration_steps": 20,
}
_KEEN = {**_DENSE, "entropy_coef": 0.01, "exploration_bonus": 0.5, "exploration_steps": 5}
_SWIFT = {
    **_DENSE,
    "tau": 3.0,
    "encoder": {FROM_0_1: True, "spikes_per_step": 6.0},
    "weight_mean": 0.0375,
    "weight_std": 0.005,
    "action_bins": 5,
    "gamma": 0.95,
    "critic_lr": 0.002,
    "entropy_coef": 0.03,
    "exploration_bonus": 0.5,
    "exploration_steps": 5,
}
_TABLE = {
    **_SCALED,
    "weight_mean": 0.2,
    "weight_std": 0.02,
    "value_range": [-0.2, 1.2],
    "gamma": 0.995,
    "normalise_td": False,
    "actor_lr": 0.1,
    "critic_lr": 0.05,
}
_PIXELS = {"gamma": 0.98, "temperature": 0.5, "exploration_bonus": 0.0, "exploration_steps": 50}
_AGILE = {**_PIXELS, "exploration_bonus": 1.0, "exploration_steps": 10}
AGENTS: Mapping[str, OldAgent] = {
    "rstdp_fine": OldAgent("rstdp", _FINE),
    "rstdp_scaled": OldAgent("rstdp", _SCALED),
    "rstdp_dense": OldAgent("rstdp", _DENSE),
    "rstdp_keen": OldAgent("rstdp", _KEEN),
    "rstdp_swift": OldAgent("rstdp", _SWIFT),
    "rstdp_table": OldAgent("rstdp", _TABLE),
    "rstdp_pixels": OldAgent("rstdp_objects", _PIXELS),
    "rstdp_agile": OldAgent("rstdp_objects", _AGILE),
    "rstdp_restless": OldAgent("rstdp_objects", {**_AGILE, "gamma": 0.99, "exploration_bonus": 1.5}),
    "rstdp_persistent": OldAgent("rstdp_objects", {**_PIXELS, "exploration_bonus": 2.0, "exploration_steps": 60}),
    "rstdp_images": OldAgent("rstdp_objects", {**_PIXELS, "temperature": 0.25}),
}
"""Recipes of agents that have gone. They hold every setting that a task's recipe tunes, so that their own count."""

_OF_ENCODERS = ("spikes_per_step", "target_rate")
_OF_THE_AGENT = ("value_range", "observation", "frames")

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
    (r"^network\.to_(actor|critic)\.", r"network.connections.input to \1."),
    (r"^drive\.", "input_scales.input."),
    (r"^ballot\.", "readout."),
)
"""Patterns of names of weights and buffers, and what has come in their place."""

_WEIGHTS_OF: Mapping[str, Mapping[str, str]] = {
    "DiehlCookLearner": {"weight": "synapses.weight", "threshold": "neurons.theta"},
    "ConvSTDPLearner": {"weight": "synapses.weight"},
    "BackpropLearner": {"hidden.weight": "network.layers.0.synapses.1.weight"},
    "BackpropConvLearner": {
        "first.weight": "network.layers.0.synapses.0.weight",
        "second.weight": "network.layers.1.synapses.0.weight",
        "hidden.weight": "network.layers.2.synapses.1.weight",
    },
}
"""Weights and buffers of one class alone, by their names in version 0.1."""


def new_name(setting: str) -> str | None:
    """The full name by which a setting of version 0.1 goes now; ``None`` for what is not one of those renamed.

    >>> new_name("agent.urge"), new_name("pipeline.voting"), new_name("agent.actor_neurons"), new_name("agent.gamma")
    ('agent.exploration_bonus', 'learner.label_readout', 'agent.network.actor.per_action', None)
    """
    for old, now in MOVED.items():
        if f"{setting}.".startswith(f"{old}."):
            return now
    section, dot, name = setting.partition(".")
    section = SECTIONS.get(section, section)
    name = SETTINGS.get(section, {}).get(name, name)
    full = f"{section}{dot}{name}"
    return None if full == setting else full


_NAMES_OF_0_1: Mapping[str, Collection[str]] = {
    "agent": ("rstdp", "ppo", "a2c", "dqn", "sac", "td3"),
    "learner": LEARNERS,
}
"""Agents and learners of version 0.1 whose settings have other names now; those of other packages keep theirs."""


def upgraded_settings(settings: Settings) -> dict[str, Setting]:
    """What a run's ``config.yaml`` of any version holds, in the names of this one.

    >>> upgraded_settings({"pipeline": {"name": "clamped"}, "seed": 0})
    {'learner': {'name': 'contrastive'}, 'seed': 0}
    """
    found = {SECTIONS.get(key, key): value for key, value in settings.items()}
    for section, names in SETTINGS.items():
        own = found.get(section)
        if isinstance(own, Mapping) and own.get("name") in _NAMES_OF_0_1[section]:
            found[section] = {names.get(key, key): value for key, value in own.items()}
    agent = found.get("agent")
    if isinstance(agent, Mapping) and agent.get("name") == "rstdp":
        found["agent"] = {"habituation": None, "td_limit": math.inf, **nested(agent)}
    if isinstance(found.get("agent"), dict) and isinstance(found.get("env"), Mapping):
        _move(found)
    learner = found.get("learner")
    if isinstance(learner, dict) and isinstance(learner.get("name"), str):
        learner["name"] = LEARNERS.get(learner["name"], learner["name"])
    return found


def _move(found: dict[str, Setting]) -> None:
    """Put what is said of the encoder under ``agent.encoder``, and the critic's range under ``agent.value_range``."""
    agent = found["agent"]
    env = {key: value for key, value in found["env"].items() if key not in _OF_THE_AGENT}
    given = {key: value for key, value in found["env"].items() if key in _OF_THE_AGENT}
    found["env"] = env
    if agent.get("name") != "rstdp" or "encoder" in agent:
        return
    if given.get("value_range") is not None:
        agent["value_range"] = given["value_range"]
    encoder = {name: agent.pop(name) for name in _OF_ENCODERS if name in agent}
    for section in ("observation", "frames"):
        encoder |= given.get(section) or {}
    agent["encoder"] = {"name": None, FROM_0_1: True, **encoder}


def nested(agent: Settings) -> dict[str, Setting]:
    """Settings of an agent, those of :data:`NETWORK` in the part to which they belong.

    >>> nested({"gamma": 0.9, "critic_neurons": 40, "critic_gain": 0.2})
    {'gamma': 0.9, 'network': {'critic': {'size': 40, 'neuron': {'name': 'saturating_if', 'gain': 0.2}}}}
    """
    found = {key: value for key, value in agent.items() if key not in NETWORK}
    for key, place in NETWORK.items():
        if key not in agent:
            continue
        *path, last = place.split(".")
        inner = found
        for step in path:
            inner = inner.setdefault(step, {})
        if path[-1] == "neuron":
            inner.setdefault("name", {"actor": "escape_noise", "critic": "saturating_if"}[path[1]])
        inner[last] = agent[key]
    return found


def upgraded_checkpoint(payload: Saved) -> dict[str, Setting]:
    """A checkpoint of version 1 of the file's layout, with the names that this version gives to what it holds."""
    kind, bracket, shapes = str(payload["architecture"]).partition("(")
    kind = _CLASSES.get(kind, kind)
    own = _WEIGHTS_OF.get(kind, {})
    shapes = re.sub(r"([\w.]+)(?= \()", lambda name: own.get(name[1], _renamed(name[1])), shapes)
    if kind == "ConvSTDPLearner":  # maps were the last dimension
        shapes = re.sub(r"^synapses.weight \((\d+, \d+, \d+), (\d+)\)", r"synapses.weight (\2, \1)", shapes)
    found = {**payload, "architecture": f"{kind}{bracket}{shapes}"}
    for part in ("agent", "learner"):
        if isinstance(found.get(part), Mapping):
            found[part] = {
                own.get(name, _renamed(name)) if isinstance(name, str) else name: value
                for name, value in found[part].items()
            }
    if kind == "ConvSTDPLearner" and isinstance(found.get("learner"), dict):
        learner = found["learner"]
        learner["synapses.weight"] = learner["synapses.weight"].permute(3, 0, 1, 2).contiguous()
    return found


def _renamed(name: str) -> str:
    for pattern, new in _WEIGHTS:
        name = re.sub(pattern, new, name)
    return name
