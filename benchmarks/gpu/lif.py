"""Training through a linear layer and a LIF over 500 steps of batch 16, with the libraries that are installed here."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
from collections.abc import Mapping
from typing import Any

import torch
from steps import is_dry, row
from training import seconds

PEERS = ("snnrl", "snntorch", "spikingjelly", "norse")


def measure(peer: str, n: int, device: str, steps: int) -> Mapping[str, Any]:
    kind = importlib.import_module(f"{peer}_lif_training").Network
    network = kind(n, device) if peer == "norse" else kind(n)
    asked = argparse.Namespace(n=n, steps=steps, batch=16, device=device, rounds=2 if device == "cpu" else 3)
    torch.manual_seed(0)
    forward, backward = seconds(network, asked)
    peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
    return {"forward_seconds": forward, "backward_seconds": backward, "peak_gb": peak}


def main() -> None:
    dry = is_dry(__doc__)
    peers = [peer for peer in PEERS if importlib.util.find_spec(peer) is not None]
    sizes = {"cpu": (250,)} if dry else {"cuda": (1000, 4000, 16_000), "cpu": (1000, 4000)}
    torch.set_num_threads(os.cpu_count() or 1)
    for device, all_n in sizes.items():
        for n in all_n:
            for peer in peers if device == "cuda" or dry else ("snnrl",):
                if device == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                row(f"{peer}, n = {n:,}, {device}", lambda p=peer, n=n, d=device: measure(p, n, d, 20 if dry else 500))


if __name__ == "__main__":
    main()
