"""The record of considered architectures, in SQLite: what a killed search continues from.

One row is one architecture, written in one transaction as soon as it is judged. A killed process
loses at most the row it was writing. The file is readable by any SQLite client:

    sqlite3 results/run/study.db 'select id, mae_bpm, latency_ms from candidate order by mae_bpm'

Optuna's own storages are not used: at forty choices an architecture they cost 130 ms a trial (the
journal file, measured November 2026), and a seeded study can be replayed from this record.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodels.costs import Costs
from ppgnas.errors import RunError
from search_spaces.arch import Arch

_TABLE = """create table if not exists candidate (
    number integer primary key, id text not null unique, arch text not null,
    feasible integer not null, mae_bpm real, latency_ms real not null, flash_bytes real not null,
    sram_bytes real not null, power_mw real not null, energy_mj real not null,
    weight_bytes integer not null, macs integer not null, hypervolume real not null
)"""


@dataclass(frozen=True)
class Candidate:
    """One considered architecture.

    Attributes:
        number: order of consideration from 0.
        arch: the network.
        costs: of the network on the target.
        feasible: whether it meets every limit.
        mae_bpm: inherited MAE on search people; None where it does not fit.
        hypervolume: of all candidates so far, as a share of the reference box.
    """

    number: int
    arch: Arch
    costs: Costs
    feasible: bool
    mae_bpm: float | None
    hypervolume: float

    def to_json(self) -> dict[str, Any]:
        """The entry of candidates.json, without `on_front` and `finalist`."""
        costs = self.costs
        return {
            "number": self.number,
            "id": self.arch.id,
            "arch": self.arch.to_json(),
            "feasible": self.feasible,
            "mae_bpm": self.mae_bpm,
            "latency_ms": costs.latency_ms,
            "flash_bytes": round(costs.flash_bytes),
            "sram_bytes": round(costs.sram_bytes),
            "power_mw": costs.power_mw,
            "energy_mj": costs.energy_mj,
            "weight_bytes": costs.weight_bytes,
            "macs": costs.macs,
            "hypervolume": self.hypervolume,
        }


class Journal:
    """The candidates of one search, in the order in which they were considered.

    Args:
        path: the SQLite file; made if it does not exist.

    Raises:
        RunError: the file is not such a database.
        OSError: the disk is full or refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._translated():
            self._database = sqlite3.connect(path)
            # Safe against a killed process without waiting for the disk after every row.
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.execute(_TABLE)
            self._database.commit()

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._database.close()

    def append(self, candidate: Candidate) -> None:
        """Add one row; it is durable against a killed process when this returns.

        Raises:
            OSError: the disk is full or refuses; earlier rows are unharmed.
        """
        costs = candidate.costs
        row = (
            candidate.number,
            candidate.arch.id,
            candidate.arch.dumps(),
            int(candidate.feasible),
            candidate.mae_bpm,
            costs.latency_ms,
            costs.flash_bytes,
            costs.sram_bytes,
            costs.power_mw,
            costs.energy_mj,
            costs.weight_bytes,
            costs.macs,
            candidate.hypervolume,
        )
        with self._translated(), self._database:
            marks = ", ".join("?" * len(row))
            self._database.execute(f"insert into candidate values ({marks})", row)

    def read(self) -> list[Candidate]:
        """All candidates in order."""
        with self._translated():
            rows = self._database.execute(
                "select number, arch, feasible, mae_bpm, latency_ms, flash_bytes, sram_bytes, "
                "power_mw, energy_mj, weight_bytes, macs, hypervolume "
                "from candidate order by number"
            ).fetchall()
        return [
            Candidate(
                number=number,
                arch=Arch.from_json(json.loads(arch)),
                costs=Costs(
                    latency_ms=latency_ms,
                    flash_bytes=flash_bytes,
                    sram_bytes=sram_bytes,
                    power_mw=power_mw,
                    energy_mj=energy_mj,
                    weight_bytes=weight_bytes,
                    macs=macs,
                ),
                feasible=bool(feasible),
                mae_bpm=mae_bpm,
                hypervolume=hypervolume,
            )
            for (
                number,
                arch,
                feasible,
                mae_bpm,
                latency_ms,
                flash_bytes,
                sram_bytes,
                power_mw,
                energy_mj,
                weight_bytes,
                macs,
                hypervolume,
            ) in rows
        ]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            code = errno.ENOSPC if "full" in str(error) else errno.EIO
            raise OSError(code, str(error), str(self._path)) from error
        except sqlite3.DatabaseError as error:
            raise RunError(
                f"{self._path} is damaged ({error}); start a new run with another --out"
            ) from error
