"""``python -m snnrl.evaluate run=<dir>``: play full episodes with a trained agent, or let a learner name images."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snnrl.cli import CommandModule, run_command
from snnrl.errors import ConfigError, did_you_mean, require

USAGE = """
usage: python -m snnrl.evaluate run=RUN_DIR [key=value ...]

  run            folder of a run
  episodes       full episodes to play (100)
  seed           of the environments (the run's own; no evaluation plays the episodes of training or of another)
  checkpoint     last, best or a file (last)
  deterministic  best actions rather than random ones (as the run's own evaluations)
  device         auto, cpu, cuda or cuda:<n> (auto)
  trust          true lets code run that the run's config.yaml names (agents and environments of your own)
  video          also write one episode as video.gif (false)

Of a run on a data set, which images are named right; besides run, checkpoint, device and trust

  split          test, validation (if the run held those images out) or train (the run's own)
  images         the first so many only
  label_readout         all, proportion, likelihood or ngram, in place of the run's own
  data_dir       folder with the data set's files
"""

DEFAULTS: dict[str, Any] = {
    "run": None,
    "episodes": 100,
    "seed": None,
    "checkpoint": "last",
    "deterministic": None,
    "device": "auto",
    "trust": False,
    "video": False,
}

STUDY_DEFAULTS: dict[str, Any] = {
    "run": None,
    "split": None,
    "images": None,
    "label_readout": None,
    "checkpoint": "last",
    "device": "auto",
    "trust": False,
    "data_dir": None,
}
_TEXT = ("run", "checkpoint", "device", "data_dir")


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(evaluate_run, USAGE, words)


def evaluate_run(words: Sequence[str]) -> int:
    """Evaluate as the command line says, and write ``evaluation.json`` into the run's folder.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be read.
    """
    from snnrl.config import RunConfig, read_run
    from snnrl.words import read_words

    named = [word for word in words if word.partition("=")[0] in ("run", "trust")]
    run_dir, settings = read_run({"run": None, "trust": False, **read_words(named, as_written=_TEXT)})
    if "learner" in settings:
        return _evaluate_learner(run_dir, settings, words)
    options = _options(words)

    from snnrl.loading import load_model
    from snnrl.training.evaluation import evaluate
    from snnrl.training.summary import bootstrap_interval, versions, write_json
    from snnrl.training.writable import keeping

    config = RunConfig.from_mapping(settings)
    seed = config.seed if options["seed"] is None else options["seed"]
    given = options["deterministic"]
    deterministic = config.eval.deterministic if given is None else given
    agent = load_model(config, run_dir, str(options["checkpoint"]), str(options["device"]))
    if options["video"]:
        from snnrl.training.video import check_drawing

        check_drawing(config.env)
    found = evaluate(agent, config.env, episodes=options["episodes"], seed=seed, deterministic=deterministic)
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
        "deterministic": deterministic,
        "env": config.env.id,
        "versions": versions(),
    }
    if found.cut:
        result["cut_episodes"] = found.cut
        print(found.remark, file=sys.stderr)
    print(
        f"return {result['return_mean']:.1f} ± {result['return_std']:.1f}, 95 % interval {low:.1f} to {high:.1f}, "
        f"{len(found.returns)} episodes of {config.env.id}"
    )
    path = run_dir / "evaluation.json"
    with keeping(run_dir):
        write_json(path, result)
    print(f"written to {path}")
    if options["video"]:
        from snnrl.training.video import record_episode

        path = run_dir / "video.gif"
        record_episode(agent, config.env, path, seed=seed, deterministic=deterministic)
        print(f"video written to {path}")
    return 0


def _evaluate_learner(run_dir: Path, settings: Mapping[str, Any], words: Sequence[str]) -> int:
    """Evaluate a learner as the command line says, and write ``evaluation.json`` into the run's folder."""
    options = _read(words, STUDY_DEFAULTS)
    images, split, label_readout = options["images"], options["split"], options["label_readout"]
    whole = images is None or (isinstance(images, int) and not isinstance(images, bool) and images >= 1)
    require(whole, "images", images, "an integer of at least 1")

    from snnrl.loading import load_model
    from snnrl.training.summary import versions, write_json
    from snnrl.training.supervised_config import SupervisedConfig
    from snnrl.training.supervised_task import confuse, draws_apart, read_split
    from snnrl.training.writable import keeping

    overridden = {key: options[key] for key in ("data_dir",) if options[key] is not None}
    recipe = dict(settings["learner"])
    if label_readout is not None:
        require("label_readout" in recipe, "label_readout", label_readout, f"left out, as {recipe['name']} has none")
        recipe["label_readout"] = label_readout
    config = SupervisedConfig.from_mapping({**settings, **overridden, "learner": recipe})
    split = config.split if split is None else split
    chosen = read_split(config, "split", split)
    require(images is None or images <= len(chosen), "images", images, f"at most {len(chosen)}, for split={split}")
    learner = load_model(config, run_dir, str(options["checkpoint"]), str(options["device"]))
    place = next(iter(learner.state_dict().values())).device
    with draws_apart(learner, config.seed):
        if label_readout is not None:
            learner.calibrate(read_split(config, "split", "train").to(place).batches(500))
    with draws_apart(learner, config.seed):
        confusion = confuse(learner, chosen.first(images).to(place))
    total, right = int(confusion.sum()), int(confusion.diagonal().sum())
    result = {
        "accuracy": right / total,
        "images": total,
        "split": split,
        "confusion": confusion.tolist(),
        "dataset": config.dataset,
        "learner": recipe,
        "checkpoint": str(options["checkpoint"]),
        "versions": versions(),
    }
    print(f"accuracy {100 * right / total:.2f} % of {total:,} {split} images of {config.dataset}")
    path = run_dir / "evaluation.json"
    with keeping(run_dir):
        write_json(path, result)
    print(f"written to {path}")
    return 0


def _read(words: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command line over their defaults."""
    from snnrl.words import read_words

    for word in words:
        key = word.partition("=")[0]
        if key not in defaults:
            raise ConfigError(f"{word}: there is no such option; {did_you_mean(key, defaults)}")
        if "=" not in word:
            raise ConfigError(
                f"{word}: must be key=value, such as {'images' if 'images' in defaults else 'episodes'}=100"
            )
    options = {**defaults, **read_words(words, as_written=_TEXT)}
    require(options["run"] is not None, "run", options["run"], "the folder of a run")
    return options


def _options(words: Sequence[str]) -> dict[str, Any]:
    options = _read(words, DEFAULTS)
    for key, least in (("episodes", 1), ("seed", 0)):
        value = options[key]
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
        require(whole or (key == "seed" and value is None), key, value, f"an integer of at least {least}")
    for key in ("deterministic", "video"):
        unset = key == "deterministic" and options[key] is None
        require(unset or isinstance(options[key], bool), key, options[key], "true or false")
    return options


sys.modules[__name__].__class__ = CommandModule

if __name__ == "__main__":
    sys.exit(main())
