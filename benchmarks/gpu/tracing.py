"""Where a step's time goes on the card: launches, copies, waits of the host, and the kernels that take longest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from images import digits, on
from seed import network_of, spikes_of
from steps import card, clock, is_dry, row
from throughput import Learning
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from snnrl.envs import EnvConfig
from snnrl.learners import make_learner
from snnrl.recipes import compose_run

WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def trace(step: Callable[[], object], steps: int, device: str) -> Mapping[str, Any]:
    """Means over ``steps`` calls, after as many that do not count."""
    for _ in range(steps):
        step()
    began = clock()
    for _ in range(steps):
        step()
    wall = (clock() - began) / steps
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as traced:
        for _ in range(steps):
            step()
        clock()
    events = traced.key_averages()
    kernels = [e for e in events if e.device_type == DeviceType.CUDA]
    copies = {
        kind: sum(e.count for e in kernels if e.key.startswith(f"Memcpy {kind}")) / steps for kind in ("HtoD", "DtoH")
    }
    longest = sorted(kernels, key=lambda e: -e.self_device_time_total)[:6]
    hosts = sorted((e for e in events if e not in kernels), key=lambda e: -e.self_cpu_time_total)[:6]
    return {
        "wall_ms": 1e3 * wall,
        "card_ms": sum(e.self_device_time_total for e in kernels) / steps / 1e3,
        "launches": sum(e.count for e in events if "LaunchKernel" in e.key) / steps,
        "to_card": copies["HtoD"],
        "to_host": copies["DtoH"],
        "waits": sum(e.count for e in events if e.key in WAITS) / steps,
        "kernels_us": {e.key[:60]: round(e.self_device_time_total / steps, 1) for e in longest},
        "host_us": {e.key[:60]: round(e.self_cpu_time_total / steps, 1) for e in hosts},
    }


def playing(name: str, num_envs: int, device: str) -> Callable[[], object]:
    settings = compose_run([f"env={name}"])
    return Learning(settings, EnvConfig.from_mapping(settings["env"]), num_envs, device).step


def studying(settings: Mapping[str, Any], batch: int, device: str) -> Callable[[], object]:
    data = digits(batch if device == "cpu" else 4096, 10)
    learner = make_learner(settings, data.shape, data.classes).to(device)
    images, labels = on(device, data.train.first(batch))
    return lambda: learner.learn(images, labels)


def seed_network(n: int, device: str) -> Callable[[], object]:
    network, spikes = network_of(n, torch.float32, device), spikes_of(n, device)
    return torch.no_grad()(lambda: network.run({"input": spikes}))


def main() -> None:
    dry = is_dry(__doc__)
    device = card(dry)
    cases: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
        "CartPole, 16 environments": (lambda: playing("CartPole", 16, device), 32),
        "seed network, n = 10,000": (lambda: seed_network(64 if dry else 10_000, device), 3),
    }
    if not dry:
        cases |= {
            "CartPole, 1,024 environments": (lambda: playing("CartPole", 1024, device), 16),
            "SpaceInvaders, 16 games": (lambda: playing("SpaceInvaders", 16, device), 32),
            "MNIST without labels, batch 128": (lambda: studying({"name": "diehl_cook"}, 128, device), 16),
            "MNIST by surrogate gradient, batch 128": (lambda: studying({"name": "backprop"}, 128, device), 16),
        }
    for name, (make, steps) in cases.items():
        row(name, lambda m=make, s=steps: trace(m(), 2 if dry else s, device))


if __name__ == "__main__":
    main()
