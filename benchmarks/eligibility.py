"""Time and memory of eligibility: of all synapses, and of presynaptic neurons that spiked lately alone.

    python benchmarks/eligibility.py
    python benchmarks/eligibility.py --num-envs 256 --kinds sparse --before 144 --steps 16 --rounds 1

Two agents of the recipe play and learn in one process, in turns: one keeps an eligibility at every synapse (``sparse:
false`` of its rules), one where it is not zero. Printed are medians of the turns: processor time of the main thread for
a step of all games and for ``update`` in it, and the bytes of eligibility at the end.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from typing import Any

import torch

from snnrl.agents import make_agent
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.envs import EnvConfig, env_seeds, make_envs
from snnrl.recipes import compose_run
from snnrl.state import leaves
from snnrl.training.device import leave_cores_to_environments
from snnrl.training.rollout import Rollout


class Side:
    """An agent that plays and learns, by its rules' ``sparse``."""

    def __init__(self, recipe: str, num_envs: int, *, sparse: bool) -> None:
        rules = [f"agent.network.{name}.rule={{name: three_factor, sparse: {sparse}}}" for name in ("actor", "critic")]
        settings: dict[str, Any] = compose_run([f"env={recipe}", *rules])
        env = EnvConfig.from_mapping(settings["env"])
        self.envs = make_envs(env, num_envs)
        spaces = self.envs.single_observation_space, self.envs.single_action_space
        self.agent = make_agent(settings["agent"], *spaces, env, seed=0)
        self.rollout = Rollout(self.agent, self.envs, env, env_seeds(0, "train", 0, num_envs))
        self.learning, self._update = 0.0, self.agent.update
        vars(self.agent)["update"] = self._timed

    def _timed(self, state: Any) -> Any:
        began = time.thread_time()
        found = self._update(state)
        self.learning += time.thread_time() - began
        return found

    def turn(self, steps: int) -> tuple[float, float]:
        """Milliseconds of the main thread for a step, and for ``update`` in it."""
        self.learning, began = 0.0, time.thread_time()
        for _ in range(steps):
            self.rollout.step()
        return 1e3 * (time.thread_time() - began) / steps, 1e3 * self.learning / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="SpaceInvaders")
    parser.add_argument("--num-envs", nargs="+", type=int, default=[16, 64])
    parser.add_argument("--kinds", nargs="+", default=["dense", "sparse"], help="dense, sparse or both")
    parser.add_argument("--steps", type=int, default=48, help="of each turn")
    parser.add_argument("--before", type=int, default=240, help="steps before the first turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    arguments = parser.parse_args()
    leave_cores_to_environments()
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {time.strftime('%F')}\n")
    print("| games | eligibility | step, ms | update, ms | MB |")
    print("|---|---|---|---|---|")
    for num_envs in arguments.num_envs:
        sides = {name: Side(arguments.env, num_envs, sparse=name != "dense") for name in arguments.kinds}
        for side in sides.values():
            side.turn(arguments.before)
        rounds = [[side.turn(arguments.steps) for side in sides.values()] for _ in range(arguments.rounds)]
        for place, (name, side) in enumerate(sides.items()):
            step, update = (statistics.median(each) for each in zip(*(turn[place] for turn in rounds), strict=True))
            state = side.rollout.state
            assert isinstance(state, RSTDPState)
            size = sum(leaf.nbytes for leaf in leaves(state.rules)) / 1e6
            print(f"| {num_envs} | {name} | {step:.1f} | {update:.2f} | {size:.1f} |", flush=True)
            side.envs.close()


if __name__ == "__main__":
    main()
