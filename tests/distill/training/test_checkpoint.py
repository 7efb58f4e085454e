"""What a checkpoint restores, and how a damaged one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.fit import make_optimiser
from ppgnas.errors import RunError


def test_checkpoint_restores_weights_and_moments(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    optimiser = make_optimiser(module)
    module(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, module, optimiser=optimiser, step=7)
    other = torch.nn.Linear(3, 2)
    moments = make_optimiser(other)
    load_checkpoint(path, other, optimiser=moments)
    assert read_facts(path) == {"step": 7}
    assert torch.equal(other.weight, module.weight)
    x = torch.randn(4, 3)
    for net, opt in ((module, optimiser), (other, moments)):
        opt.zero_grad()
        net(x).square().sum().backward()
        opt.step()
    assert torch.equal(other.weight, module.weight)
    with pytest.raises(RunError, match="is of another network"):
        load_checkpoint(path, torch.nn.Linear(4, 2))
    assert read_facts(tmp_path / "none") == {}


@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_flipped_bit_in_a_checkpoint_is_told(tmp_path: Path, share: float) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, torch.nn.Linear(30, 20), step=7)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    for read in (lambda: load_checkpoint(path, torch.nn.Linear(30, 20)), lambda: read_facts(path)):
        with pytest.raises(RunError, match="cannot be read: its checksum is another; remove"):
            read()
