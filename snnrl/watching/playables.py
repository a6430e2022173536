"""Runs that can be looked at: an agent as it was trained, and where it plays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snnrl.agents.trainable import Trainable
from snnrl.config import RunConfig, read_run
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError
from snnrl.loading import load_model


@dataclass(frozen=True)
class Playable:
    """An agent and where it plays.

    Attributes:
        agent: who plays.
        env: the environment's recipe.
        deterministic: best actions rather than drawn ones, unless somebody chooses.
        about: a line on it.
        rows: metrics of its training, as in ``metrics.jsonl``.
    """

    agent: Trainable
    env: EnvConfig
    deterministic: bool
    about: str
    rows: Sequence[Mapping[str, float]]


def open_run(run: Path, checkpoint: str, device: str, *, trust: bool) -> Playable:
    """An agent that a run has trained.

    Args:
        run: the run's folder.
        checkpoint: ``last``, ``best`` or a file.
        device: to put it on.
        trust: whether code may run that its settings name.

    Raises:
        ConfigError: a run that cannot be read, or one of a learner, which plays nothing.
    """
    place, settings = read_run(run, trust=trust)
    if "learner" in settings:
        raise ConfigError(f"run={run}: learned from a data set; must be the run of an agent, which plays")
    config = RunConfig.from_mapping(settings)
    agent = load_model(config, place, checkpoint, device)
    return Playable(agent, config.env, config.eval.deterministic, described(config, "trained for"), _metrics(place))


def described(config: RunConfig, training: str) -> str:
    """A line on a run, ``training`` being ``trained for`` or the like."""
    return f"agent {config.agent['name']}, {training} {config.env_steps:,} env steps, seed {config.seed}"


def _metrics(run: Path) -> list[Mapping[str, float]]:
    """Rows of ``metrics.jsonl``, less those that are not whole; none where there is no such file."""
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    rows: list[Mapping[str, float]] = []
    for line in lines:
        try:
            row = json.loads(line)
        except (RecursionError, ValueError):
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append({key: value for key, value in row.items() if isinstance(value, int | float)})
    return rows
