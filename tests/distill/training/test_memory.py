"""A training clears its pages once, not at every step, and loads nothing in vain."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = """
import resource, sys, torch
from pathlib import Path
from distill.training.fit import keep_freed_memory
from tests.distill.training.test_fit import train

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = [torch.ones(1 << 20) for _ in range(8)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
before = faults()
keep_freed_memory()
faults()  # takes what it will keep
print(before, faults())
train(Path(sys.argv[1]))
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_a_second_step_takes_no_new_pages_and_none_loads_a_compiler(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(tmp_path / "c")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    before, after, compiler = done.stdout.split()
    assert int(before) > 1000 > 100 > int(after)
    assert compiler == "False"
