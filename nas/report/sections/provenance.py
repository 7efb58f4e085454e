"""Where the numbers come from: command, seed, versions, data, people, time."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from nas.report.loading import RunData, look, number, table
from nas.report.page import BLUE, Section, name, text

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


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _list(pairs: dict[str, str]) -> str:
    items = "".join(f"<dt>{text(key)}</dt><dd>{name(value)}</dd>" for key, value in pairs.items())
    return f'<dl class="facts">{items}</dl>'


def _times(times: dict[str, float]) -> str:
    phases = {key: value for key, value in times.items() if key != "total"}
    longest = max(phases.values(), default=0.0)
    items = ""
    for key, value in times.items():
        bar = ""
        if key in phases and longest > 0:
            width = f"width:{100 * value / longest:.1f}%;background:{BLUE}"
            bar = f'<div class="bar"><i style="{width}"></i></div>'
        items += f"<dt>{text(key)}</dt><dd>{duration(value)}{bar}</dd>"
    return f'<dl class="facts">{items}</dl>'


def _people(info: dict[str, Any]) -> str:
    counts = {part: len(listed) for part, listed in info["people"].items()}
    if not any(counts.values()):
        return ""
    if info["shared_people"]:
        shared = ", ".join(name(person) for person in info["shared_people"])
        verdict = f'<p class="over">People in more than one part: {shared}</p>'
    else:
        verdict = '<p class="note">No person is in two parts.</p>'
    lists = "".join(
        f"<details><summary>{part}: {counts[part]} people</summary><ul class='people'>"
        + "".join(f"<li>{name(person)}</li>" for person in listed)
        + "</ul></details>"
        for part, listed in info["people"].items()
    )
    return f"<h3>People</h3>{verdict}{lists}"


def _draw_provenance(info: dict[str, Any]) -> str:
    left = _list(info["facts"]) + _people(info)
    right = f"<h3>Wall time</h3>{_times(info['time_s'])}" if info["time_s"] else ""
    right += f"<h3>Versions</h3>{_list(info['versions'])}" if info["versions"] else ""
    rest = (
        f"<details><summary>The whole configuration</summary>{_list(info['rest'])}</details>"
        if info["rest"]
        else ""
    )
    return f'<div class="pair"><div>{left}</div><div>{right}</div></div>{rest}'


def provenance_section(run: RunData) -> Section:
    """The last section."""
    body = _draw_provenance(_provenance_info(run))
    return Section("provenance", "Provenance", body, results=False)
