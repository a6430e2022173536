"""Where compiled loops make way for operations of torch: what must see each of them, and a gradient of a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from snnrl.kernels.window import LIFWindow
from snnrl.surrogate import SURROGATES, tracing


def needs_torch() -> bool:
    """Whether somebody records or transforms operations: ``torch.compile``, ``torch.jit.trace`` or ``torch.func``."""
    followed = torch.compiler.is_compiling() or tracing()
    return followed or torch._C._are_functorch_transforms_active()


def takes_loop(*parts: Tensor) -> bool:
    """Whether compiled loops of the CPU can stand for operations of torch on all of these.

    They are of one dtype, float32 or float64, no gradient passes, and nobody records or transforms operations.
    """
    dtype = parts[0].dtype
    if dtype not in (torch.float32, torch.float64) or needs_torch():
        return False
    led = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
    return not led and all(part.dtype == dtype and part.device.type == "cpu" for part in parts)


def window_gradient(
    to_spikes: Tensor | None, to_after: Tensor | None, to_above: Tensor | None, above: Tensor, window: LIFWindow
) -> tuple[Tensor, Tensor]:
    """The way back through a window, differentiable in all that it is given.

    With ``x`` the potential above threshold before the reset, ``g`` the derivative of the surrogate and ``dL/dv`` the
    gradient of the potential after a step, a step gives ``dL/dx = g(x) dL/ds + dL/dv``, without the last term where a
    hard reset has forgotten the potential; it hands ``gain dL/dx`` to the current and ``decay dL/dx`` to the step
    before. So do the compiled loops, which autograd cannot see into.

    Args:
        to_spikes: gradient of the spikes ``[time, columns]``; ``None`` is 0, here and below.
        to_after: that of the potential after the window ``[columns]``.
        to_above: that of ``above``, which a second derivative has.
        above: ``x`` of each step ``[time, columns]``.
        window: the neuron.

    Returns:
        The gradients of the current ``[time, columns]`` and of the potential before the window ``[columns]``.
    """
    decay, gain, *_ = window.columns(above[0])
    kind = {shape.code: shape for shape in SURROGATES.values()}[window.surrogate]
    to_potential = torch.zeros_like(above) if to_above is None else to_above
    if to_spikes is not None:
        to_potential = to_potential + to_spikes * kind(window.slope).derivative(above)
    carry, found = torch.zeros_like(above[0]) if to_after is None else to_after, []
    for x, direct in zip(reversed(above.unbind()), reversed(to_potential.unbind()), strict=True):
        charged = direct + (carry if window.soft else torch.where(x < 0, carry, 0.0))
        found.append(charged * gain)
        carry = charged * decay
    return torch.stack(found[::-1]), carry
