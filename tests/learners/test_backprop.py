from __future__ import annotations

import pytest
import torch
from torch import Tensor

from snnrl.learners.adam import Adam
from snnrl.learners.backprop import (
    BackpropConfig,
    BackpropConvConfig,
    BackpropConvLearner,
    BackpropLearner,
    GradientLearner,
)
from snnrl.networks import layered


def dense(**settings: object) -> BackpropLearner:
    return BackpropLearner((1, 16, 16), 5, BackpropConfig(**{"n_hidden": 20, "sim_steps": 5, **settings}), seed=0)  # type: ignore[arg-type]


def conv(**settings: object) -> BackpropConvLearner:
    small = {"maps": 3, "maps_second": 4, "n_hidden": 12, "kernel": 4, "sim_steps": 3, **settings}
    return BackpropConvLearner((1, 16, 16), 5, BackpropConvConfig(**small), seed=0)  # type: ignore[arg-type]


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (6, 1, 16, 16), generator=generator).to(torch.uint8), torch.arange(6) % 5


def moments(learner: GradientLearner) -> list[Tensor]:
    """The mean gradient of each parameter."""
    state: list[Tensor] = [each["exp_avg"] for each in learner.adam.get_extra_state()["state"].values()]
    return state


@pytest.mark.parametrize("encoding", ["current", "poisson"])
@pytest.mark.parametrize("make", [dense, conv])
def test_the_fused_count_learns_as_the_plain_spikes_do(
    make: type[GradientLearner], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, plain = make(encoding=encoding), make(encoding=encoding)
    images, labels = batch()
    before = [parameter.detach().clone() for parameter in fused.parameters()]
    metrics = [fused.learn(images, labels)]
    monkeypatch.setattr(layered, "count_spikes", lambda *_, **__: None)
    metrics.append(plain.learn(images, labels))
    torch.testing.assert_close(metrics[0]["train/loss"], metrics[1]["train/loss"])
    for ours, theirs in zip(moments(fused), moments(plain), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
    assert all(not torch.equal(old, new) for old, new in zip(before, fused.parameters(), strict=True))


def test_every_weight_reaches_the_loss() -> None:
    for learner in (dense(), conv()):
        learner.learn(*batch())
        assert len(moments(learner)) == len(list(learner.parameters()))
        assert all((part != 0).any() for part in moments(learner))


def test_adam_takes_the_steps_of_torch() -> None:
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4)) for _ in range(2))
    adam, reference = Adam([ours]), torch.optim.Adam([theirs], lr=0.05)
    for step in range(5):
        gradient = torch.cos(torch.arange(12.0) * (step + 1)).view(3, 4)
        adam.step([gradient], 0.05)
        theirs.grad = gradient
        reference.step()
        torch.testing.assert_close(ours, theirs)


def test_the_moments_are_part_of_the_state() -> None:
    old, new = dense(), dense()
    old.learn(*batch())
    new.load_state_dict(old.state_dict())
    for learner in (old, new):
        learner.learn(*batch())
    assert all(map(torch.equal, old.parameters(), new.parameters()))
    assert all(map(torch.equal, moments(old), moments(new)))


def test_the_moments_go_with_the_weights() -> None:
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4))
    adam = Adam([weight])
    adam.step([torch.ones(3, 4)], 0.05)
    weight.data = weight.data.double()
    adam.double().step([torch.ones(3, 4, dtype=torch.float64)], 0.05)
    torch.testing.assert_close(weight[0, 0], torch.tensor(-1.1, dtype=torch.float64))


def test_predicting_takes_no_gradient() -> None:
    for learner in (dense(), conv()):
        found = learner.predict(batch()[0])
        assert (found.requires_grad, found.shape) == (False, (6,))


def test_jitter_moves_each_image_by_so_many_pixels_at_most() -> None:
    images = torch.zeros(300, 1, 16, 16, dtype=torch.uint8)
    images[:, 0, 5, 9] = 200
    shifted = dense(jitter=2)._shifted(images)
    assert (shifted.shape, shifted.dtype) == (images.shape, torch.uint8)
    number, row, column = shifted[:, 0].nonzero().t()
    assert torch.equal(number, torch.arange(300))
    assert set(zip(row.tolist(), column.tolist(), strict=True)) == {(y, x) for y in range(3, 8) for x in range(7, 12)}
    assert dense()._shifted(images) is images
