"""What is known of a trained teacher: it stands in its file, in `run.toml` and in the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TeacherFacts:
    """Size, cost and accuracy of a teacher.

    Attributes:
        macs: multiply-accumulate operations for one window; None of an ONNX file.
        train_s: seconds that its training took, of its members together.
        temperature: its logits are divided by; 1 for an ensemble, whose members have their own.
        search_mae_bpm: raw error on search people, mean over people.
        ece_before, ece_after: expected calibration error on search people without and with the
            temperatures, see `calibration.expected_calibration_error`.
    """

    name: str
    parameters: int
    train_s: float
    temperature: float
    search_mae_bpm: float
    ece_before: float
    ece_after: float
    macs: int | None = None
    members: tuple[TeacherFacts, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields as a file has them: what is not known or not there is left out."""
        told = {key: value for key, value in vars(self).items() if value is not None}
        if not self.members:
            return {key: value for key, value in told.items() if key != "members"}
        return {**told, "members": [member.to_json() for member in self.members]}
