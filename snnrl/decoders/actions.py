"""Between action populations and the actions of an environment."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.decoders.population import population_vector, sample, softmax_policy
from snnrl.errors import require
from snnrl.noise import integers, uniform
from snnrl.settings import register
from snnrl.spaces import Actions, Space
from snnrl.types import Action, Array


@register("action_code")
class ActionCode(nn.Module):
    """How populations of neurons stand for actions.

    An action is a vector of numbers (:class:`~snnrl.spaces.Actions`), each of which is chosen by itself. One that is
    named, such as that of a Discrete space, has a population for each of its values. One of a bounded Box has ``bins``
    populations with preferred values spread evenly from low to high: exploring picks one of them, a deterministic
    decision is their population vector.

    Args:
        space: the action space of one environment.
        bins: populations for each dimension of a Box.

    Attributes:
        dims: numbers of an action.
        choices: values of the number that has most.

    Raises:
        ConfigError: an unbounded Box, a space that is not made of numbers, or fewer than 2 bins.
    """

    def __init__(self, space: Space, *, bins: int = 9) -> None:
        super().__init__()
        self.space, self.actions = space, Actions(space)
        continuous = self.actions.continuous
        require(bins >= 2 or not continuous.any(), "agent.action_bins", bins, "at least 2")
        sizes = self.actions.choices(bins)
        self.dims, self.choices, self.populations = len(sizes), max(sizes), sum(sizes)
        self._ragged = self.populations < self.dims * self.choices
        self._named, self._mixed = not continuous.any(), bool(continuous.any() and not continuous.all())
        for name, values in (("continuous", continuous), ("sizes", np.array(sizes))):
            self.register_buffer(f"_{name}", torch.as_tensor(values), persistent=False)
        first = np.where(continuous, 0, self.actions.low).astype(np.int64)
        self.register_buffer("_first", torch.as_tensor(first), persistent=False)
        place = torch.arange(self.choices).expand(self.dims, -1) < self.get_buffer("_sizes")[:, None]
        self.register_buffer("_slots", place.flatten().nonzero().flatten(), persistent=False)
        preferred = torch.zeros(self.dims, self.choices)
        low, high = (torch.as_tensor(edge, dtype=torch.float32) for edge in (self.actions.low, self.actions.high))
        for dim in np.flatnonzero(continuous):
            share = torch.linspace(0, 1, sizes[dim])
            preferred[dim, : sizes[dim]] = low[dim] + (high[dim] - low[dim]) * share
        self.register_buffer("preferred", preferred, persistent=False)

    def names(self) -> list[str]:
        """What each population stands for: a value, after the place of its number where an action has several."""
        first, preferred = self.get_buffer("_first").tolist(), self.get_buffer("preferred").tolist()
        names = []
        for dim, size in enumerate(self.get_buffer("_sizes").tolist()):
            place = f"{dim}: " if self.dims > 1 else ""
            for choice in range(size):
                bounded = self.get_buffer("_continuous")[dim]
                names.append(place + (f"{preferred[dim][choice]:.3g}" if bounded else str(first[dim] + choice)))
        return names

    def permitted(self, mask: Array, device: torch.device) -> Tensor:
        """Which populations may be chosen, ``[batch, populations]``; see :meth:`~snnrl.spaces.Actions.permitted`."""
        return torch.as_tensor(self.actions.permitted(mask), device=device)

    def policy(self, preference: Tensor, temperature: float, permitted: Tensor | None = None) -> Tensor:
        """Probability of each choice ``[batch, dims, choices]`` for preferences ``[batch, populations]``.

        That of a choice that is not ``permitted``, or that a number of fewer values does not have, is zero.
        """
        if permitted is not None:
            preference = preference.masked_fill(~permitted, -torch.inf)
        return softmax_policy(self._padded(preference, -torch.inf), temperature)

    def even(self, batch: int, device: torch.device, permitted: Tensor | None = None) -> Tensor:
        """The policy ``[batch, dims, choices]`` to which all choices are alike."""
        if permitted is None and not self._ragged:
            return torch.full((batch, self.dims, self.choices), 1 / self.choices, device=device)
        return self.policy(torch.zeros((batch, self.populations), device=device), 1.0, permitted)

    def explore(self, policy: Tensor, generator: torch.Generator | None, permitted: Tensor | None = None) -> Tensor:
        """Draw a choice ``[batch, dims]`` from the policy."""
        choice = sample(policy, generator)
        if permitted is None and not self._ragged:
            return choice
        # where probabilities round to a sum below the number drawn, the last choice would be taken, permitted or not
        last = self.choices - 1 - (policy > 0).flip(-1).to(torch.uint8).argmax(-1)
        return torch.minimum(choice, last)

    def at_random(self, batch: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
        """A choice ``[batch, dims]`` for each number, uniformly."""
        if not self._ragged:
            return integers(self.choices, (batch, self.dims), device, generator)
        share = uniform((batch, self.dims), self.get_buffer("preferred"), generator)
        sizes = self.get_buffer("_sizes")
        return torch.minimum((share * sizes).long(), sizes - 1)

    def indicator(self, choice: Tensor, dtype: torch.dtype) -> Tensor:
        """1 for the populations that were chosen, ``[batch, populations]``, for choices ``[batch, dims]``."""
        padded = torch.zeros((*choice.shape, self.choices), dtype=dtype, device=choice.device)
        return self._compact(padded.scatter_(-1, choice.unsqueeze(-1), 1.0))

    def credit(self, choice: Tensor, policy: Tensor) -> Tensor:
        """``1[chosen] - policy``, ``[batch, populations]``: the centred efference copy of what was done."""
        return self._compact(functional.one_hot(choice, self.choices).to(policy.dtype) - policy)

    def chosen(self, choice: Tensor) -> Action:
        """The environment's actions, as a vector environment takes them, for explored choices ``[batch, dims]``."""
        if self._named:
            return self._assemble(choice + self.get_buffer("_first"))
        value = self.get_buffer("preferred").expand(len(choice), -1, -1).gather(2, choice.unsqueeze(-1)).squeeze(-1)
        return self._assemble(self._mix(choice, value))

    def best(self, policy: Tensor) -> Action:
        """The deterministic actions, as :meth:`chosen` gives them: the likeliest, or the population vector."""
        if self._named:
            return self.chosen(policy.argmax(-1))
        return self._assemble(self._mix(policy.argmax(-1), population_vector(policy, self.get_buffer("preferred"))))

    def _mix(self, choice: Tensor, value: Tensor) -> Tensor:
        """Values of the continuous numbers, names of the others."""
        if not self._mixed:
            return value
        return torch.where(
            self.get_buffer("_continuous"), value.double(), (choice + self.get_buffer("_first")).double()
        )

    def _assemble(self, values: Tensor) -> Action:
        return self.actions.assemble(values.cpu().numpy())

    def _padded(self, values: Tensor, fill: float) -> Tensor:
        """``[batch, populations]`` to ``[batch, dims, choices]``, with ``fill`` where a number has fewer values."""
        if self._ragged:
            compact = values
            values = compact.new_full((len(compact), self.dims * self.choices), fill)
            values[:, self.get_buffer("_slots")] = compact
        return values.view(*values.shape[:-1], self.dims, self.choices)

    def _compact(self, padded: Tensor) -> Tensor:
        """What :meth:`_padded` was given."""
        flat = padded.flatten(1)
        return flat[:, self.get_buffer("_slots")] if self._ragged else flat
