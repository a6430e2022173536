"""The spiking policies of stable-baselines3 on the card and on the CPU, with equal weights and observations.

An algorithm draws its actions from the generator of its own device, so that rollouts on the two are not the same; what
is compared is what the networks make of one batch, and the gradients. Then a round of training is run on the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from steps import card, is_dry, relative, row
from torch import Tensor, nn

from snnrl.config import RunConfig
from snnrl.envs import EnvConfig
from snnrl.integrations.sb3.sb3_task import SB3Task, build
from snnrl.recipes import compose_run

CASES = {
    "ppo, CartPole": ["env=CartPole", "agent=ppo"],
    "a2c, CartPole": ["env=CartPole", "agent=a2c"],
    "dqn, CartPole": ["env=CartPole", "agent=dqn"],
    "sac, Pendulum": ["env=Pendulum", "agent=sac"],
    "td3, Pendulum": ["env=Pendulum", "agent=td3"],
    "ppo, Pong": ["env=Pong", "agent=ppo"],
}


def outputs(policy: Any, seen: Tensor, action: Tensor) -> list[Tensor]:
    """What is trained: of PPO and A2C value and log probability, else values or actions."""
    if hasattr(policy, "evaluate_actions"):
        value, log_probability, _ = policy.evaluate_actions(seen, action)
        return [value, log_probability]
    if hasattr(policy, "q_net"):
        return [policy.q_net(seen)]
    made = policy.actor(seen, deterministic=True) if policy.actor.__class__.__name__.endswith("SACActor") else None
    made = policy.actor(seen) if made is None else made
    return [made, *policy.critic(seen, action)]


def compare(words: list[str], device: str) -> Mapping[str, Any]:
    settings = compose_run(words)
    env = EnvConfig.from_mapping(settings["env"])
    found: list[tuple[list[Tensor], list[Tensor]]] = []
    state: dict[str, Any] = {}
    for place in ("cpu", device):
        built = build(settings["agent"], env, 2, 0, torch.device(place))
        policy: Any = built.agent.policy
        if state:
            policy.load_state_dict(state)
        state = {name: value.cpu().clone() for name, value in policy.state_dict().items()}
        space = built.envs.observation_space
        space.seed(0)
        built.envs.action_space.seed(0)
        torch.manual_seed(0)
        drawn = torch.stack([torch.as_tensor(space.sample()) for _ in range(32)])
        seen = drawn if drawn.dtype == torch.uint8 else torch.randn(drawn.shape).clamp(-2, 2)
        action = torch.stack([torch.as_tensor(built.envs.action_space.sample()) for _ in range(32)])
        policy.train(mode=False)
        made = outputs(policy, seen.to(place), action.to(place))
        sum(part.square().sum() for part in made).backward()
        gradients = [p.grad.cpu() for p in nn.Module.parameters(policy) if p.grad is not None]
        found.append(([part.detach().cpu() for part in made], gradients))
        built.envs.close()
    (cpu, cpu_gradients), (there, gradients) = found
    return {
        "equal": all(map(torch.equal, there, cpu)),
        "off": max(map(relative, there, cpu)),
        "gradients": len(gradients),
        "gradients_off": relative(
            torch.cat([g.flatten() for g in gradients]), torch.cat([g.flatten() for g in cpu_gradients])
        ),
    }


def train(words: list[str], device: str) -> Mapping[str, Any]:
    """A round or more of learning, until something was learned."""
    short = ["num_envs=2", "env_steps=4000", f"device={device}"]
    algorithm = words[1].removeprefix("agent=")
    short += {"ppo": ["agent.n_steps=64"], "a2c": []}.get(algorithm, ["agent.learning_starts=64"])
    run = SB3Task(RunConfig.from_mapping(compose_run([*words, *short])))
    run.begin(0, 0)
    before = [p.detach().cpu().clone() for p in run.model.parameters()]
    steps, metrics = 0, {}
    while steps < 160 and not any("loss" in key for key in metrics):
        stepped = run.step()
        steps, metrics = steps + stepped.steps, {**metrics, **stepped.metrics}
    changed = sum(not p.detach().cpu().equal(was) for p, was in zip(run.model.parameters(), before, strict=True))
    run.close()
    finite = all(bool(torch.isfinite(p).all()) for p in run.model.parameters())
    return {"steps": steps, "changed": changed, "finite": finite, "on": str(next(run.model.parameters()).device)}


def main() -> None:
    dry = is_dry(__doc__)
    torch.set_num_threads(1)
    for name, words in CASES.items():
        if not dry or name in ("ppo, CartPole", "sac, Pendulum"):
            row(name, lambda w=words: compare(w, card(dry)))
            if "Pong" in name:
                torch.backends.cudnn.allow_tf32 = False
                row(f"{name}, convolutions in float32", lambda w=words: compare(w, card(dry)))
                torch.backends.cudnn.allow_tf32 = True
            row(f"{name}, training", lambda w=words: train(w, card(dry)))


if __name__ == "__main__":
    main()
