"""Whether two groups of recordings share a person, whatever the people are called.

Names can differ (`bidmc_sample/BIDMC_s01182`, `bidmc/BIDMC_01`), so content decides: the same PPG
samples, the same trace of reference heart rates, or a note (`also_in`) that names the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ppg.identity.folder import samples_digest
from ppg.recording import Recording

SHORTEST_TRACE = 20  # windows; a shorter trace may agree by chance
DECIMALS = 2  # labels that differ by less were rounded differently


@dataclass(frozen=True)
class Shared:
    """Two recordings of one person, one of each group, and how it is known."""

    left: Recording
    right: Recording
    why: str


def shared_people(left: Sequence[Recording], right: Sequence[Recording]) -> list[Shared]:
    """Pairs of recordings that are of one person; the first pair of each person on the right.

    Args:
        left, right: recordings; a person may stand in several.

    Returns:
        In the order of `right`, empty if nobody is on both sides.
    """
    content: dict[tuple[str, object], Recording] = {}
    notes: dict[str, Recording] = {}
    names: dict[str, Recording] = {}
    for recording in left:
        for key in _content(recording):
            content.setdefault(key, recording)
        for alias in recording.also_in:
            notes.setdefault(alias, recording)
        for name in (recording.subject, recording.name):
            names.setdefault(name, recording)
    found: dict[str, Shared] = {}
    for recording in right:
        for key in _content(recording):
            if key in content:
                found.setdefault(recording.person, Shared(content[key], recording, key[0]))
        # A name is compared with notes only: two data sets may both have a subject S1.
        noted = [notes[name] for name in (recording.subject, recording.name) if name in notes]
        for alias in recording.also_in:
            noted += [group[alias] for group in (notes, names) if alias in group]
        for other in noted:
            why = "a note in also_in"
            found.setdefault(recording.person, Shared(other, recording, why))
    return list(found.values())


def known_people(
    recordings: Iterable[Recording], people: Iterable[str], notes: Iterable[str] = ()
) -> list[str]:
    """Who of some recordings is already known, by name or by a note (`also_in`) of either side.

    Args:
        recordings: of those who are asked about.
        people: `dataset/subject` of those who are known.
        notes: `also_in` of those who are known.

    Returns:
        `dataset/subject` of the recordings, sorted.
    """
    known, noted = set(people), set(notes)
    subjects = {person.split("/", 1)[-1] for person in known}
    return sorted(
        {
            recording.person
            for recording in recordings
            if recording.person in known
            or not noted.isdisjoint((recording.subject, recording.name))
            or not (noted | subjects).isdisjoint(recording.also_in)
        }
    )


def _content(recording: Recording) -> list[tuple[str, object]]:
    """What two recordings of one person have in common, in words and as a value."""
    keys: list[tuple[str, object]] = [
        ("the same name", recording.person),
        ("the same PPG samples", samples_digest(recording)),
    ]
    trace = np.round(recording.hr_bpm[recording.valid], DECIMALS)
    if len(trace) >= SHORTEST_TRACE and np.ptp(trace) > 1:
        digest = hashlib.sha256(trace.tobytes()).digest()
        keys.append(("the same reference heart rates", digest))
    return keys
