"""A training clears its pages once, not at every step, and loads nothing in vain."""

from __future__ import annotations

import platform
import resource
import sys
from pathlib import Path

import pytest
import torch

from distill.training.fit import keep_freed_memory
from distill.training.jobs import become_worker, worker_processes
from tests.distill.training.test_fit import train


def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = [torch.ones(1 << 20) for _ in range(8)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def steps(path: Path) -> tuple[int, int, bool]:
    before = faults()
    keep_freed_memory()
    faults()  # takes what it will keep
    after = faults()
    train(path)
    return before, after, "torch._dynamo" in sys.modules


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_a_second_step_takes_no_new_pages_and_none_loads_a_compiler(tmp_path: Path) -> None:
    with worker_processes(1, become_worker, killed="killed") as fresh:
        before, after, compiler = fresh.submit(steps, tmp_path / "c").result()
    assert before > 1000 > 100 > after
    assert not compiler
