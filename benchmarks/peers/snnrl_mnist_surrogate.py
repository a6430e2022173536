"""Training of 784-128-10 by surrogate gradient with the learner of `experiment=mnist_surrogate`.

python benchmarks/peers/snnrl_mnist_surrogate.py --batch 128 --input spikes
"""

from __future__ import annotations

import torch
from surrogate import CLASSES, HIDDEN, RATE, STEPS, TAU, surrogate_arguments, timed

import snnrl
from snnrl.learners import make_learner
from snnrl.learners.backprop import BackpropLearner


def main() -> None:
    arguments = surrogate_arguments(__doc__)
    settings = {"name": "backprop", "n_hidden": HIDDEN, "sim_steps": STEPS, "tau_mem": TAU, "learning_rate": RATE}
    learner = make_learner(settings, (1, 28, 28), CLASSES)
    assert isinstance(learner, BackpropLearner)

    def train(shown: torch.Tensor, labels: torch.Tensor) -> None:
        learner.descend(shown, labels)

    timed("snnrl", snnrl.__version__, arguments, train)


if __name__ == "__main__":
    main()
