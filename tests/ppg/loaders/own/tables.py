"""Made-up tables of one person, written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.loaders.own.columns import Columns
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe
from ppg.loaders.own.text import read_text
from ppg.recording import Recording
from ppgnas.errors import DataError
from tests.ppg.loaders.upstream import gravity, pulse

COLUMNS = Columns(ppg=("green",), acc=("ax", "ay", "az"), hr="hr", time="t")


def write(path: Path, table: dict[str, Any], *, separator: str = ",") -> Path:
    rows = [separator.join(table)]
    rows += [
        separator.join("" if np.isnan(cell) else f"{cell:.12g}" for cell in row)
        for row in zip(*table.values(), strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def made_table(*, hz: float = 50.0, seconds: float = 60.0) -> dict[str, Any]:
    count = round(hz * seconds)
    acc = gravity(hz, seed=1, seconds=seconds)
    time_s = np.arange(count) / hz
    hr = np.where(np.arange(count) % round(hz) == 0, 60 + time_s, np.nan)  # 1 BPM a second
    return {"t": time_s, "green": 500 + pulse(hz, seconds=seconds), "hr": hr} | {
        name: acc[:, axis] for axis, name in enumerate(("ax", "ay", "az"))
    }


def read_own(path: Path, columns: Columns = COLUMNS, **options: Any) -> Recording:
    said = options.pop("say", lambda _: None)
    recipe = Recipe(columns, **({"subject": "anna"} | options))
    (found,) = read_recordings(path, recipe, open_table=read_text, say=said)
    return found


def refusal(path: Path, columns: Columns = COLUMNS, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_own(path, columns, **options)
    return str(caught.value)
