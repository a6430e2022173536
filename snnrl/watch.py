"""``python -m snnrl.watch run=<dir>``: a page in the browser on which an agent plays, with its spikes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from snnrl.cli import PlayOptions, read_options, run_command, usage
from snnrl.run_settings import DeviceSettings
from snnrl.settings import setting


@dataclass(frozen=True, kw_only=True)
class Options(PlayOptions, DeviceSettings):
    """Options of the command."""

    run: Path = setting(
        help="folder of a run, or one that holds several, between which the page lets one choose",
        expected="the folder of a run",
    )
    seed: int = setting(0, "of the environment", at_least=0, at_most=2**31 - 1)
    deterministic: bool | None = setting(
        None, "best actions rather than drawn ones", default_text="as the run's own evaluations"
    )
    host: str = setting("127.0.0.1", "where to listen; what others can reach is opened by a token in the address")
    port: int | None = setting(
        None, "of the page", at_least=1, at_most=65535, default_text="8790, or a free one where that is taken"
    )


USAGE = usage(
    "python -m snnrl.watch run=RUN_DIR [key=value ...]",
    Options,
    """
Prints an address to open in a browser; Ctrl-C ends it. An agent that learns is shown by watch=true of
python -m snnrl.train.
""",
)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(watch, USAGE, words)


def watch(words: Sequence[str]) -> int:
    """Serve the page that the command line asks for, until Ctrl-C.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be read.
    """
    options = read_options(Options, words)

    from snnrl.config import read_run
    from snnrl.watching.folders import runs_in

    runs = runs_in(options.run)
    read_run(next(iter(runs.values())), trust=options.trust)

    from snnrl.training.device import leave_cores_to_environments
    from snnrl.watching.playables import open_run
    from snnrl.watching.player import Player
    from snnrl.watching.server import Server

    leave_cores_to_environments()
    server = Server(options.host, options.port)
    with ExitStack() as ending:
        ending.callback(server.stop)
        player = Player(
            server.readers,
            list(runs),
            lambda name: open_run(runs[name], options.checkpoint, options.device, trust=options.trust),
            seed=options.seed,
            deterministic=options.deterministic,
        )
        ending.callback(player.close)
        server.start()
        print(f"open {server.address} in a browser; Ctrl-C ends", flush=True)
        while True:
            server.readers.wait(player.turn())


if __name__ == "__main__":
    sys.exit(main())
