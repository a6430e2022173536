from __future__ import annotations

import torch

from snnrl.kernels.adam import adam_step, plain_adam_step


def test_the_kernel_equals_its_twin() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(7, 11, generator=generator)
    fused, plain = ([start.clone(), torch.zeros(77), torch.zeros(77)] for _ in range(2))
    for step in range(1, 6):
        gradient = torch.randn(7, 11, generator=generator)
        for function, (parameter, first, second) in ((adam_step, fused), (plain_adam_step, plain)):
            function(parameter, gradient, first, second, (0.9, 0.999), step, 0.01)
    for one, other in zip(fused, plain, strict=True):
        torch.testing.assert_close(one, other)
    assert (fused[0] - start).abs().min() > 0


def test_weights_that_do_not_lie_in_one_piece_are_moved_as_well() -> None:
    parameter = torch.zeros(3, 4).t()
    adam_step(parameter, torch.ones(4, 3), torch.zeros(12), torch.zeros(12), (0.9, 0.999), 1, 0.01)
    torch.testing.assert_close(parameter, torch.full((4, 3), -0.01))
