"""The seed network in BindsNET, whose LIFNodes with default values are the reference for every other peer.

    python benchmarks/peers/bindsnet_seed.py --n 1000 --ms 1000 --rates rates.npy --seed 0

Inputs are made by BindsNET's own Poisson encoding, which draws intervals of Poisson(1000 / rate) steps, at least one.
Such a train has about the asked rate but is no Poisson process: with the same weights at n = 1000 the neurons fired 12%
more than with independent spikes. `--mode bernoulli` feeds independent spikes of the same rates, as the other peers do.
"""

from __future__ import annotations

import time
from importlib.metadata import version

import torch
from bindsnet.encoding import bernoulli, poisson
from bindsnet.network import Network
from bindsnet.network.monitors import Monitor
from bindsnet.network.nodes import Input, LIFNodes
from bindsnet.network.topology import Connection
from common import WARM_UP_MS, report_seed, seed_arguments


def build(n: int, ms: int) -> tuple[Network, Monitor]:
    network = Network(dt=1.0, learning=False)
    inputs, neurons = Input(n), LIFNodes(n)
    network.add_layer(inputs, "inputs")
    network.add_layer(neurons, "neurons")
    network.add_connection(Connection(inputs, neurons, w=torch.randn(n, n)), "inputs", "neurons")
    monitor = Monitor(neurons, ["s"], time=ms)
    network.add_monitor(monitor, "spikes")
    return network, monitor


def main() -> None:
    arguments = seed_arguments(__doc__, ["poisson", "bernoulli"])
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(arguments.seed)
    rates = torch.from_numpy(arguments.rates).float()
    network, monitor = build(arguments.n, arguments.ms)
    network.run({"inputs": poisson(rates, time=WARM_UP_MS)}, time=WARM_UP_MS)
    network.reset_state_variables()

    began = time.perf_counter()
    if arguments.mode == "poisson":
        spikes = poisson(rates, time=arguments.ms)
    else:
        spikes = bernoulli(rates / 1000, time=arguments.ms)
    encoded = time.perf_counter()
    network.run({"inputs": spikes}, time=arguments.ms)
    ended = time.perf_counter()
    report_seed(
        "BindsNET" if arguments.mode == "poisson" else "BindsNET, Bernoulli inputs",
        version("bindsnet"),
        arguments,
        encode_seconds=encoded - began,
        run_seconds=ended - encoded,
        input_spikes=int(spikes.sum()),
        output_spikes=int(monitor.get("s").sum()),
    )


if __name__ == "__main__":
    main()
