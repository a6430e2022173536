"""Learners that are recorded while they name images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import snnrl
from snnrl.errors import ConfigError
from snnrl.trajectory import Trace

RUNS = Path(__file__).parents[1] / "data" / "runs_0.1"
IMAGES = torch.randint(0, 256, (6, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
LABELS = torch.tensor([0, 1, 2, 3, 4, 5])
SPIKING = {
    "mnist_unsupervised": ["excitatory"],
    "mnist_supervised": ["hidden"],
    "mnist_surrogate": ["hidden_1"],
    "mnist_conv_unsupervised": ["features"],
}


@pytest.mark.parametrize("name", [*SPIKING, "mnist_supervised_clamped"])
def test_a_recorded_learner_names_what_it_names_unseen(name: str, tmp_path: Path) -> None:
    learner = snnrl.load(RUNS / name)
    draws = learner.generator.get_state()
    trace = learner.record(IMAGES, LABELS)
    assert torch.equal(draws, learner.generator.get_state())
    named = learner.predict(IMAGES)
    assert np.array_equal(trace.actions, named)
    assert np.array_equal(trace.rewards, named == LABELS)
    assert np.array_equal(trace.observations, IMAGES)
    assert np.array_equal(trace.frames, IMAGES.expand(-1, 3, -1, -1).permute(0, 2, 3, 1))
    assert list(trace.spikes) == SPIKING.get(name, [])
    assert trace.about.env == "MNIST"
    for fired in trace.spikes.values():
        assert fired.shape[:2] == (6, trace.about.sim_steps)
    kept = Trace.load(trace.save(tmp_path / "images"))
    assert all(np.array_equal(kept.spikes[key], trace.spikes[key]) for key in trace.spikes)


def test_images_that_do_not_fit_are_refused() -> None:
    learner = snnrl.load(RUNS / "mnist_supervised")
    with pytest.raises(ConfigError, match=r"^images=torch.float32 of shape"):
        learner.record(IMAGES.float())
    with pytest.raises(ConfigError, match=r"^max_bytes=100: must be at least [\d,]+, for 6 images$"):
        learner.record(IMAGES, max_bytes=100)
