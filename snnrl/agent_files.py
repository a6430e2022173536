"""An agent or a learner in one file: settings, spaces, weights and generator, read without running code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from snnrl.agents.trainable import Trainable
from snnrl.config import RunConfig, folder
from snnrl.errors import ConfigError, require, shown
from snnrl.learners import Learner
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


def save_agent(agent: Trainable | Learner, path: str | Path) -> None:
    """Write an agent or a learner; see :meth:`snnrl.agents.Agent.save` and :meth:`snnrl.learners.Learner.save`."""
    held = _of_learner(agent) if isinstance(agent, Learner) else _of_agent(agent)
    check_finite(agent, "when it was to be saved")
    save_checkpoint(
        _with_suffix(path), {"architecture": architecture(agent), "generator": generator_of(agent).get_state(), **held}
    )


def _of_agent(agent: Trainable) -> Saved:
    return {
        "settings": {**agent.made_for().settings, "run_dir": None},
        "observation_space": described(agent.observation_space),
        "action_space": described(agent.action_space),
        "agent": agent.state_dict(),
        "num_timesteps": agent.num_timesteps,
        "epoch": agent.epoch,
        "learning": agent.learning_state(),
    }


def _of_learner(learner: Learner) -> Saved:
    return {
        "settings": {**learner.made_by(), "run_dir": None},
        "shape": list(learner.shape),
        "classes": learner.classes,
        "learner": learner.state_dict(),
    }


def _with_suffix(path: str | Path) -> Path:
    """The file of a name, to which ``.pt`` is added where it has no suffix."""
    file = folder("path", path)
    require(file.name != "", "path", path, "the name of a file")
    return file if file.suffix else file.with_suffix(".pt")


def saved_file(path: str | Path) -> Path | None:
    """The file that :func:`save_agent` wrote under a name; ``None`` where there is none, or a run's folder.

    Raises:
        ConfigError: no file can have this name.
    """
    place = folder("path", path)
    if (place / "config.yaml").is_file() or place.name == "":
        return None
    named = [file for file in (place, _with_suffix(path)) if file.is_file() and file.suffix != ".yaml"]
    return named[0] if named else None


def read_saved(path: Path, trust: bool) -> tuple[Saved, Settings]:
    """What a file holds that :func:`save_agent` wrote, and the settings in it.

    Raises:
        ConfigError: it is none of those, or damaged.
        UntrustedCodeError: it names code that may not run.
    """
    payload = load_checkpoint(path)
    if "settings" not in payload:
        raise ConfigError(f"{shown(path)}: is a checkpoint of a run; must be the run's folder, or a file of agent.save")
    with taking_over(path):
        settings = upgraded_settings(payload["settings"])
    check_trust(settings, f"the file {shown(path)}", trust)
    return payload, settings


def read_agent(path: Path, payload: Saved, settings: Settings) -> Kept:
    """What a file says of an agent.

    Args:
        path: the file.
        payload: what :func:`read_saved` found in it.
        settings: and the settings.

    Raises:
        ConfigError: it is damaged.
    """
    with taking_over(path):
        config = RunConfig.from_mapping(settings)
        observed, acted = (space_from(payload[name]) for name in ("observation_space", "action_space"))
    return Kept(payload, settings, config, observed, acted, path)
