"""What the steps share: the option ``--dry``, rows of JSON, a clock that waits for the card, and comparisons."""

from __future__ import annotations

import argparse
import json
import statistics
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def is_dry(doc: str | None) -> bool:
    """Whether the step is only to be run to its end: on the CPU, with tiny sizes."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--dry", action="store_true")
    return bool(parser.parse_args().dry)


def card(dry: bool) -> str:
    """The device under test."""
    return "cpu" if dry else "cuda"


def row(name: str, measure: Callable[[], Mapping[str, Any]]) -> None:
    """Print what ``measure`` finds under ``name``, or its error and where it was raised."""
    try:
        found = dict(measure())
    except Exception as error:
        traceback.print_exc()
        places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
        found = {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}", "at": places[-4:]}
    print(json.dumps({"name": name, **{key: _short(value) for key, value in found.items()}}), flush=True)


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def clock() -> float:
    """Seconds, after the card has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def median_seconds(work: Callable[[], object], rounds: int = 5, warm_up: int = 2) -> float:
    """Of one call of ``work``."""
    for _ in range(warm_up):
        work()
    taken = []
    for _ in range(rounds):
        began = clock()
        work()
        taken.append(clock() - began)
    return statistics.median(taken)


def rate(work: Callable[[], int], seconds: float) -> float:
    """What ``work`` counts, per second, for about so many seconds."""
    work()
    counted, began = 0, clock()
    while time.perf_counter() - began < seconds:
        counted += work()
    return counted / (clock() - began)


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference of two tensors on whatever devices."""
    if found.numel() == 0:
        return 0.0
    return float((found.detach().cpu().double() - expected.detach().cpu().double()).abs().max())


def relative(found: Tensor, expected: Tensor) -> float:
    """``|found - expected| / |expected|``, by the Euclidean norm."""
    off = found.detach().cpu().double() - expected.detach().cpu().double()
    return float(off.norm() / expected.detach().cpu().double().norm().clamp_min(1e-30))


def tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a ``state_dict``, copied to the CPU, those inside its containers included."""
    found: dict[str, Tensor] = {}

    def collect(name: str, value: Any) -> None:
        if isinstance(value, Tensor):
            found[name] = value.detach().cpu().clone()
        elif isinstance(value, Mapping):
            for key, item in value.items():
                collect(f"{name}.{key}", item)

    for name, value in state.items():
        collect(name, value)
    return found


def weights(model: torch.nn.Module) -> Tensor:
    """All parameters in one vector on the CPU, float64."""
    return torch.cat([value.detach().cpu().double().flatten() for value in model.parameters()] or [torch.zeros(1)])


def apart(found: Tensor, expected: Tensor, start: Tensor) -> float:
    """How far two sets of weights are from each other, as a part of the way that one has gone; 0 where none moved."""
    return float((found - expected).norm() / (expected - start).norm().clamp_min(1e-30))


def worst(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> tuple[float, str]:
    """The largest difference between two states, and of what; 0 where they are equal bit for bit."""
    if found.keys() != expected.keys() or any(found[name].shape != expected[name].shape for name in found):
        return float("inf"), "shapes"
    off = {name: difference(found[name], expected[name]) for name in found if not found[name].equal(expected[name])}
    return max(((value, name) for name, value in off.items()), default=(0.0, ""))
