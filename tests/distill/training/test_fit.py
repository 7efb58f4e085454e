"""The loop that every training shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from distill.training.checkpoint import Checkpoint
from distill.training.effort import Progress
from distill.training.fit import Schedule, fit, make_optimiser
from tests.distill.killing import Killed, kill_at, silent


def made() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def losses_of(module: nn.Module) -> Callable[[int, int], Iterator[Tensor]]:
    def losses(step: int, _: int) -> Iterator[Tensor]:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        yield (module(x) - x[:, :1]).square().mean()
        yield module(x).abs().mean()

    return losses


def train(path: Path, progress: Progress = silent, *, seed: int = 0) -> nn.Module:
    module = made()
    fit(
        module,
        losses_of(module),
        optimiser=make_optimiser(module),
        schedule=Schedule(10, 0.05, save_every=3),
        checkpoint=Checkpoint(path, {"seed": seed}),
        progress=progress,
    )
    return module


def test_the_rate_rises_and_falls_to_zero() -> None:
    schedule = Schedule(1000, 2.0, 1)
    assert schedule.rate(0) == pytest.approx(2 / 31)
    assert max(schedule.rate(step) for step in range(1000)) == pytest.approx(2.0, rel=0.01)
    assert schedule.rate(500) == pytest.approx(1.0)
    assert schedule.rate(1000) == 0.0
    second = Schedule(500, 2.0, 1, before=500, course=1000)
    assert second.rate(250) == schedule.rate(750) and second.rate(500) == 0.0


def test_gains_and_biases_do_not_decay() -> None:
    decaying, other = make_optimiser(made()).param_groups
    assert [p.ndim for p in decaying["params"]] == [2, 2] and decaying["weight_decay"] > 0
    assert {p.ndim for p in other["params"]} == {1} and other["weight_decay"] == 0


def test_gradients_of_all_losses_of_a_step_add_up(tmp_path: Path) -> None:
    module = made()
    gradients: list[Tensor] = []
    summed = made()
    torch.stack(list(losses_of(summed)(0, 0))).sum().backward()
    norm = nn.utils.clip_grad_norm_(summed.parameters(), 1.0)
    assert norm > 0

    def look(done: int, total: int, note: str) -> None:
        gradients.extend(p.grad.clone() for p in module.parameters() if p.grad is not None)

    fit(
        module,
        losses_of(module),
        optimiser=make_optimiser(module),
        schedule=Schedule(1, 0.05, save_every=3),
        checkpoint=Checkpoint(tmp_path / "c", {}),
        progress=look,
    )
    for seen, parameter in zip(gradients, summed.parameters(), strict=True):
        torch.testing.assert_close(seen, parameter.grad)


@pytest.mark.parametrize("stop", [1, 4, 10])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, stop: int) -> None:
    seen: list[int] = []

    kill = kill_at(stop)

    def watch(done: int, total: int, note: str) -> None:
        seen.append(done)

    whole = train(tmp_path / "whole")
    with pytest.raises(Killed):
        train(tmp_path / "killed", kill)
    continued = train(tmp_path / "killed", watch)
    assert seen[0] == (stop - 1) // 3 * 3 + 1  # from the last checkpoint on
    for one, two in zip(whole.state_dict().values(), continued.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def test_a_checkpoint_of_another_training_is_not_taken(tmp_path: Path) -> None:
    seen: list[int] = []
    train(tmp_path / "c")
    train(tmp_path / "c", lambda done, total, note: seen.append(done), seed=1)
    assert seen[0] == 1


def test_steps_are_those_of_torch() -> None:
    """To the last bit, of parameters that have gradients at every step and at some."""
    net, other = made(), made()
    own = make_optimiser(net)
    decays = {p.ndim > 1: g["weight_decay"] for g in own.param_groups for p in g["params"]}
    groups = [
        {"params": [p for p in other.parameters() if (p.ndim > 1) == wide], "weight_decay": decay}
        for wide, decay in decays.items()
    ]
    theirs = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
    for step in range(6):
        for module in (net, other):
            module.zero_grad()
            next(losses_of(module)(step, 0)).backward()
            if step % 2:
                next(module.parameters()).grad = None
        own.step()
        theirs.step()
        for one, two in zip(net.parameters(), other.parameters(), strict=True):
            assert torch.equal(one, two)
            assert own.state[one].keys() == theirs.state[two].keys()
            for name, value in theirs.state[two].items():
                assert torch.equal(own.state[one][name], value)
