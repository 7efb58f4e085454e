"""Recordings from which a teacher's labels alone teach; a reference in them is not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ppg.identity import shared_people
from ppg.loaders.registry import read_folder
from ppg.npz.folder import fingerprint
from ppg.recording import Recording, with_channels
from ppgnas.errors import DataError
from ppgnas.tables import counted

LEFT_OUT = (
    "recording without acceleration is left out.",
    "recordings without acceleration are left out.",
)


@dataclass(frozen=True, kw_only=True)
class UnlabelledFacts:
    """What is told of a folder without references.

    Attributes:
        fingerprint: of its recordings that are used.
    """

    source: str
    fingerprint: str
    recordings: int
    people: int
    hours: float

    @property
    def sentence(self) -> str:
        """The same for people."""
        people = counted(self.people, "person", "people")
        return f"{people}, {self.hours:.1f} h of {self.source}"


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Recordings and what is told of them."""

    recordings: list[Recording]
    facts: UnlabelledFacts


def gather_unlabelled(
    source: str, judges: Sequence[Recording], *, acceleration: bool, channels: str | None = None
) -> tuple[Unlabelled, list[str]]:
    """Read a folder, and notes on what is left out and what is used.

    Args:
        source: the folder, of anything that `ppgnas predict` reads.
        judges: recordings of search and report people.
        acceleration: whether networks or their teacher read it: recordings without are left out.
        channels: see `ppg.recording.with_channels`.

    Raises:
        DataError: the folder cannot be used, nothing is left of it, or a judge is in it.
    """
    read = with_channels(read_folder(Path(source)), channels)
    found = [r for r in read if r.acc is not None] if acceleration else read
    notes = []
    if len(found) < len(read):
        lost = len(read) - len(found)
        if not found:
            raise DataError(
                f"`unlabelled` {source}: no recording of it has acceleration, and networks or "
                "their teacher read it; choose some that read PPG alone, or leave `unlabelled` "
                "out"
            )
        notes.append(f"{source}: {counted(lost, *LEFT_OUT)}")
    shared = shared_people(judges, found)
    if shared:
        listed = "; ".join(
            f"{link.right.dataset}/{link.right.name} is {link.left.person} ({link.why})"
            for link in shared[:3]
        )
        raise DataError(
            f"`unlabelled` {source} holds {len(shared)} search or report person(s): {listed}"
            f"{'; ...' if len(shared) > 3 else ''}. Who judges may not teach: take these "
            "recordings out of the folder."
        )
    facts = UnlabelledFacts(
        source=source,
        fingerprint=fingerprint(found),
        recordings=len(found),
        people=len({recording.person for recording in found}),
        hours=round(sum(recording.duration_s for recording in found) / 3600, 2),
    )
    notes.append(f"The teacher alone labels {facts.sentence}.")
    return Unlabelled(found, facts), notes
