"""From the spikes of neurons that were never told a label to a label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnrl.kernels import add_rows, count_each
from snnrl.types import Settings

READOUTS = ("all", "proportion", "likelihood", "ngram")
_LEAST_SHARE = 0.01
"""Added to shares, so that one spike cannot exclude a class."""


class LabelReadout(nn.Module):
    """Assigns classes to neurons by their responses to labelled images, and reads labels from their spikes.

    Every neuron's response to a class is its mean number of spikes for the images of that class; its share is that
    response over the sum of its responses to all classes.

    ``all``: a neuron stands for the class that it responds to most; the class whose neurons have the most spikes on
    average wins (Diehl & Cook 2015, Front. Comput. Neurosci. 9:99, sec. 2.5).
    ``proportion``: every spike adds the shares of its neuron (Hazan et al. 2018, IJCNN).
    ``likelihood``: every spike adds the logarithm of its neuron's shares, a product of experts.
    ``ngram``: every pair of successive spikes adds the logarithm of the pair's shares (Hazan et al. 2018), besides
    those of the single spikes.

    Args:
        neurons: whose spikes are read.
        classes: that they are assigned to.
    """

    responses: Tensor
    images: Tensor
    pairs: Tensor
    pair_responses: Tensor

    def __init__(self, neurons: int, classes: int) -> None:
        super().__init__()
        self.neurons, self.classes = neurons, classes
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        place = self.responses.device if hasattr(self, "responses") else None
        self.register_buffer("responses", torch.zeros(self.classes, self.neurons, device=place))
        self.register_buffer("images", torch.zeros(self.classes, device=place))
        self.register_buffer("pairs", torch.zeros(0, dtype=torch.int64, device=place))
        self.register_buffer("pair_responses", torch.zeros(0, self.classes, device=place))

    def count(self, winners: Tensor) -> Tensor:
        """Spikes ``[batch, neurons]`` of winners ``[steps, batch]``, −1 for none."""
        counts = torch.zeros(winners.shape[1], self.neurons + 1, device=winners.device)
        counts.scatter_add_(1, winners.t() + 1, torch.ones_like(winners.t(), dtype=counts.dtype))
        return counts[:, 1:]

    def observe(self, winners: Tensor, labels: Tensor, pairs: bool = False) -> None:
        """See labelled images.

        Args:
            winners: ``[steps, batch]``, −1 for none.
            labels: ``[batch]``.
            pairs: whether to remember which spikes follow each other, for ``ngram``.
        """
        self.responses.index_add_(0, labels, self.count(winners))
        self.images += count_each(labels, self.classes)
        if pairs:
            image, pair = self._successive(winners)
            self._add_pairs(pair, labels[image])

    def assignments(self) -> Tensor:
        """The class that each neuron stands for, int64 ``[neurons]``; −1 for one that never fired."""
        rates = self._rates()
        return torch.where(rates.sum(0) > 0, rates.argmax(0), -1)

    def read(self, winners: Tensor, label_readout: str) -> Tensor:
        """Labels, int64 ``[batch]``, for winners ``[steps, batch]``."""
        counts = self.count(winners)
        if label_readout == "all":
            assigned = nn.functional.one_hot(self.assignments() + 1, self.classes + 1)[:, 1:].to(counts.dtype)
            return (counts @ (assigned / assigned.sum(0).clamp(min=1))).argmax(1)
        rates = self._rates()
        shares = rates / rates.sum(0).clamp(min=1e-12)
        if label_readout == "proportion":
            return (counts @ shares.t()).argmax(1)
        scores = counts @ (shares + _LEAST_SHARE).log().t()
        if label_readout == "ngram" and len(self.pairs):
            image, pair = self._successive(winners)
            at = torch.searchsorted(self.pairs, pair).clamp(max=len(self.pairs) - 1)
            known = self.pairs[at] == pair
            rates = self.pair_responses / self.images.clamp(min=1)
            shares = rates / rates.sum(1, keepdim=True)
            add_rows(scores, image[known], (shares[at[known]] + _LEAST_SHARE).log())
        return scores.argmax(1)

    def _rates(self) -> Tensor:
        return self.responses / self.images.clamp(min=1)[:, None]

    def _successive(self, winners: Tensor) -> tuple[Tensor, Tensor]:
        """The image and the number of each pair of successive spikes, image by image."""
        image, step = (winners.t() >= 0).nonzero(as_tuple=True)
        neuron = winners[step, image]
        same = image[1:] == image[:-1]
        return image[1:][same], (neuron[:-1] * self.neurons + neuron[1:])[same]

    def _add_pairs(self, pair: Tensor, labels: Tensor) -> None:
        pairs, place = torch.cat([self.pairs, pair]).unique(return_inverse=True)
        responses = torch.zeros(len(pairs), self.classes, device=pairs.device)
        responses[place[: len(self.pairs)]] = self.pair_responses
        responses.index_put_(
            (place[len(self.pairs) :], labels), torch.ones(len(pair), device=pairs.device), accumulate=True
        )
        self.pairs, self.pair_responses = pairs, responses

    def _load_from_state_dict(self, state_dict: Settings, prefix: str, *arguments: object) -> None:
        """Make room for as many pairs as were saved."""
        for name in ("pairs", "pair_responses"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.responses.device))
        super()._load_from_state_dict(state_dict, prefix, *arguments)
