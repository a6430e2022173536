"""What a message says of a word that names no setting, or that a shell has taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl import train
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.words import read_line


@pytest.mark.parametrize(
    ("words", "near", "command"),
    [
        (["env=CartPole", "agent.gama=1"], "did you mean agent.gamma", "agent=rstdp"),
        (["env=CartPole", "qqqqq=1"], "no such setting; ", "agent=rstdp"),
        (["env=CartPole", "agent=ppo", "agent.clip=1"], "agent.clip_range", "agent=ppo"),
        (["experiment=mnist_unsupervised", "n_neuron=1"], "n_neurons", "experiment=mnist_unsupervised"),
    ],
)
def test_an_unknown_setting_is_told_the_nearest_and_where_all_are_listed(
    words: list[str], near: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as raised:
        compose_run(words)
    said = str(raised.value)
    assert near in said
    assert len(said) < 300
    assert f"python -m snnrl.train {command} --help lists all" in said
    assert train.main([command, "--help"]) == 0
    assert "Settings of " in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["agent.encoder={name:", "latency,", "t:", "3}"],
        ["agent.encoder=name:latency", "agent.encoder=width:3"],
        ["agent.network.hidden=[size:20]", "agent.network.hidden=[neuron:lif]"],
    ],
)
def test_a_value_that_a_shell_has_taken_apart_is_to_be_quoted(words: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"is a piece of a value .*; must be in quotes as a whole, such as 'agent\."):
        read_line(words, ())


def test_a_class_of_ones_own_is_no_piece_of_a_value() -> None:
    words = ["agent.network.actor.neuron=my_module:Mine", "agent.network.critic.neuron=my_module:Mine"]
    assert len(read_line(words, ()).settings) == 2


def test_help_lists_what_a_hidden_layer_can_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(["agent=rstdp", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("size", "neuron", "rule", "connection", "recurrent"):
        assert f"agent.network.hidden[].{name} " in shown
    (rule,) = (line for line in shown.splitlines() if "hidden[].rule" in line)
    assert rule.endswith("(null)")
