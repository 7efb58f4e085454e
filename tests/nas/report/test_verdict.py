"""What the report's verdict says of the finalists, and its cautions."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from distill.training.effort import EFFORTS
from nas.explore.pacing import DECISIONS, steps_in_time
from nas.models.baselines import BaselineRow
from nas.models.readout import cautions as readout_cautions
from nas.report.loading import Finalist, Predictions, RunData
from nas.report.sections.verdict import FEW_PEOPLE, FEW_STEPS, _verdict_info, verdict_section
from nas.run.card import Bounds, CardCosts, NotInC, PathCosts, Reading, SearchErrors
from nas.run.config import Budgets, SearchConfig
from ppg.readout.confidence import HeldOut
from tests.nas.run.made import made_card, made_report, run_document

PEOPLE = {f"a/{n}": 2.0 for n in range(FEW_PEOPLE)}


def finalist(
    *,
    number: int = 1,
    predictions: Predictions | None = None,
    mae_bpm: float = 2.0,
    inherited: float | None = None,
    retrained: float = 2.0,
    flash: float = 8192,
    **card: Any,
) -> Finalist:
    made = made_card(
        finalist=number,
        report=replace(made_report(PEOPLE), mae_bpm=mae_bpm),
        search_mae_bpm=SearchErrors(inherited=inherited, retrained_int8=retrained),
    )
    bytes_ = replace(made.costs.flash_bytes, value=flash, low=flash, high=flash)
    made = replace(made, costs=replace(made.costs, flash_bytes=bytes_))
    return Finalist(number, replace(made, **card), predictions)


def cautions(*finalists: Finalist, effort: str = "quick", **of_run: Any) -> list[str]:
    config = SearchConfig(budgets=Budgets(flash_bytes=81920), effort=effort)
    run = RunData(Path("run"), run_document(config=config), finalists=finalists, **of_run)
    return _verdict_info(run).cautions


def verdict_of(*finalists: Finalist) -> str:
    return str(verdict_section(RunData(Path("run"), run_document(), finalists=finalists)).body)


def test_verdict_cautions_about_files_and_people() -> None:
    made = made_card()
    one = finalist(
        report=made_report({"a/1": 2.0, "a/2": 2.0}),
        parity=replace(made.parity, tflite_max_lsb=3, tflite_rule_max_lsb=3),
        costs=replace(made.costs, in_calibrated_range=False),
    )
    assert cautions(one) == [
        "TFLite file up to 3 LSB off the reference in its rounding: finalist 1.",
        "Costs outside the range in which they were calibrated: finalist 1.",
        "Few report people (2): the interval of the MAE says little.",
    ]


def test_the_headline_names_the_file_both_groups_of_people_and_the_floor() -> None:
    made = made_card()
    costs = replace(
        made.costs, sleep_mw=Bounds(1.0, 0.02, 16.0), energy_mj=Bounds(0.06, 0.05, 0.07)
    )
    page = verdict_of(finalist(retrained=3.5, costs=costs))
    assert "<strong>Finalist 1 is recommended: 2.00 BPM on report people</strong>" in page
    assert "as the int8 file model.c on 5 simulated people" in page
    assert "3.50 BPM on search people, who chose." in page
    assert "40.0 KB of flash, 8.8 KB of SRAM, 0.75 ms and 0.060 mJ a reading." in page
    assert (
        "Between readings stm32h743 sleeps at 1 mW (0.02 to 16), whatever the network; "
        "average power, which budgets and objectives of power mean, adds the energy of a reading "
        "every 2 s and, where they count, the sensors."
    ) in page
    assert "sleeps" not in verdict_of(finalist())  # a card of an older version


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        (True, "0.060 mJ a reading, of which the path around the network (front end, decoder, "
               "smoother) has 20.0 KB, 4.0 KB, 0.25 ms and 0.020 mJ."),
        (False, "0.060 mJ a reading, without the path around the network."),
    ],
)  # fmt: skip
def test_what_stands_around_the_network_is_told(counted: bool, said: str) -> None:
    made = made_card()
    one = Bounds(0.25, 0.2, 0.4)
    path = PathCosts(
        counted, 32, 32, 1, 32, "hmm", one, Bounds(1e5, 9e4, 2e5), {"front end": 60_000},
        Bounds(20480, 20000, 21000), 4096, Bounds(0.02, 0.01, 0.03), one, one,
    )  # fmt: skip
    costs = replace(made.costs, energy_mj=Bounds(0.06, 0.05, 0.07), path=path)
    assert said in verdict_of(finalist(costs=costs))
    found = CardCosts.from_json(json.loads(json.dumps(asdict(costs))))
    assert found == costs
    assert ("path" in found.flash_parts) is counted


def test_doubts_about_expected_errors_are_one_line_a_reading() -> None:
    sure, wrong = HeldOut(8, 2.0, 2.0, 0.9, 1.1), HeldOut(8, 3.0, 1.0, 2.0, 4.0)
    open_ = HeldOut(8, 2.0, 2.0, 0.5, 1.9)

    def held(number: int, raw: HeldOut, smoothed: HeldOut) -> Finalist:
        rows: dict[Reading, HeldOut] = {"raw": raw, "smoothed": smoothed}
        told = ("Wears out.", *readout_cautions(rows))
        return finalist(number=number, confidence_held_out=rows, cautions=told)

    assert cautions(held(1, sure, wrong), held(2, open_, open_), held(3, sure, sure)) == [
        "Wears out: finalists 1, 2, 3.",
        "Expected errors of smoothed readings may not hold for other people (see Confidence): "
        "finalists 1, 2.",
        "Expected errors of raw readings may not hold for other people (see Confidence): "
        "finalist 2.",
    ]


def test_cautions_about_whose_errors_these_are() -> None:
    assert cautions(finalist(file=None)) == [
        "Errors are those of model.tflite, whatever the costs are of: an older version wrote the "
        "card: finalist 1."
    ]
    assert cautions(finalist(file="model.tflite", c=NotInC("a rate"))) == [
        "No C could be written, so errors are those of model.tflite; costs of an engine that runs "
        "C are those of no file: finalist 1."
    ]


def test_caution_about_smoke() -> None:
    (said,) = cautions(effort="smoke")
    assert said == (
        "Effort smoke: these networks are hardly trained, their errors say nothing; search again "
        "with --effort quick or more."
    )
    assert cautions(effort="quick") == []


def test_finalists_against_what_was_foretold_of_them() -> None:
    def one(number: int, foretold: float, retrained: float) -> Finalist:
        errors = SearchErrors(
            foretold=foretold,
            foretold_low=foretold - 1,
            foretold_high=foretold + 1,
            retrained_int8=retrained,
        )
        return finalist(number=number, search_mae_bpm=errors)

    good = [one(1, 2.0, 2.5), one(2, 3.0, 3.1), one(3, 4.0, 5.5)]
    assert cautions(*good) == []
    assert (
        "2 of 3 finalists lie within their foretold 90 % interval; Kendall&#39;s tau of the "
        "foretold order to the retrained one is 1.00."
    ) in verdict_of(*good)
    bad = [one(1, 4.0, 2.0), one(2, 3.5, 3.0), one(3, 2.0, 4.0)]
    assert cautions(*bad) == [
        "Retraining contradicts the order that was foretold of the finalists (Kendall's tau "
        "-1.00): others of the candidates may be better than they.",
        "Retraining gave errors outside of the 90 % interval that was foretold: finalists 1, 3. "
        "What is foretold of other candidates is as doubtful.",
    ]
    assert "to the retrained one is -1.00." in verdict_of(*bad)
    # Two have no order, and one alone outside is no surprise.
    assert cautions(one(1, 4.0, 2.0), one(2, 2.5, 3.0)) == []
    assert "1 of 2 finalists lie within their foretold 90 % interval." in verdict_of(
        one(1, 4.0, 2.0), one(2, 2.5, 3.0)
    )


def test_an_older_card_foretells_nothing() -> None:
    older = [finalist(number=n, inherited=1.0 + n, retrained=5.0 - n) for n in (1, 2, 3)]
    assert cautions(*older) == []
    assert "foretold" not in verdict_of(*older)


def test_caution_about_an_error_that_needs_no_network() -> None:
    def row(name: str, title: str, mae_bpm: float) -> BaselineRow:
        return BaselineRow(name, title, mae_bpm, 0.0, 30.0, 9.0, 9.0, 9.0, 0.5)

    rows = (
        row("peaks", "beats as peaks of the wave", 7.5),
        row("constant", "always 80 BPM", 15.0),
    )

    def said(mae_bpm: float, baselines: tuple[BaselineRow, ...] = rows) -> list[str]:
        return cautions(finalist(mae_bpm=mae_bpm), baselines=baselines)

    assert said(7.5) == [
        "Finalist 1 errs by 7.50 BPM on report people, and peaks (beats as peaks of the wave), "
        "without any network, by 7.50."
    ]
    assert "constant (always 80 BPM), without any network" in said(16.0, rows[1:])[0]
    assert said(7.49) == said(90.0, ()) == []


def test_caution_about_a_search_that_had_no_time(tmp_path: Path) -> None:
    assert steps_in_time(tmp_path) is None
    effort = asdict(EFFORTS["quick"])
    (tmp_path / DECISIONS).write_text(json.dumps({"all": effort}))
    assert steps_in_time(tmp_path) is None
    told = {"all": effort, "finalists": {**effort, "finetune_steps": 3}}
    (tmp_path / DECISIONS).write_text(json.dumps(told))
    steps = steps_in_time(tmp_path)
    assert steps == 3 and cautions(finalist(), float_steps=FEW_STEPS) == []
    assert cautions(finalist(), float_steps=steps) == [
        "In its time the search could train each finalist for about 3 steps, where effort quick "
        "takes 1,200: these networks are hardly trained; search again with more --time."
    ]
