"""What the reliability checks share: how many rounds, and the chance that they leave things to.

The default run makes the short form of each, ``pytest -m campaign`` the full one. ``SNNRL_CAMPAIGN_COUNT`` is the
number of its rounds in place of the check's own; ``SNNRL_CAMPAIGN_SEED`` repeats a run whose seed was printed.
"""

from __future__ import annotations

import os
import random
import secrets
import traceback
from collections.abc import Callable

import pytest
import torch

SEED = int(os.environ.get("SNNRL_CAMPAIGN_SEED") or secrets.randbits(32))


def pytest_report_header() -> str:
    return f"SNNRL_CAMPAIGN_SEED={SEED}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``rounds`` to a test whose module says ``ROUNDS = (short, full)``."""
    if "rounds" in metafunc.fixturenames:
        short, full = metafunc.module.ROUNDS
        full = int(os.environ.get("SNNRL_CAMPAIGN_COUNT") or full)
        forms = [pytest.param(short, id="short"), pytest.param(full, id="full", marks=pytest.mark.campaign)]
        metafunc.parametrize("rounds", forms)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Draws of the test's own; what is printed is shown where it fails."""
    print(f"SNNRL_CAMPAIGN_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.originalname}")


@pytest.fixture
def fork() -> Callable[[Callable[[], int]], int]:
    """Run ``work`` in a process of its own, which ends with its code; without the seconds that imports take."""

    def start(work: Callable[[], int]) -> int:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                torch.set_num_threads(1)
                code = work()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        return child

    return start
