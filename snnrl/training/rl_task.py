"""Training of an agent in environments."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from snnrl.agents import AnyAgent, make_agent
from snnrl.agents.look import Look
from snnrl.config import RunConfig
from snnrl.envs import EnvConfig, env_seeds, spaces_of
from snnrl.ranks import ALONE, Ranks
from snnrl.spaces.leaves import Space
from snnrl.training.callbacks import NO_CALLBACK, update
from snnrl.training.capacity import check_settings, environment_bytes, require_memory, state_bytes
from snnrl.training.device import FEWEST_ENVS, choose_device
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.rollout import Rollout, Stepped
from snnrl.training.shared_envs import make_shared_envs, require_even
from snnrl.training.task import Step
from snnrl.types import Settings


def make_fitting_agent(
    settings: Settings,
    observation_space: Space,
    action_space: Space,
    env: EnvConfig,
    seed: int,
    device: torch.device,
    num_envs: int = 1,
) -> AnyAgent:
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

    def make(recipe: Settings) -> AnyAgent:
        return make_agent(recipe, observation_space, action_space, env, seed)

    def weigh(recipe: Settings) -> int:
        agent = make(recipe)
        each = state_bytes(agent.begin(1)) + agent.decision_bytes()
        return state_bytes(agent.state_dict()) + num_envs * each

    check_settings("agent", settings, weigh, device)
    return make(settings).to(device)


class RLTask(EnvironmentTask[AnyAgent]):
    """An agent that acts in a vector of environments, and learns as it goes.

    A checkpoint is a barrier: an emulator's state is awkward to save, so the run that goes on starts fresh episodes
    there just as the run that is resumed from it does, with seeds derived from the run's seed and the number of the
    barrier. That is what makes resuming exact.

    Args:
        config: the settings.
        agent: who learns on; ``None`` makes the agent that the settings describe.
        steps: how far the agent is.
        ranks: the processes of the run, each with environments of its own.

    Raises:
        ConfigError: a setting that the environment or agent cannot take.
    """

    def __init__(self, config: RunConfig, agent: AnyAgent | None = None, steps: int = 0, ranks: Ranks = ALONE) -> None:
        super().__init__(config, agent, steps, ranks)
        require_even("num_envs", config.num_envs, ranks)
        self.device = choose_device(config.device, self.cpu_because(config))
        self.model = self.make_model(config, self.device) if agent is None else agent.to(self.device)
        self.model.share(ranks)
        self._check_memory(config)
        self.envs = self.model.envs = make_shared_envs(
            config.env, config.num_envs, str(self.device), ranks, lambda: not self.model.sees_own_rows
        )

    @classmethod
    def cpu_because(cls, config: RunConfig) -> str | None:
        few = config.num_envs < FEWEST_ENVS
        return f"a GPU gains with {FEWEST_ENVS} environments or more (num_envs={config.num_envs})" if few else None

    @classmethod
    def make_agent(
        cls, agent: Settings, env: EnvConfig, seed: int, device: torch.device, num_envs: int = 1
    ) -> AnyAgent:
        return make_fitting_agent(agent, *spaces_of(env), env, seed, device, num_envs)

    def row(self) -> Mapping[str, float]:
        return {**super().row(), **self.model.logger.take()}

    def look(self) -> Look:
        return self.model.look(self._rollout.state)

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
        self.model.num_timesteps = steps
        self.model.anneal(min(steps / self.total, 1.0))

    def step(self) -> Step:
        """Act once in all environments, and learn."""
        stepped = self._rollout.step()
        self.steps += stepped.decisions
        for episode in stepped.episodes:
            self.note(episode.return_, episode.length)
        self.model.anneal(min(self.steps / self.total, 1.0))
        return Step(stepped.decisions, stepped.metrics, self.callback is NO_CALLBACK or self._told(stepped))

    def _told(self, stepped: Stepped) -> bool:
        """Whether the callback, told of a step, lets training go on."""
        self.model.num_timesteps = self.steps
        update(self.callback, self._rollout.variables(stepped))
        return self.callback.on_step()

    @property
    def can_checkpoint(self) -> bool:
        return self.model.can_checkpoint

    def close(self) -> None:
        self.model.envs = None
        self.envs.close()
