"""Tables of `ppgnas bench records`: mean over people, seeds, activities, and the worst people.

MAE is the mean over people of each person's MAE over all folds. The deviation is over seeds, of
that mean (n - 1 in the denominator; none with one seed). The interval, 90 %, comes from resampling
people, whose MAE is first averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from nas.bench.records.record import Errors, Record, RecordCosts, Setting, read_record
from ppg.people.metrics import bootstrap_mean
from ppg.people.protocols import options_of
from ppg.recording import data_set_of
from ppgnas.errors import RunError
from ppgnas.tables import counted, markdown_table

COLUMNS = ("raw", "clip", "hmm")
WORST = 5


@dataclass(frozen=True)
class Figure:
    """The mean error of one column in BPM; see the module."""

    mae_bpm: float
    deviation_bpm: float | None
    low_bpm: float
    high_bpm: float
    median_person_bpm: float

    @property
    def with_deviation(self) -> str:
        """`2.10 +- 0.05`."""
        deviation = "" if self.deviation_bpm is None else f" +- {self.deviation_bpm:.2f}"
        return f"{self.mae_bpm:.2f}{deviation}"


@dataclass(frozen=True)
class Entry:
    """A network under a protocol, on one of the tested data sets.

    Attributes:
        people: by name, MAE of each column, the worst first.
        activities: name -> MAE of each column, and `people` who did it.
    """

    setting: Setting
    dataset: str
    seeds: list[int]
    jobs: int
    people: dict[str, dict[str, float]]
    windows: dict[str, int]
    figures: dict[str, Figure]
    activities: dict[str, dict[str, float]]
    costs: RecordCosts | None
    synthetic: bool
    time_s: float

    def to_json(self) -> dict[str, Any]:
        """An element of `records` in `ppgnas bench records --json`."""
        plain = asdict(self)
        return {**plain.pop("setting"), **plain}

    @property
    def training(self) -> str:
        """How the network was trained, for people."""
        setting = self.setting
        if setting.effort is None:
            return "none"
        return f"{setting.effort}, teacher {setting.teacher}"


def gather_records(folder: Path) -> list[Record]:
    """All files below a folder, in the order of their paths.

    Raises:
        RunError: there is none, or one is damaged.
    """
    files = sorted(folder.rglob("fold-*.json"))
    if not files:
        raise RunError(f"{folder} holds no result of `ppgnas bench records`; run it first")
    return [read_record(file) for file in files]


def whole_seeds(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Leave out seeds of which a fold is missing: their mean would be of other people.

    Returns:
        The others, and a line on each seed that is left out.
    """
    whole, left_out = [], []
    by_seed: dict[tuple[Setting, int], list[Record]] = {}
    for record in records:
        by_seed.setdefault((record.identity.setting, record.identity.seed), []).append(record)
    for (setting, seed), group in by_seed.items():
        if len(group) == group[0].folds:
            whole += group
        else:
            left_out.append(
                f"{setting.protocol}, {setting.clock} clock, {setting.network}, seed {seed}: "
                f"{len(group)} of {group[0].folds} folds"
            )
    return whole, left_out


def summarise(records: Sequence[Record]) -> list[Entry]:
    """One entry for each protocol, clock, network, effort and teacher, and tested data set."""
    groups: dict[Setting, list[Record]] = {}
    for record in records:
        groups.setdefault(record.identity.setting, []).append(record)
    return [
        _entry(group, name)
        for group in groups.values()
        for name in sorted({data_set_of(person) for record in group for person in record.people})
    ]


def _entry(records: list[Record], data_set: str) -> Entry:
    rows = [
        (record.identity.seed, person, row)
        for record in records
        for person, row in record.people.items()
        if data_set_of(person) == data_set
    ]
    everybody = [row for record in records for row in record.people.values()]
    columns = [c for c in COLUMNS if all(c in row.mae_bpm for row in everybody)]
    seeds = sorted({record.identity.seed for record in records})
    of_person: dict[str, list[Errors]] = {}
    of_activity: dict[str, dict[str, list[Errors]]] = {}
    for _, person, row in rows:
        of_person.setdefault(person, []).append(row)
        for name, part in row.activities.items():
            of_activity.setdefault(name, {}).setdefault(person, []).append(part)
    people = {person: _mean_of(found, columns) for person, found in of_person.items()}
    figures = {}
    for column in columns:
        by_seed = [
            fmean(row.mae_bpm[column] for seed, _, row in rows if seed == one)
            for one in seeds
            if any(seed == one for seed, _, _ in rows)
        ]
        values = [person[column] for person in people.values()]
        low, high = bootstrap_mean(values)
        figures[column] = Figure(
            fmean(by_seed), stdev(by_seed) if len(by_seed) > 1 else None, low, high, median(values)
        )
    return Entry(
        setting=records[0].identity.setting,
        dataset=data_set,
        seeds=seeds,
        jobs=len(records),
        people=dict(sorted(people.items(), key=lambda item: -item[1]["raw"])),
        windows={person: row.windows for _, person, row in rows},
        figures=figures,
        activities={
            name: {"people": len(of), **_mean_over([_mean_of(e, columns) for e in of.values()])}
            for name, of in sorted(of_activity.items())
        },
        costs=records[0].costs,
        synthetic=any(record.synthetic for record in records),
        time_s=sum(record.time_s for record in records),
    )


def _mean_of(errors: Sequence[Errors], columns: Sequence[str]) -> dict[str, float]:
    return {column: fmean(one.mae_bpm[column] for one in errors) for column in columns}


def _mean_over(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {column: fmean(row[column] for row in rows) for column in rows[0]}


def markdown(entries: Sequence[Entry], *, data: str, left_out: Sequence[str] = ()) -> str:
    """The page: one table a protocol, then activities and the worst people of each network.

    Args:
        data: folder of the recordings, for the commands.
    """
    lines = [
        "# Protocols of the literature",
        "",
        "MAE in BPM: mean over people of each person's mean absolute error, int8 arithmetic; "
        "+- is the deviation over seeds, brackets hold 90 % intervals from resampling people. "
        "raw: each window alone (but baseline:wiener follows the heart rate); clip: within 10 % "
        "of the mean of the last ten readings; hmm: causal hidden-Markov smoother. Clock: whether "
        "the lag of the labels is corrected. ms: estimated for an STM32H743 with the "
        "generated C, whose rounding gives the errors (`file` of a record; model.tflite in those "
        "of an older version). Below each heading: what makes it.",
    ]
    if any(entry.synthetic for entry in entries):
        lines += ["", "**Some of these recordings are SYNTHETIC.**"]
    if left_out:
        lines += ["", "Left out, because folds are missing:", ""]
        lines += [f"* {line}" for line in left_out]
    for protocol in sorted({(entry.setting.protocol, entry.setting.clock) for entry in entries}):
        members = [e for e in entries if (e.setting.protocol, e.setting.clock) == protocol]
        members.sort(key=lambda e: (e.dataset, e.figures["raw"].mae_bpm))
        lines += ["", f"## {protocol[0]}, {protocol[1]} clock", ""]
        lines += [*(f"    {command}" for command in _commands(members, data)), ""]
        table = markdown_table(
            (
                *("network", "tested", "weights B", "MAC", "ms", "training", "seeds", "people"),
                *(*COLUMNS, "median person raw", "hmm"),
            ),
            [
                (
                    entry.setting.network,
                    entry.dataset,
                    *_cost_cells(entry.costs),
                    entry.training,
                    len(entry.seeds),
                    len(entry.people),
                    *(_figure(entry.figures.get(column)) for column in COLUMNS),
                    *(_median(entry.figures.get(column)) for column in ("raw", "hmm")),
                )
                for entry in members
            ],
        )
        lines.append(table)
        for entry in members:
            lines += _details(entry)
    return "\n".join(lines) + "\n"


def _commands(members: Sequence[Entry], data: str) -> list[str]:
    """What makes the entries of one protocol: a command for each kind of training."""
    networks: dict[tuple[Any, ...], dict[str, None]] = {}
    for entry in members:
        trained = (entry.setting.effort, entry.setting.teacher, len(entry.seeds))
        networks.setdefault(trained, {})[entry.setting.network] = None
    commands = []
    for (effort, teacher, seeds), names in networks.items():
        words = ["ppgnas bench records", *options_of(members[0].setting.protocol), "--data", data]
        words += ["--network", ",".join(names)]
        if effort is not None:
            words += ["--seeds", str(seeds)]
            words += [] if effort == "standard" else ["--effort", effort]
            words += [] if teacher == "none" else ["--teacher", teacher]
        if members[0].setting.clock != "corrected":
            words += ["--label-clock", members[0].setting.clock]
        commands.append(" ".join(words))
    return commands


def _cost_cells(costs: RecordCosts | None) -> tuple[str, str, str]:
    if costs is None:
        return "-", "-", "-"
    return f"{costs.weight_bytes:,}", f"{costs.macs:,}", f"{costs.latency_ms:.2f}"


def _figure(found: Figure | None) -> str:
    if found is None:
        return "-"
    return f"{found.with_deviation} [{found.low_bpm:.2f}, {found.high_bpm:.2f}]"


def _median(found: Figure | None) -> str:
    return "-" if found is None else f"{found.median_person_bpm:.2f}"


def _details(entry: Entry) -> list[str]:
    columns = [column for column in COLUMNS if column in entry.figures]

    def cells(row: dict[str, float]) -> list[str]:
        return [f"{row[column]:.2f}" for column in columns]

    worst = list(entry.people.items())
    lines = ["", f"### {entry.setting.network} on {entry.dataset} ({entry.training})", ""]
    if set(entry.activities) - {"unknown"}:
        rows = [(name, row["people"], *cells(row)) for name, row in entry.activities.items()]
        lines += [markdown_table(("activity", "people", *columns), rows), ""]
    shown = [(name, entry.windows[name], *cells(row)) for name, row in worst[:WORST]]
    lines += [f"Worst {len(shown)} of {counted(len(worst), 'person', 'people')}:", ""]
    return [*lines, markdown_table(("person", "windows", *columns), shown)]
