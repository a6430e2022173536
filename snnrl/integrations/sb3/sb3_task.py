"""Training of stable-baselines3's algorithms, with logs, evaluations, checkpoints and exact resume."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecNormalize

from snnrl.config import RunConfig
from snnrl.envs import EnvConfig, env_seeds
from snnrl.errors import require
from snnrl.integrations.sb3.agent import AnySB3Agent
from snnrl.integrations.sb3.building import Built, agent_class, build, read_config
from snnrl.integrations.sb3.capacity import check_memory
from snnrl.ranks import ALONE, Ranks
from snnrl.training.callbacks import NO_CALLBACK, tell, update
from snnrl.training.device import choose_device
from snnrl.training.divergence import check_finite
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.task import Step
from snnrl.types import Saved, Settings


class SB3Task(EnvironmentTask[AnySB3Agent]):
    """An algorithm of stable-baselines3 that learns in a vector of environments.

    A step is what the algorithm does between two rounds of its ``learn``: gather, then train. At a checkpoint all
    episodes begin anew and the generators that the algorithm draws from are seeded by the number of the checkpoint, so
    that a resumed run is the same as one that was never stopped.

    Args:
        config: the settings.
        agent: who learns on; ``None`` makes the agent that the settings describe.
        steps: how far the agent is.
        ranks: one process: the algorithm's gradients are its own.

    Raises:
        ConfigError: a wrong setting, actions that the algorithm cannot take, or several processes.
    """

    def __init__(
        self, config: RunConfig, agent: AnySB3Agent | None = None, steps: int = 0, ranks: Ranks = ALONE
    ) -> None:
        super().__init__(config, agent, steps, ranks)
        name = config.agent["name"]
        alone = "one that torchrun shares out, such as rstdp: stable-baselines3 learns in one process"
        require(ranks.size == 1, "agent", name, alone)
        self._start, self._learns_on = steps, agent is not None
        self.device = choose_device(config.device)
        check_memory(config, agent_class(config.agent), read_config(config.agent))
        self.model, self.envs = self._built(config, agent)
        self._algorithm.num_timesteps = steps
        self._recorded = _Recorded()
        self._log = Logger(None, [self._recorded])
        self._algorithm.set_logger(self._log)
        self._listener = _Listener(self)

    def _built(self, config: RunConfig, agent: AnySB3Agent | None) -> Built:
        """The agent with the environments that it learns in; one that learns on keeps what it has replayed."""
        if agent is not None and agent.envs is not None and agent.origin is not None:
            same = agent.envs.num_envs == config.num_envs and agent.learns_in is config.env
            if same and agent.model.device == self.device:
                return Built(agent, agent.envs)
        built = build(config.agent, config.env, config.num_envs, config.seed, self.device)
        if agent is None:
            return built
        agent.become(built.agent)
        agent.envs, agent.learns_in = built.envs, config.env
        return built._replace(agent=agent)

    @classmethod
    def make_agent(
        cls, agent: Settings, env: EnvConfig, seed: int, device: torch.device, num_envs: int = 1
    ) -> AnySB3Agent:
        built = build(agent, env, 1, seed, device)
        built.envs.close()
        return built.agent

    @property
    def learning(self) -> BaseAlgorithm:
        return self._algorithm

    @property
    def _algorithm(self) -> BaseAlgorithm:
        algorithm = self.model.model
        assert isinstance(algorithm, BaseAlgorithm)
        return algorithm

    def begin(self, epoch: int, steps: int) -> None:
        """Start fresh episodes, with draws of their own."""
        self.steps = steps
        algorithm = self._algorithm
        (seed,) = env_seeds(self.config.seed, "train", epoch, 1)
        set_random_seed(seed)
        algorithm.action_space.seed(seed)
        self.envs.seed(seed % 2**31)
        algorithm._last_obs = None
        _, self._callback = algorithm._setup_learn(
            self.total - algorithm.num_timesteps, self._listener, reset_num_timesteps=False
        )
        if epoch == 0 or (self._learns_on and steps == self._start):
            for remark in self._remarks():
                print(remark, file=sys.stderr, flush=True)

    def _remarks(self) -> Iterator[str]:
        """What a user may not expect of the run that begins."""
        if any("action_mask" in info for info in self.envs.unwrapped.reset_infos):
            yield f"agent={self.config.agent['name']}: takes no notice of info['action_mask']; agent=rstdp does"
        yield from self.model.config.remarks(self.total - self._start, self.config.num_envs)

    def step(self) -> Step:
        """Gather experience, and learn from it."""
        algorithm = self._algorithm
        before = algorithm.num_timesteps
        try:
            gathered = self.model.gather(self.envs, self._callback)
            if self._listener.proceeds:
                self.model.optimise(gathered, self.total)
        except (ValueError, RuntimeError):  # how torch's distributions refuse the output of a network that has diverged
            check_finite(self.model, f"after {self.steps:,} {self.unit}")
            raise
        taken = algorithm.num_timesteps - before
        self.steps += taken
        self._log.dump()
        return Step(taken, self._recorded.take(), self._listener.proceeds)

    def payload(self) -> Saved:
        saved = {**super().payload(), **self.model.learning_state()}
        if replayed := self.model.memory():
            saved["replay"] = replayed
        if isinstance(self.envs, VecNormalize):
            returns = self.envs.ret_rms
            saved["returns"] = [float(returns.mean), float(returns.var), float(returns.count)]
        return saved

    def restore(self, saved: Saved) -> None:
        super().restore(saved)
        self.model.take_learning_state(saved)
        if isinstance(self.envs, VecNormalize):
            returns = self.envs.ret_rms
            returns.mean, returns.var = (np.array(value) for value in saved["returns"][:2])
            returns.count = saved["returns"][2]
        if "replay" in saved:
            self.model.take_memory(saved["replay"])

    def close(self) -> None:
        if self.model.envs is not self.envs:
            self.envs.close()


class _Recorded(KVWriter):
    """What the algorithm and callbacks record."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def write(self, key_values: dict[str, float], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
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
