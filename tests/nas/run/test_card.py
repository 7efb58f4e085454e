"""card.json, in the order of its keys, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.run.card import Card, NotInC, SearchErrors
from nas.run.folder import RunDir
from ppg.people.split import Split
from ppg.readout.confidence import Confidence
from ppg.readout.transitions import Transitions
from ppgnas.errors import RunError
from tests.nas.run.made import made_card
from tests.nas.run.test_candidates import change

KEYS = (
    "format version finalist search_mae_bpm id arch synthetic arithmetic file mode smoothing "
    "confidence report costs weight_bytes macs parity tflite c onnx files versions"
).split()


def test_a_card_comes_back_to_the_byte() -> None:
    made = made_card(
        smoothing=Transitions(), confidence={"raw": Confidence((1.0, 2.0), (3.0, 4.0))}
    )
    document = made.to_json()
    assert list(document) == KEYS
    text = json.dumps(document)
    read = Card.from_json(json.loads(text))
    assert read == made
    assert json.dumps(read.to_json()) == text
    assert list(document["c"]) == ["scratch_bytes", "rule", "sha256", "search", "report"]
    assert document["costs"]["flash_bytes"] == {
        "value": 41000,
        "low": 41000,
        "high": 41000,
        "weights": 3000,
        "code": 30000,
        "runtime": 8000,
    }


def test_a_card_of_an_older_version_is_of_the_tflite_file() -> None:
    document = made_card().to_json()
    del document["file"], document["tflite"]
    card = Card.from_json(document)
    assert card.onnx is not None
    in_onnx = {**vars(card.onnx.report), "onnx_largest_difference_bpm": 12.5}
    assert in_onnx["mae_bpm_onnx"] == 3.8
    assert card.report_mae_bpm == {"model.tflite": (4.0, 3.2), "model.c": (4.0, 3.5)}
    assert card.errors_by_file() == {
        "file": "model.tflite",
        "mae_bpm_tflite": 4.0,
        "mae_bpm_tflite_smoothed": 3.2,
        "mae_bpm_c": 4.0,
        "mae_bpm_c_smoothed": 3.5,
        **in_onnx,
    }
    del document["onnx"]
    older = Card.from_json(document)
    assert older.onnx is None and "mae_bpm_onnx" not in older.errors_by_file()
    assert "file" not in card.to_json() and "tflite" not in card.to_json()


def test_a_card_of_train_says_how(tmp_path: Path) -> None:
    made = made_card(
        finalist=None,
        command="ppgnas train",
        training={"effort": "quick", "report_data": None, "seed": 0},
        split=Split(("a/1",), ("a/2",), ("a/3",)),
        fingerprint="sha256:12",
        search_mae_bpm=SearchErrors(retrained_int8=3.5),
        c=NotInC("a rate"),
    )
    document = json.loads(json.dumps(made.to_json()))
    assert document["search_mae_bpm"] == {"retrained_int8": 3.5}
    assert document["training"] == {"effort": "quick", "report_data": None, "seed": 0}
    assert document["c"] == {"refused": "a rate"}
    assert Card.from_json(document) == made


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "other", "format is 'other', version 1; allowed: 'ppgnas-card', 1"),
        ("costs", KeyError, "costs: Field required"),
        ("costs.latency_ms.value", "soon", "costs.latency_ms.value."),
        ("costs.latency_ms.value", float("nan"), "NaN is no finite number"),
        ("report.people", [], "report.people: Input should be a valid dictionary"),
        ("files.model", {"bytes": 1}, "files.model.sha256: Field required"),
        ("confidence", {"raw": {"spread_bpm": [2, 1], "error_bpm": [1, 1]}}, "spreads that rise"),
        ("arch", None, "arch: "),
    ],
)
def test_what_a_hand_did_is_named(path: str, value: object, message: str, tmp_path: Path) -> None:
    document = made_card().to_json()
    change(document, path, value)
    run = RunDir(tmp_path)
    run.finalist(1).mkdir(parents=True)
    (run.finalist(1) / "card.json").write_text(json.dumps(document))
    with pytest.raises(RunError) as caught:
        run.card(1)
    assert str(caught.value).startswith(f"{run.finalist(1) / 'card.json'} is damaged (")
    assert message in str(caught.value)
