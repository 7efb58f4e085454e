"""Protocols of the literature: who is tested in which fold, and on which clock.

A fold is a `Split`: *train* people fit weights, *search* people are the validation people (they
fit the confidence, and a teacher's temperature, and choose nothing else), *report* people are
tested. Only people are split, never windows.

* `loso`: one fold for each person, who alone is tested.
* `kfold`: k groups of people, drawn by seed, each tested once.
* `dalia-groups`: PPG-DaLiA in the four groups of the code of Q-PPG and TimePPG (Burrello et al.):
  train on three, test each person of the fourth in turn, the others of the fourth validate.
* `bami1-bami2`: train on BAMI-1, test on BAMI-2 (Chung et al. 2020).
* `transfer`: train on the people of some data sets, test on those of another: a new sensor.
* `spc-train-test`: the 12 training recordings of IEEE SPC 2015 against its 10 test recordings.

Except in `dalia-groups` the validation people are drawn by seed from those who are not tested,
15 % of them. `loso` and `kfold` over some data sets may train on the people of others as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ppg.people.split import SEARCH_SHARE, UNMAPPED, Split, mapped, people_of
from ppg.recording import Recording, data_set_of
from ppgnas.errors import DataError
from ppgnas.tables import counted

DALIA = "ppg_dalia"
# numpy's RandomState(35) shuffles the subjects 1 to 15, which are then cut in four: facts of the
# public code, written out so that they do not depend on numpy.
DALIA_GROUPS = ((7, 5, 3, 12), (6, 11, 14, 4), (9, 15, 1, 2), (8, 13, 10))
SPC = "ieee_spc2015"
FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """One fold: its name, and who is where."""

    name: str
    split: Split


Folds = Callable[[Sequence[Recording], int], list[Fold]]


@dataclass(frozen=True)
class Protocol:
    """A protocol with everything settled but the recordings.

    Attributes:
        name: a key of `PROTOCOLS`, with the data set and the number of folds where it has them.
        dataset: data sets that are read; empty means all.
        folds: folds of the recordings that are kept, by seed.
        only: pattern that the names of their recordings begin with.
    """

    name: str
    dataset: tuple[str, ...]
    folds: Folds
    only: str = ""

    def select(self, recordings: Iterable[Recording]) -> list[Recording]:
        """The recordings that take part.

        Raises:
            DataError: there is none, or none of one of the data sets.
        """
        found = list(recordings)
        kept = [
            recording
            for recording in found
            if (not self.dataset or recording.dataset in self.dataset)
            and re.match(self.only, recording.name)
            and bool(recording.usable.any())
        ]
        missing = [name for name in self.dataset if name not in {r.dataset for r in kept}]
        if missing or not kept:
            held = ", ".join(sorted({r.dataset for r in found})) or "nothing"
            raise DataError(
                f"protocol {self.name}: no recording of {' or '.join(missing) or 'any set'}; "
                f"the data hold {held}. Give the folder that holds them"
            )
        return kept


PROTOCOLS = ("loso", "kfold", "transfer", "dalia-groups", "bami1-bami2", "spc-train-test")


def protocol(
    name: str, *, tested: tuple[str, ...] = (), folds: int = FOLDS, train: tuple[str, ...] = ()
) -> Protocol:
    """A protocol by name.

    Args:
        tested: the data sets that `loso`, `kfold` and `transfer` test; for the first two all
            of them together if empty.
        folds: of `kfold`.
        train: further data sets that `loso` and `kfold` train on, or those of `transfer`.

    Raises:
        DataError: unknown, or an option that the protocol does not have.
    """
    if name not in PROTOCOLS:
        raise DataError(f"protocol {name!r} is unknown; allowed: {', '.join(PROTOCOLS)}.")
    if train and (not tested or set(tested) & set(train)):
        raise DataError(
            f"protocol {name}: trained on {', '.join(train)} and tested on "
            f"{', '.join(tested) or 'all'}; name the tested data sets with `tested`, and others "
            "with `train`."
        )
    others, title = "+".join(train), "+".join(tested)
    if name == "transfer":
        if not tested or not train:
            raise DataError(
                "protocol transfer: name the tested data set with `tested` and those to train on "
                "with `train`."
            )
        one = partial(_one_fold, name=name, fold=title, tested=lambda r: r.dataset in tested)
        return Protocol(f"transfer-{others}-to-{title}", (*tested, *train), one)
    if name in ("loso", "kfold"):
        unknown = sorted(set(tested) & UNMAPPED)
        if unknown:
            raise DataError(
                f"protocol {name}: which recordings of {', '.join(unknown)} belong to one person "
                "is unknown, so people cannot be tested in turn; take it out of `tested`, or "
                "test it whole with the protocol transfer."
            )
        if name == "kfold" and folds < 2:
            raise DataError(f"protocol kfold: {folds} folds; allowed: 2 or more.")
        plain: Folds = leave_one_out if name == "loso" else partial(k_fold, count=folds)
        way = name if name == "loso" else f"kfold{folds}"
        title = f"{way}-{title}" if title else way
        if not train:
            return Protocol(title, tested, plain)
        both = partial(_with_others, plain=plain, tested=tested)
        return Protocol(f"{title}-with-{others}", (*tested, *train), both)
    if train:
        raise DataError(f"protocol {name} has its own people; leave out `train`.")
    if tested:
        raise DataError(f"protocol {name} has its own data set; leave out `tested` {title}.")
    if name == "dalia-groups":
        return Protocol(name, (DALIA,), dalia_groups)
    if name == "bami1-bami2":
        second = partial(_one_fold, name=name, fold="bami2", tested=lambda r: r.dataset == "bami2")
        return Protocol(name, ("bami1", "bami2"), second)
    test = partial(_one_fold, name=name, fold="test", tested=lambda r: r.name.startswith("TEST_"))
    # Without the extra recording of arm exercise, whose person is a test person.
    return Protocol(name, (SPC,), test, only=r"DATA_\d\d_|TEST_")


def options_of(name: str) -> list[str]:
    """The words of `bench records` that make the protocol of this name (see `Protocol`)."""
    tested = r"(?P<tested>.+?)"
    patterns = (
        rf"(?P<way>loso|kfold)(?P<folds>\d+)?(-{tested})?(-with-(?P<train>.+))?",
        rf"(?P<way>transfer)-(?P<train>.+?)-to-{tested}",
    )
    for pattern in patterns:
        found = re.fullmatch(pattern, name)
        if found is None:
            continue
        parts = found.groupdict()
        words = [parts["way"]]
        for option, part in (("dataset", "tested"), ("train-dataset", "train")):
            if parts[part]:
                words += [f"--{option}", parts[part].replace("+", ",")]
        if parts.get("folds") and parts["folds"] != str(FOLDS):
            words += ["--folds", parts["folds"]]
        return words
    return [name]


def _with_others(
    recordings: Sequence[Recording], seed: int, *, plain: Folds, tested: tuple[str, ...]
) -> list[Fold]:
    """The folds of some data sets, with the people of all others to train on as well."""
    others = people_of(r for r in recordings if r.dataset not in tested)
    folds = plain([r for r in recordings if r.dataset in tested], seed)
    return [
        Fold(name, _split(sorted((*parts.train, *parts.search, *others)), parts.report, seed))
        for name, parts in ((fold.name, fold.split) for fold in folds)
    ]


def _one_fold(
    recordings: Sequence[Recording],
    seed: int,
    *,
    name: str,
    fold: str,
    tested: Callable[[Recording], bool],
) -> list[Fold]:
    """Some recordings tested, all others to train on."""
    report = people_of(r for r in recordings if tested(r))
    train = people_of(r for r in recordings if not tested(r))
    if not report or len(train) < 2:
        raise DataError(
            f"protocol {name}: {counted(len(train), 'person', 'people')} to train on and "
            f"{len(report)} to test; needed: at least 2 and 1."
        )
    return [Fold(fold, _split(train, report, seed))]


def leave_one_out(recordings: Sequence[Recording], seed: int) -> list[Fold]:
    """Each person tested alone; those whose mapping is unknown only train."""
    people = people_of(recordings)
    return [
        Fold(person.replace("/", "_"), _split([p for p in people if p != person], [person], seed))
        for person in mapped(people)
    ]


def k_fold(recordings: Sequence[Recording], seed: int, *, count: int) -> list[Fold]:
    """Groups of people, each tested once; every data set is spread over the groups.

    Those whose mapping is unknown only train.

    Raises:
        DataError: fewer people than groups.
    """
    people = people_of(recordings)
    tested = mapped(people)
    if len(tested) < count:
        raise DataError(
            f"protocol kfold: {counted(len(tested), 'person', 'people')} for {count} folds; give "
            "fewer."
        )
    rng = np.random.default_rng((seed, 11))
    order = sorted(tested, key=lambda person: (data_set_of(person), rng.random()))
    groups = [sorted(order[start::count]) for start in range(count)]
    return [
        Fold(f"{number}", _split([p for p in people if p not in group], group, seed))
        for number, group in enumerate(groups, start=1)
    ]


def dalia_groups(recordings: Sequence[Recording], seed: int) -> list[Fold]:
    """The fixed groups of PPG-DaLiA; `seed` changes nothing.

    Raises:
        DataError: not the fifteen subjects.
    """
    numbered = ((re.search(r"(\d+)$", person), person) for person in people_of(recordings))
    by_number = {int(found[1]): person for found, person in numbered if found}
    if sorted(by_number) != list(range(1, 16)):
        raise DataError(
            f"protocol dalia-groups: the subjects are {sorted(by_number)}; needed: 1 to 15 of "
            "PPG-DaLiA."
        )
    folds = []
    for group in DALIA_GROUPS:
        members = [by_number[number] for number in group]
        others = sorted(set(by_number.values()) - set(members))
        for person in members:
            rest = tuple(p for p in members if p != person)
            folds.append(Fold(person.replace("/", "_"), Split(tuple(others), rest, (person,))))
    return folds


def _split(eligible: Sequence[str], report: Sequence[str], seed: int) -> Split:
    """Validation people drawn from the eligible; those whose mapping is unknown stay in train."""
    free = mapped(eligible)
    if len(free) < 2:
        raise DataError(
            f"protocol: {counted(len(free), 'person is', 'people are')} left to train and "
            "validate; at least 2 are needed."
        )
    rng = np.random.default_rng((seed, 12))
    count = int(np.clip(round(SEARCH_SHARE * len(free)), 1, len(free) - 1))
    search = {free[int(index)] for index in rng.permutation(len(free))[:count]}
    train = tuple(person for person in eligible if person not in search)
    return Split(train, tuple(sorted(search)), tuple(report))
