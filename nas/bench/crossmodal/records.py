"""What is kept of the bench: one JSON file an encoder, so that a killed bench goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nas.bench.crossmodal.measure import Retrieval
from nas.run.documents import read_kept


@dataclass(frozen=True)
class Probe:
    """What one probe reads of held-out people.

    Attributes:
        target: `hr`, `sdnn`, `rmssd` or `activity`.
        draw: which of several draws of them.
        by_person: mean absolute error (BPM, ms), or share of segments told wrongly in percent.
        by_activity: the same of heart rate, mean over people; only with all labels.
    """

    target: str
    share: float
    draw: int
    labels: int
    by_person: dict[str, float]
    by_activity: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EncoderRecord:
    """One row of the bench.

    Attributes:
        made_for: what it depends on; JSON values.
        parameters: of a float encoder; 0 where there is none.
        weight_bytes, latency_ms: of a compact one.
        retrieval: by where candidates come from; empty where nothing was aligned.
        ppg_xy, acc_xy: `(segments, 2)` of the picture, and `who` is in it.
        pictured: how the picture was made.
    """

    name: str
    made_for: str
    parameters: int = 0
    weight_bytes: int = 0
    latency_ms: float = 0.0
    differences: int | None = None
    train_s: float = 0.0
    probes: tuple[Probe, ...] = ()
    retrieval: dict[str, Retrieval] = field(default_factory=dict)
    ppg_xy: tuple[tuple[float, float], ...] = ()
    acc_xy: tuple[tuple[float, float], ...] = ()
    who: tuple[str, ...] = ()
    pictured: str = ""


def file_of(folder: Path, name: str) -> Path:
    """Where a record lies."""
    return folder / f"{name.replace(' ', '-').replace('%', 'percent')}.json"


def read_record(folder: Path, name: str, made_for: str) -> EncoderRecord | None:
    """A record that was made for the same; None where there is none.

    Raises:
        RunError: the file is damaged.
    """
    record = read_kept(file_of(folder, name), EncoderRecord)
    return record if record is not None and record.made_for == made_for else None
