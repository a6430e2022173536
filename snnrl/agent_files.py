"""An agent in one file: settings, spaces, weights and generator, read without running code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from snnrl.agents.trainable import Trainable
from snnrl.config import RunConfig
from snnrl.errors import ConfigError, shown
from snnrl.legacy import upgraded_settings
from snnrl.spaces.leaves import Space
from snnrl.spaces.plain import described, space_from
from snnrl.training.checkpoints import load_checkpoint, save_checkpoint, taking_over
from snnrl.training.divergence import check_finite
from snnrl.training.task import architecture, generator_of
from snnrl.trust import check_trust
from snnrl.types import Saved, Settings


class Kept(NamedTuple):
    """What a file says of an agent."""

    payload: Saved
    settings: Settings
    config: RunConfig
    observation_space: Space
    action_space: Space
    path: Path

    def restore(self, agent: Trainable) -> None:
        """Take over what the agent needs to learn on."""
        with taking_over(self.path):
            agent.num_timesteps, agent.epoch = int(self.payload["num_timesteps"]), int(self.payload["epoch"])
            agent.take_learning_state(self.payload["learning"])


def save_agent(agent: Trainable, path: str | Path) -> None:
    """Write an agent; see :meth:`snnrl.agents.Agent.save`."""
    origin = agent.made_for()
    check_finite(agent, "when it was to be saved")
    file = Path(path)
    save_checkpoint(
        file if file.suffix else file.with_suffix(".pt"),
        {
            "architecture": architecture(agent),
            "settings": {**origin.settings, "run_dir": None},
            "observation_space": described(agent.observation_space),
            "action_space": described(agent.action_space),
            "agent": agent.state_dict(),
            "generator": generator_of(agent).get_state(),
            "num_timesteps": agent.num_timesteps,
            "epoch": agent.epoch,
            "learning": agent.learning_state(),
        },
    )


def read_agent(path: Path, trust: bool) -> Kept:
    """What a file holds that :func:`save_agent` wrote.

    Raises:
        ConfigError: it is none of those, or damaged.
        UntrustedCodeError: it names code that may not run.
    """
    payload = load_checkpoint(path)
    if "settings" not in payload:
        raise ConfigError(f"{shown(path)}: is a checkpoint of a run; must be the run's folder, or a file of agent.save")
    with taking_over(path):
        settings = upgraded_settings(payload["settings"])
        check_trust(settings, str(path), trust)
        config = RunConfig.from_mapping(settings)
        observed, acted = (space_from(payload[name]) for name in ("observation_space", "action_space"))
    return Kept(payload, settings, config, observed, acted, path)
