"""The window of a LIF on the card against the loop in torch on the same card, and the compiled loop of the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import torch
from steps import card, difference, is_dry, relative, row
from torch import Tensor

from snnrl.neurons import LIF, Neuron
from snnrl.surrogate import SURROGATES

BATCH = 3


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def forward(device: str, reset: str, refractory: float, size: int, steps: int) -> Mapping[str, Any]:
    """A window without gradient."""
    neuron = LIF(size, tau_mem=5.0, reset=reset, t_refractory=refractory)
    current = 4 * drawn(steps, BATCH, size, seed=size) + 1
    cpu, cpu_state = neuron.scan(current, neuron.init_state(BATCH))
    neuron.to(device)
    there = current.to(device)
    spikes, state = neuron.scan(there, neuron.init_state(BATCH))
    loop, loop_state = Neuron.scan(neuron, there, neuron.init_state(BATCH))
    return {
        "spikes": int(spikes.sum()),
        "equal_loop": bool(spikes.equal(loop)) and bool(state.v.equal(loop_state.v)),
        "equal_cpu": bool(spikes.cpu().equal(cpu)) and bool(state.v.cpu().equal(cpu_state.v)),
        "v_off_loop": difference(state.v, loop_state.v),
        "v_off_cpu": difference(state.v, cpu_state.v),
        "refractory_equal": bool(state.refractory.equal(loop_state.refractory)),
    }


def backward(device: str, surrogate: str, reset: str, size: int, steps: int) -> Mapping[str, Any]:
    """The gradient of a weighted sum of all spikes with respect to all currents."""
    neuron = LIF(size, tau_mem=5.0, reset=reset, surrogate=surrogate)
    current, weight = 4 * drawn(steps, BATCH, size, seed=size) + 1, drawn(steps, BATCH, size, seed=size + 1)
    found = []
    for place, scan in (("cpu", LIF.scan), (device, LIF.scan), (device, Neuron.scan)):
        neuron.to(place)
        leaf = current.to(place).requires_grad_()
        spikes, state = scan(neuron, leaf, neuron.init_state(BATCH))
        found += torch.autograd.grad((spikes * weight.to(place)).sum() + state.v.sum(), leaf)
    cpu, kernel, loop = found
    return {
        "equal_loop": bool(kernel.equal(loop)),
        "equal_cpu": bool(kernel.cpu().equal(cpu)),
        "off_loop": relative(kernel, loop),
        "off_cpu": relative(kernel, cpu),
    }


def main() -> None:
    dry = is_dry(__doc__)
    device, steps = card(dry), 8 if dry else 60
    sizes = (1, 7) if dry else (1, 255, 10_000)
    for reset, refractory, size in product(("hard", "soft"), (0.0, 5.0), sizes):
        name = f"forward, {reset} reset, refractory {refractory:.0f}, {size:,} neurons"
        row(name, lambda r=reset, q=refractory, n=size: forward(device, r, q, n, steps))
    for surrogate, reset, size in product(SURROGATES, ("hard", "soft"), sizes):
        name = f"backward, {surrogate}, {reset} reset, {size:,} neurons"
        row(name, lambda s=surrogate, r=reset, n=size: backward(device, s, r, n, steps))


if __name__ == "__main__":
    main()
