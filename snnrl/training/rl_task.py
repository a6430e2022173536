"""Training of an agent in environments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces

from snnrl.agents import Agent, make_agent
from snnrl.config import RunConfig
from snnrl.envs import EnvConfig, env_seeds, make_envs
from snnrl.training.capacity import check_settings, environment_bytes, require_memory, state_bytes
from snnrl.training.device import choose_device
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.rollout import Rollout
from snnrl.training.task import Step, fit, read_checkpoint
from snnrl.training.trainer import Trainer


def make_fitting_agent(
    settings: Mapping[str, Any],
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    env: EnvConfig,
    seed: int,
    device: torch.device,
    num_envs: int = 1,
) -> Agent[Any]:
    """The agent that a recipe describes, on a device; refused before it is made where memory cannot hold it.

    Args:
        settings: see :func:`~snnrl.agents.make_agent`, as for the next four.
        observation_space: of one environment.
        action_space: of one environment.
        env: the environment's recipe.
        seed: of the agent's randomness.
        device: to put it on.
        num_envs: in how many environments it acts at once.

    Raises:
        ConfigError: there is not enough memory, or a setting or a space that the agent cannot take.
    """

    def make(recipe: Mapping[str, Any]) -> Agent[Any]:
        return make_agent(recipe, observation_space, action_space, env, seed)

    def weigh(recipe: Mapping[str, Any]) -> int:
        agent = make(recipe)
        each = state_bytes(agent.begin(1)) + agent.decision_bytes()
        return state_bytes(agent.state_dict()) + num_envs * each

    check_settings("agent", settings, weigh, device)
    return make(settings).to(device)


class RLTask(EnvironmentTask):
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
        one = make_envs(config.env, 1)
        one.close()

        observed, acted = one.single_observation_space, one.single_action_space
        self.model: Agent[Any] = make_fitting_agent(
            config.agent, observed, acted, config.env, config.seed, self.device, config.num_envs
        )
        self._check_memory(config)
        self.envs = make_envs(config.env, config.num_envs)

    @classmethod
    def make_agent(cls, agent: Mapping[str, Any], env: EnvConfig, seed: int, device: torch.device) -> Agent[Any]:
        """An untrained agent for an environment's recipe."""
        one = make_envs(env, 1)
        one.close()
        return make_fitting_agent(agent, one.single_observation_space, one.single_action_space, env, seed, device)

    @classmethod
    def load_agent(cls, config: RunConfig, run_dir: Path, checkpoint: str, device: str) -> Agent[Any]:
        """The trained agent of a run."""
        return load_agent(config, run_dir, checkpoint, device)

    @classmethod
    def runner(cls) -> type[Runner]:
        """What trains it in a folder."""
        return Runner

    def _check_memory(self, config: RunConfig) -> None:
        """Raise a ConfigError where so many environments, or the agent's state for them, do not fit into memory."""
        number, space = config.num_envs, self.model.observation_space
        environments, state = number * environment_bytes(config.env, space), number * state_bytes(self.model.begin(1))
        cpu = torch.device("cpu")
        if self.device == cpu:
            purpose = "environments and the agent's traces in each"
            require_memory(environments + state, "num_envs", number, cpu, purpose)
        else:
            require_memory(environments, "num_envs", number, cpu, "environments")
            require_memory(state, "num_envs", number, self.device, "the agent's traces in each environment")

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
    def can_checkpoint(self) -> bool:
        return self.model.can_checkpoint

    def close(self) -> None:
        self.envs.close()


class Runner(Trainer):
    """One training run of an agent in one folder.

    Args:
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on, see :class:`~snnrl.training.trainer.Trainer`.

    Raises:
        ConfigError: a setting that the environment or agent cannot take, or a checkpoint that does not fit.
    """

    def __init__(self, config: RunConfig, run_dir: Path, *, resume: bool | str = False) -> None:
        acting = RLTask(config)
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
    envs.close()
    observed, acted = envs.single_observation_space, envs.single_action_space
    agent = make_fitting_agent(config.agent, observed, acted, config.env, config.seed, place)
    return fit(agent, "agent", read_checkpoint(run_dir, checkpoint), place)
