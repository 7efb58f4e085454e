"""`card.json`: what is known of one trained network, named as the file names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from deploy.parity import Parity
from nas.run.documents import check_format
from nas.run.unlabelled import UnlabelledFacts
from ppg.people.metrics import ActivityErrors, Summary
from ppg.people.split import Split
from ppg.readout.confidence import Confidence, HeldOut
from ppg.readout.transitions import Transitions
from ppgnas.task import Mode
from search_spaces.arch import Arch

FORMAT = "ppgnas-card"
Number = int | float
Reading = Literal["raw", "smoothed"]
ModelFile = Literal["model.tflite", "model.c"]


@dataclass(frozen=True)
class Bounds:
    """An estimate as a scorecard writes it."""

    value: Number
    low: Number
    high: Number


@dataclass(frozen=True)
class Flash(Bounds):
    """Bytes of flash and of its parts."""

    weights: int
    code: int
    runtime: int


@dataclass(frozen=True)
class Sram(Bounds):
    """Bytes of SRAM and of its parts; the arena is fullest in `peak_layer`."""

    arena: int
    runtime: int
    peak_layer: str


@dataclass(frozen=True)
class Layer:
    """Costs of a layer."""

    name: str
    op: str
    macs: int
    cycles: int
    weight_bytes: int
    live_bytes: int


@dataclass(frozen=True)
class PathCosts:
    """What stands around the network (`hwmodels.path.PathCost`); `acc_hz` 0 is PPG alone."""

    counted: bool
    ppg_hz: float
    acc_hz: float
    ppg_channels: int
    rate_hz: float
    smoothing: str
    latency_ms: Bounds
    cycles: Bounds
    parts: dict[str, int]
    flash_bytes: Bounds
    sram_bytes: int
    energy_mj: Bounds
    ppg_mw: Bounds
    accelerometer_mw: Bounds
    mode: Mode = "window"

    def value(self, key: str) -> float:
        """One of its costs by the key that the network's has."""
        found = getattr(self, key)
        return float(found.value if isinstance(found, Bounds) else found)


@dataclass(frozen=True)
class CardCosts:
    """`hwmodels.scorecard.Scorecard.to_json`; without a path in cards of an older version."""

    board: str
    engine: str
    latency_ms: Bounds
    cycles: Bounds
    flash_bytes: Flash
    sram_bytes: Sram
    energy_mj: Bounds
    power_mw: Bounds
    in_calibrated_range: bool
    layers: tuple[Layer, ...]
    sleep_mw: Bounds | None = None
    path: PathCosts | None = None

    @property
    def flash_parts(self) -> dict[str, float]:
        """What the flash is the sum of, in bytes."""
        own = self.flash_bytes
        parts: dict[str, float] = {
            "weights": own.weights,
            "code": own.code,
            "runtime": own.runtime,
        }
        if self.path is not None and self.path.counted:
            parts["path"] = self.path.flash_bytes.value
        return parts

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> CardCosts:
        """Read the document of a scorecard."""
        return _COSTS.validate_python(document)


@dataclass(frozen=True, kw_only=True)
class SearchErrors:
    """MAE on search people in BPM.

    Attributes:
        inherited: with the weights of the supernet.
        foretold: before it was retrained, see `nas.explore.forecast`.
        foretold_low, foretold_high: ends of the 90 % interval of the same.
        retrained_int8: of the network as it is.
    """

    inherited: float | None = None
    foretold: float | None = None
    foretold_low: float | None = None
    foretold_high: float | None = None
    retrained_int8: float

    @property
    def before(self) -> float | None:
        """What was known before it was retrained: foretold, or in an older card inherited."""
        return self.inherited if self.foretold is None else self.foretold


@dataclass(frozen=True)
class ReportErrors(Summary):
    """Errors on report people."""

    activities: dict[str, ActivityErrors] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorsInC:
    """MAE in BPM with the rounding of the generated C."""

    mae_bpm_c: float
    mae_bpm_c_smoothed: float


@dataclass(frozen=True)
class InC:
    """`model.c` and `model.h`; `sensors` those of an exported one."""

    scratch_bytes: int
    rule: str
    sha256: dict[str, str]
    search: ErrorsInC | None = None
    report: ErrorsInC | None = None
    sensors: dict[str, str | Number | None] | None = None


@dataclass(frozen=True)
class ErrorsInTflite:
    """MAE in BPM with the rounding of TensorFlow Lite."""

    mae_bpm_tflite: float
    mae_bpm_tflite_smoothed: float


@dataclass(frozen=True)
class InTflite:
    """`model.tflite`."""

    search: ErrorsInTflite
    report: ErrorsInTflite


@dataclass(frozen=True)
class ErrorsInOnnx:
    """MAE in BPM of the ONNX file in onnxruntime, which rounds in float."""

    mae_bpm_onnx: float
    mae_bpm_onnx_smoothed: float


@dataclass(frozen=True)
class InOnnx:
    """`model.onnx`; of windows, also where the network streams: it holds that form alone.

    Attributes:
        largest_difference_bpm: of a raw reading from that of the integer reference with TFLM's
            rounding, over the windows of both.
    """

    search: ErrorsInOnnx
    report: ErrorsInOnnx
    largest_difference_bpm: float


@dataclass(frozen=True)
class NotInC:
    """Why the network has no C."""

    refused: str


@dataclass(frozen=True)
class FileFacts:
    """Size and fingerprint of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Personal:
    """Whom a network was adapted to.

    Attributes:
        recording: whose first minutes taught.
        kind, minutes: what was adapted, and the length of the calibration.
        kept: whether the guard let the adapted head stay.
        before_bpm, after_bpm: raw MAE on the rest of the recording, of the network before and of
            these files; None where nothing is left.
        people: whom the head has learnt, those of adaptations before among them.
    """

    recording: str
    kind: str
    minutes: float
    kept: bool
    before_bpm: float | None = None
    after_bpm: float | None = None
    people: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a network comes from.

    Attributes:
        finalist: its number in a run.
        command, training, split, one_person, fingerprint: of `ppgnas train`; see
            `nas.run.people.People`.
        search_mae_bpm: errors on search people, in int8; in a card those of its `file`.
    """

    finalist: int | None = None
    command: str | None = None
    training: dict[str, str | Number | None] | None = None
    split: Split | None = None
    one_person: dict[str, tuple[str, ...]] | None = None
    fingerprint: str | None = None
    search_mae_bpm: SearchErrors


@dataclass(frozen=True, kw_only=True)
class Card(Origin):
    """What is known of one trained network.

    Attributes:
        file: what the target runs. Errors, confidence and predictions.csv are those of this file,
            by its rounding. None in a card of an older version: they are those of model.tflite.
        mode: whether the network reads windows, or streams: its errors are of that.
        parity: how far the files are from the integer reference.
        c, tflite, onnx: the files with their errors; None in a card of an older version.
        smoothing, confidence: how its outputs become readings; empty in an older card.
        confidence_held_out: how `confidence` holds on search people who are left out of it.
        unlabelled: of the recordings that the teacher alone labelled, if there were any.
        channels: PPG channels of the recordings that it learnt from, see
            `ppg.recording.with_channels`.
        cautions: what to know before its figures are relied on, in sentences; these three are
            None in an older card.
        personal: of a network that was adapted to one wearer.
    """

    id: str
    arch: Arch
    synthetic: bool
    arithmetic: str = "int8"
    file: ModelFile | None = None
    mode: Mode = "window"
    smoothing: Transitions | None = None
    confidence: dict[Reading, Confidence] = field(default_factory=dict)
    confidence_held_out: dict[Reading, HeldOut] | None = None
    search_people_mae_bpm: dict[str, float] | None = None
    unlabelled: UnlabelledFacts | None = None
    channels: str | None = None
    cautions: tuple[str, ...] | None = None
    personal: Personal | None = None
    report: ReportErrors
    costs: CardCosts
    weight_bytes: int
    macs: int
    parity: Parity
    tflite: InTflite | None = None
    c: InC | NotInC | None = None
    onnx: InOnnx | None = None
    files: dict[str, FileFacts]
    versions: dict[str, str]

    @property
    def report_mae_bpm(self) -> dict[ModelFile, tuple[float, float]]:
        """Raw and smoothed MAE on report people by file; that of `report` comes first."""
        own: ModelFile = self.file or "model.tflite"
        found: dict[ModelFile, tuple[float, float]] = {
            own: (self.report.mae_bpm, self.report.mae_bpm_smoothed)
        }
        if own == "model.c" and self.tflite is not None:
            errors = self.tflite.report
            found["model.tflite"] = (errors.mae_bpm_tflite, errors.mae_bpm_tflite_smoothed)
        elif own == "model.tflite" and isinstance(self.c, InC) and self.c.report is not None:
            found["model.c"] = (self.c.report.mae_bpm_c, self.c.report.mae_bpm_c_smoothed)
        return found

    def search_mae_of(self, file: ModelFile) -> float:
        """Raw MAE on search people by file; that of the card's own where the other is unknown."""
        if file == "model.c" and isinstance(self.c, InC) and self.c.search is not None:
            return self.c.search.mae_bpm_c
        if file == "model.tflite" and self.tflite is not None:
            return self.tflite.search.mae_bpm_tflite
        return self.search_mae_bpm.retrained_int8

    @property
    def search_mae_bpm_smoothed(self) -> float | None:
        """MAE of smoothed readings on search people, of its `file`; None in an older card."""
        if self.file == "model.c":
            c = self.c.search if isinstance(self.c, InC) else None
            return None if c is None else c.mae_bpm_c_smoothed
        return None if self.tflite is None else self.tflite.search.mae_bpm_tflite_smoothed

    def errors_by_file(self) -> dict[str, str | float]:
        """`report_mae_bpm` and the ONNX file's in flat keys, and `file`: whose `report` holds."""
        plain: dict[str, str | float] = {"file": self.file or "model.tflite"}
        for file, (raw, smoothed) in self.report_mae_bpm.items():
            key = f"mae_bpm_{file.removeprefix('model.')}"
            plain |= {key: raw, f"{key}_smoothed": smoothed}
        if self.onnx is not None:
            difference = self.onnx.largest_difference_bpm
            plain |= {**vars(self.onnx.report), "onnx_largest_difference_bpm": difference}
        return plain

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the same back."""
        plain = {**asdict(self), "arch": self.arch.to_json()}
        for part in ("search_mae_bpm", "c", "costs"):
            plain[part] = plain[part] and _known(plain[part])
        return {"format": FORMAT, "version": 1, **_known(plain)}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Card:
        """Read `to_json`'s document.

        Raises:
            ValueError: a key is missing or of the wrong type.
        """
        check_format(document, FORMAT)
        return _CARD.validate_python(document)


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}


_CARD = TypeAdapter(Card)
_COSTS = TypeAdapter(CardCosts)
