from __future__ import annotations

import torch

from snnrl.learners.direct_feedback import DirectFeedbackConfig, DirectFeedbackLearner
from snnrl.learners.modulated import unit_current


def small() -> tuple[DirectFeedbackLearner, torch.Tensor, torch.Tensor]:
    config = DirectFeedbackConfig(n_hidden=7, sim_steps=6, momentum=0.0, weight_std=1.0)
    learner = DirectFeedbackLearner((1, 3, 3), 4, config, seed=0)
    generator = torch.Generator().manual_seed(1)
    learner.output.synapses.dense.weight.normal_(generator=generator)
    return learner, torch.randint(0, 256, (5, 1, 3, 3), generator=generator).to(torch.uint8), torch.arange(5) % 4


def test_the_changes_are_those_of_the_equations() -> None:
    learner, images, labels = small()
    config, constant = learner.config, unit_current(images)
    hidden, output = learner.synapses.dense.weight.clone(), learner.output.synapses.dense.weight.clone()

    decay = torch.exp(torch.tensor(-1 / config.tau_mem)).item()
    potential, spikes, trace, nearness = torch.zeros(5, 7), torch.zeros(5, 7), 0.0, torch.zeros(5, 7)
    last_trace = sum(decay**step for step in range(config.sim_steps))
    for _ in range(config.sim_steps):
        trace = decay * trace + 1
        potential = decay * potential + constant @ hidden.t()
        nearness += trace / last_trace / (1 + config.window * (potential - 1).abs()) ** 2 / config.sim_steps
        fired = (potential >= 1).float()
        spikes, potential = spikes + fired, potential - fired
    rate = spikes / config.sim_steps
    error = torch.eye(4)[labels] - (config.gain * rate @ output.t()).softmax(1)
    modulated = (error @ learner.feedback) * nearness

    learner.learn(images, labels)
    assert spikes.sum() > 0
    expected = hidden + config.hidden_lr * modulated.t() @ constant / 5
    torch.testing.assert_close(learner.synapses.dense.weight.data, expected)
    expected = output + config.output_lr * error.t() @ rate / 5
    torch.testing.assert_close(learner.output.synapses.dense.weight.data, expected)


def test_feedback_never_changes_and_is_not_the_forward_weights() -> None:
    learner, images, labels = small()
    before = learner.feedback.clone()
    for _ in range(3):
        learner.learn(images, labels)
    assert torch.equal(learner.feedback, before)


def test_labels_are_those_of_the_loop_that_learns() -> None:
    learner, images, labels = small()
    learner.anneal(1.0)
    learner.learn(images, labels)
    state, spikes = learner.neurons.init_state(5), torch.zeros(5, 7)
    for _ in range(learner.config.sim_steps):
        fired, state = learner.neurons(learner.synapses(unit_current(images)), state)
        spikes += fired
    assert torch.equal(learner.predict(images), learner.output(spikes))
