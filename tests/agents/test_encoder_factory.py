from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.encoder_factory import MOST_DIMENSIONS, EncoderChoice, make_encoder
from snnrl.encoders import Encoder, FrameEncoder, ObjectEncoder, OneHotEncoder, PopulationEncoder
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError


def sight(space: spaces.Space[Any], **recipe: Any) -> EncoderChoice:
    return make_encoder(space, EnvConfig("Toy-v0", **recipe), sim_steps=6, spikes_per_step=1.2, target_rate=0.05)


def encoder(space: spaces.Space[Any], **recipe: Any) -> Encoder[Any]:
    return sight(space, **recipe).encoder


def frames(height: int = 16, width: int = 32) -> spaces.Box:
    return spaces.Box(0, 255, (1, height, width), np.uint8)


@pytest.mark.parametrize("start", [-1, 0, 4])
def test_discrete_observations_are_one_hot_from_the_start_of_the_space(start: int) -> None:
    code = encoder(spaces.Discrete(3, start=start))
    assert isinstance(code, OneHotEncoder)
    spikes, _ = code(torch.tensor([start, start + 2]), code.init_state(2))
    assert spikes.sum(0).tolist() == [[6.0, 0.0, 0.0], [0.0, 0.0, 6.0]]


@pytest.mark.parametrize("shape", [(2,), (2, 3), (MOST_DIMENSIONS,)])
def test_boxes_are_flattened_to_place_cells_of_the_given_rate(shape: tuple[int, ...]) -> None:
    code = encoder(spaces.Box(-1.0, 1.0, shape))
    assert isinstance(code, PopulationEncoder)
    observation = torch.zeros(3, *shape)
    assert code.rates(observation).sum(1).tolist() == pytest.approx([1.2] * 3, rel=1e-4)
    spikes, _ = code(observation, code.init_state(3))
    assert spikes.shape == (6, 3, code.size)


def test_bounds_of_a_box_are_its_range() -> None:
    space = spaces.Box(np.array([0.0, -50.0], dtype=np.float32), np.array([10.0, 50.0], dtype=np.float32))
    code, unit = encoder(space), encoder(spaces.Box(-1.0, 1.0, (2,)))
    torch.testing.assert_close(code.rates(torch.tensor([[7.5, -50.0]])), unit.rates(torch.tensor([[0.5, -1.0]])))


def test_the_recipe_gives_the_range_where_a_box_has_none() -> None:
    settings = {"scale": [2.0, 1.0], "centre": [1.0, 0.0], "squash": [False, True]}
    code, unit = encoder(spaces.Box(-np.inf, np.inf, (2,)), observation=settings), encoder(spaces.Box(-1.0, 1.0, (2,)))
    found = code.rates(torch.tensor([[2.0, 0.5]]))
    torch.testing.assert_close(found, unit.rates(torch.tensor([[0.5, np.tanh(0.5)]], dtype=torch.float32)))


def test_grey_frames_of_which_the_recipe_tells_become_volleys_with_its_settings() -> None:
    code = encoder(frames(), frames={"luminances": [40, 80], "tile": [4, 4], "rows": [0, 12]})
    assert isinstance(code, FrameEncoder)
    assert code.synchronous
    assert code.size == (2 + 2) * 3 * 8 + 1


def test_grey_frames_of_which_nothing_is_told_are_looked_at_by_the_encoder_itself() -> None:
    code = encoder(frames(), frames={"rows": [3, 12]})
    assert isinstance(code, ObjectEncoder)
    assert code.synchronous
    assert not code.calibrated
    assert (code.top, code.bottom) == (3, 12)
    assert code.size == 16 * 7 + (2 * 16 + 4) * (7 + 8) + 1
    assert isinstance(encoder(frames()), ObjectEncoder), "without settings as well"


def test_the_target_rate_reaches_the_frames_adaptation() -> None:
    code = encoder(frames())
    assert isinstance(code, ObjectEncoder)
    assert code.adaptation.target == 0.05


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0.0, 1.0, (3, 96, 96)),
        spaces.Box(-1.0, 1.0, (MOST_DIMENSIONS + 1,)),
        spaces.Box(-1.0, 1.0, (0,)),
        spaces.Dict({}),
        spaces.Text(5),
        spaces.Graph(spaces.Discrete(2), None),
        spaces.Tuple([spaces.Discrete(2), spaces.Sequence(spaces.Discrete(2))]),
    ],
    ids=["float pictures", "long vector", "nothing", "empty Dict", "Text", "Graph", "Sequence in a Tuple"],
)
def test_other_spaces_are_errors_that_name_them(space: spaces.Space[Any]) -> None:
    with pytest.raises(ConfigError, match="observation space") as error:
        encoder(space)
    assert str(space) in str(error.value)


def test_unknown_settings_are_errors_that_suggest_one() -> None:
    with pytest.raises(ConfigError, match=r"env\.frames\.row=.*: .* did you mean rows"):
        encoder(frames(), frames={"row": [1, 5]})
    with pytest.raises(ConfigError, match=r"env\.frames\.self_row=.*: .* did you mean self_rows"):
        encoder(frames(), frames={"luminances": [40], "self_row": [1, 5]})
    with pytest.raises(ConfigError, match=r"env\.observation\.center=.*: .* did you mean centre"):
        encoder(spaces.Box(-1.0, 1.0, (2,)), observation={"center": [0.0, 0.0]})


@pytest.mark.parametrize("rows", [[5], [1, 5, 9], 5, "all", [0.5, 8.0], [None, 8], [8, 3], [0, 17]], ids=str)
def test_rows_of_another_kind_are_errors(rows: Any) -> None:
    with pytest.raises(ConfigError, match=r"env\.frames.*rows.*must be|env\.frames=.*rows.*another kind"):
        encoder(frames(), frames={"rows": rows})


def test_settings_of_the_wrong_length_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"env\.observation\.scale=\[1\.0\]: must be a list of 2 values"):
        encoder(spaces.Box(-1.0, 1.0, (2,)), observation={"scale": [1.0]})


def test_frames_whose_width_is_no_multiple_of_a_block_have_black_columns_on_the_right() -> None:
    seen = sight(frames(84, 84), frames={"rows": [3, 80]})
    assert seen.view.space.shape == (1, 84, 96)
    frame = np.full((2, 1, 84, 84), 7, np.uint8)
    shown = seen.view([frame])
    assert (shown[..., :84] == 7).all()
    assert (shown[..., 84:] == 0).all()


@pytest.mark.parametrize(
    ("space", "kind", "size"),
    [
        (spaces.Tuple([spaces.Discrete(32), spaces.Discrete(11), spaces.Discrete(2)]), OneHotEncoder, 704),
        (spaces.MultiDiscrete([3, 4]), OneHotEncoder, 12),
        (spaces.MultiBinary(3), OneHotEncoder, 8),
        (spaces.MultiBinary(30), PopulationEncoder, 270),
        (spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(-1.0, 1.0, (1,))}), PopulationEncoder, 3 * 9 + 3 * 36),
        (spaces.Box(0, 255, (128,), np.uint8), PopulationEncoder, 128 * 9),
        (spaces.Box(-1.0, 1.0, ()), PopulationEncoder, 9),
        (spaces.Box(0, 255, (8, 8, 3), np.uint8), PopulationEncoder, 192 * 9),
        (spaces.Box(0, 255, (96, 96, 3), np.uint8), ObjectEncoder, None),
        (spaces.Dict({"image": spaces.Box(0, 255, (4, 84, 84), np.uint8)}), ObjectEncoder, None),
    ],
)
def test_spaces_of_several_numbers_are_tables_where_they_are_small_else_vectors_and_pictures_are_frames(
    space: spaces.Space[Any], kind: type[Encoder[Any]], size: int | None
) -> None:
    code = encoder(space)
    assert type(code) is kind
    assert size in (None, code.size)


def test_bounded_observations_far_from_zero_are_told_apart() -> None:
    seen = sight(spaces.Box(1e9, 1e9 + 1, (2,), np.float64))
    assert isinstance(seen.encoder, PopulationEncoder)
    near, far = (seen.encoder.rates(torch.as_tensor(seen.view([np.full((1, 2), 1e9 + x)]))) for x in (0.1, 0.4))
    assert (near - far).abs().max() > 0.01


def test_unbounded_observations_far_from_zero_are_told_apart() -> None:
    code = encoder(spaces.Box(-np.inf, np.inf, (2,), np.float64))
    assert isinstance(code, PopulationEncoder)
    code(1e9 + torch.rand(200, 2, dtype=torch.float64), code.init_state(200))
    code.eval()
    near, far = (code.rates(torch.full((1, 2), 1e9 + x, dtype=torch.float64)) for x in (0.1, 0.4))
    assert (near - far).abs().max() > 0.01


def test_a_given_centre_far_from_zero_is_exact() -> None:
    settings = {"scale": [1.0, 1.0], "centre": [1e9 + 0.25, 0.0]}
    code = encoder(spaces.Box(-np.inf, np.inf, (2,), np.float64), observation=settings)
    unit = encoder(spaces.Box(-1.0, 1.0, (2,)))
    assert isinstance(code, PopulationEncoder)
    assert isinstance(unit, PopulationEncoder)
    found = code.rates(torch.tensor([[1e9 + 0.5, 0.5]], dtype=torch.float64))
    torch.testing.assert_close(found, unit.rates(torch.tensor([[0.25, 0.5]])))
