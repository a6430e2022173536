"""One run, carried out in this process: trained from where it stands, and played where that is asked for."""

from __future__ import annotations

import hashlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnrl.errors import ConfigError, RunError, one_line
from snnrl.output import lasting_output
from snnrl.runs.work import Outcome, Run, State, check_reusable, finished, last_lines, remembered_play
from snnrl.types import Settings

PATIENCE = 1.0
"""Seconds between two looks at a folder that another process has."""


def perform(run: Run, threads: int | None = None, patience: float = 0.0) -> Outcome:
    """Carry a run out, from the start or from its last checkpoint. Nothing that goes wrong in it is raised.

    Weights are those that ``python -m snnrl.train`` gives for the same settings, bit for bit.

    Args:
        run: that is finished, was stopped or has not begun.
        threads: that torch gets for a learner of images; an agent computes on one, as it does alone.
        patience: seconds to wait for a folder that the process of a machine that was lost may still have.

    Returns:
        How it ended; of a failure the last lines.
    """
    began = time.monotonic()
    try:
        return _performed(run, threads, patience, began)
    except OSError as error:  # where the log cannot be written to, the run would not find room either
        said = f"error: {run.log} cannot be written to ({error.strerror or one_line(error)})"
        return Outcome(run, State.FAILED, (said,), time.monotonic() - began)


def _performed(run: Run, threads: int | None, patience: float, began: float) -> Outcome:
    """How a run ended, which prints to its log."""
    with printing_to(run.log):
        try:
            state, said = (State.STOPPED if _perform(run, threads, patience) else State.FINISHED), ""
        except (ConfigError, RunError) as error:
            state, said = State.FAILED, f"error: {error}"
        except KeyboardInterrupt:
            state, said = State.STOPPED, "stopped"
        except (Exception, SystemExit) as error:  # of whatever kind: the other runs go on
            state, said = State.FAILED, traceback.format_exc().rstrip()
            if isinstance(error, MemoryError):
                said += f"\nerror: there is not enough memory ({one_line(error)})"
        if said:
            print(said, file=sys.stderr, flush=True)
    if state is not State.FAILED:
        return Outcome(run, state, (), time.monotonic() - began)
    lines, last = last_lines(run.log), said.splitlines()[-1]
    if lines[-1:] != (last,):  # as the disk is full
        lines = (*lines[-4:], last)
    return Outcome(run, state, lines, time.monotonic() - began)


def _perform(run: Run, threads: int | None, patience: float) -> str | None:
    """The name of the signal that stopped the run, if one did."""
    import torch

    from snnrl.training.device import leave_cores_to_environments

    if "learner" not in run.settings:
        leave_cores_to_environments()
    elif threads is not None and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads)
    stopped = _train(run, patience)
    if stopped is None and run.play is not None:
        played(run)
    return stopped


def _train(run: Run, patience: float) -> str | None:
    from snnrl.training.folder import FolderInUseError

    until = time.monotonic() + patience
    while True:
        try:
            return train_run(run)
        except FolderInUseError:
            if time.monotonic() > until:
                raise
            time.sleep(PATIENCE)


def train_run(run: Run) -> str | None:
    """Train unless the folder has a finished run, going on where it was stopped.

    Returns:
        The name of the signal that stopped it, if one did.

    Raises:
        ConfigError: the folder has a run of other settings, or another process writes to it.
    """
    from snnrl.loading import task_of
    from snnrl.training.trainer import Trainer

    check_reusable(run)
    if finished(run.folder):
        return None
    trainer = Trainer(task_of(run.settings), run.folder, resume=run.folder.exists(), evaluate=run.evaluate)
    return trainer.train().stopped_by


def played(run: Run) -> dict[str, float]:
    """Mean return of a trained agent by the kind of its actions, remembered as long as the agent is the same."""
    from snnrl.config import RunConfig
    from snnrl.loading import load_model
    from snnrl.training.evaluation import evaluate
    from snnrl.training.progress import evaluating
    from snnrl.training.summary import write_json

    play = run.play
    assert play is not None
    remembered = remembered_play(run.folder, play)
    if remembered is not None:
        return remembered
    config = RunConfig.from_mapping(run.settings)
    agent = load_model(config, run.folder)
    found = {}
    for kind in play.kinds:
        with evaluating(play.episodes, "episodes", config.progress) as tell:
            found[kind] = evaluate(
                agent,
                config.env,
                episodes=play.episodes,
                seed=config.seed,
                deterministic=kind == "best",
                between_steps=tell,
            )
    for remark in {evaluation.remark for evaluation in found.values() if evaluation.cut}:
        print(remark, file=sys.stderr)
    means = {kind: float(evaluation.returns.mean()) for kind, evaluation in found.items()}
    play.path.parent.mkdir(parents=True, exist_ok=True)
    settings: Settings = {"episodes": play.episodes, "checkpoint": digest(run.folder), **means}
    write_json(play.path, settings)
    return means


def digest(folder: Path) -> str | None:
    """What tells a run's last checkpoint from any other."""
    from snnrl.training.checkpoints import CheckpointStore

    latest = CheckpointStore(folder / "checkpoints").latest()
    if latest is None:
        return None
    with latest.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def printing_to(path: Path) -> Iterator[None]:
    """Within, whatever this process prints is added to a file, also by libraries that write to its descriptors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1) as log:
            for number in (1, 2):
                os.dup2(log.fileno(), number)
            with lasting_output(log):
                yield
    finally:
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)
