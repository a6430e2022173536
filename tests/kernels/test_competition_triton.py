"""The competition's kernel for a GPU, run by Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

INTERPRETED = """
import math
import torch
from snnrl.kernels import competition, competition_triton

draws = torch.Generator().manual_seed(0)
for batch, neurons, steps in ((1, 1, 3), (3, 5, 15), (4, 70, 15)):
    for given in (1, steps):
        for winner, losers in ((0.0, -48.0), (-200.0, 0.0)):
            rules = competition.WinnerTakeAll(steps, math.exp(-1 / 7.5), 10.0, winner, losers)
            current = 60 * torch.rand(given, batch, neurons, generator=draws)
            threshold = 60 * torch.rand(neurons, generator=draws)
            expected = competition.compete_stepwise(current, threshold, rules)
            assert neurons == 1 or 0 < (expected >= 0).float().mean(), "some fire"
            winners = torch.full((steps, batch), 99)
            competition_triton.compete(current, threshold, winners, *rules[1:])
            assert torch.equal(winners, expected), (batch, neurons, given, winner)
equals, rules = torch.full((1, 1, 6), 30.0), competition.WinnerTakeAll(1, 0.5, 10.0, 0.0, 0.0)
winners = torch.empty(1, 1, dtype=torch.int64)
competition_triton.compete(equals, torch.zeros(6), winners, *rules[1:])
assert winners.item() == 0, "of equals the first"
print("equal")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_the_competition_of_a_gpu_finds_the_winners_of_the_plain_loop() -> None:
    """In a process of its own: the interpreter is chosen when the kernels are defined."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    ran = subprocess.run(
        [sys.executable, "-c", INTERPRETED], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if ran.returncode and "triton" in ran.stderr and "interpreter" in ran.stderr and "AssertionError" not in ran.stderr:
        pytest.skip(f"Triton's interpreter does not work here: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.stdout.strip() == "equal", ran.stderr
