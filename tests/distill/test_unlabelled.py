"""Half a batch that only the teacher labels, without what it is unsure of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.fixed import train_fixed
from distill.losses.mix import parse_mix
from distill.pool import Pool
from distill.training.device import Site
from distill.unlabelled import LeftOut, draw, surest, unlabelled_bank
from ppg.augment.bank import TrainingBank
from ppg.augment.unlabelled import UnlabelledBank
from ppg.readout.classes import bin_centres_bpm
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec
from ppgnas.errors import MixError
from ppgnas.task import TASK
from search_spaces.published import published
from tests.distill.killing import small_pool

INPUTS = InputSpec(16, True)


@pytest.fixture(scope="module")
def people() -> list[Recording]:
    return synthesize(people=3, minutes=0.5, seed=2)


def _logits(spread_bpm: list[float]) -> np.ndarray:
    away = (bin_centres_bpm() - 120) / np.array(spread_bpm)[:, None]
    return (-0.5 * away**2).astype(np.float32)


def test_more_is_drawn_than_a_batch_takes(people: list[Recording]) -> None:
    bank = TrainingBank(people[:2], acceleration=True)
    more = unlabelled_bank(people[2:], INPUTS, parse_mix("soft"))
    x, _, hr_bpm = draw(bank, more, np.random.default_rng(0), 40, rate_hz=16)
    assert x.shape == (20 + 23, 4, 128)  # 20 of 23 are nine tenths, rounded up
    assert np.isfinite(hr_bpm[:20]).all() and np.isnan(hr_bpm[20:]).all()
    alone, _, rates = draw(bank, None, np.random.default_rng(0), 40, rate_hz=16)
    assert alone.shape == (40, 4, 128) and np.isfinite(rates).all()


def test_the_widest_spread_is_left_out_and_both_kinds_take_turns() -> None:
    hr_bpm = np.array([60.0, 70, 80, *[np.nan] * 5])
    logits = _logits([30, 30, 30, 4, 9, 2, 8, 3])  # how sure it is of labelled ones is no matter
    rows, left_out = surest(logits, hr_bpm, 6, LeftOut(1, 3, 7, 8.0), task=TASK)
    assert rows.tolist() == [0, 3, 1, 5, 2, 7]
    assert (left_out.batches, left_out.windows, left_out.drawn) == (2, 5, 12)
    assert left_out.spread_bpm == pytest.approx(6, abs=0.01)
    assert left_out.sentence == (
        "5 of 12 windows without a reference are left out: the teacher's spread there is above "
        "6.0 BPM."
    )
    for half in (rows[:3], rows[3:]):  # as shards of a batch see it
        assert np.isnan(hr_bpm[half]).sum() in (1, 2)


@pytest.mark.parametrize("mix", ["none", "pulse:0.1", "mse:0.01"])
def test_a_mix_that_reads_labels_alone_learns_nothing(people: list[Recording], mix: str) -> None:
    with pytest.raises(MixError) as caught:
        unlabelled_bank(people, INPUTS, parse_mix(mix))
    assert str(caught.value) == (
        f"`unlabelled` has nothing to teach by `distill` {mix!r}: without a reference, a "
        "teacher's labels are all there is to learn from. Name a `teacher` and a term such as "
        "soft:1, or leave `unlabelled` out"
    )
    assert unlabelled_bank([], INPUTS, parse_mix(mix)) is None


class Loudness(torch.nn.Module):
    """A teacher that can be followed: surer the more a window moves, its mode by the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sure = x[:, 1:].abs().mean(dim=(1, 2))[:, None]
        place = 90 + 40 * x[:, 1].mean(dim=1)[:, None]
        return -0.5 * ((torch.arange(180) - place) * (0.02 + 0.1 * sure)) ** 2


def test_a_pool_holds_both_kinds_and_the_teachers_word_of_each(
    people: list[Recording], tmp_path: Path
) -> None:
    bank = TrainingBank(people[:2], acceleration=True)
    further = unlabelled_bank(people[2:], INPUTS, parse_mix("soft"))

    def made(more: UnlabelledBank | None) -> Pool:
        return small_pool(bank, Loudness(), tmp_path / "pool", unlabelled=more, rate_hz=16, seed=1)

    pool = made(further)
    assert pool.left_out is not None and (pool.left_out.windows, pool.left_out.drawn) == (3, 27)
    seen = [pool.batch_at(step, seed=0) for step in range(3)]
    for batch in seen:
        assert batch.labelled.tolist() == [True, False] * 8
        assert torch.equal(batch.labelled, torch.isfinite(batch.hr_bpm))
        torch.testing.assert_close(
            Loudness()(batch.x), batch.taught.logits, atol=0.2, rtol=0.02
        )  # both were rounded to float16
    half = pool.batch_at(0, seed=0, rows=slice(8, 16))
    assert int(half.labelled.sum()) == 4
    assert made(further).left_out == pool.left_out  # opened again
    assert made(None).left_out is None  # another pool


def test_a_training_learns_from_both_and_says_what_is_left_out(
    people: list[Recording], tmp_path: Path
) -> None:
    told: list[str] = []
    result = train_fixed(
        published("tiny"),
        train=people[:1],
        search=people[1:2],
        unlabelled=people[2:],
        effort="smoke",
        seed=0,
        teacher="resnet-small",
        cache=tmp_path,
        site=Site(cores=1),
        progress=lambda *_: None,
        distill="soft:1",
        say=told.append,
    )
    assert np.isfinite(result.search_mae_bpm)
    (sentence,) = told
    assert sentence.startswith("8 of 72 windows without a reference are left out")
