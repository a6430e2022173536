"""``python -m snnrl.export run=<dir> out=<folder>``: what playing needs of a run, small enough to give away."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnrl.cli import PlayOptions, read_options, run_command, usage
from snnrl.errors import require
from snnrl.settings import setting


@dataclass(frozen=True, kw_only=True)
class Options(PlayOptions):
    """Options of the command."""

    out: Path = setting(help="a new folder", expected="a folder")
    title: str | None = setting(None, "of the page that goes with it", default_text="the name of the run's folder")
    license: str | None = setting(
        None, "under which it is given away, such as mit", default_text="left to you, in README.md's head"
    )


USAGE = usage(
    "python -m snnrl.export run=RUN_DIR out=FOLDER [key=value ...]",
    Options,
    """
Takes a finished run. Writes README.md, a model card in the form that model hubs read (what it is, scores, controls if
python -m snnrl.controls was run, versions, how to load it), model.safetensors, the weights in half precision, and the
run's config.yaml and summary.json. It is a run folder for python -m snnrl.evaluate and snnrl.load; training cannot go
on from it.
""",
)
LARGE = 1024
"""Tensors of more values than this are halved."""


def main(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(export_run, USAGE, words)


def export_run(words: Sequence[str]) -> int:
    """Write the folder that the command line asks for.

    Raises:
        ConfigError: a wrong setting, a run that is not finished, or a folder that is there already.
    """
    options = read_options(Options, words)

    from snnrl.config import RunConfig, read_run
    from snnrl.loading import load_model
    from snnrl.model_card import model_card
    from snnrl.textfiles import read_json, usable, write_text
    from snnrl.training.checkpoints import CheckpointStore
    from snnrl.training.weights_file import NAME
    from snnrl.training.writable import keeping, require_writable

    out = usable("out", options.out)
    run, settings = read_run(options.run, trust=options.trust)
    config = RunConfig.from_mapping(settings)
    require((run / "summary.json").is_file(), "run", run, "finished; python -m snnrl.train resume= goes on")
    summary = read_json(run / "summary.json", f"run={run}: its summary.json")
    require(not out.exists(), "out", out, "a new folder")
    require_writable(out, "out")
    source = CheckpointStore(run / "checkpoints").find(options.checkpoint)
    spiking = bool(load_model(config, run, str(source)).layout().populations)
    title = options.title or run.resolve().name
    controls = _controls(run)
    card = model_card(settings, summary, title=title, spiking=spiking, license_id=options.license, controls=controls)
    with keeping(out):
        out.mkdir(parents=True)
        _slim(source, out / NAME)
        write_text(out / "README.md", card)
        for name in ("config.yaml", "summary.json"):
            shutil.copy(run / name, out / name)
    size = (out / NAME).stat().st_size
    print(f"written to {out}, {size / 1e6:.2f} MB; play it: python -m snnrl.evaluate run={out}")
    return 0


def _controls(run: Path) -> str | None:
    """The newest table of controls in a run's folder."""
    tables = sorted(run.glob("controls-*/controls.md"), key=lambda path: path.stat().st_mtime)
    return tables[-1].read_text(encoding="utf-8") if tables else None


def _slim(source: Path, path: Path) -> None:
    """Write the checkpoint's weights alone, halved."""
    from snnrl.training.checkpoints import load_checkpoint
    from snnrl.training.weights_file import save_weights

    saved = load_checkpoint(source)
    agent = {name: value.half() if _is_large(value) else value for name, value in saved["agent"].items()}
    save_weights(path, {**saved, "agent": agent})


def _is_large(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.dtype == torch.float32 and value.numel() > LARGE


if __name__ == "__main__":
    sys.exit(main())
