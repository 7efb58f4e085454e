"""Counts in sentences have their singular."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas.cli.predict import trace_text
from nas.models.predict import TraceSummary
from nas.run.unlabelled import UnlabelledFacts
from ppgnas.tables import counted

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((0, "window"), "0 windows"),
        ((1, "window"), "1 window"),
        ((1, "person", "people"), "1 person"),
        ((2, "person", "people"), "2 people"),
        ((1, "recording has", "recordings have"), "1 recording has"),
        ((1204, "recording has", "recordings have"), "1,204 recordings have"),
    ],
)
def test_one_is_no_plural(words: tuple[int, str, str], said: str) -> None:
    assert counted(*words) == said


@pytest.mark.parametrize(("count", "said"), [(1, "1 reading,"), (2, "2 readings,")])
def test_readings_of_a_trace(count: int, said: str) -> None:
    summary = TraceSummary("a/b", count, 0, 60.0, 70.0, None, 0, None, None, synthetic=False)
    assert said in trace_text(summary)


@pytest.mark.parametrize(("people", "said"), [(1, "1 person, "), (3, "3 people, ")])
def test_people_without_a_reference(people: int, said: str) -> None:
    facts = UnlabelledFacts(source="x", fingerprint="f", recordings=4, people=people, hours=2.0)
    assert facts.sentence.startswith(said)


def test_no_sentence_has_a_bare_count_of_people() -> None:
    """`{count} people` reads "1 people" one day; constants and names of groups may stand so."""
    bare = re.compile(r"\{(?![A-Z_]+\}|who\}|counts\})[^{}]+\} (?:report |search )?people\b")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for room in ("nas", "ppg", "distill", "deploy", "hwmodels")
        for path in sorted((ROOT / room).rglob("*.py"))
        for match in bare.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == ALLOWED


# More than one for sure, by a condition before.
ALLOWED = [
    "nas/bench/distillation/work.py: {ground.seed} people",
    "nas/report/order.py: {self.people} search people",
    "nas/report/order.py: {self.people} people",
]
