"""The command of :mod:`snnrl.plot`: one page with the pictures of what a run has."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from snnrl.cli import PlayOptions, read_options, run_command, usage
from snnrl.errors import require
from snnrl.run_settings import DeviceSettings
from snnrl.settings import setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from snnrl.agents import Trainable
    from snnrl.config import RunConfig
    from snnrl.training.supervised_config import SupervisedConfig
    from snnrl.trajectory import Trace

SHOWN = 40
"""Decisions whose spikes are drawn."""
IMAGES = 20
"""Images that a learner is shown for its pictures."""


@dataclass(frozen=True, kw_only=True)
class Options(PlayOptions, DeviceSettings):
    """Options of the command."""

    out: Path | None = setting(None, "file to write, .html or .pdf", default_text="RUN_DIR/pictures.html")
    steps: int = setting(400, "decisions at most of the episode that is played for the page", at_least=1)
    seed: int | None = setting(None, "of that episode's environment", at_least=0, default_text="the run's own")
    deterministic: bool | None = setting(
        None, "best actions rather than random ones", default_text="as the run's own evaluations"
    )
    data_dir: Path | None = setting(None, "folder with the data set's files, of a run on one")


USAGE = usage(
    "python -m snnrl.plot run=RUN_DIR [key=value ...]",
    Options,
    """
Writes one file, a page with its pictures inside: learning curves; of an agent an episode with its spikes, preferences,
values and TD errors, rates, weights and the network; of a learner of images its receptive fields, what its neurons
stand for, and which images it took for what.
""",
)


class Picture(NamedTuple):
    """A picture of a page."""

    name: str
    figure: Figure


def draw_page(words: Sequence[str] | None = None) -> int:
    """The command; ``words`` default to the process's own. Returns its exit code."""
    return run_command(draw_run, USAGE, words)


def draw_run(words: Sequence[str]) -> int:
    """Draw as the command line says.

    Raises:
        ConfigError: a wrong setting, or a run that cannot be read.
    """
    options = read_options(Options, words)
    kinds = (".html", ".pdf")
    require(options.out is None or options.out.suffix in kinds, "out", options.out, "a file named .html or .pdf")

    from snnrl.config import RunConfig, read_run
    from snnrl.textfiles import usable
    from snnrl.training.supervised_config import SupervisedConfig
    from snnrl.training.writable import keeping

    run_dir, settings = read_run(options.run, trust=options.trust)
    out = run_dir / "pictures.html" if options.out is None else usable("out", options.out)
    if "learner" in settings:
        overridden = {} if options.data_dir is None else {"data_dir": str(options.data_dir)}
        pictures = _of_learner(SupervisedConfig.from_mapping({**settings, **overridden}), run_dir, options)
    else:
        pictures = _of_agent(RunConfig.from_mapping(settings), run_dir, options)
    found = [*_curves(run_dir), *pictures]
    write: Callable[[Sequence[Picture], str, Path], None] = _write_pdf if out.suffix == ".pdf" else _write_html
    with keeping(out.parent):
        write(found, f"{run_dir.name}", out)
    print(f"written to {out}: {len(found)} pictures")
    return 0


def _curves(run_dir: Path) -> Iterator[Picture]:
    """Of what a run logged; a copy of a run may have no log."""
    from snnrl.plot import metrics
    from snnrl.plot.curves import metrics_of, read_rows

    if (run_dir / "metrics.jsonl").is_file() and metrics_of(read_rows(run_dir)):
        yield Picture("metrics", metrics(run_dir))


def _of_agent(config: RunConfig, run_dir: Path, options: Options) -> Iterator[Picture]:
    from snnrl.loading import load_model
    from snnrl.recording import record

    agent: Trainable = load_model(config, run_dir, options.checkpoint, options.device)
    best = config.eval.deterministic if options.deterministic is None else options.deterministic
    seed = config.seed if options.seed is None else options.seed
    trace = record(agent, config.env, episodes=1, steps=options.steps, deterministic=best, seed=seed, max_bytes=1 << 33)
    yield from of_trace(trace)
    yield from of_network(agent)


def of_trace(trace: Trace) -> Iterator[Picture]:
    """What an episode has: a part of it with all spikes, then all of it."""
    import numpy as np

    from snnrl.plot import game, preferences, rates

    if len(trace.spikes):
        first = max(min(len(trace) // 2, len(trace) - SHOWN), 0)
        yield Picture("game", game(trace, slice(first, first + SHOWN)))
        yield Picture("rates", rates(trace))
    if trace.preferences is not None or not np.isnan(trace.values).all():
        yield Picture("preferences", preferences(trace))


def of_network(agent: Trainable) -> Iterator[Picture]:
    """The network of an agent that has one of ours, and its weights."""
    from snnrl.networks import Structure
    from snnrl.plot import network, weights

    structure = getattr(agent, "network", None)
    if not isinstance(structure, Structure):
        return
    yield Picture("network", network(structure))
    for edge in structure.edges:
        if structure.has_weights(edge):
            weight = structure.connection(edge).weight.detach().cpu().numpy()
            yield Picture(f"weights, {edge.key}", weights(weight, title=f"Weights from {edge.key}"))


def _of_learner(config: SupervisedConfig, run_dir: Path, options: Options) -> Iterator[Picture]:
    import numpy as np

    from snnrl.loading import load_model
    from snnrl.plot import confusion
    from snnrl.textfiles import read_json
    from snnrl.training.supervised_task import draws_apart, read_split

    learner = load_model(config, run_dir, options.checkpoint, options.device)
    few = read_split(config, "split", "test").first(IMAGES).to(next(iter(learner.state_dict().values())).device)
    with draws_apart(learner, config.seed):
        for name, figure in learner.figures(few.images, few.labels).items():
            yield Picture(name.replace("_", " "), figure)
    summary = run_dir / "summary.json"
    found = read_json(summary, f"run={run_dir}: {summary}") if summary.is_file() else {}
    for key, counts in found.items():
        if key.endswith("/confusion"):
            yield Picture("confusion", confusion(np.asarray(counts)))


def _write_html(pictures: Sequence[Picture], title: str, path: Path) -> None:
    from snnrl.textfiles import write_text

    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:860px;margin:2em auto;padding:0 1em;color:#222}"
        "img{max-width:100%;height:auto}h2{font-size:1.05em;margin:2em 0 .5em}"
    )
    parts = []
    for name, figure in pictures:
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=150)
        data = base64.b64encode(drawn.getvalue()).decode()
        said = html.escape(name)
        parts.append(f'<h2>{said}</h2>\n<img alt="{said}" src="data:image/png;base64,{data}">\n')
    said = html.escape(title)
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{said}</title>\n'
    body = f"<h1>{said}</h1>\n{''.join(parts)}"
    write_text(path, f'<!doctype html>\n<html lang="en">\n{head}<style>{style}</style>\n{body}</html>\n')


def _write_pdf(pictures: Sequence[Picture], title: str, path: Path) -> None:
    from matplotlib.backends.backend_pdf import PdfPages

    from snnrl.textfiles import replacing

    with replacing(path) as file, PdfPages(file, metadata={"Title": title}) as pages:
        for _, figure in pictures:
            pages.savefig(figure)
