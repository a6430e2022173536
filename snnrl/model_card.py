"""The page that goes with weights that are given away, in the form that model hubs read: Markdown under a YAML head."""

from __future__ import annotations

from collections.abc import Mapping

from snnrl.textfiles import as_yaml
from snnrl.types import Setting, Settings


def model_card(
    settings: Settings,
    summary: Settings,
    *,
    title: str,
    spiking: bool = True,
    license_id: str | None = None,
    controls: str | None = None,
) -> str:
    """The page of a run in environments.

    Its head has the fields of Hugging Face's model cards: library, licence, tags, and a ``model-index`` with the score.

    Args:
        settings: of the whole run, as its ``config.yaml`` has them.
        summary: what its ``summary.json`` has.
        title: the name of what is given away.
        spiking: whether the agent has spiking neurons.
        license_id: an identifier such as ``mit``; ``None`` leaves it to whoever publishes.
        controls: the table that ``python -m snnrl.controls`` wrote, where there is one.
    """
    env, agent = str(settings["env"]["id"]), str(settings["agent"]["name"])
    lines = [
        "---",
        as_yaml(_head(env, agent, summary, title, spiking, license_id)).strip(),
        "---",
        "",
        f"# {title}",
        "",
        f"An agent `{agent}` of snnrl that plays `{env}`: {'' if spiking else 'no '}spiking neurons, trained for "
        f"{_number(summary.get('env_steps'))} environment steps with seed {settings['seed']}.",
        "",
        *_scores(summary),
        *(["## Controls", "", controls.strip(), ""] if controls else []),
        "## Use",
        "",
        "```python",
        "import snnrl",
        "",
        'agent = snnrl.load("this_folder")  # numbers alone: code that config.yaml may name needs trust=True',
        "print(snnrl.evaluate(agent, episodes=10).returns.mean())",
        "```",
        "",
        "`python -m snnrl.evaluate run=this_folder out=played episodes=10 video=true` plays it from a shell. "
        "`config.yaml` has every setting of the run, `model.safetensors` the weights (float16 where there are many), "
        "`summary.json` the score.",
        "",
        "## Versions",
        "",
        *(f"- {name} {version}" for name, version in _mapping(summary.get("versions")).items()),
        "",
    ]
    return "\n".join(lines)


def _head(
    env: str, agent: str, summary: Settings, title: str, spiking: bool, license_id: str | None
) -> dict[str, Setting]:
    score, spread = summary.get("eval/return_mean"), summary.get("eval/return_std")
    head: dict[str, Setting] = {
        "library_name": "snnrl",
        **({} if license_id is None else {"license": license_id}),
        "pipeline_tag": "reinforcement-learning",
        "tags": ["reinforcement-learning", *(["spiking-neural-network"] if spiking else []), "snnrl", agent, env],
    }
    if isinstance(score, int | float) and isinstance(spread, int | float):
        value = f"{score:.2f} +/- {spread:.2f}"
        metric = {"type": "mean_reward", "name": "mean_reward", "value": value, "verified": False}
        task = {"type": "reinforcement-learning", "name": "reinforcement-learning"}
        result = {"task": task, "dataset": {"name": env, "type": env}, "metrics": [metric]}
        head["model-index"] = [{"name": title, "results": [result]}]
    return head


def _scores(summary: Settings) -> list[str]:
    mean, spread = summary.get("eval/return_mean"), summary.get("eval/return_std")
    if not isinstance(mean, int | float) or not isinstance(spread, int | float):
        return []
    actions = "best actions" if summary.get("eval/deterministic") else "actions drawn from the policy"
    interval = summary.get("eval/return_interval_95")
    ends = (
        f", 95 % interval of the mean {interval[0]:.1f} to {interval[1]:.1f}"
        if isinstance(interval, list | tuple) and len(interval) == 2
        else ""
    )
    return [
        "## Score",
        "",
        f"Mean return **{mean:.1f}** ± {spread:.1f} over {_number(summary.get('eval/episodes'))} full episodes that "
        f"training did not see, raw and unclipped, {actions}{ends}. One seed: others may come out differently.",
        "",
    ]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _mapping(value: object) -> Mapping[str, Setting]:
    return value if isinstance(value, Mapping) else {}
