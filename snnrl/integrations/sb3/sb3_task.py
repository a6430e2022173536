"""Training of stable-baselines3's algorithms, with logs, evaluations, checkpoints and exact resume."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from snnrl.config import RunConfig
from snnrl.envs import EnvConfig, env_seeds, make_env, numbered
from snnrl.errors import ConfigError, require
from snnrl.integrations.sb3.capacity import check_memory, check_network
from snnrl.integrations.sb3.environments import make_vec_env, normalised
from snnrl.integrations.sb3.player import SB3Agent
from snnrl.integrations.sb3.recipes import AlgorithmConfig, OffPolicyConfig, OnPolicyConfig, read_recipe
from snnrl.integrations.sb3.translation import translation_of
from snnrl.spaces import named
from snnrl.training.callbacks import NO_CALLBACK, tell, update
from snnrl.training.device import choose_device
from snnrl.training.divergence import check_finite
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.task import Step
from snnrl.types import Saved


class Built(NamedTuple):
    """What a recipe comes to."""

    agent: SB3Agent
    envs: VecEnv
    recipe: AlgorithmConfig


def build(agent: Mapping[str, Any], env: EnvConfig, num_envs: int, seed: int, device: torch.device) -> Built:
    """An untrained agent and the environments that it learns in.

    Args:
        agent: the recipe; its ``name`` is an algorithm of stable-baselines3.
        env: the environment's recipe.
        num_envs: how many.
        seed: of first weights.
        device: to compute on.

    Raises:
        ConfigError: a wrong setting, or actions that the algorithm cannot take.
    """
    recipe = read_recipe(agent)
    one = make_env(env)
    translation = translation_of(one, recipe.ACTIONS, str(agent["name"]))
    one.close()
    seen = translation.view.space
    fits = not recipe.normalise_observation or isinstance(seen, spaces.Box)
    require(fits, "agent.normalise_observation", True, f"false for observations that are no Box, as {named(seen)}")
    envs = make_vec_env(env, num_envs, recipe.frame_stack, translation)
    numbered(getattr(envs.unwrapped, "envs", ()))
    envs = normalised(envs, recipe.normalise_observation, recipe.normalise_reward, recipe.gamma)
    try:
        check_network(recipe, envs.observation_space, envs.action_space, num_envs, device)
    except ConfigError:
        envs.close()
        raise
    model = recipe.build(envs, seed, device)
    assert model.get_env() is envs, "the environments that are stepped are those that the model knows"
    statistics = envs.obs_rms if recipe.normalise_observation and isinstance(envs, VecNormalize) else None
    assert statistics is None or isinstance(statistics, RunningMeanStd)
    frames = recipe.frame_stack if env.shows_frames else 0
    return Built(SB3Agent(model, statistics, frames, seed, translation), envs, recipe)


class SB3Task(EnvironmentTask[SB3Agent]):
    """An algorithm of stable-baselines3 that learns in a vector of environments.

    A step is what the algorithm does between two rounds of its ``learn``: gather, then train. At a checkpoint all
    episodes begin anew and the generators that the algorithm draws from are seeded by the number of the checkpoint, so
    that a resumed run is the same as one that was never stopped.

    Args:
        config: the settings.
        agent: who learns on; ``None`` makes the agent that the settings describe.
        steps: how far the agent is.

    Raises:
        ConfigError: a wrong setting, or actions that the algorithm cannot take.
    """

    def __init__(self, config: RunConfig, agent: SB3Agent | None = None, steps: int = 0) -> None:
        super().__init__(config, agent, steps)
        self.device = choose_device(config.device)
        check_memory(config)
        self.model, self.envs, self.recipe = self._built(config, agent)
        self._algorithm.num_timesteps = steps
        self._recorded = _Recorded()
        self._log = Logger(None, [self._recorded])
        self._algorithm.set_logger(self._log)
        self._listener = _Listener(self)

    def _built(self, config: RunConfig, agent: SB3Agent | None) -> Built:
        """The agent with the environments that it learns in; one that learns on keeps what it has replayed."""
        if agent is not None and agent.envs is not None and agent.origin is not None:
            same = agent.envs.num_envs == config.num_envs and agent.learns_in is config.env
            if same and agent.model.device == self.device:
                return Built(agent, agent.envs, read_recipe(config.agent))
        built = build(config.agent, config.env, config.num_envs, config.seed, self.device)
        if agent is None:
            return built
        agent.become(built.agent)
        agent.envs, agent.learns_in = built.envs, config.env
        return built._replace(agent=agent)

    @classmethod
    def make_agent(
        cls, agent: Mapping[str, Any], env: EnvConfig, seed: int, device: torch.device, num_envs: int = 1
    ) -> SB3Agent:
        built = build(agent, env, 1, seed, device)
        built.envs.close()
        return built.agent

    @property
    def learning(self) -> BaseAlgorithm:
        return self._algorithm

    @property
    def _algorithm(self) -> BaseAlgorithm:
        return self.model.model

    def begin(self, epoch: int, steps: int) -> None:
        """Start fresh episodes, with draws of their own."""
        self.steps = steps
        algorithm: Any = self._algorithm
        (seed,) = env_seeds(self.config.seed, "train", epoch, 1)
        set_random_seed(seed)
        algorithm.action_space.seed(seed)
        self.envs.seed(seed % 2**31)
        algorithm._last_obs = None
        _, self._callback = algorithm._setup_learn(
            self.total - algorithm.num_timesteps, self._listener, reset_num_timesteps=False
        )
        if epoch == 0:
            for remark in self._remarks():
                print(remark, file=sys.stderr, flush=True)

    def _remarks(self) -> Iterator[str]:
        """What a user may not expect of the run that begins."""
        if any("action_mask" in info for info in self.envs.unwrapped.reset_infos):
            yield f"agent={self.config.agent['name']}: takes no notice of info['action_mask']; agent=rstdp does"
        if isinstance(self.recipe, OnPolicyConfig):
            rollout = self.recipe.n_steps * self.config.num_envs
            whole = -(-self.total // rollout) * rollout
            if whole > 1.1 * self.total:
                yield (
                    f"env_steps={self.total}: whole rollouts are trained on, agent.n_steps={self.recipe.n_steps} in "
                    f"{self.config.num_envs} environments, {whole:,} env steps in all"
                )

    def step(self) -> Step:
        """Gather experience, and learn from it."""
        algorithm: Any = self._algorithm
        before = algorithm.num_timesteps
        try:
            self._gather_and_train(algorithm)
        except ValueError:  # how torch's distributions refuse the output of a network that has diverged
            check_finite(self.model, f"after {self.steps:,} {self.unit}")
            raise
        taken = algorithm.num_timesteps - before
        self.steps += taken
        self._log.dump()
        return Step(taken, self._recorded.take(), self._listener.proceeds)

    def _gather_and_train(self, algorithm: Any) -> None:
        if isinstance(algorithm, OnPolicyAlgorithm):
            algorithm.collect_rollouts(self.envs, self._callback, algorithm.rollout_buffer, algorithm.n_steps)
            if self._listener.proceeds:
                algorithm._update_current_progress_remaining(algorithm.num_timesteps, self.total)
                algorithm.train()
        else:
            self._replay(algorithm)

    def _replay(self, algorithm: Any) -> None:
        """A round of DQN, SAC or TD3."""
        gathered = algorithm.collect_rollouts(
            self.envs,
            train_freq=algorithm.train_freq,
            action_noise=algorithm.action_noise,
            callback=self._callback,
            learning_starts=algorithm.learning_starts,
            replay_buffer=algorithm.replay_buffer,
            log_interval=None,
        )
        if self._listener.proceeds and algorithm.num_timesteps > algorithm.learning_starts:
            steps = algorithm.gradient_steps if algorithm.gradient_steps >= 0 else gathered.episode_timesteps
            if steps > 0:
                algorithm.train(batch_size=algorithm.batch_size, gradient_steps=steps)

    def payload(self) -> Saved:
        algorithm: Any = self._algorithm
        saved: Saved = {**super().payload(), **self.model.learning_state()}
        if isinstance(self.envs, VecNormalize):
            returns = self.envs.ret_rms
            saved["returns"] = [float(returns.mean), float(returns.var), float(returns.count)]
        if isinstance(self.recipe, OffPolicyConfig) and self.recipe.save_replay:
            saved["replay"] = _remembered(algorithm.replay_buffer)
        return saved

    def restore(self, saved: Saved) -> None:
        super().restore(saved)
        algorithm: Any = self._algorithm
        self.model.take_learning_state(saved)
        if isinstance(self.envs, VecNormalize):
            returns = self.envs.ret_rms
            returns.mean, returns.var = (np.array(value) for value in saved["returns"][:2])
            returns.count = saved["returns"][2]
        if "replay" in saved:
            _remember(algorithm.replay_buffer, saved["replay"])

    def close(self) -> None:
        if self.model.envs is not self.envs:
            self.envs.close()


class _Recorded(KVWriter):
    """What the algorithm and callbacks record."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        for key, value in key_values.items():
            if isinstance(value, (int, float, np.number)) and not key.startswith(("rollout/", "time/")):
                self._values[key] = float(value)

    def take(self) -> dict[str, float]:
        """What was recorded since the last call."""
        values, self._values = self._values, {}
        return values

    def close(self) -> None:
        return


class _Listener(BaseCallback):
    """Takes down the episodes that end, which ``Monitor`` reports raw and whole, and tells the user's callback."""

    def __init__(self, task: SB3Task) -> None:
        super().__init__()
        self._task, self.proceeds = task, True

    def _on_rollout_start(self) -> None:
        tell(self._task.callback, "on_rollout_start")

    def _on_rollout_end(self) -> None:
        tell(self._task.callback, "on_rollout_end")

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            episode = info.get("episode")
            if isinstance(episode, dict) and episode.keys() >= {"r", "l"}:  # else something of the environment's own
                self._task.note(float(episode["r"]), int(episode["l"]))
        callback = self._task.callback
        if callback is not NO_CALLBACK:
            update(callback, self.locals)
            self.proceeds = callback.on_step()
        return self.proceeds


_REPLAYED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def _memories(buffer: ReplayBuffer) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of a replay buffer by name; observations of several arrays have one for each."""
    for name in _REPLAYED:
        array = getattr(buffer, name, None)
        if isinstance(array, dict):
            yield from ((f"{name}.{key}", part) for key, part in array.items())
        elif array is not None:
            yield name, array


def _remembered(buffer: ReplayBuffer) -> dict[str, Any]:
    """What a replay buffer holds, as tensors."""
    size = buffer.buffer_size if buffer.full else buffer.pos
    held = {name: torch.from_numpy(array[:size].copy()) for name, array in _memories(buffer)}
    return {**held, "pos": buffer.pos, "full": buffer.full}


def _remember(buffer: ReplayBuffer, saved: Mapping[str, Any]) -> None:
    """Take over what :func:`_remembered` gave."""
    for name, array in _memories(buffer):
        if name in saved:
            known = saved[name].cpu().numpy()
            array[: len(known)] = known
    buffer.pos, buffer.full = saved["pos"], saved["full"]
