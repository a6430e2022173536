"""What training came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from snnrl.agents.trainable import Trainable
from snnrl.learners.base import Learner
from snnrl.training.evaluation import Evaluation
from snnrl.training.summary import Summary


@dataclass(frozen=True, repr=False)
class Run:
    """What training came to.

    Attributes:
        model: what has learned, an agent or a learner of labelled images.
        steps: how far it got, in environment steps or in images.
        summary: what ``summary.json`` holds; ``None`` where a signal stopped the run before its end.
        history: rows of metrics, as in ``metrics.jsonl``: ``{"step": 1000, "rollout/return_mean": 21.5}``.
        evaluation: what the evaluation at the end found: returns and lengths of episodes, or counts
            ``[classes, classes]`` of images by label (row) and prediction (column); ``None`` where there was none.
        run_dir: the folder that all this was written to, if any.
        stopped_by: the name of the signal that stopped the run, if one did.
    """

    model: Any
    steps: int
    summary: Summary | None
    history: Sequence[Mapping[str, float]]
    evaluation: Evaluation | Tensor | None
    run_dir: Path | None
    stopped_by: str | None

    def __repr__(self) -> str:
        """What was trained, how long, how good it is and where it lies; :attr:`history` has the rows."""
        ended = f", stopped by {self.stopped_by}" if self.stopped_by else ""
        return f"Run({self.model!r},\n    steps={self.steps:,}{ended}, {self._score()},\n    run_dir={self.run_dir})"

    def _score(self) -> str:
        found = self.evaluation
        if found is None:
            return "not evaluated"
        if isinstance(found, Evaluation):
            return found.score
        total = int(found.sum())
        return f"{100 * int(found.diagonal().sum()) / total:.2f} % of {total:,} images right"

    @property
    def agent(self) -> Trainable:
        """The model, of a run in environments."""
        assert isinstance(self.model, Trainable)
        return self.model

    @property
    def learner(self) -> Learner:
        """The model, of a run on a data set."""
        assert isinstance(self.model, Learner)
        return self.model
