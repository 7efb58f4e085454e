"""Teams: the same bits whatever the number of processes, and no process is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from distill.training.checkpoint import Checkpoint
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.team import Team, team
from ppgnas.errors import RunError

STEPS = 6


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 1))


def train(own: Team, path: Path, batch: int = 16) -> nn.Module:
    net = network()

    def losses(step: int, shard: int) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(batch, 5, generator=generator)[own.rows(shard, batch)]
        yield (net(x) - x.sum(dim=1, keepdim=True)).square().mean()
        if own.share(lambda: step % 2 == 0):
            yield net(x).abs().mean()

    fit(
        net,
        losses,
        optimiser=make_optimiser(net),
        schedule=Schedule(STEPS, 1e-2, 100),
        checkpoint=Checkpoint(path, {}),
        progress=lambda *_: None,
        team=own,
    )
    return net


def take_part(own: Team, path: Path) -> None:
    train(own, path)


def die(own: Team, path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def weights(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()])


def test_any_number_of_processes_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = []
    for processes, size in ((1, 1), (3, 2), (8, 4)):
        with team(processes, take_part, tmp_path / "none", shards=4) as whole:
            assert not [*tmp_path.glob("ppgnas-team-*")]  # which a kill would leave
            assert whole.size == size
            found.append(weights(train(whole, tmp_path / "none")))
    for other in found[1:]:
        assert torch.equal(other, found[0])
    assert multiprocessing.active_children() == []


def test_shards_add_up_to_the_batch(tmp_path: Path) -> None:
    """Without normalisation the mean over shards is the gradient of the batch."""
    net = nn.Linear(3, 1)
    x = torch.randn(8, 3)
    net(x).square().mean().backward()
    whole = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    own, parts = Team(4), []
    for shard in own.own:
        net.zero_grad()
        net(x[own.rows(shard, 8)]).square().mean().backward()
        parts.append([p.grad for p in net.parameters() if p.grad is not None])
    own.average(net, parts)
    for parameter, expected in zip(net.parameters(), whole, strict=True):
        torch.testing.assert_close(parameter.grad, expected)


def test_a_killed_process_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="process of the training was killed, perhaps for want"):
        with team(2, die, tmp_path / "none") as whole:
            train(whole, tmp_path / "none")
    assert multiprocessing.active_children() == []


def test_a_meeting_that_failed_is_forgotten(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):  # nobody else comes
        dist.init_process_group(
            "gloo",
            init_method=(tmp_path / "meeting").as_uri(),
            rank=0,
            world_size=2,
            timeout=timedelta(seconds=0.2),
        )
    with team(2, take_part, tmp_path / "none") as whole:
        train(whole, tmp_path / "none")


def test_what_fails_here_ends_the_others(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        with team(2, take_part, tmp_path / "none"):
            raise KeyboardInterrupt
    assert multiprocessing.active_children() == []


GUARDLESS = """
from pathlib import Path
from distill.training.jobs import worker_processes, become_worker
from distill.training.team import team
from ppgnas.errors import RunError
from tests.distill.training.test_team import take_part

def by_team():
    with team(2, take_part, Path("none")):
        pass

def by_workers():
    with worker_processes(2, become_worker, killed="killed") as executor:
        executor.submit(print).result()

for start in (by_team, by_workers):
    try:
        start()
    except RunError as error:
        print(error)
"""


def test_a_script_without_a_main_guard_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(GUARDLESS)
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    told = [line for line in done.stdout.splitlines() if "below `if __name__ ==" in line]
    assert len(told) >= 2 and done.returncode == 0
