"""What is read of declarations from the source is what they say when they are imported."""

from __future__ import annotations

import pytest

from snnrl.agents import AGENTS
from snnrl.learners import LEARNERS
from snnrl.settings import declarations
from snnrl.settings.early import AGENT_FOLDERS, LEARNER_FOLDERS, check_early, declared_early

KNOWN = [
    *(("agent", name, AGENT_FOLDERS) for name in AGENTS.ours),
    *(("learner", name, LEARNER_FOLDERS) for name in LEARNERS.ours),
]


@pytest.mark.parametrize(("section", "name", "folders"), KNOWN)
def test_early_declarations_are_the_real_ones(section: str, name: str, folders: tuple[str, ...]) -> None:
    kind = (AGENTS if section == "agent" else LEARNERS).find(name, section)
    real = declarations(kind.Config)
    early = declared_early(name, folders)
    for key, declared in early.items():
        assert (declared.type, declared.default, declared.limits) == (
            real[key].type,
            real[key].default,
            real[key].limits,
        ), key
    if name not in ("random", "constant"):
        assert len(early) >= 3


def test_what_is_not_snnrls_is_left_alone() -> None:
    check_early({"name": "my_module:Mine", "gamma": 7}, "agent", AGENT_FOLDERS)
    check_early({"gamma": 7}, "agent", AGENT_FOLDERS)
