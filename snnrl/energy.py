"""``python -m snnrl.energy run=<dir>``: what a decision of a spiking policy costs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snnrl.cli import PlayOptions, read_options, run_command, usage
from snnrl.run_settings import DeviceSettings
from snnrl.settings import setting

if TYPE_CHECKING:
    from snnrl.config import RunConfig
    from snnrl.networks.cost import Cost


@dataclass(frozen=True, kw_only=True)
class Options(PlayOptions, DeviceSettings):
    """Options of the command."""

    decisions: int = setting(2048, "of its own play, over which the means are taken", at_least=1)


USAGE = usage(
    "python -m snnrl.energy run=RUN_DIR [key=value ...]",
    Options,
    """
Takes a run of a spiking policy (agent=ppo, dqn, a2c, sac, td3; or what snnrl.convert wrote). Writes energy.md and
energy.json: spikes, synaptic operations, multiplications of an ANN of the same shapes, and estimates of energy with and
without memory traffic. Counted is what acts, not the critic.
""",
)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(count_run, USAGE, words)


def count_run(words: Sequence[str]) -> int:
    """Count as the command line says.

    Raises:
        ConfigError: a wrong setting, or a run without spiking layers.
    """
    options = read_options(Options, words)

    from snnrl.config import RunConfig, read_run

    run_dir, settings = read_run(options.run, trust=options.trust)

    from snnrl.loading import load_model
    from snnrl.textfiles import write_text
    from snnrl.training.device import leave_cores_to_environments
    from snnrl.training.summary import write_json
    from snnrl.training.writable import keeping

    config = RunConfig.from_mapping(settings)

    from snnrl.integrations.sb3.building import require_network
    from snnrl.integrations.sb3.cost import energy

    require_network(config.agent, "spiking", options.run)
    leave_cores_to_environments()
    agent = load_model(config, run_dir, options.checkpoint, options.device)
    cost = agent.decision_cost(config.env, options.decisions, config.seed)
    found = energy(cost)
    table = _table(cost, found, config, options.decisions)
    result = {
        "env": config.env.id,
        "sim_steps": config.agent["sim_steps"],
        "decisions": options.decisions,
        "layers": [layer._asdict() for layer in cost.layers],
        "firing_rate": cost.firing_rate,
        "synaptic_operations": cost.operations,
        "macs_of_input": cost.steady_macs,
        "updates": cost.updates,
        "macs_of_ann": cost.macs,
        "parameters": cost.parameters,
        "nanojoules": found,
    }
    print(table)
    with keeping(run_dir):
        write_json(run_dir / "energy.json", result)
        write_text(run_dir / "energy.md", table)
    print(f"written to {run_dir}: energy.md, energy.json")
    return 0


def _table(cost: Cost, found: Mapping[str, Mapping[str, float]], config: RunConfig, decisions: int) -> str:
    lines = [
        f"{config.env.id}, {config.agent['name']}, {config.agent['sim_steps']} steps a decision, means over "
        f"{decisions:,} decisions\n",
        "| layer | neurons | spikes | per neuron and step | input multiplications | synaptic operations | updates | "
        "multiplications of the ANN |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, layer in enumerate(cost.layers, 1):
        lines.append(
            f"| {number} | {layer.neurons:,} | {layer.spikes:,.1f} | {layer.spikes / layer.updates:.3f} | "
            f"{layer.steady_macs:,.0f} | {layer.synaptic_operations:,.0f} | {layer.updates:,} | {layer.macs:,} |"
        )
    lines += [
        f"| readout | | | | | {cost.readout_operations:,.0f} | | {cost.readout_macs:,} |",
        f"| all | {cost.neurons:,} | {cost.spikes:,.1f} | {cost.firing_rate:.3f} | {cost.steady_macs:,.0f} | "
        f"{cost.operations:,.0f} | {cost.updates:,} | {cost.macs:,} |\n",
        "| energy of a decision, nJ | spiking | ANN | spiking / ANN |",
        "|---|---|---|---|",
    ]
    names = {
        "arithmetic": "arithmetic, 45 nm (Horowitz 2014)",
        "with memory": "with weights, potentials and activations from memory",
        "Loihi": "on Loihi (Davies et al. 2018)",
    }
    for kind, values in found.items():
        ann = f"{values['ann']:,.2f} | {values['spiking'] / values['ann']:.2f}" if "ann" in values else " | "
        lines.append(f"| {names[kind]} | {values['spiking']:,.2f} | {ann} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
