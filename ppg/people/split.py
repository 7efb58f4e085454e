"""Who trains, who ranks candidates, who is read once at the end: a split of people.

Windows overlap and people differ, so that only people are ever split. Training people fit
weights, search people rank candidates, report people are read once, at the end.

Of some data sets it is not known which recordings belong to one person (`UNMAPPED`). They stay
on one side of a split, as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ppg.recording import Recording, data_set_of
from ppgnas.errors import DataError
from ppgnas.files import reason, text_of
from ppgnas.parsing import parse_json
from ppgnas.tables import counted

Part = Literal["train", "search", "report"]
PARTS: tuple[Part, ...] = get_args(Part)
# Welltory: 13 people in 21 files, mapping unknown (Neshitov et al., Sensors 21, 2021).
UNMAPPED = frozenset({"welltory"})
SEARCH_SHARE = 0.15  # of the people who are not in report
REPORT_SHARE = 0.2  # of all people
REPORT_FROM_SHARE = 0.4  # of the people of one data set


def people_of(recordings: Iterable[Recording]) -> list[str]:
    """People with at least one usable window, sorted."""
    return sorted({r.person for r in recordings if bool(r.usable.any())})


def mapped(people: Iterable[str]) -> list[str]:
    """Without those of data sets in which one person may stand under several names."""
    return [person for person in people if data_set_of(person) not in UNMAPPED]


@dataclass(frozen=True)
class Split:
    """People (`dataset/subject`) of each part; nobody is in two of them.

    Attributes:
        train: fit weights.
        search: rank candidates.
        report: read once, at the end.
    """

    train: tuple[str, ...]
    search: tuple[str, ...]
    report: tuple[str, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for part in PARTS:
            people = getattr(self, part)
            if not people:
                raise DataError(f"split: nobody is in {part}; each part needs at least 1 person.")
            for person in people:
                if person in seen:
                    where = f"both {seen[person]} and {part}"
                    where = f"{part} twice" if seen[person] == part else where
                    raise DataError(
                        f"split: {person!r} is in {where}; each person may stand once, in one "
                        "part."
                    )
                seen[person] = part
        for name in UNMAPPED:
            sides = sorted({part for person, part in seen.items() if data_set_of(person) == name})
            if len(sides) > 1:
                raise DataError(
                    f"split: {name} is in {' and '.join(sides)}; which of its recordings belong "
                    f"to one person is unknown. Keep all of it in one part."
                )

    def select(self, recordings: Iterable[Recording], part: Part) -> list[Recording]:
        """The recordings of the people of one part, in their order.

        Raises:
            DataError: `part` is none of these, or a person has no recording.
        """
        if part not in PARTS:
            raise DataError(f"split: no part {part!r}; allowed: {', '.join(PARTS)}.")
        people = set(getattr(self, part))
        chosen = [recording for recording in recordings if recording.person in people]
        missing = sorted(people - {recording.person for recording in chosen})
        if missing:
            raise DataError(
                f"split: no recording of {', '.join(missing)}, who are in {part}. Give the data "
                f"that the split was made for."
            )
        return chosen

    def to_json(self) -> dict[str, list[str]]:
        """Plain values, as `read_split` reads them."""
        return {part: list(people) for part, people in asdict(self).items()}


def draw_split(
    recordings: Iterable[Recording], *, seed: int, report_from: str | None = None
) -> Split:
    """Draw people by seed, each data set in proportion.

    People without a usable window are left out. The data sets of `UNMAPPED` go to train, unless
    `report_from` names one.

    Args:
        seed: 0 or more; the draw in one data set does not depend on the other data sets' names.
        report_from: take the report people from this data set alone: about 40 % of its people,
            at least 1; the others join train and search.

    Raises:
        DataError: too few people, or an unknown data set.
    """
    _check_seed(seed)
    people = people_of(recordings)
    names = sorted({data_set_of(person) for person in people})
    if report_from is not None and report_from not in names:
        raise DataError(
            f"split: no labelled person in data set {report_from!r}; allowed: {', '.join(names)}."
        )
    eligible = mapped(people)
    home = [p for p in people if report_from in (None, data_set_of(p))]
    report = home
    if report_from not in UNMAPPED:
        if len(eligible) < 3:
            raise DataError(
                f"split: {counted(len(eligible), 'person', 'people')} with usable windows; at "
                "least 3 are needed, one each to train, to search and to report on. Add "
                f"recordings of other people ({', '.join(sorted(UNMAPPED))} does not count)."
            )
        share = REPORT_SHARE if report_from is None else REPORT_FROM_SHARE
        home = mapped(home)
        count = int(np.clip(round(share * len(home)), 1, len(eligible) - 2))
        report = _draw(home, count=count, seed=seed, purpose="report")
    rest = sorted(set(eligible) - set(report))
    search = _draw_search(rest, seed=seed)
    train = sorted(set(people) - set(report) - set(search))
    return Split(tuple(train), tuple(search), tuple(report))


def split_before_report(
    recordings: Iterable[Recording], report_recordings: Iterable[Recording], *, seed: int
) -> Split:
    """Split `recordings` into train and search; everybody of `report_recordings` is report.

    Raises:
        DataError: fewer than 2 people to train and search, nobody to report on, or somebody is
            in both folders.
    """
    _check_seed(seed)
    people = people_of(recordings)
    report = people_of(report_recordings)
    search = _draw_search(mapped(people), seed=seed)
    train = sorted(set(people) - set(search))
    return Split(tuple(train), tuple(search), tuple(report))


def read_split(
    path: Path,
    recordings: Iterable[Recording] | None = None,
    *,
    also: Mapping[str, tuple[str, ...]] | None = None,
) -> Split:
    """Read `{"train": [...], "search": [...], "report": [...]}`; people not listed are left out.

    Args:
        path: a JSON file; people are `dataset/subject`.
        recordings: if given, each listed person must have one with a usable window.
        also: other names of people, see `ppg.identity.United`; the split has none of them.

    Raises:
        DataError: the file is missing or malformed, a part is missing or empty, a person stands
            in two parts, under one name or several, or is unknown.
    """
    try:
        document: Any = parse_json(text_of(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the split cannot be read: {reason(error)}. It is a JSON file with the lists "
            f"{', '.join(PARTS)}."
        ) from error
    if not isinstance(document, dict) or set(document) != set(PARTS):
        seen = ", ".join(map(str, document)) if isinstance(document, dict) else "no object"
        raise DataError(f"{path}: the split holds {seen or 'nothing'}; allowed: {_LISTS}.")
    for part in PARTS:
        people = document[part]
        if not isinstance(people, list) or not all(isinstance(name, str) for name in people):
            raise DataError(f"{path}: {part} is {people!r:.60}; allowed: a list of people.")
    try:
        split = Split(**{part: tuple(document[part]) for part in PARTS})
        split = _united(split, also or {})
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if recordings is not None:
        known = people_of(recordings)
        unknown = [p for part in PARTS for p in getattr(split, part) if p not in set(known)]
        if unknown:
            raise DataError(
                f"{path}: unknown people {', '.join(unknown)}; the data hold "
                f"{', '.join(known) or 'nobody'}. Names are dataset/subject."
            )
    return split


def _united(split: Split, also: Mapping[str, tuple[str, ...]]) -> Split:
    """The split with one name a person."""
    name_of = {other: name for name, others in also.items() for other in others}
    placed: dict[str, tuple[str, Part]] = {}
    for part in PARTS:
        for person in getattr(split, part):
            first, where = placed.setdefault(name_of.get(person, person), (person, part))
            if where != part:
                raise DataError(
                    f"split: {first!r} is in {where} and {person!r} in {part}, and their "
                    "recordings show that they are one person (`ppgnas data inspect` says how). "
                    "Put both into one part."
                )
    return Split(
        **{
            part: tuple(name for name, (_, where) in placed.items() if where == part)
            for part in PARTS
        }
    )


_LISTS = "exactly the lists " + ", ".join(PARTS)


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise DataError(f"split: seed is {seed}; allowed: 0 or more.")


def _draw_search(eligible: Sequence[str], *, seed: int) -> list[str]:
    if len(eligible) < 2:
        raise DataError(
            f"split: {counted(len(eligible), 'person is', 'people are')} left to train and "
            "search; at least 2 are needed. Add recordings of other people, or report on fewer."
        )
    count = int(np.clip(round(SEARCH_SHARE * len(eligible)), 1, len(eligible) - 1))
    return _draw(eligible, count=count, seed=seed, purpose="search")


def _draw(eligible: Sequence[str], *, count: int, seed: int, purpose: str) -> list[str]:
    """Draw `count` people, each data set in proportion (largest remainders), sorted."""
    groups: dict[str, list[str]] = {}
    for person in sorted(eligible):
        groups.setdefault(data_set_of(person), []).append(person)
    generators = {
        name: np.random.default_rng([seed, zlib.crc32(f"{purpose}/{name}".encode())])
        for name in groups
    }
    quotas = {name: count * len(group) / len(eligible) for name, group in groups.items()}
    places = {name: int(quota) for name, quota in quotas.items()}
    # Equal remainders are settled by the seed, not by the alphabet.
    ties = {name: generators[name].random() for name in groups}
    order = sorted(groups, key=lambda name: (-round(quotas[name] - places[name], 9), ties[name]))
    for name in order[: count - sum(places.values())]:
        places[name] += 1
    drawn: list[str] = []
    for name, group in groups.items():
        picked = generators[name].permutation(len(group))[: places[name]]
        drawn.extend(group[int(index)] for index in picked)
    return sorted(drawn)
