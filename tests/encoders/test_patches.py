from __future__ import annotations

import pytest
import torch
from gymnasium import spaces

from snnrl.agents.encoder_factory import make_encoder
from snnrl.encoders import PatchEncoder, Window
from snnrl.errors import ConfigError


def images(count: int, height: int = 9, width: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, height, width), generator=generator).to(torch.uint8)


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_each_neuron_fires_for_its_place_and_pattern(reach: int) -> None:
    encoder = PatchEncoder(9, 7, reach=reach, threshold=100).eval()
    shown = images(6)
    spikes, _ = encoder(shown, encoder.init_state(6))
    dense = spikes.dense()
    assert dense.shape == (6, encoder.size)
    bright = shown[:, 0] >= 100
    for image in range(6):
        expected = {encoder.size - 1}
        for row in range(9 - reach):
            for column in range(7 - reach):
                corners = [(0, 0), (reach, 0), (0, reach), (reach, reach)]
                pattern = sum(int(bright[image, row + y, column + x]) << bit for bit, (y, x) in enumerate(corners))
                if pattern:
                    expected.add(15 * (row * (7 - reach) + column) + pattern - 1)
        assert set(dense[image].nonzero().flatten().tolist()) == expected


def test_events_are_sorted_by_row_as_sparse_spikes_must_be() -> None:
    encoder = PatchEncoder(9, 7)
    spikes, _ = encoder(images(20), encoder.init_state(20))
    assert (spikes.row.diff() >= 0).all()
    assert spikes.rows == (20,)


def test_what_fires_all_the_time_speaks_more_quietly_but_is_learnt_only_in_training() -> None:
    encoder = PatchEncoder(9, 7)
    for _ in range(200):
        spikes, _ = encoder(images(20), encoder.init_state(20))
    always = spikes.index == encoder.size - 1
    assert float(spikes.value[always].max()) < 0.3
    rate = encoder.adaptation.rate.clone()
    encoder.eval()(images(20), encoder.init_state(20))
    assert torch.equal(encoder.adaptation.rate, rate)


def test_a_black_image_fires_one_neuron() -> None:
    encoder = PatchEncoder(9, 7)
    spikes, _ = encoder(torch.zeros(3, 1, 9, 7, dtype=torch.uint8), encoder.init_state(3))
    assert spikes.index.tolist() == [encoder.size - 1] * 3


def test_grey_images_are_seen_by_patches_where_the_recipe_names_them() -> None:
    def seen(height: int, width: int, **frames: int) -> object:
        space = spaces.Box(0, 255, (1, height, width), "uint8")
        return make_encoder(space, {"name": "patches", **frames}, Window(sim_steps=10)).encoder

    assert isinstance(seen(28, 28, reach=3), PatchEncoder)
    assert isinstance(seen(32, 32, reach=2), PatchEncoder)
    with pytest.raises(ConfigError, match=r"agent\.encoder\.reach=28: must be an integer from 1 to 27"):
        seen(28, 28, reach=28)
    with pytest.raises(ConfigError, match=r"agent\.encoder\.threshold=0: must be an integer from 1 to 255"):
        seen(28, 28, threshold=0)
    with pytest.raises(ConfigError, match=r"agent\.encoder\.tile=.*: patches has no such setting"):
        seen(28, 28, reach=2, tile=3)


def test_images_of_another_shape_are_refused() -> None:
    encoder = PatchEncoder(9, 7)
    with pytest.raises(ConfigError, match=r"must be uint8 \(n, 1, 9, 7\)"):
        encoder(images(2, 7, 9), encoder.init_state(2))
