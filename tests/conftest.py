"""What holds for every test: one thread a process, and no test that fails on a busy machine.

Two OpenMP threads that spin wait for each other: beside one busy neighbour they make a training
step 3 to 30 times slower. The variables act where a library is loaded, so they are set before any
of them is, and processes that tests start inherit them.
"""

from __future__ import annotations

import os
from multiprocessing import forkserver

from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

settings.register_profile("ppgnas", deadline=None)
settings.load_profile("ppgnas")

COPIED = ("torch", "scipy.special", "distill.finalist", "nas.explore.shared", "distributed",
          "alembic", "sqlalchemy.dialects.postgresql.psycopg", "pytest")  # fmt: skip
preload = forkserver.set_forkserver_preload


def preload_all(modules_names: list[str]) -> None:
    """Processes of all tests are copies of one, which has imported what any of them needs."""
    preload([*dict.fromkeys([*modules_names, *COPIED])])


forkserver.set_forkserver_preload = preload_all
