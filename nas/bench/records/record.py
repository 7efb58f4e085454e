"""One file of `ppgnas bench records`: the errors of one network on one fold with one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from nas.run.card import ModelFile
from ppgnas.errors import RunError
from ppgnas.files import reason, text_of
from ppgnas.parsing import parse_json

FORMAT = "ppgnas-record"
VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a table has a row for; a baseline has no id, effort and teacher."""

    protocol: str
    clock: str
    network: str
    id: str | None
    effort: str | None
    teacher: str | None
    teacher_sha256: str | None
    recipe: str


@dataclass(frozen=True, kw_only=True)
class Identity(Setting):
    """What must be equal for a file to be taken as done."""

    fold: str
    seed: int
    front_end: str | None = None
    fingerprint: str | None = None

    @property
    def setting(self) -> Setting:
        """The same for all folds and seeds."""
        return Setting(**{f.name: getattr(self, f.name) for f in fields(Setting)})


@dataclass(frozen=True)
class Errors:
    """MAE in BPM by column (`raw`, `clip`, `hmm`), over a number of windows."""

    windows: int
    mae_bpm: dict[str, float]


@dataclass(frozen=True)
class PersonErrors(Errors):
    """The same for one report person, and in each of their activities."""

    activities: dict[str, Errors]

    def __post_init__(self) -> None:
        parts = (self, *self.activities.values())
        if "raw" not in self.mae_bpm or len({frozenset(part.mae_bpm) for part in parts}) > 1:
            raise ValueError("every mae_bpm of a person holds raw, and the same columns")


@dataclass(frozen=True)
class RecordCosts:
    """What the network takes on the default board and engine."""

    board: str
    engine: str
    weight_bytes: int
    macs: int
    latency_ms: float
    flash_bytes: int | float
    sram_bytes: int | float


@dataclass(frozen=True)
class Measured:
    """What a baseline or a network did; only a network has more than people.

    `file` is whose errors they are; records of an older version are of model.tflite.
    """

    people: dict[str, PersonErrors]
    file: ModelFile | None = None
    search_mae_bpm: float | None = None
    costs: RecordCosts | None = None
    smoothing: dict[str, float] | None = None
    confidence: dict[str, dict[str, list[float]]] | None = None


@dataclass(frozen=True, kw_only=True)
class Record(Measured):
    """A job's file.

    Attributes:
        folds: of the protocol, so that a missing one is noticed.
        people_of: part of the split -> number of its people.
    """

    identity: Identity
    folds: int
    people_of: dict[str, int]
    synthetic: bool
    time_s: float
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the same back."""
        known = {key: value for key, value in asdict(self).items() if value is not None}
        return {"format": FORMAT, "version": VERSION, **known}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Record:
        """Read `to_json`'s document.

        Raises:
            ValueError: a key is missing or of the wrong type.
        """
        return _RECORD.validate_python(document)


_RECORD = TypeAdapter(Record)


def read_record(path: Path) -> Record:
    """One job's file.

    Raises:
        RunError: it cannot be read.
    """
    try:
        document = parse_json(text_of(path))
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise RunError(f"{path} is no file of `ppgnas bench records`; choose another `out`")
        if document.get("version") != VERSION:
            raise RunError(
                f"{path} is of version {document.get('version')}; this ppgnas reads {VERSION}. "
                "Remove it to make it again, or choose another `out`"
            )
        return Record.from_json(document)
    except (OSError, ValueError) as error:  # a RunError is neither
        raise RunError(
            f"{path} cannot be read ({reason(error)}); remove it to make it again"
        ) from error
