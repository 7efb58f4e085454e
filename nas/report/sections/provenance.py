"""Where the numbers come from: command, seed, versions, data, people, time."""

from __future__ import annotations

from collections.abc import Mapping

from distill.teachers.names import TeacherFacts
from nas.report.figures import BLUE
from nas.report.loading import RunData
from nas.report.page import Section, section
from nas.run.units import format_duration

# Shown on their own, above the rest of run.toml.
_OWN = {"split", "one_person", "versions", "time_s", "core_s", "taught_by"}


def _flat(document: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            found[f"{prefix}{key}"] = ", ".join(str(item) for item in value)
        elif isinstance(value, bool):
            found[f"{prefix}{key}"] = "yes" if value else "no"
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def _facts(run: RunData) -> dict[str, str]:
    document = run.document
    without = document.unlabelled
    return {
        "command": document.command,
        "run": str(run.path),
        "seed": str(document.config.seed),
        "ppgnas": document.version,
        "created": document.created,
        "board": run.board,
        "engine": run.engine,
        "mode": document.config.mode,
        "reads": " or ".join(sorted({str(one.arch.task) for one in run.candidates})),
        "data": document.config.data,
        "synthetic": "yes" if run.synthetic else "no",
        "data fingerprint": document.fingerprint,
        **({} if without is None else {"labelled by the teacher alone": without.sentence}),
    }


def _rest(run: RunData) -> dict[str, str]:
    """Every other key of run.toml, dotted."""
    document = run.document.to_toml()
    return _flat({key: value for key, value in document.items() if key not in _OWN})


def _teachers(run: RunData) -> list[TeacherFacts]:
    """The teacher and, where it is an ensemble, its members."""
    whole = run.document.taught_by
    return [] if whole is None else [whole, *whole.members]


def provenance_section(run: RunData) -> Section:
    """The last section."""
    return section(
        "report/provenance.html",
        "Provenance",
        results=False,
        facts=_facts(run),
        rest=_rest(run),
        document=run.document,
        people=run.document.split.to_json(),
        duration=format_duration,
        teachers=_teachers(run),
        color=BLUE,
    )
