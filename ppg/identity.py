"""Who is one person, whatever the recordings are called.

What shows it, in the order in which it is asked: the same name (`dataset/subject`), the same PPG
samples or a stretch of them, the same reference heart rates, a note (`also_in`) of one that names
the other, the same pulse in other samples (resampled, scaled, filtered, mixed), and heart rates
that agree at some shift. Names alone do not: they can differ
(`bidmc_sample/BIDMC_s01182`, `bidmc/BIDMC_01`), and two data sets may both have a subject S1.

Two people at rest can look alike, so heart rates at a shift count only where they move by 5 BPM
and agree to 1 BPM over four minutes at least.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.recording import Entry, Recording
from ppg.wavering import Wavering, likeness, wavering
from ppgnas.errors import DataError

SHORTEST_EQUAL = 20  # windows; a shorter row of rates may be equal by chance
DECIMALS = 2  # labels that differ by less were rounded differently
SHORTEST = 120  # windows that agree at a shift
SPREAD_BPM = 5.0
APART_BPM = 1.0
STRETCH_S = 4.0  # of PPG samples that are equal to the last bit
FEWEST_VALUES = 20  # in such a stretch; a drop into zeros looks alike in anybody

Series = NDArray[np.float64]


class Link(NamedTuple):
    """Two recordings of one person, and what shows it."""

    left: Recording
    right: Recording
    why: str


class OnePerson(NamedTuple):
    """People (`dataset/subject`, sorted) who are one, and the recordings that show it."""

    people: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def note(self) -> str:
        """What is done with them, and why."""
        left, right, why = self.links[0]
        more = f", and {len(self.links) - 1} more pairs" if len(self.links) > 1 else ""
        return (
            f"{' and '.join(self.people)} are one person ({left.name} and {right.name} have "
            f"{why}{more}): they count as {self.people[0]} and stay in one part."
        )


class United(NamedTuple):
    """Recordings in which a person has one name, and the other names that people had."""

    recordings: list[Recording]
    groups: list[OnePerson]

    @property
    def also(self) -> dict[str, tuple[str, ...]]:
        """Their other names, by the name that they keep."""
        return {group.people[0]: group.people[1:] for group in self.groups}


def united(recordings: Sequence[Recording]) -> United:
    """Give people who stand under several names the first of them; `also_in` holds the others."""
    groups = one_person_groups(recordings)
    group_of = {person: group.people for group in groups for person in group.people}

    def renamed(recording: Recording) -> Recording:
        people = group_of.get(recording.person)
        if people is None:
            return recording
        dataset, subject = people[0].split("/", 1)
        also = (*recording.also_in, *people[1:])
        return replace(recording, dataset=dataset, subject=subject, also_in=also)

    return United([renamed(recording) for recording in recordings], groups)


def one_person_groups(recordings: Sequence[Recording]) -> list[OnePerson]:
    """People who stand under several names; nobody is in two groups."""
    groups: list[OnePerson] = []
    for left, right in combinations([_Traits(recording) for recording in recordings], 2):
        if left.recording.person == right.recording.person:
            continue
        why = _why(left, right)
        if why is None:
            continue
        people = {left.recording.person, right.recording.person}
        links = [Link(left.recording, right.recording, why)]
        for group in [group for group in groups if not people.isdisjoint(group.people)]:
            groups.remove(group)
            people.update(group.people)
            links = [*group.links, *links]
        groups.append(OnePerson(tuple(sorted(people)), tuple(links)))
    return groups


def shared_people(left: Sequence[Recording], right: Sequence[Recording]) -> list[Link]:
    """People who are on both sides; the first pair of each person on the right.

    Args:
        left, right: recordings; a person may stand in several.

    Returns:
        In the order of `right`, empty if nobody is on both sides.
    """
    found: dict[str, Link] = {}
    known = [_Traits(recording) for recording in left]
    for asked in (_Traits(recording) for recording in right):
        for other in known if asked.recording.person not in found else ():
            why = _why(other, asked)
            if why is not None:
                found[asked.recording.person] = Link(other.recording, asked.recording, why)
                break
    return list(found.values())


def known_people(
    recordings: Iterable[Recording], people: Iterable[str], notes: Iterable[str] = ()
) -> list[str]:
    """Who of some recordings is already known, by name or by a note (`also_in`) of either side.

    Args:
        people: `dataset/subject` of those who are known.
        notes: `also_in` of those who are known.

    Returns:
        `dataset/subject` of the recordings, sorted.
    """
    known = set(people)
    names = _Names({person.split("/", 1)[-1] for person in known} | known, set(notes))
    return sorted(
        {r.person for r in recordings if r.person in known or _note(names, _names_of(r))}
    )


def check_people(root: Path, entries: Sequence[Entry]) -> None:
    """Refuse a folder in which people could be mixed up.

    Args:
        root: the folder that was read; the folders directly below it are data sets.
        entries: what was read, in any order.

    Raises:
        DataError: one recording name twice in a data set, one person in the folders of two data
            sets, the same samples in two files, or one person under two names by `also_in`. The
            message names both files.
    """
    check_recordings(entries)
    people: dict[str, Path] = {}
    for file, recording in entries:
        first = people.setdefault(recording.person, file)
        if _data_set_folder(root, first) != _data_set_folder(root, file):
            raise DataError(
                f"{file} and {first}: two people with one name, {recording.person!r}: the files "
                f"are in different data sets. If it is one person, put the files into one folder; "
                f"if not, rename 'subject' or 'dataset' in one of them."
            )


def check_recordings(entries: Sequence[Entry]) -> None:
    """The same, but for one person whose files lie in several folders, which is allowed.

    Raises:
        DataError: see `check_people`.
    """
    traits = [(entry.file, _Traits(entry.recording)) for entry in entries]
    for (other_file, other), (file, one) in combinations(traits, 2):
        left, right = other.recording, one.recording
        if (left.dataset, left.name) == (right.dataset, right.name):
            raise DataError(
                f"{file} and {other_file}: both are the recording {left.name!r} of data set "
                f"{left.dataset!r}; names must differ. Rename one, or take it out."
            )
        if other.samples == one.samples:
            who = (
                f"under two names, {right.person!r} and {left.person!r}"
                if right.person != left.person
                else f"twice for {right.person!r}"
            )
            raise DataError(
                f"{file} and {other_file}: the same PPG samples {who}; a person must not be on "
                f"two sides of a split, nor count twice. Take one of the files out."
            )
        alias = _note(other.names, one.names) if left.person != right.person else None
        if alias is not None:
            raise DataError(
                f"{file} and {other_file}: one person under two names, {right.person!r} and "
                f"{left.person!r}: `also_in` says {alias!r}. Take one of the files out, so that "
                f"nobody is on two sides of a split."
            )


def trace_distance(left: Series, right: Series) -> float | None:
    """Smallest root-mean-square difference of two traces over all shifts.

    Args:
        left, right: `(windows,)` BPM.

    Returns:
        BPM; None where no overlap is long enough and moves enough.
    """
    if min(len(left), len(right)) < SHORTEST:
        return None
    centre = left.mean()
    a, b = left - centre, right - centre
    shifts = np.arange(-(len(b) - SHORTEST), len(a) - SHORTEST + 1)
    cross = scipy.signal.correlate(a, b, mode="full", method="fft")[shifts + len(b) - 1]
    start, end = np.maximum(shifts, 0), np.minimum(shifts + len(b), len(a))
    count = end - start

    def sums(values: Series, first: NDArray[np.int64]) -> Series:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[first + count] - total[first])

    squares = sums(a**2, start) + sums(b**2, start - shifts) - 2 * cross
    spread = np.sqrt(np.maximum(sums(a**2, start) / count - (sums(a, start) / count) ** 2, 0))
    moving = spread >= SPREAD_BPM
    if not moving.any():
        return None
    return float(np.sqrt(np.maximum(squares[moving] / count[moving], 0)).min())


class _Names(NamedTuple):
    """What a person is called within a data set, and elsewhere."""

    names: set[str]
    notes: set[str]


@dataclass(frozen=True)
class _Traits:
    """What of a recording tells its person, worked out once."""

    recording: Recording

    @cached_property
    def names(self) -> _Names:
        return _names_of(self.recording)

    @cached_property
    def samples(self) -> bytes:
        return hashlib.sha256(np.ascontiguousarray(self.recording.ppg).tobytes()).digest()

    @cached_property
    def stretches(self) -> frozenset[bytes]:
        """Stretches of any channel that begin at their one highest sample.

        Where a stretch begins depends on its samples alone, so that a recording that was cut
        elsewhere has the same ones.
        """
        count = round(STRETCH_S * self.recording.ppg_hz)
        found = set()
        for trace in np.ascontiguousarray(self.recording.ppg.T):
            after = scipy.ndimage.maximum_filter1d(
                trace, count, origin=-(count // 2)
            )  # from each on
            for start in np.flatnonzero(trace[:-count] > after[1 : len(trace) - count + 1]):
                stretch = trace[start : start + count]
                if len(np.unique(stretch)) >= FEWEST_VALUES:
                    found.add(hashlib.sha256(stretch.tobytes()).digest())
        return frozenset(found)

    @cached_property
    def wavering(self) -> Wavering:
        return wavering(self.recording.ppg, self.recording.ppg_hz)

    @cached_property
    def rates(self) -> bytes | None:
        """The reference heart rates; None where they are too few or too flat to tell."""
        rates = np.round(self.recording.hr_bpm[self.recording.valid], DECIMALS)
        return rates.tobytes() if len(rates) >= SHORTEST_EQUAL and np.ptp(rates) > 1 else None

    @cached_property
    def trace(self) -> Series:
        """Reference heart rates, one per window; gaps filled from their neighbours."""
        finite = self.recording.valid & np.isfinite(self.recording.hr_bpm)
        if not finite.any():
            return np.zeros(0)
        index = np.arange(len(finite))
        return np.interp(index, index[finite], self.recording.hr_bpm[finite])


def _names_of(recording: Recording) -> _Names:
    return _Names({recording.subject, recording.name, recording.person}, set(recording.also_in))


def _note(left: _Names, right: _Names) -> str | None:
    """A note that both have, or that is the other's name."""
    noted = (left.notes & (right.notes | right.names)) | (left.names & right.notes)
    return min(noted, default=None)


def _why(left: _Traits, right: _Traits) -> str | None:
    """What shows that two recordings are of one person; None if nothing does."""
    if left.recording.person == right.recording.person:
        return "the same name"
    if left.samples == right.samples:
        return "the same PPG samples"
    if not left.stretches.isdisjoint(right.stretches):
        return f"the same PPG samples for {STRETCH_S:.0f} s or more"
    if left.rates is not None and left.rates == right.rates:
        return "the same reference heart rates"
    if _note(left.names, right.names) is not None:
        return "a note in also_in"
    if likeness(left.wavering, right.wavering) >= 1:
        return "the same pulse, in other samples"
    apart = trace_distance(left.trace, right.trace)
    if apart is not None and apart < APART_BPM:
        return f"heart rates that agree to {apart:.2f} BPM at some shift"
    return None


def _data_set_folder(root: Path, file: Path) -> str:
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else "."
