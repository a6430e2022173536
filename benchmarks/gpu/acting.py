"""Environment steps per second while the default agent acts and learns, beside the environments alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from steps import card, is_dry, rate, row
from throughput import Alone, Learning

from snnrl.envs import EnvConfig
from snnrl.recipes import compose_run
from snnrl.training.device import leave_cores_to_environments

SIZES = {
    "CartPole": (16, 1024, 4096),
    "CartPole env.backend=torch": (1024, 4096, 16_384),
    "SpaceInvaders": (16, 128),
}


def measure(name: str, num_envs: int, device: str | None, seconds: float) -> Mapping[str, Any]:
    """With ``device=None`` of the environments alone, on the card where they can be."""
    recipe, *words = name.split()
    settings = compose_run([f"env={recipe}", *words])
    env = EnvConfig.from_mapping(settings["env"])
    alone = device is None
    device = device or ("cuda" if words and torch.cuda.is_available() else "cpu")
    side = Alone(env, num_envs, device) if alone else Learning(settings, env, num_envs, device)

    def step() -> int:
        side.step()
        return num_envs

    began = time.perf_counter()
    for turn in range(2 if alone else 20):
        if turn < 2 or time.perf_counter() - began < 3 * seconds:
            step()
    found = rate(step, seconds)
    side.envs.close()
    return {"steps_per_second": found}


def main() -> None:
    dry = is_dry(__doc__)
    leave_cores_to_environments()
    for name, sizes in {"CartPole": (4,), "CartPole env.backend=torch": (4,)}.items() if dry else SIZES.items():
        for num_envs in sizes:
            for device in (None, "cpu") if dry else (None, card(dry), *([] if num_envs > 1024 else ["cpu"])):
                words = f"{name}, {num_envs}, {device or 'environments alone'}"
                row(words, lambda e=name, n=num_envs, d=device: measure(e, n, d, 0.2 if dry else 2.0))


if __name__ == "__main__":
    main()
