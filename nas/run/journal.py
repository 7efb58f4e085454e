"""The record of considered architectures, in SQLite: what a killed search continues from.

One row is one architecture; all are written in one transaction. The file is readable by any SQLite
client:

    sqlite3 results/run/study.db 'select id, mae_bpm, latency_ms from candidate order by mae_bpm'

Optuna's own storages are not used: at forty choices an architecture they cost 130 ms a trial (the
journal file, measured November 2026).
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from hwmodels.costs import Costs
from nas.run.candidates import COLUMNS, Candidate
from ppgnas.errors import RunError
from ppgnas.parsing import parse_json

_SQL = {"int": "integer not null", "float": "real not null"}
_TABLE = f"""create table if not exists candidate (
    number integer primary key, id text not null unique, arch text not null,
    feasible integer not null, mae_bpm real, mae_low_bpm real, mae_high_bpm real, first_bpm real,
    {", ".join(f"{each.name} {_SQL[str(each.type)]}" for each in fields(Costs))},
    hypervolume real not null
)"""


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
            self._database.row_factory = sqlite3.Row
            # Safe against a killed process without waiting for the disk after every row.
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.execute(_TABLE)
            self._database.commit()
            columns = self._database.execute("select * from candidate limit 0").description
            if tuple(column[0] for column in columns) != COLUMNS:
                raise ValueError("its columns are not those of a study")

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        self._database.close()

    def write(self, candidates: Sequence[Candidate]) -> None:
        """Replace all rows; the file holds the old or the new ones when the process is killed.

        Raises:
            OSError: the disk is full or refuses; the old rows are unharmed.
        """
        marks = ", ".join(f":{name}" for name in COLUMNS)
        rows = [{**each.row(), "arch": each.arch.dumps()} for each in candidates]
        with self._translated(), self._database:
            self._database.execute("delete from candidate")
            self._database.executemany(f"insert into candidate values ({marks})", rows)

    def read(self) -> list[Candidate]:
        """All candidates in order.

        Raises:
            RunError: a row is damaged.
        """
        with self._translated():
            rows = self._database.execute("select * from candidate order by number").fetchall()
            # SQLite holds infinities and texts in columns of numbers; a document does not.
            return [
                Candidate.from_json(
                    {**parse_json(json.dumps(dict(row))), "arch": parse_json(row["arch"])}
                )
                for row in rows
            ]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            code = errno.ENOSPC if "full" in str(error) else errno.EIO
            raise OSError(code, str(error), str(self._path)) from error
        except (sqlite3.DatabaseError, ValueError, TypeError, IndexError) as error:
            raise RunError(
                f"{self._path} is damaged ({error}); start a new run with another `out`"
            ) from error
