from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.encoder_factory import make_encoder
from snnrl.encoders import (
    ENCODERS,
    BlobEncoder,
    Encoder,
    FittedEncoder,
    FrameEncoder,
    ObjectEncoder,
    OneHotEncoder,
    PatchEncoder,
    PopulationEncoder,
    Window,
)
from snnrl.encoders.population import MOST_DIMENSIONS
from snnrl.errors import ConfigError
from snnrl.legacy import upgraded_settings
from snnrl.recipes import compose_run
from snnrl.spikes import SparseSpikes


def fitted(space: spaces.Space[Any], **recipe: Any) -> FittedEncoder:
    return make_encoder(space, recipe, Window(sim_steps=6))


def encoder(space: spaces.Space[Any], **recipe: Any) -> Encoder[Any]:
    return fitted(space, **recipe).encoder


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
    code = encoder(spaces.Box(-1.0, 1.0, shape), spikes_per_step=1.2)
    assert isinstance(code, PopulationEncoder)
    observation = torch.zeros(3, *shape)
    assert code.rates(observation).sum(1).tolist() == pytest.approx([1.2] * 3, rel=1e-4)
    spikes, _ = code(observation, code.init_state(3))
    assert spikes.shape == (6, 3, code.size)


def test_bounds_of_a_box_are_its_range() -> None:
    space = spaces.Box(np.array([0.0, -50.0], dtype=np.float32), np.array([10.0, 50.0], dtype=np.float32))
    code, unit = (encoder(box, adapt_range=0.0) for box in (space, spaces.Box(-1.0, 1.0, (2,))))
    torch.testing.assert_close(code.rates(torch.tensor([[7.5, -50.0]])), unit.rates(torch.tensor([[0.5, -1.0]])))


def test_the_recipe_gives_the_range_where_a_box_has_none() -> None:
    settings = {"scale": [2.0, 1.0], "centre": [1.0, 0.0], "squash": [False, True]}
    code, unit = (
        encoder(spaces.Box(-np.inf, np.inf, (2,)), **settings),
        encoder(spaces.Box(-1.0, 1.0, (2,)), adapt_range=0.0),
    )
    found = code.rates(torch.tensor([[2.0, 0.5]]))
    torch.testing.assert_close(found, unit.rates(torch.tensor([[0.5, np.tanh(0.5)]], dtype=torch.float32)))


def test_grey_frames_of_which_the_recipe_tells_become_volleys_with_its_settings() -> None:
    code = encoder(frames(), name="frames", luminances=[40, 80], tile=[4, 4], rows=[0, 12])
    assert isinstance(code, FrameEncoder)
    assert code.synchronous
    assert code.size == (2 + 2) * 3 * 8 + 1


def test_grey_frames_of_which_nothing_is_told_are_looked_at_by_the_encoder_itself() -> None:
    code = encoder(frames(), rows=[3, 12])
    assert isinstance(code, ObjectEncoder)
    assert code.synchronous
    assert not code.calibrated
    assert (code.top, code.bottom) == (3, 12)
    assert code.size == 16 * 7 + (2 * 16 + 4) * (7 + 8) + 1
    assert isinstance(encoder(frames()), ObjectEncoder), "without settings as well"


def test_boolean_maps_are_seen_by_their_cells() -> None:
    code = encoder(spaces.Box(0, 1, (10, 9, 4), bool), lines=100)
    assert isinstance(code, BlobEncoder)
    assert (code.layers, code.height, code.width, code.size) == (4, 10, 9, 101)
    assert not isinstance(encoder(spaces.Box(0, 1, (10, 9), bool)), BlobEncoder)


def test_the_target_rate_reaches_the_frames_adaptation() -> None:
    code = encoder(frames(), target_rate=0.05)
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
    with pytest.raises(
        ConfigError, match=r"agent\.encoder\.row=.*: objects, .* has no such setting; did you mean rows"
    ):
        encoder(frames(), row=[1, 5])
    with pytest.raises(ConfigError, match=r"agent\.encoder\.self_row=.*: frames has .* did you mean self_rows"):
        encoder(frames(), name="frames", luminances=[40], self_row=[1, 5])
    with pytest.raises(ConfigError, match=r"agent\.encoder\.center=.*: .* did you mean centre"):
        encoder(spaces.Box(-1.0, 1.0, (2,)), center=[0.0, 0.0])


@pytest.mark.parametrize("rows", [[5], [1, 5, 9], 5, "all", [0.5, 8.0], [None, 8], [8, 3], [0, 17]], ids=str)
def test_rows_of_another_kind_are_errors(rows: Any) -> None:
    with pytest.raises(ConfigError, match=r"agent\.encoder\.rows=.*must be|agent\.encoder=.*rows.*another kind"):
        encoder(frames(), rows=rows)


def test_settings_of_the_wrong_length_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"agent\.encoder\.scale=\[1\.0\]: must be a list of 2 values"):
        encoder(spaces.Box(-1.0, 1.0, (2,)), scale=[1.0])


def test_frames_whose_width_is_no_multiple_of_a_block_have_black_columns_on_the_right() -> None:
    seen = fitted(frames(84, 84), rows=[3, 80])
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
    seen = fitted(spaces.Box(1e9, 1e9 + 1, (2,), np.float64))
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
    code = encoder(spaces.Box(-np.inf, np.inf, (2,), np.float64), **settings)
    unit = encoder(spaces.Box(-1.0, 1.0, (2,)), adapt_range=0.0)
    assert isinstance(code, PopulationEncoder)
    assert isinstance(unit, PopulationEncoder)
    found = code.rates(torch.tensor([[1e9 + 0.5, 0.5]], dtype=torch.float64))
    torch.testing.assert_close(found, unit.rates(torch.tensor([[0.25, 0.5]])))


SPACES = {
    "one_hot": spaces.MultiDiscrete([3, 4]),
    "objects": frames(),
    "blobs": spaces.Box(0, 1, (6, 7, 3), bool),
    "frames": frames(),
    "patches": frames(),
    **dict.fromkeys(("population", "rank_order", "delta"), spaces.Box(-1.0, 3.0, (5,))),
    **dict.fromkeys(("latency", "poisson", "bernoulli"), spaces.Box(-1.0, 3.0, (200,))),
}


@pytest.mark.parametrize("name", ENCODERS.names())
def test_every_encoder_is_had_by_its_name_and_spikes(name: str) -> None:
    space = SPACES[name]
    settings = {"threshold": 0.1} if name == "delta" else {}
    window = Window(6, 1.0, torch.Generator().manual_seed(0))
    seen = make_encoder(space, {"name": name, **settings}, window)
    assert type(seen.encoder) is ENCODERS.find(name, "agent.encoder.name")
    first, second = (torch.as_tensor(seen.view([np.asarray([space.sample()])])) for _ in range(2))
    spikes, state = seen.encoder(first, seen.encoder.init_state(1))
    spikes, _ = seen.encoder(second, state)
    assert (spikes.value if isinstance(spikes, SparseSpikes) else spikes).sum() > 0
    assert seen.encoder.size > 0


@pytest.mark.parametrize(
    ("space", "name", "message"),
    [
        (spaces.Box(-1.0, 1.0, (2,)), "frames", "name=frames: observation space .* must be pictures of uint8"),
        (spaces.Box(-1.0, 1.0, (2,)), "one_hot", "name=one_hot: observation space .* must be Discrete, MultiDiscrete"),
        (spaces.Box(-np.inf, 1.0, (2,)), "latency", "name=latency: observation space .* must be bounded"),
        (spaces.Discrete(2), "place_cells", "name=place_cells: there is no such encoder; there are: .*population"),
        (spaces.Discrete(2), 3, "name=3: must be the name of an encoder"),
    ],
)
def test_what_an_encoder_cannot_take_is_said_in_one_line(space: spaces.Space[Any], name: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^agent\.encoder\.{message}"):
        encoder(space, name=name)


@pytest.mark.parametrize(("dims", "most"), [(1, 1), (2, 2), (3, 6)])
def test_a_rate_that_cannot_be_had_is_an_error_that_says_the_highest(dims: int, most: int) -> None:
    space = spaces.Box(-1.0, 1.0, (dims,))
    assert encoder(space, spikes_per_step=float(most)).size > 0
    with pytest.raises(
        ConfigError, match=rf"agent\.encoder\.spikes_per_step=7\.0: must be above 0 and at most {most}, "
    ):
        encoder(space, spikes_per_step=7.0)


def test_a_rate_that_nobody_asked_for_is_one_that_can_be_had() -> None:
    code = encoder(spaces.Box(-1.0, 1.0, (1,)))
    assert isinstance(code, PopulationEncoder)
    assert code.rates(torch.zeros(1, 1)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("space", "setting"), [(spaces.Discrete(3), "target_rate"), (frames(), "spikes_per_step")])
def test_a_setting_that_an_encoder_would_not_use_is_none_of_its_settings(
    space: spaces.Space[Any], setting: str
) -> None:
    with pytest.raises(ConfigError, match=rf"agent\.encoder\.{setting}=0\.5: .* has no such setting"):
        encoder(space, **{setting: 0.5})


def test_a_setting_that_is_null_is_left_to_the_encoder() -> None:
    code = encoder(spaces.Box(-1.0, 1.0, (3,)), spikes_per_step=None, rows=None)
    assert isinstance(code, PopulationEncoder)
    assert code.rates(torch.zeros(1, 3)).sum() == pytest.approx(6.0)


def test_a_centre_without_a_scale_is_refused_as_it_would_count_for_nothing() -> None:
    with pytest.raises(ConfigError, match=r"agent\.encoder\.centre=.*: must be given together with scale"):
        encoder(spaces.Box(-1.0, 1.0, (1,)), centre=[0.5])


def as_in_0_1(space: spaces.Space[Any], env: dict[str, Any]) -> Encoder[Any]:
    """The encoder of a run of version 0.1, which asked for 4.5 spikes a step whatever the space."""
    agent = {"name": "rstdp", "spikes_per_step": 4.5, "target_rate": 0.05}
    settings = upgraded_settings({"agent": agent, "env": {"id": "Toy-v0", "observation": {}, "frames": None, **env}})
    assert settings["env"] == {"id": "Toy-v0"}
    return make_encoder(space, settings["agent"]["encoder"], Window(sim_steps=6)).encoder


@pytest.mark.parametrize(("dims", "rate"), [(1, 1.0), (2, 2.0), (3, 4.5)])
def test_runs_of_0_1_keep_the_rate_that_they_had(dims: int, rate: float) -> None:
    code = as_in_0_1(spaces.Box(-1.0, 1.0, (dims,)), {"observation": {"scale": [1.0] * dims}})
    assert isinstance(code, PopulationEncoder)
    assert code.rates(torch.zeros(1, dims)).sum() == pytest.approx(rate)


def test_runs_of_0_1_keep_the_cells_that_many_numbers_had() -> None:
    code = as_in_0_1(spaces.Box(-1.0, 1.0, (12,)), {})
    assert isinstance(code, PopulationEncoder)
    assert (code.size, code.total_rate) == (12 * 9, 4.5)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (None, ObjectEncoder),
        ({"rows": [1, 9]}, ObjectEncoder),
        ({"rows": [1, 9], "luminances": [40]}, FrameEncoder),
        ({"reach": 3}, PatchEncoder),
    ],
)
def test_runs_of_0_1_keep_the_encoder_that_their_frames_asked_for(
    told: dict[str, Any] | None, kind: type[Encoder[Any]]
) -> None:
    code = as_in_0_1(frames(), {"frames": told})
    assert type(code) is kind
    assert as_in_0_1(spaces.Discrete(3), {"frames": told}).size == 3


def test_an_encoder_of_ones_own_is_named_by_its_module_and_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "codes_of_mine.py").write_text(
        "from snnrl.encoders import RankOrderEncoder\n\n\n"
        "class Mine(RankOrderEncoder):\n"
        '    """The strongest first."""\n\n'
        "    def __init__(self, size, *, sim_steps, threshold=0.0):\n"
        "        super().__init__(size, sim_steps=sim_steps, threshold=threshold)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    code = encoder(spaces.Box(-1.0, 1.0, (4,)), name="codes_of_mine:Mine", threshold=0.5)
    spikes, _ = code(torch.tensor([[0.1, 0.6, 0.9, 0.5]]), code.init_state(1))
    assert spikes.sum() == 2
    with pytest.raises(
        ConfigError, match=r"agent\.encoder\.treshold=1: codes_of_mine:Mine has .*did you mean threshold"
    ):
        encoder(spaces.Box(-1.0, 1.0, (4,)), name="codes_of_mine:Mine", treshold=1)


def test_a_setting_that_an_encoder_needs_is_asked_for_with_a_line_that_works() -> None:
    space = spaces.Box(-1, 1, (3,), np.float32)
    line = "agent.encoder=delta agent.encoder.threshold=0.1"
    for named in ("delta", {"name": "delta", "threshold": None}):
        with pytest.raises(ConfigError, match=rf"^agent\.encoder\.threshold is missing: .*, such as {line}$"):
            make_encoder(space, named, Window(sim_steps=6))
    words = ["env=CartPole", *line.split()]
    assert compose_run(words)["agent"]["encoder"] == {"name": "delta", "threshold": 0.1}
    assert make_encoder(space, {"name": "delta", "threshold": 0.1}, Window(sim_steps=6))


def test_a_wrong_setting_is_of_the_encoder_that_is_named() -> None:
    words = ["env=CartPole", "agent.encoder=latency", "+agent.encoder.foo=1"]
    space = spaces.Box(-1, 1, (3,), np.float32)
    for given in (words, words[::-1]):
        with pytest.raises(ConfigError, match=r"agent\.encoder\.foo=1: latency has no such setting; there are: tau"):
            make_encoder(space, compose_run(given)["agent"]["encoder"], Window(sim_steps=6))
