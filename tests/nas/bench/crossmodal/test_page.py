from __future__ import annotations

import numpy as np
import pytest

from nas.bench.crossmodal.cells import (
    CONTRAST,
    DISTILLED,
    MASKED,
    CrossmodalConfig,
    EncoderRecord,
    Probe,
    file_of,
)
from nas.bench.crossmodal.measure import retrieval
from nas.bench.crossmodal.page import (
    best_alone,
    crossmodal_page,
    draw_places,
    gains,
    mean_of,
    places,
    summary_rows,
)
from nas.bench.crossmodal.run import Crossmodal
from nas.encoders.pretrain import Corpus
from nas.run.config import ConfigError
from nas.run.documents import read_kept, write_kept
from ppg.segments.shards import write_shards
from ppg.synthetic.recordings import synthesize


def record(name: str, errors: dict[str, float]) -> EncoderRecord:
    probes = (
        Probe("hr", 1.0, 0, 40, errors, {"rest": 3.0}),
        *(Probe("hr", 0.01, draw, 8, {p: e + draw for p, e in errors.items()}) for draw in (0, 2)),
    )
    return EncoderRecord(name=name, made_for="x", parameters=10, probes=probes)


@pytest.fixture
def found(tmp_path_factory: pytest.TempPathFactory) -> Crossmodal:
    shards = write_shards(synthesize(people=2, minutes=1.0), tmp_path_factory.mktemp("shards"))
    corpus = Corpus(shards, shards.people[:1], shards.people[1:])
    rows = np.eye(3)
    taught = record(DISTILLED, {"a": 6.0, "b": 8.0})
    taught = EncoderRecord(
        **{
            **vars(taught),
            "retrieval": {"over all": retrieval(rows, rows, [np.arange(3)])},
            "acc_xy": ((0.0, 1.0), (1.0, 0.0)),
            "ppg_xy": ((2.0, 1.0), (1.0, 2.0)),
            "who": ("a", "b"),
            "pictured": "t-SNE",
        }
    )
    records = [
        taught,
        record(MASKED, {"a": 10.0, "b": 10.0}),
        record(CONTRAST, {"a": 8.0, "b": 16.0}),
    ]
    named = {each.name: each for each in records}
    return Crossmodal(CrossmodalConfig(("synthetic",)), corpus, named, {"hr": (40, 10)})


def test_gains_are_of_the_mean_over_people(found: Crossmodal) -> None:
    records = found.records
    assert mean_of(records[DISTILLED], "hr", 0.01) == 8.0  # mean of two draws
    assert best_alone(records, "hr").name == MASKED
    assert gains(records, "hr")[DISTILLED].value == pytest.approx(30.0)


def test_the_page_says_what_holds(found: Crossmodal) -> None:
    page = crossmodal_page(found, "ppgnas bench crossmodal")
    assert "Retrieval over all pairs at 20 times chance: missed (3.0 times" in page
    assert "alone (acc masked): reached (30.0 %" in page
    assert "**Synthetic recordings.**" in page
    assert ("distilled", "7.00", "8.00", "3.0") in summary_rows(found)


def test_the_picture_has_each_person_on_both_sides(found: Crossmodal) -> None:
    drawn = places(found.records[DISTILLED])
    assert [(each.person, each.side, each.x) for each in drawn] == [
        ("a", 0, [2.0]),
        ("b", 0, [1.0]),
        ("a", 1, [0.0]),
        ("b", 1, [1.0]),
    ]
    assert len(draw_places(drawn, how="t-SNE", synthetic=True).data) == 4


def test_records_are_found_again(found: Crossmodal, tmp_path: pytest.TempPathFactory) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    kept = found.records[DISTILLED]
    path = file_of(folder, kept.name)
    write_kept(path, kept)
    assert read_kept(path, EncoderRecord, anew=True, made_for="x") == kept
    assert read_kept(path, EncoderRecord, anew=True, made_for="another") is None


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(ConfigError, match="`preset` is 'huge'; allowed: smoke, brief"):
        CrossmodalConfig(("x",), preset="huge")
