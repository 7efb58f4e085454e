"""`encoder.json`: what is known of a compact encoder, in whose folder it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from deploy.parity import Parity
from nas.run.card import CardCosts
from nas.run.documents import check_format
from search_spaces.arch import Arch

FORMAT = "ppgnas-encoder"
FILE = "encoder.json"


@dataclass(frozen=True)
class InEmulation:
    """One segment on an emulated Cortex-M7, counted; see `nas.models.verify`."""

    instructions: int
    cycles: int
    latency_ms: float
    stack_bytes: int
    scratch_bytes: int
    differences: int
    outputs: int


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """What is known of a compact encoder.

    Attributes:
        segment_s, rate_hz, front_end: what it reads; three axes of acceleration.
        people, held_out, also_in: who taught it, who was kept away, other names of people.
        teacher: digest of the PPG encoder that it is aligned with.
        macs, weight_bytes, costs: for one segment, on the board of `costs`.
        parity: how far the files are from the integer reference.
        c_scratch_bytes: of `model.c`; None where the C cannot be.
        emulated: None where no compiler or emulator was there; `not_emulated` says why.
    """

    arch: Arch
    dimensions: int
    segment_s: int
    rate_hz: int
    front_end: str
    steps: int
    integer_steps: int
    batch: int
    seed: int
    people: tuple[str, ...]
    held_out: tuple[str, ...]
    also_in: tuple[str, ...]
    fingerprint: str
    synthetic: bool
    teacher: str
    macs: int
    weight_bytes: int
    costs: CardCosts
    parity: Parity
    c_scratch_bytes: int | None = None
    emulated: InEmulation | None = None
    not_emulated: str = ""
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the same back."""
        return {"format": FORMAT, "version": 1, **asdict(self), "arch": self.arch.to_json()}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> EncoderCard:
        """Read `to_json`'s document.

        Raises:
            ValueError: a key is missing or of the wrong type.
        """
        check_format(document, FORMAT)
        return _CARD.validate_python(document)


_CARD = TypeAdapter(EncoderCard)
