"""Completion of command lines by the shell: names of commands, settings and recipes.

``python -m snnrl completion bash`` prints a script to be sourced; the script asks ``snnrl completion words LINE``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from snnrl.errors import ConfigError, require
from snnrl.recipes import GROUPS, compose_run, recipe_names
from snnrl.run_settings import RLSettings, SupervisedSettings
from snnrl.runs.executors import EXECUTORS
from snnrl.runs.grid import variants
from snnrl.settings import Declaration, Settings, declarations
from snnrl.types import Setting

_BASH = """\
_snnrl() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\\n' word found
    word="${line##* }"
    COMPREPLY=()
    for found in $(snnrl completion words "$line" 2>/dev/null); do
        COMPREPLY+=("${found#"${word%"${word##*[=:]}"}"}")
    done
    [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == *. ]] && compopt -o nospace
}
complete -o default -F _snnrl snnrl PROGRAMS
"""
_ZSH = """\
autoload -Uz compinit && compinit
_snnrl() {
    local -a found
    found=(${(f)"$(snnrl completion words "$LBUFFER" 2>/dev/null)"})
    (( $#found )) && compadd -S '' -- $found || _files
}
compdef _snnrl snnrl PROGRAMS
"""
_FISH = """\
for program in snnrl PROGRAMS
    complete -c $program -a '(snnrl completion words (commandline -cp | string collect) 2>/dev/null)'
end
"""
SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""What is printed for each shell; ``PROGRAMS`` stands for the commands of a program each, such as ``snnrl-train``."""


def complete(words: Sequence[str], commands: Iterable[str]) -> int:
    """The command behind ``python -m snnrl completion``.

    Raises:
        ConfigError: a shell that is not known.
    """
    commands = list(commands)
    if list(words[:1]) == ["words"]:
        print("\n".join(completions(" ".join(words[1:]), commands)))
        return 0
    shell = words[0] if words else ""
    require(shell in SCRIPTS, "completion", shell, f"one of {', '.join(SCRIPTS)}, such as: {_HOW}")
    print(SCRIPTS[shell].replace("PROGRAMS", " ".join(f"snnrl-{name}" for name in commands)), end="")
    return 0


_HOW = "python -m snnrl completion bash >> ~/.bashrc"


def completions(line: str, commands: Iterable[str]) -> list[str]:
    """What the last word of a command line may become.

    >>> completions("snnrl tr", ["train", "evaluate"]), completions("snnrl-train env=Cart", ["train"])
    (['train'], ['env=CartPole', 'env=CartPolePartial'])

    Args:
        line: up to the cursor.
        commands: that there are.
    """
    program, *words = line.split(" ")
    words = [word for word in words[:-1] if word] + words[-1:]
    name = Path(program).name
    if name == "snnrl":
        if len(words) < 2:
            found: Iterable[str] = [*commands, "completion"]
            return sorted(each for each in found if each.startswith("".join(words)))
        name, *words = words
    command, last, before = name.removeprefix("snnrl-"), "".join(words[-1:]), words[:-1]
    if command not in commands:
        return []
    key, equals, _ = last.partition("=")
    try:
        known = dict(_settings(command, before))
    except ConfigError:
        return []
    found = [f"{key}={value}" for value in known.get(key, ())] if equals else [f"{each}=" for each in known]
    return sorted(each for each in found if each.startswith(last))


def _settings(command: str, words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The settings that a command takes, and the values of those that have a few."""
    module = import_module(f"snnrl.{command}")
    for options in ("Options", "LearnerOptions", "ResumeOptions"):
        if hasattr(module, options):
            yield from _declared(getattr(module, options))
    if command in ("controls", "compare", "sweep", "tune"):
        yield "executor", list(EXECUTORS.names())
    if command in ("train", "compare", "sweep", "tune"):
        yield from ((group, recipe_names(group)) for group in GROUPS)
        given = [word for word in words if "=" in word]
        if command in ("sweep", "tune"):
            own = declarations(module.Options)
            given = list(variants([word for word in given if word.partition("=")[0] not in own])[0].words)
        composed = compose_run(given)
        if "learner" in composed:
            yield from ((name, _values(value)) for name, value in composed["learner"].items())
        yield from _flat({name: value for name, value in composed.items() if name != "learner"})
        yield from _declared(SupervisedSettings if "learner" in composed else RLSettings)
        yield "env.id", import_module("snnrl.envs").registered_ids()


def _declared(options: type[Settings]) -> Iterator[tuple[str, list[str]]]:
    for name, declared in declarations(options).items():
        if not isinstance(declared.default, Settings):
            yield name, _choices(declared)


def _choices(declared: Declaration) -> list[str]:
    if declared.limits.choices is not None:
        return [str(choice) for choice in declared.limits.choices]
    return _values(declared.default)


def _values(value: Setting) -> list[str]:
    return ["true", "false"] if isinstance(value, bool) else []


def _flat(settings: Mapping[str, Setting], section: str = "") -> Iterator[tuple[str, list[str]]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{section}{name}.")
        else:
            yield f"{section}{name}", _values(value)
