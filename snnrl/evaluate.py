"""``python -m snnrl.evaluate run=<dir>``: play full episodes with a trained agent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnrl.cli import run_command
from snnrl.errors import ConfigError, did_you_mean, require

USAGE = """
usage: python -m snnrl.evaluate run=RUN_DIR [key=value ...]

  run            folder of a run
  episodes       full episodes to play (100)
  seed           of the environments (the run's own; no evaluation plays the episodes of training or of another)
  checkpoint     last, best or a file (last)
  deterministic  best actions rather than random ones (true)
  device         auto, cpu, cuda or cuda:<n> (auto)
  video          also write one episode as video.gif (false)
"""

DEFAULTS: dict[str, Any] = {
    "run": None,
    "episodes": 100,
    "seed": None,
    "checkpoint": "last",
    "deterministic": True,
    "device": "auto",
    "video": False,
}


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(evaluate_run, USAGE, words)


def evaluate_run(words: Sequence[str]) -> int:
    """Evaluate as the command line says, and write ``evaluation.json`` into the run's folder.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be read.
    """
    options = _options(words)
    run_dir = Path(str(options["run"]))

    from snnrl.config import read_config
    from snnrl.training.evaluation import evaluate
    from snnrl.training.runner import load_agent
    from snnrl.training.summary import bootstrap_interval, versions, write_json

    config = read_config(run_dir)
    seed = config.seed if options["seed"] is None else options["seed"]
    agent = load_agent(config, run_dir, str(options["checkpoint"]), str(options["device"]))
    found = evaluate(agent, config.env, episodes=options["episodes"], seed=seed, deterministic=options["deterministic"])
    low, high = bootstrap_interval(found.returns)
    result = {
        "return_mean": float(found.returns.mean()),
        "return_std": float(found.returns.std()),
        "return_interval_95": [low, high],
        "episodes": len(found.returns),
        "returns": found.returns.tolist(),
        "lengths": found.lengths.tolist(),
        "seed": seed,
        "checkpoint": str(options["checkpoint"]),
        "deterministic": options["deterministic"],
        "env": config.env.id,
        "versions": versions(),
    }
    path = run_dir / "evaluation.json"
    write_json(path, result)
    print(
        f"return {result['return_mean']:.1f} ± {result['return_std']:.1f}, 95 % interval {low:.1f} to {high:.1f}, "
        f"{len(found.returns)} episodes of {config.env.id}, written to {path}"
    )
    if options["video"]:
        from snnrl.training.video import record_episode

        print(f"video written to {record_episode(agent, config.env, run_dir / 'video.gif', seed=seed)}")
    return 0


def _options(words: Sequence[str]) -> dict[str, Any]:
    from snnrl.config import read_words

    for word in words:
        key = word.partition("=")[0]
        if key not in DEFAULTS:
            raise ConfigError(f"{word}: there is no such option; {did_you_mean(key, DEFAULTS)}")
        if "=" not in word:
            raise ConfigError(f"{word}: must be key=value, such as episodes=100")
    options: dict[str, Any] = {**DEFAULTS, **read_words(words, as_written=("run", "checkpoint", "device"))}
    require(options["run"] is not None, "run", options["run"], "the folder of a run")
    for key, least in (("episodes", 1), ("seed", 0)):
        value = options[key]
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
        require(whole or (key == "seed" and value is None), key, value, f"an integer of at least {least}")
    for key in ("deterministic", "video"):
        require(isinstance(options[key], bool), key, options[key], "true or false")
    return options


if __name__ == "__main__":
    sys.exit(main())
