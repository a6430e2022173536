"""``python -m snnrl.export run=<dir> out=<folder>``: what playing needs of a run, small enough to give away."""

from __future__ import annotations

import shutil
import sys
import zipfile
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


USAGE = usage(
    "python -m snnrl.export run=RUN_DIR out=FOLDER [key=value ...]",
    Options,
    """
Takes a finished run. Writes its config.yaml and summary.json, and a checkpoint with weights in half precision,
compressed. It is a run folder for python -m snnrl.evaluate and snnrl.load; training cannot go on from it.
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
    from snnrl.config import RunConfig, read_run
    from snnrl.loading import load_model
    from snnrl.textfiles import read_json, usable
    from snnrl.training.checkpoints import CheckpointStore
    from snnrl.training.writable import keeping, require_writable

    options = read_options(Options, words)
    out = usable("out", options.out)
    run, settings = read_run(options.run, trust=options.trust)
    config = RunConfig.from_mapping(settings)
    require((run / "summary.json").is_file(), "run", run, "finished; python -m snnrl.train resume= goes on")
    read_json(run / "summary.json", f"run={run}: its summary.json")
    require(not out.exists(), "out", out, "a new folder")
    require_writable(out, "out")
    source = CheckpointStore(run / "checkpoints").find(options.checkpoint)
    load_model(config, run, str(source))
    with keeping(out):
        size = _slim(source, out)
        for name in ("config.yaml", "summary.json"):
            shutil.copy(run / name, out / name)
    print(f"written to {out}, {size / 1e6:.2f} MB; play it: python -m snnrl.evaluate run={out}")
    return 0


def _slim(source: Path, out: Path) -> int:
    """Write the checkpoint's weights alone, halved and compressed; returns the bytes of the file."""
    from snnrl.training.checkpoints import load_checkpoint, save_checkpoint

    saved = load_checkpoint(source)
    agent = {name: value.half() if _is_large(value) else value for name, value in saved["agent"].items()}
    kept = {key: saved[key] for key in ("architecture", "generator", "steps")}
    path = out / "checkpoints" / f"step_{saved['steps']:012d}.pt"
    whole = path.with_suffix(".whole")
    save_checkpoint(whole, {**kept, "agent": agent})
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as slim:
        for entry in archive.infolist():
            slim.writestr(entry.filename, archive.read(entry))
    whole.unlink()
    return path.stat().st_size


def _is_large(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.dtype == torch.float32 and value.numel() > LARGE


if __name__ == "__main__":
    sys.exit(main())
