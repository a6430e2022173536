"""The seed network in norse: one product for the whole window, then the neuron over time.

    python benchmarks/peers/norse_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0 --threads 2

norse has a LIF without synaptic currents (`lif_box`) and a refractory period (`compute_refractory_update`, for LIFs
with currents); here they are put together, and `norse.torch.lift` runs them over time. norse integrates by Euler
steps of dt / tau, so dt / tau is set to 1 - exp(-1 / tau), for which the Euler step is the exact decay, and inputs
are divided by it.
"""

from __future__ import annotations

import math
import time
from importlib.metadata import version

import torch
from common import REFRACTORY_MS, TAU_MS, THRESHOLD_MV, WARM_UP_MS, report_seed, seed_arguments
from norse.torch import lift
from norse.torch.functional.encode import poisson_encode
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from norse.torch.functional.lif_refrac import (
    LIFRefracFeedForwardState,
    LIFRefracParameters,
    compute_refractory_update,
)

GAIN = 1 - math.exp(-1 / TAU_MS)
BOX = LIFBoxParameters(tau_mem_inv=torch.tensor(GAIN), v_th=torch.tensor(THRESHOLD_MV))
REFRACTORY = LIFRefracParameters(LIFParameters(), torch.tensor(float(REFRACTORY_MS)))


def step(current: torch.Tensor, state: LIFRefracFeedForwardState) -> tuple[torch.Tensor, LIFRefracFeedForwardState]:
    spikes, moved = lif_box_feed_forward_step(current, state.lif, BOX, dt=1.0)
    v, spikes, rho = compute_refractory_update(state, spikes, moved.v, REFRACTORY)
    return spikes, LIFRefracFeedForwardState(LIFBoxFeedForwardState(v), rho)


def run(spikes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Output spikes [time, n] of input spikes [time, n]."""
    rest = torch.zeros(weights.shape[0])
    state = LIFRefracFeedForwardState(LIFBoxFeedForwardState(rest), rest)
    output, _ = lift(step)(torch.nn.functional.linear(spikes, weights), state=state)
    return output


def main() -> None:
    arguments = seed_arguments(__doc__)
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(arguments.seed)
    weights = torch.randn(arguments.n, arguments.n).div_(GAIN)
    intensity = torch.from_numpy(arguments.rates).float() / 100
    run(poisson_encode(intensity, WARM_UP_MS, f_max=100), weights)

    began = time.perf_counter()
    spikes = poisson_encode(intensity, arguments.ms, f_max=100)
    encoded = time.perf_counter()
    output = run(spikes, weights)
    ended = time.perf_counter()
    report_seed(
        "norse",
        version("norse"),
        arguments,
        encode_seconds=encoded - began,
        run_seconds=ended - encoded,
        input_spikes=int(spikes.sum()),
        output_spikes=int(output.sum()),
    )


if __name__ == "__main__":
    main()
