"""``python -m snnrl.evaluate run=<dir>``: play full episodes with a trained agent, or let a learner name images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snnrl.cli import PlayOptions, RunOptions, check_run, read_options, run_command, usage
from snnrl.errors import require, shown
from snnrl.run_settings import DeviceSettings, ProgressSettings
from snnrl.settings import declarations, help_text, setting
from snnrl.types import Settings

if TYPE_CHECKING:
    from snnrl.agents.trainable import Trainable
    from snnrl.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class WhereOptions(PlayOptions, DeviceSettings, ProgressSettings):
    """Options for every run."""

    out: Path | None = setting(
        None, "folder to write to, made if it is not there", default_text="the run's own, which must be writable"
    )


@dataclass(frozen=True, kw_only=True)
class Options(WhereOptions):
    """Options for a run of an agent."""

    episodes: int = setting(100, "full episodes to play", at_least=1)
    seed: int | None = setting(
        None,
        "of the environments; no evaluation plays the episodes of training or of another",
        at_least=0,
        default_text="the run's own",
    )
    deterministic: bool | None = setting(
        None, "best actions rather than random ones", default_text="as the run's own evaluations"
    )
    video: bool | Literal["gif", "mp4"] = setting(
        False,
        "also write an episode as video.gif (true or gif) or as video.mp4 (mp4)",
        expected="true, gif, mp4 or false",
    )
    seconds: float = setting(600.0, "of the game's own time after which the video is cut", above=0, at_most=3600)
    spikes: bool = setting(False, "whether the video shows the spikes under the game")


@dataclass(frozen=True, kw_only=True)
class LearnerOptions(WhereOptions):
    """Options for a run on a data set."""

    split: str | None = setting(
        None, "test, validation (if the run held those images out) or train", default_text="the run's own"
    )
    images: int | None = setting(None, "the first so many only", at_least=1)
    label_readout: str | None = setting(None, "all, proportion, likelihood or ngram, in place of the run's own")
    data_dir: Path | None = setting(None, "folder with the data set's files")


USAGE = usage(
    "python -m snnrl.evaluate run=RUN_DIR [key=value ...]",
    Options,
    f"""
Of a run on a data set, which images are named right:

{help_text(LearnerOptions)}
""",
)


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(evaluate_run, USAGE, words)


def evaluate_run(words: Sequence[str]) -> int:
    """Evaluate as the command line says, and write ``evaluation.json`` into the run's folder.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be read.
    """
    from snnrl.config import read_run

    for word in words:
        check_run(word, words)
    named = [word for word in words if word.partition("=")[0] in declarations(RunOptions)]
    about = read_options(RunOptions, named)
    run_dir, settings = read_run(about.run, trust=about.trust)
    if "learner" in settings:
        return _evaluate_learner(run_dir, settings, words)
    return _evaluate_agent(run_dir, settings, words)


def _evaluate_agent(run_dir: Path, settings: Settings, words: Sequence[str]) -> int:
    """Play episodes as the command line says, and write ``evaluation.json``, and a video where one is asked for."""
    options = read_options(Options, words)
    out = _out(options.out, run_dir)

    from snnrl.config import RunConfig
    from snnrl.loading import load_model
    from snnrl.training.evaluation import evaluate
    from snnrl.training.progress import evaluating
    from snnrl.training.summary import bootstrap_interval

    config = RunConfig.from_mapping(settings)
    seed = config.seed if options.seed is None else options.seed
    best = config.eval.deterministic if options.deterministic is None else options.deterministic
    agent = load_model(config, run_dir, options.checkpoint, options.device)
    if options.video:
        _check_video(options, config, agent)
    with evaluating(options.episodes, "episodes", options.progress) as tell:
        found = evaluate(
            agent, config.env, episodes=options.episodes, seed=seed, deterministic=best, between_steps=tell
        )
    low, high = bootstrap_interval(found.returns)
    result = {
        "return_mean": float(found.returns.mean()),
        "return_std": float(found.returns.std()),
        "return_interval_95": [low, high],
        "episodes": len(found.returns),
        "returns": found.returns.tolist(),
        "lengths": found.lengths.tolist(),
        "seed": seed,
        "checkpoint": options.checkpoint,
        "deterministic": best,
        "env": config.env.id,
    }
    if found.cut:
        result["cut_episodes"] = found.cut
        print(found.remark, file=sys.stderr)
    print(
        f"return {result['return_mean']:.1f} ± {result['return_std']:.1f}, 95 % interval {low:.1f} to {high:.1f}, "
        f"{len(found.returns)} episodes of {config.env.id}"
    )
    _write(out, result)
    if options.video:
        from snnrl.recording import Game
        from snnrl.recording.video import write_video
        from snnrl.training.writable import keeping

        path = out / ("video.mp4" if options.video == "mp4" else "video.gif")
        game = Game(agent, config.env, seconds=options.seconds, seed=seed, deterministic=best)
        with keeping(out):
            write_video(game, path, spikes=options.spikes)
        print(f"{game.summary}; video written to {path}")
    return 0


def _check_video(options: Options, config: RunConfig, agent: Trainable) -> None:
    """Raise a ConfigError unless the video that is asked for can be made."""
    from snnrl.recording.video import check_drawing, check_spikes
    from snnrl.recording.video_file import require_encoder

    asked = f"video={shown(options.video)}"
    require_encoder(f".{options.video}", asked)
    check_drawing(config.env, asked, "false")
    if options.spikes:
        check_spikes(agent, "spikes=true")


def _evaluate_learner(run_dir: Path, settings: Settings, words: Sequence[str]) -> int:
    """Evaluate a learner as the command line says, and write ``evaluation.json`` into the run's folder."""
    options = read_options(LearnerOptions, words)
    images, split, label_readout = options.images, options.split, options.label_readout
    out = _out(options.out, run_dir)

    from snnrl.loading import load_model
    from snnrl.training.progress import evaluating
    from snnrl.training.supervised_config import SupervisedConfig
    from snnrl.training.supervised_task import confuse, draws_apart, read_split

    overridden = {} if options.data_dir is None else {"data_dir": str(options.data_dir)}
    recipe = dict(settings["learner"])
    if label_readout is not None:
        require("label_readout" in recipe, "label_readout", label_readout, f"left out, as {recipe['name']} has none")
        recipe["label_readout"] = label_readout
    config = SupervisedConfig.from_mapping({**settings, **overridden, "learner": recipe})
    split = config.split if split is None else split
    chosen = read_split(config, "split", split)
    require(images is None or images <= len(chosen), "images", images, f"at most {len(chosen)}, for split={split}")
    learner = load_model(config, run_dir, options.checkpoint, options.device)
    place = next(iter(learner.state_dict().values())).device
    with draws_apart(learner, config.seed):
        if label_readout is not None:
            learner.calibrate(read_split(config, "split", "train").to(place).batches(500))
    shown_images = chosen.first(images).to(place)
    with draws_apart(learner, config.seed), evaluating(len(shown_images), "images", options.progress) as tell:
        confusion = confuse(learner, shown_images, tell)
    total, right = int(confusion.sum()), int(confusion.diagonal().sum())
    result = {
        "accuracy": right / total,
        "images": total,
        "split": split,
        "confusion": confusion.tolist(),
        "dataset": config.dataset,
        "learner": recipe,
        "checkpoint": options.checkpoint,
    }
    print(f"accuracy {100 * right / total:.2f} % of {total:,} {split} images of {config.dataset}")
    _write(out, result)
    return 0


def _write(out: Path, result: Settings) -> None:
    """Write ``evaluation.json``, with the versions of what computed it."""
    from snnrl.training.summary import versions, write_json
    from snnrl.training.writable import keeping

    path = out / "evaluation.json"
    with keeping(out):
        out.mkdir(parents=True, exist_ok=True)
        write_json(path, {**result, "versions": versions()})
    print(f"written to {path}")


def _out(given: Path | None, run_dir: Path) -> Path:
    """The folder to write to.

    Raises:
        ConfigError: it cannot be written to.
    """
    from snnrl.textfiles import usable
    from snnrl.training.writable import require_writable

    if given is None:
        return run_dir
    out = usable("out", given)
    require_writable(out, "out")
    return out


if __name__ == "__main__":
    sys.exit(main())
