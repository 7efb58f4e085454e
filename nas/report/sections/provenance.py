"""Where the numbers come from: command, seed, versions, data, people, time."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from nas.report.loading import RunData, look, number, table
from nas.report.page import BLUE, Section, section
from nas.run.units import format_duration

_PARTS = ("train", "search", "report")
# Shown on their own, above the rest of run.toml.
_OWN = {"split", "versions", "time_s"}


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, str]:
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


def _provenance_info(run: RunData) -> dict[str, Any]:
    """Plain data: facts first, then people of each part, versions, seconds, every other key."""
    config = run.config
    people = {}
    for part in _PARTS:
        listed = look(config, "split", part)
        people[part] = [str(person) for person in listed] if isinstance(listed, list) else []
    shared = sorted(
        {p for a, b in combinations(_PARTS, 2) for p in set(people[a]) & set(people[b])}
    )
    facts = {
        "command": look(config, "run", "command"),
        "run": str(run.path),
        "seed": look(config, "run", "seed"),
        "ppgnas": look(config, "run", "version"),
        "created": look(config, "run", "created"),
        "board": run.board,
        "engine": run.engine,
        "data": look(config, "data", "source"),
        "synthetic": "yes" if run.synthetic else "no",
        "data fingerprint": look(config, "data", "fingerprint"),
    }
    times = {key: number(config, "time_s", key) for key in table(config, "time_s")}
    rest = {key: value for key, value in config.items() if key not in _OWN}
    return {
        "facts": {key: str(value) for key, value in facts.items() if value is not None},
        "people": people,
        "shared_people": shared,
        "versions": _flat(table(config, "versions")),
        "time_s": {key: value for key, value in times.items() if value is not None},
        "rest": _flat(rest),
    }


def provenance_section(run: RunData) -> Section:
    """The last section."""
    return section(
        "report/provenance.html",
        "Provenance",
        results=False,
        **_provenance_info(run),
        duration=format_duration,
        color=BLUE,
    )
