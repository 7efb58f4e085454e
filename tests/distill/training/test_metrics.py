"""The course of a training, in a file that a kill does not change."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from distill.training.checkpoint import Checkpoint
from distill.training.fit import Schedule, fit, make_optimiser
from distill.training.metrics import COLUMNS, note_search, rows_of, search_rows
from distill.training.team import Team


def train(folder: Path, *, until: int = 47, rank: int = 0, terms: bool = False) -> None:
    torch.manual_seed(0)
    module = nn.Linear(3, 1)

    def losses(step: int, _: int) -> Iterator[Tensor | dict[str, Tensor]]:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        loss = (module(x) - x[:, :1]).square().mean()
        yield {"label": 0.25 * loss, "soft": 0.75 * loss} if terms else loss

    def stop(done: int, total: int, note: str) -> None:
        if done == until:
            raise KeyboardInterrupt

    fit(
        module,
        losses,
        optimiser=make_optimiser(module),
        schedule=Schedule(45, 0.05, save_every=15),
        checkpoint=Checkpoint(folder / "c", {}, log=folder / "metrics" / "c.csv"),
        progress=stop,
        team=Team(rank=rank),
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics" / "c.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_row_every_ten_steps_and_one_for_the_last(tmp_path: Path) -> None:
    train(tmp_path)
    found = rows(tmp_path)
    assert tuple(found[0]) == COLUMNS
    assert [int(row["step"]) for row in found] == [10, 20, 30, 40, 45]
    schedule = Schedule(45, 0.05, 15)
    assert float(found[1]["learning_rate"]) == pytest.approx(schedule.rate(19), rel=1e-5)
    assert float(found[0]["loss"]) > float(found[-1]["loss"]) > 0


def test_terms_have_columns_that_add_up_to_the_loss(tmp_path: Path) -> None:
    train(tmp_path, terms=True)
    found = rows(tmp_path)
    assert tuple(found[0]) == (*COLUMNS, "label", "soft") and len(found) == 5
    for row in found:
        assert float(row["label"]) + float(row["soft"]) == pytest.approx(
            float(row["loss"]), rel=1e-4
        )


@pytest.mark.parametrize("terms", [False, True])
@pytest.mark.parametrize("until", [3, 12, 24, 41])
def test_a_killed_training_has_the_rows_of_one_that_was_not(
    tmp_path: Path, until: int, terms: bool
) -> None:
    train(tmp_path / "whole", terms=terms)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", until=until, terms=terms)
    path = tmp_path / "killed" / "metrics" / "c.csv"
    with path.open("a") as file:
        file.write("44,1.0,0.")  # half a row of a later step
    train(tmp_path / "killed", terms=terms)
    whole, killed = rows(tmp_path / "whole"), rows(tmp_path / "killed")
    for row in (*whole, *killed):
        assert float(row.pop("seconds")) >= 0
    assert killed == whole


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x,1.0,0.5,0.1",
        b"20,1.0,one,0.1",
        b"20,,0.5,0.1",
        b"20,1.0,0.5",
        b"20,1.0,0.5,0.1,7",
        b"9" * 5000 + b",1.0,0.5,0.1",
        b"9" * 20 + b",1.0,0.5,0.1",
        b"-1,1.0,0.5,0.1",
        b"\xff\xfe,\x00",
    ],
)
def test_what_is_no_row_is_left_out(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "c.csv"
    good = b"step,seconds,loss,learning_rate\n10,1.0,0.5,0.1\n"
    path.write_bytes(good + line + b"\n30,3.0,nan,0.1\n")
    assert [row["step"] for row in rows_of(path)] == ["10", "30"]


def test_what_search_people_read_replaces_what_was_after_it(tmp_path: Path) -> None:
    log, path = tmp_path / "metrics" / "network-a", tmp_path / "metrics" / "network-a-search.csv"
    note_search(None, 5, arithmetic="float", mae_bpm=3.0)
    for step, bpm in ((5, 3.25), (20, 2.0), (12, 2.5)):
        note_search(log, step, arithmetic="float", mae_bpm=bpm)
    with path.open("a") as file:
        file.write("x,int8,1\n14,int8\n15,int8,one\n")
    assert [(row["step"], row["mae_bpm"]) for row in search_rows(path)] == [
        ("5", "3.2500"),
        ("12", "2.5000"),
    ]
    assert search_rows(tmp_path / "none.csv") == []


def test_another_process_of_a_team_writes_nothing(tmp_path: Path) -> None:
    train(tmp_path, rank=1)
    assert not (tmp_path / "metrics").exists()
