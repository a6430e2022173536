"""How much of the environments' own speed is left while a spiking agent learns.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --envs CartPole "CartPole env.backend=torch" --num-envs 64 1024

For each game and number of environments, in one process: environment steps per second with actions drawn beforehand,
then with the default agent acting and learning, and their ratio. The two are measured in turns, and the medians are
printed, so that a machine which changes its pace does not favour either.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from typing import Any, cast

import torch

import snnrl
from snnrl.agents import make_agent
from snnrl.envs import EnvConfig, env_seeds, make_envs
from snnrl.recipes import compose_run
from snnrl.training.device import leave_cores_to_environments
from snnrl.training.rollout import Rollout


class Alone:
    """Environments that are stepped with random actions."""

    def __init__(self, env: EnvConfig, num_envs: int, device: str = "cpu") -> None:
        self.envs = make_envs(env, num_envs, device=device)
        self.envs.reset(seed=cast(Any, env_seeds(0, "train", 0, num_envs)))
        self.envs.action_space.seed(0)
        self.actions = [self.envs.action_space.sample() for _ in range(64)]
        self.turn = 0

    def step(self) -> None:
        self.envs.step(self.actions[self.turn % len(self.actions)])
        self.turn += 1


class Learning:
    """The same environments with the recipe's agent."""

    def __init__(self, settings: dict[str, Any], env: EnvConfig, num_envs: int, device: str = "cpu") -> None:
        self.envs = make_envs(env, num_envs, device=device)
        spaces = self.envs.single_observation_space, self.envs.single_action_space
        agent = make_agent(settings["agent"], *spaces, env, seed=0).to(device)
        self.rollout = Rollout(agent, self.envs, env, env_seeds(0, "train", 0, num_envs))

    def step(self) -> None:
        self.rollout.step()


def rate(side: Alone | Learning, num_envs: int, seconds: float) -> float:
    """Environment steps per second."""
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        side.step()
        steps += num_envs
    return steps / (time.perf_counter() - began)


def measure(name: str, num_envs: int, seconds: float, rounds: int) -> tuple[float, float]:
    """Median rates alone and learning; behind the recipe's name there may be settings."""
    name, *words = name.split()
    settings = compose_run([f"env={name}", *words])
    env = EnvConfig.from_mapping(settings["env"])
    sides = Alone(env, num_envs), Learning(settings, env, num_envs)
    for side in sides:
        rate(side, num_envs, 1.0)
    rounds_of_both = [[rate(side, num_envs, seconds) for side in sides] for _ in range(rounds)]
    for side in sides:
        side.envs.close()
    alone, learning = (statistics.median(rates) for rates in zip(*rounds_of_both, strict=True))
    return alone, learning


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", nargs="+", default=["SpaceInvaders", "CartPole"])
    parser.add_argument("--num-envs", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, in turns")
    arguments = parser.parse_args()
    leave_cores_to_environments()
    threads = torch.get_num_threads()
    print(f"snnrl {snnrl.__version__}, torch {torch.__version__} on {threads} thread, {platform.machine()}")
    print(f"Python {platform.python_version()}, {time.strftime('%F')}\n")
    print("| environment | num_envs | environment only, steps/s | learning, steps/s | ratio |")
    print("|---|---|---|---|---|")
    for name in arguments.envs:
        for num_envs in arguments.num_envs:
            alone, learning = measure(name, num_envs, arguments.seconds, arguments.rounds)
            print(f"| {name} | {num_envs} | {alone:,.0f} | {learning:,.0f} | {learning / alone:.2f} |", flush=True)


if __name__ == "__main__":
    main()
