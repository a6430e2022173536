"""Reward-modulated STDP in batches of 64: simulation steps of the whole batch per second."""

from __future__ import annotations

import argparse
import os
from itertools import product

import torch
from snnrl_mstdp import RULES, speed
from steps import is_dry, row


def main() -> None:
    dry = is_dry(__doc__)
    torch.set_num_threads(min(8, os.cpu_count() or 1))
    torch.set_grad_enabled(False)
    sizes = ((100, 20),) if dry else ((784, 400), (6400, 500))
    for device in ("cpu",) if dry else ("cuda", "cpu"):
        for (pre, post), rule, window in product(sizes, RULES, (1, 50)):
            steps = 60 if dry else (100 if window == 1 and device == "cpu" else 500)
            words = {"pre": pre, "post": post, "batch": 64, "steps": steps, "rule": rule, "window": window}
            asked = argparse.Namespace(**words, device=device)
            name = f"{rule}, {pre}-{post}, window {window}, {device}"
            row(name, lambda asked=asked: {"sim_steps_per_second": speed(asked)})


if __name__ == "__main__":
    main()
