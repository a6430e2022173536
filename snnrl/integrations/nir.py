"""``python -m snnrl.integrations.nir run=RUN_DIR out=policy.nir``: a run's network for other simulators and for chips.

:func:`to_nir`, :func:`policy_to_nir`, :func:`network_to_nir` and :func:`agent_to_nir` write, :func:`from_nir` and
:func:`network_from_nir` read; they are imported when they are used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snnrl.cli import RunOptions, read_options, run_command, usage
from snnrl.errors import ConfigError, one_line, require
from snnrl.settings import setting
from snnrl.types import Setting

if TYPE_CHECKING:
    from nir import NIRGraph

    from snnrl.config import RunConfig
    from snnrl.integrations.nir_agents import agent_to_nir, network_to_nir
    from snnrl.integrations.nir_network import ImportedNetwork, network_from_nir
    from snnrl.integrations.nir_reading import Imported, from_nir
    from snnrl.integrations.nir_writing import policy_to_nir, to_nir

__all__ = [
    "Imported",
    "ImportedNetwork",
    "agent_to_nir",
    "from_nir",
    "main",
    "network_from_nir",
    "network_to_nir",
    "policy_to_nir",
    "to_nir",
]

_PLACES = {
    "Imported": "reading",
    "ImportedNetwork": "network",
    "agent_to_nir": "agents",
    "from_nir": "reading",
    "network_from_nir": "network",
    "network_to_nir": "agents",
    "policy_to_nir": "writing",
    "to_nir": "writing",
}


def __getattr__(name: str) -> Setting:
    """Import torch and nir only when they are used, so that ``--help`` needs neither."""
    if name in _PLACES:
        return vars(import_module(f"snnrl.integrations.nir_{_PLACES[name]}"))[name]
    raise AttributeError(f"module 'snnrl.integrations.nir' has no attribute {name!r}")


@dataclass(frozen=True, kw_only=True)
class Options(RunOptions):
    """Options of the command."""

    out: Path = setting(help="file to write", expected="a file to write")
    resistance: Literal["scaled", "unit"] = setting("scaled", "scaled, or unit for readers that take R = 1 (norse)")
    dt: float = setting(0.001, "seconds of a step; snnTorch takes 0.0001", above=0, expected="seconds above 0")


USAGE = usage(
    "python -m snnrl.integrations.nir run=RUN_DIR out=FILE [key=value ...]",
    Options,
    """
Takes a run of a spiking policy (agent=ppo, dqn, a2c, sac, td3; or what snnrl.convert wrote), or of an agent that learns
by local rules (agent=rstdp and its like), of which synapses and neurons are written and the encoder is named;
resistance= and dt= are for policies.
""",
)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(export, USAGE, words)


def export(words: Sequence[str]) -> int:
    """Write the file that the command line asks for.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be exported.
    """
    options = read_options(Options, words)

    try:
        import nir
    except ModuleNotFoundError as error:
        raise ConfigError(f'{error}; must be installed by: pip install "snnrl[nir]"') from error

    from snnrl.config import RunConfig, read_run
    from snnrl.textfiles import usable

    run_dir, settings = read_run(options.run, trust=options.trust)
    require("learner" not in settings, "run", run_dir, "of an agent")
    out = usable("out", options.out)
    graph = _graph(options, run_dir, RunConfig.from_mapping(settings))
    try:
        nir.write(str(out), graph)
    except OSError as error:
        raise ConfigError(f"out={out}: cannot be written; {one_line(error)}") from error
    print(f"{len(graph.nodes)} nodes written to {out}: nir.read(...) takes it anywhere")
    return 0


def _graph(options: Options, run_dir: Path, config: RunConfig) -> NIRGraph:
    """The graph of a run's network.

    Raises:
        ConfigError: an agent without one that NIR can say.
    """
    from snnrl.agents import AGENTS
    from snnrl.agents.actor_critic import ActorCriticAgent
    from snnrl.integrations.nir_agents import agent_to_nir
    from snnrl.integrations.nir_writing import policy_to_nir
    from snnrl.integrations.sb3.building import require_network
    from snnrl.integrations.sb3.sb3_task import SB3Task
    from snnrl.training.rl_task import RLTask
    from snnrl.training.task import read_checkpoint

    if issubclass(AGENTS.find(config.agent["name"], "agent.name"), ActorCriticAgent):
        learned = RLTask.load_model(config, read_checkpoint(run_dir, "last"), "cpu")
        assert isinstance(learned, ActorCriticAgent)
        return agent_to_nir(learned)
    require_network(config.agent, "spiking", options.run)
    agent = SB3Task.load_model(config, read_checkpoint(run_dir, "last"), "cpu")
    return policy_to_nir(agent.policy, resistance=options.resistance, dt=options.dt)


if __name__ == "__main__":
    sys.exit(main())
