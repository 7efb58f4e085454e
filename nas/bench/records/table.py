"""Tables of `ppgnas bench records`: mean over people, seeds, activities, and the worst people.

MAE is the mean over people of each person's MAE over all folds. The deviation is over seeds, of
that mean (n - 1 in the denominator; none with one seed). The interval, 90 %, comes from resampling
people, whose MAE is first averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.bench.records.jobs import read_record
from ppg.people.metrics import bootstrap_mean
from ppg.people.protocols import options_of
from ppg.recording import data_set_of
from ppgnas.errors import RunError
from ppgnas.tables import markdown_table

COLUMNS = ("raw", "clip", "hmm")
WORST = 5
_RUN = ("protocol", "clock", "network", "id", "effort", "teacher", "teacher_sha256", "recipe")


def gather_records(folder: Path) -> list[dict[str, Any]]:
    """All files below a folder, in the order of their paths.

    Raises:
        RunError: there is none, or one is damaged.
    """
    files = sorted(folder.rglob("fold-*.json"))
    if not files:
        raise RunError(f"{folder} holds no result of `ppgnas bench records`; run it first")
    return [read_record(file) for file in files]


def whole_seeds(
    records: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Leave out seeds of which a fold is missing: their mean would be of other people.

    Returns:
        The others, and a line on each seed that is left out.
    """
    whole, left_out = [], []
    for key, group in _groups(records, (*_RUN, "seed")).items():
        count = group[0]["folds"]
        if len(group) == count:
            whole += group
        else:
            protocol, clock, network, seed = (key[i] for i in (0, 1, 2, -1))
            left_out.append(
                f"{protocol}, {clock} clock, {network}, seed {seed}: {len(group)} of {count} folds"
            )
    return whole, left_out


def summarise(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each protocol, clock, network, effort and teacher, and tested data set."""
    return [
        _entry(group, name)
        for group in _groups(records, _RUN).values()
        for name in sorted(
            {data_set_of(person) for record in group for person in record["people"]}
        )
    ]


def _groups(
    records: Sequence[dict[str, Any]], keys: Sequence[str]
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(tuple(record["identity"][key] for key in keys), []).append(record)
    return groups


def _entry(records: list[dict[str, Any]], data_set: str) -> dict[str, Any]:
    identity = records[0]["identity"]
    seeds = sorted({record["identity"]["seed"] for record in records})
    columns = [c for c in COLUMNS if all(_has(record, c) for record in records)]
    # people[person][column] -> one value a seed
    people: dict[str, dict[str, dict[int, float]]] = {}
    activities: dict[str, dict[str, dict[str, list[float]]]] = {}
    windows: dict[str, int] = {}
    for record in records:
        seed = record["identity"]["seed"]
        for person, row in record["people"].items():
            if data_set_of(person) != data_set:
                continue
            windows[person] = row["windows"]
            for column in columns:
                found = people.setdefault(person, {}).setdefault(column, {})
                found[seed] = row["mae_bpm"][column]
            for name, part in row["activities"].items():
                of = activities.setdefault(name, {}).setdefault(person, {})
                for column in columns:
                    of.setdefault(column, []).append(part["mae_bpm"][column])
    by_person = {
        person: {column: float(np.mean(list(of[column].values()))) for column in columns}
        for person, of in people.items()
    }
    figures = {}
    for column in columns:
        by_seed = [
            float(np.mean([of[column][seed] for of in people.values() if seed in of[column]]))
            for seed in seeds
        ]
        values = [row[column] for row in by_person.values()]
        low, high = bootstrap_mean(values)
        figures[column] = {
            "mae_bpm": float(np.mean(by_seed)),
            "deviation_bpm": float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else None,
            "low_bpm": low,
            "high_bpm": high,
            "median_person_bpm": float(np.median(values)),
        }
    return {
        **{key: identity[key] for key in _RUN},
        "dataset": data_set,
        "seeds": seeds,
        "jobs": len(records),
        "people": dict(sorted(by_person.items(), key=lambda item: -item[1]["raw"])),
        "windows": windows,
        "figures": figures,
        "activities": {
            name: {
                "people": len(of),
                **{
                    column: float(np.mean([np.mean(row[column]) for row in of.values()]))
                    for column in columns
                },
            }
            for name, of in sorted(activities.items())
        },
        "costs": records[0].get("costs"),
        "synthetic": any(record["synthetic"] for record in records),
        "time_s": float(sum(record["time_s"] for record in records)),
    }


def _has(record: dict[str, Any], column: str) -> bool:
    return all(column in row["mae_bpm"] for row in record["people"].values())


def markdown(entries: Sequence[dict[str, Any]], *, data: str, left_out: Sequence[str] = ()) -> str:
    """The page: one table a protocol, then activities and the worst people of each network.

    Args:
        entries: of `summarise`.
        data: folder of the recordings, for the commands.
        left_out: of `whole_seeds`.
    """
    lines = [
        "# Protocols of the literature",
        "",
        "MAE in BPM: mean over people of each person's mean absolute error, int8 arithmetic; "
        "+- is the deviation over seeds, brackets hold 90 % intervals from resampling people. "
        "raw: each window alone (but baseline:wiener follows the heart rate); clip: within 10 % "
        "of the mean of the last ten readings; hmm: causal hidden-Markov smoother. Clock: whether "
        "the lag of the labels is corrected. ms: estimated for an STM32H743 with the "
        "generated C. Below each heading: what makes it.",
    ]
    if any(entry["synthetic"] for entry in entries):
        lines += ["", "**Some of these recordings are SYNTHETIC.**"]
    if left_out:
        lines += ["", "Left out, because folds are missing:", ""]
        lines += [f"* {line}" for line in left_out]
    for protocol in sorted({(entry["protocol"], entry["clock"]) for entry in entries}):
        members = [e for e in entries if (e["protocol"], e["clock"]) == protocol]
        members.sort(key=lambda e: (e["dataset"], e["figures"]["raw"]["mae_bpm"]))
        lines += ["", f"## {protocol[0]}, {protocol[1]} clock", ""]
        lines += [*(f"    {command}" for command in _commands(members, data)), ""]
        table = markdown_table(
            (
                "network",
                "tested",
                "weights B",
                "MAC",
                "ms",
                "training",
                "seeds",
                "people",
                *COLUMNS,
                "median person raw",
                "hmm",
            ),
            [
                (
                    entry["network"],
                    entry["dataset"],
                    *_cost_cells(entry["costs"]),
                    _training(entry),
                    len(entry["seeds"]),
                    len(entry["people"]),
                    *(_figure(entry["figures"].get(column)) for column in COLUMNS),
                    *(_median(entry["figures"].get(column)) for column in ("raw", "hmm")),
                )
                for entry in members
            ],
        )
        lines.append(table)
        for entry in members:
            lines += _details(entry)
    return "\n".join(lines) + "\n"


def _commands(members: Sequence[dict[str, Any]], data: str) -> list[str]:
    """What makes the entries of one protocol: a command for each kind of training."""
    networks: dict[tuple[Any, ...], dict[str, None]] = {}
    for entry in members:
        trained = (entry["effort"], entry["teacher"], len(entry["seeds"]))
        networks.setdefault(trained, {})[entry["network"]] = None
    commands = []
    for (effort, teacher, seeds), names in networks.items():
        words = ["ppgnas bench records", *options_of(members[0]["protocol"]), "--data", data]
        words += ["--network", ",".join(names)]
        if effort is not None:
            words += ["--seeds", str(seeds)]
            words += [] if effort == "standard" else ["--effort", effort]
            words += [] if teacher == "none" else ["--teacher", teacher]
        if members[0]["clock"] != "corrected":
            words += ["--label-clock", members[0]["clock"]]
        commands.append(" ".join(words))
    return commands


def _training(entry: dict[str, Any]) -> str:
    if entry["effort"] is None:
        return "none"
    return f"{entry['effort']}, teacher {entry['teacher']}"


def _cost_cells(costs: dict[str, Any] | None) -> tuple[str, str, str]:
    if costs is None:
        return "-", "-", "-"
    return f"{costs['weight_bytes']:,}", f"{costs['macs']:,}", f"{costs['latency_ms']:.2f}"


def _figure(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    deviation = "" if row["deviation_bpm"] is None else f" +- {row['deviation_bpm']:.2f}"
    return f"{row['mae_bpm']:.2f}{deviation} [{row['low_bpm']:.2f}, {row['high_bpm']:.2f}]"


def _median(row: dict[str, Any] | None) -> str:
    return "-" if row is None else f"{row['median_person_bpm']:.2f}"


def _details(entry: dict[str, Any]) -> list[str]:
    columns = [column for column in COLUMNS if column in entry["figures"]]

    def cells(row: dict[str, Any]) -> list[str]:
        return [f"{row[column]:.2f}" for column in columns]

    worst = list(entry["people"].items())
    lines = ["", f"### {entry['network']} on {entry['dataset']} ({_training(entry)})", ""]
    if set(entry["activities"]) - {"unknown"}:
        rows = [(name, row["people"], *cells(row)) for name, row in entry["activities"].items()]
        lines += [markdown_table(("activity", "people", *columns), rows), ""]
    shown = [(name, entry["windows"][name], *cells(row)) for name, row in worst[:WORST]]
    lines += [f"Worst {len(shown)} of {len(worst)} people:", ""]
    return [*lines, markdown_table(("person", "windows", *columns), shown)]
