"""Attainment bands, and the page of a contest."""

from __future__ import annotations

import json

from nas.bench.search.contest import Contest
from nas.bench.search.figures import figures
from nas.bench.search.page import bands, contest_page, contest_text, draw_bands
from tests.nas.bench.search.made import contest_of, record


def whole() -> Contest:
    made = record("hand-made", 1.0, 3.0, 4.0, name="small")
    over = record("hand-made", 9.0, 3.0, 4.0, name="large", fits=False)
    seeds = (
        [record("found", 2.0, 3.0, 3.0), record("found", 4.0, 2.0, 2.0)],
        [record("found", 3.0, 3.0, 5.0)],
        [record("found", 2.0, 3.0, 4.0), record("found", 6.0, 1.0, 6.0)],
    )
    return contest_of(*([*found, record("random", 4.0, 3.0, 4.5), made, over] for found in seeds))


def test_bands_begin_where_every_seed_has_a_network() -> None:
    band = bands(whole())[0]
    assert band.side == "found"
    assert band.latency_ms == (3.0, 4.0, 6.0)
    assert band.best_bpm == (3.0, 2.0, 2.0)
    assert band.median_bpm == (4.0, 4.0, 5.0)  # a step may go up: search people chose
    assert band.worst_bpm == (5.0, 5.0, 6.0)


def test_bands_are_drawn_as_steps_that_go_on() -> None:
    drawn = json.loads(draw_bands(bands(whole()), synthetic=True).to_json())
    best, worst, middle = drawn["data"][:3]
    assert [line["line"]["shape"] for line in drawn["data"]] == ["hv"] * len(drawn["data"])
    assert (best["y"][-1], middle["y"][-1], worst["y"][-1]) == (2.0, 5.0, 6.0)
    assert worst["fill"] == "tonexty" and middle["name"] == "found"
    assert drawn["layout"]["annotations"][0]["text"] == "synthetic data"


def test_a_contest_without_networks_draws_an_empty_figure() -> None:
    contest = contest_of([record("found", 2.0, 3.0, 3.0, fits=False)])
    assert bands(contest) == []
    assert len(draw_bands([], synthetic=False).data) == 0


def test_the_page_says_everything() -> None:
    contest = whole()
    found = figures(contest)
    page = contest_page(found, bands(contest), command="ppgnas bench search x", plot="x.html")
    assert "    ppgnas bench search x\n" in page and "(x.html)" in page
    assert "**Synthetic recordings.** Seeds 0, 1, 2; 2 report people." in page
    assert "MAE, latency: mae_bpm 10, latency_ms 10" in page
    assert "| found | 2, 1, 2 | 2, 1, 2 | 1.0, 1.0, 1.0 |" in page
    assert "| large (over budget) |" in page
    assert "| small | 500 B | 1000 B | 1.00 ms | 4.00 | 2.00 | 0 of 3 | none found" in page
    assert "| 6.00 ms | 5.00 (2.00 to 6.00) | 4.50 (4.50 to 4.50) |" in page
    text = contest_text(found)
    assert "SYNTHETIC" in text and "none found that is as small" in text
