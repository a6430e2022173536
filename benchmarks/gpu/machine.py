"""What the machine is and can do: versions, bandwidth, arithmetic, the price of a launch and of a copy."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import torch
from steps import card, is_dry, median_seconds, row

PACKAGES = ("snnrl", "torch", "triton", "numba", "numpy", "gymnasium", "ale-py", "stable-baselines3")
PEERS = ("snntorch", "spikingjelly", "norse", "bindsnet")


def versions() -> Mapping[str, Any]:
    found: dict[str, Any] = {"python": platform.python_version(), "cores": os.cpu_count(), "cpu": _cpu()}
    for name in (*PACKAGES, *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found |= {"card": properties.name, "memory_gb": properties.total_memory / 1e9, "cuda": torch.version.cuda}
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        found["driver"] = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return found


def _cpu() -> str:
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


def main() -> None:
    dry = is_dry(__doc__)
    device = card(dry)
    row("versions", versions)
    size = 1 << (20 if dry else 30)
    source = torch.rand(size, device=device)
    target = torch.empty_like(source)
    row("copy on the card", lambda: {"gb_per_s": 8 * size / median_seconds(lambda: target.copy_(source)) / 1e9})
    source = target = torch.empty(0)
    for dtype in (torch.float32, torch.bfloat16):
        n = 256 if dry else 8192
        a = torch.randn(n, n, device=device, dtype=dtype)
        row(f"product, {dtype}", lambda a=a, n=n: {"tflops": 2 * n**3 / median_seconds(lambda: a @ a) / 1e12})
    one, host = torch.zeros(1, device=device), torch.zeros(1024)
    row("launch", lambda: {"us": 1e6 * median_seconds(lambda: [one.add_(1) for _ in range(1000)]) / 1000})
    row("copy to the card", lambda: {"us": 1e6 * median_seconds(lambda: [host.to(device) for _ in range(200)]) / 200})
    row("read by the host", lambda: {"us": 1e6 * median_seconds(lambda: [one.item() for _ in range(200)]) / 200})


if __name__ == "__main__":
    main()
