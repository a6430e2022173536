"""Batches, states, calibration and errors of the object encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from snnrl.encoders import ObjectEncoder
from snnrl.encoders.objects import ObjectState
from snnrl.errors import ConfigError
from snnrl.kernels.objects import Avatar
from tests.encoders.screens import (
    BANDS,
    FIGURE,
    HEIGHT,
    NOBODY,
    SHOT,
    WIDTH,
    busy,
    calibrated,
    columns,
    drawn,
    encoder,
    fired,
    scene,
    striped,
    synchronous,
    told,
)


def test_rows_of_a_batch_spike_as_if_alone_and_are_sorted() -> None:
    code, episodes = busy()
    alone = [synchronous(code, episode) for episode in episodes]
    state = code.init_state(3)
    for time in range(5):
        batch = torch.as_tensor(np.stack([episode[time] for episode in episodes]))[:, None]
        spikes, state = code(batch, state)
        assert spikes.shape == (3, code.size)
        assert torch.equal(spikes.row, spikes.row.sort().values)
        assert torch.equal(spikes.dense(), torch.cat([windows[time].dense() for windows in alone]))


def test_a_neuron_is_listed_once_in_synchronous_spikes() -> None:
    code, episodes = busy()
    for spikes in synchronous(code, episodes[0]):
        assert len(spikes.index.unique()) == len(spikes.index)


def test_what_is_remembered_is_in_the_state_alone() -> None:
    code, (episode, other, _) = busy()
    state, states, spikes = code.init_state(1), [], []
    for frame in episode:
        fired_now, state = code(torch.as_tensor(frame)[None, None], state)
        states.append(ObjectState(*(part.clone() for part in state)))
        spikes.append(fired_now.dense())
    synchronous(code, other)
    for time in range(4):
        given = ObjectState(*(part.clone() for part in states[time]))
        again, after = code(torch.as_tensor(episode[time + 1])[None, None], given)
        assert torch.equal(again.dense(), spikes[time + 1])
        assert all(map(torch.equal, after, states[time + 1]))
        assert all(map(torch.equal, given, states[time])), "the state that was given is left as it was"
    fresh, _ = code(torch.as_tensor(episode[1])[None, None], code.init_state(1))
    assert not torch.equal(fresh.dense(), spikes[1]), "or else nothing is remembered"


def test_calibration_tells_background_luminances_and_avatar() -> None:
    assert not encoder().calibrated
    code = calibrated()
    assert code.calibrated
    assert np.array_equal(code.background.numpy(), striped(HEIGHT, WIDTH))
    assert code.table.numpy()[FIGURE] == 0
    assert Avatar(*code.avatar.tolist()) == Avatar(FIGURE, 16, 24, 0, WIDTH, False, True)
    frame = striped(HEIGHT, WIDTH)
    assert len(fired(code, frame)[0]) == 1
    frame[17:20, 8:11] = FIGURE
    assert len(fired(code, frame)[0]) > 1


def test_an_avatars_rows_are_those_of_the_cut() -> None:
    code = calibrated(rows=[9, 24])
    assert Avatar(*code.avatar.tolist()) == Avatar(FIGURE, 8, 15, 0, WIDTH, False, True)
    assert np.array_equal(code.background.numpy(), striped(HEIGHT, WIDTH)[9:])


def test_where_nothing_obeys_places_are_counted_from_the_middle_as_before() -> None:
    code = ObjectEncoder(HEIGHT, WIDTH).eval()
    before = fired(code, drawn((3, 9, SHOT)))
    code.calibrate(np.zeros((4, 2, 1, HEIGHT, WIDTH), np.uint8), np.zeros((3, 2), np.int64), np.ones((3, 2), bool))
    assert code.calibrated
    assert Avatar(*code.avatar.tolist()) == NOBODY
    told(code, table=BANDS)
    assert fired(code, drawn((3, 9, SHOT))) == before


def test_an_encoder_loads_what_another_has_seen() -> None:
    old, new = calibrated(), ObjectEncoder(HEIGHT, WIDTH)
    episode = scene(5, 8, HEIGHT, WIDTH, striped(HEIGHT, WIDTH))
    old.train()
    synchronous(old, episode)
    new.load_state_dict(old.state_dict())
    assert new.calibrated
    for one, other in zip(synchronous(old.eval(), episode), synchronous(new.eval(), episode), strict=True):
        assert torch.equal(one.index, other.index)
        assert torch.equal(one.value, other.value)
    assert any((spikes.value < 1).any() for spikes in synchronous(new, episode)), "amplitudes are loaded too"
    new.load_state_dict(ObjectEncoder(HEIGHT, WIDTH).state_dict())
    assert not new.calibrated


def test_amplitudes_adapt_in_training_mode_and_stand_still_in_evaluation() -> None:
    code = encoder(target_rate=0.1)
    frame = drawn((1, 1, SHOT))
    (spikes,) = synchronous(code, [frame])
    assert spikes.value.tolist() == [1.0, 1.0, 1.0, 1.0]
    code.train()
    synchronous(code, [frame] * 100)
    code.eval()
    learnt = {name: value.clone() for name, value in code.state_dict().items()}
    (spikes,) = synchronous(code, [frame])
    assert spikes.value.tolist() == pytest.approx([0.1**0.5] * 4, rel=3e-2)
    synchronous(code, [drawn((9, 9, SHOT))] * 10)
    assert all(torch.equal(value, learnt[name]) for name, value in code.state_dict().items())


def test_frames_are_left_as_they_are() -> None:
    frame = drawn((1, 1, SHOT), (20, 3, FIGURE))
    copy = frame.copy()
    synchronous(encoder(columns()), [frame, frame])
    assert np.array_equal(frame, copy)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"rows": [5, 5]}, "rows"),
        ({"rows": [9, 5]}, "rows"),
        ({"rows": [-1, 5]}, "rows"),
        ({"rows": [0, 25]}, "rows"),
        ({"width": 28}, "width"),
    ],
)
def test_settings_out_of_range_are_errors(settings: dict[str, Any], name: str) -> None:
    size = {"height": HEIGHT, "width": settings.pop("width", WIDTH)}
    with pytest.raises(ConfigError, match=f"{name}="):
        ObjectEncoder(**size, **settings)


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros((1, 1, HEIGHT, WIDTH)),
        torch.zeros((1, 1, HEIGHT, WIDTH), dtype=torch.int32),
        torch.zeros((1, HEIGHT, WIDTH), dtype=torch.uint8),
        torch.zeros((1, 4, HEIGHT, WIDTH), dtype=torch.uint8),
        torch.zeros((1, 1, WIDTH, HEIGHT), dtype=torch.uint8),
        torch.zeros((1, 1, HEIGHT - 1, WIDTH), dtype=torch.uint8),
        torch.zeros((1, 1, HEIGHT, WIDTH, 3), dtype=torch.uint8),
    ],
    ids=["float", "int32", "no channel", "stacked", "turned", "cut", "RGB"],
)
def test_frames_of_another_kind_are_errors_that_say_which_are_right(frames: torch.Tensor) -> None:
    code = encoder()
    with pytest.raises(ConfigError, match=rf"observation={frames.dtype} .*must be uint8 \(n, 1, {HEIGHT}, {WIDTH}\)"):
        code(frames, code.init_state(1))


def test_a_state_of_another_batch_is_an_error() -> None:
    code = encoder()
    with pytest.raises(ConfigError, match="3"):
        code(torch.zeros((3, 1, HEIGHT, WIDTH), dtype=torch.uint8), code.init_state(2))
