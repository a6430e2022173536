"""Training of an agent in environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snnrl.agents import Agent, make_agent
from snnrl.config import RunConfig
from snnrl.envs import env_seeds, make_envs
from snnrl.training.device import choose_device
from snnrl.training.playing import Playing
from snnrl.training.rollout import Rollout
from snnrl.training.session import Session
from snnrl.training.workload import Step, fit, read_checkpoint


class Acting(Playing):
    """An agent that acts in a vector of environments, and learns as it goes.

    A checkpoint is a barrier: an emulator's state is awkward to save, so the run that goes on starts fresh episodes
    there just as the run that is resumed from it does, with seeds derived from the run's seed and the number of the
    barrier. That is what makes resuming exact.

    Args:
        config: the settings.

    Raises:
        ConfigError: a setting that the environment or agent cannot take.
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self.device = choose_device(config.device)
        self.envs = envs = make_envs(config.env, config.num_envs)
        self.model: Agent[Any] = make_agent(
            config.agent, envs.single_observation_space, envs.single_action_space, config.env, config.seed
        ).to(self.device)

    def begin(self, epoch: int, steps: int) -> None:
        """Start fresh episodes."""
        self.steps = steps
        seeds = env_seeds(self.config.seed, "train", epoch, self.config.num_envs)
        self._rollout = Rollout(self.model, self.envs, self.config.env, seeds)

    def step(self) -> Step:
        """Act once in all environments, and learn."""
        stepped = self._rollout.step()
        self.steps += stepped.decisions
        for episode in stepped.episodes:
            self.note(episode.return_, episode.length)
        self.model.anneal(min(self.steps / self.total, 1.0))
        return Step(stepped.decisions, stepped.metrics)

    @property
    def settled(self) -> bool:
        return self.model.settled

    def close(self) -> None:
        self.envs.close()


class Runner(Session):
    """One training run of an agent in one folder.

    Args:
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on, see :class:`~snnrl.training.session.Session`.

    Raises:
        ConfigError: a setting that the environment or agent cannot take, or a checkpoint that does not fit.
    """

    def __init__(self, config: RunConfig, run_dir: Path, *, resume: bool | str = False) -> None:
        acting = Acting(config)
        super().__init__(acting, config, run_dir, resume=resume)
        self.agent = acting.model


def load_agent(config: RunConfig, run_dir: Path, checkpoint: str = "last", device: str = "auto") -> Agent[Any]:
    """The trained agent of a run.

    Args:
        config: the run's settings.
        run_dir: its folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's path.
        device: to put it on, whatever it was trained on.

    Raises:
        ConfigError: there is no such checkpoint, or it does not fit.
    """
    place = choose_device(device)
    envs = make_envs(config.env, 1)
    agent = make_agent(config.agent, envs.single_observation_space, envs.single_action_space, config.env, config.seed)
    envs.close()
    return fit(agent, "agent", read_checkpoint(run_dir, checkpoint), place)
