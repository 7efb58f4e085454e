"""What is known of a trained teacher: it stands in its file, in `run.toml` and in the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TeacherFacts:
    """Size, cost and accuracy of a teacher.

    Attributes:
        name: what it was asked for by.
        parameters: weights and biases.
        macs: multiply-accumulate operations for one window.
        train_s: seconds that its training took, of its members together.
        temperature: its logits are divided by; 1 for an ensemble, whose members have their own.
        search_mae_bpm: raw error on search people, mean over people.
        ece_before, ece_after: expected calibration error on search people without and with the
            temperatures, see `calibration.expected_calibration_error`.
        members: of an ensemble.
    """

    name: str
    parameters: int
    macs: int
    train_s: float
    temperature: float
    search_mae_bpm: float
    ece_before: float
    ece_after: float
    members: tuple[TeacherFacts, ...] = ()
