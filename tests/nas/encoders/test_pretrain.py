from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.encoders.compact import pretrain_compact
from nas.encoders.export import export_encoder
from nas.encoders.pretrain import PretrainConfig, chosen_job, pretrain_encoder
from nas.encoders.vectors import embeddings_of, find_encoder, stored_compact, table_of
from nas.run.config import ConfigError
from nas.run.job.progress import Silent
from ppg.npz.folder import write_folder
from ppg.segments.cut import SAMPLES
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError, RunError
from ppgnas.files import sha256_of

COSTS = {"space": "default", "board": "stm32h743", "engine": "ppgnas-c"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> PretrainConfig:
    root = tmp_path_factory.mktemp("recordings")
    write_folder(root / "data", synthesize(people=4, minutes=1.0))
    return PretrainConfig(
        sensor="ppg",
        data=(str(root / "data"),),
        shards=str(root / "segments"),
        steps=2,
        batch=4,
        held_out_hours=0.01,
        device="cpu",
    )


def with_teacher(asked: PretrainConfig, teacher: Path) -> PretrainConfig:
    return replace(asked, sensor="acc", teacher=str(teacher))


def test_from_recordings_to_embeddings_on_a_chip(asked: PretrainConfig, tmp_path: Path) -> None:
    ppg, folder = tmp_path / "ppg.safetensors", tmp_path / "acc-2kb"
    stored = pretrain_encoder(asked, ppg, progress=Silent())
    assert [path.name for path in (tmp_path / "metrics").iterdir()] == ["ppg.csv"]
    assert not set(stored.facts.people) & set(stored.facts.held_out)
    with pytest.raises(RunError, match="exists and stays as it is"):
        pretrain_encoder(asked, ppg, progress=Silent())
    taught = with_teacher(asked, ppg)
    card = pretrain_compact(taught, folder, limit_bytes=2048, progress=Silent(), **COSTS)
    assert card.weight_bytes <= 2048
    assert card.costs.latency_ms.value > 0
    assert card.parity.tflite_rule_max_lsb == 0
    assert card.emulated is None or card.emulated.differences == 0
    assert {path.name for path in folder.iterdir()} >= {"model.c", "model.h", "model.tflite"}
    assert stored_compact(folder).card == card
    firmware = export_encoder(folder, ["c", "tflite"], tmp_path / "firmware")
    assert (tmp_path / "firmware" / "example" / "main.c") in firmware
    assert "embeds 30 s of acceleration into 32 numbers" in (
        tmp_path / "firmware" / "README.md"
    ).read_text(encoding="utf-8")
    for prefix in ("ppg", "enc", "my_acc"):
        made = tmp_path / prefix
        export_encoder(folder, ["c"], made, prefix=prefix)
        header = made / ("model.h" if prefix == "ppg" else f"{prefix}_model.h")
        assert sha256_of(folder / "weights.safetensors") in header.read_text(encoding="utf-8")
        readme = (made / "README.md").read_text(encoding="utf-8")
        assert f"| `{prefix}_infer` | " in readme
        assert f"{prefix}_predict" not in readme
        assert f"`{prefix}_infer` embeds 30 s" in readme
    recording = synthesize(people=1, minutes=1.0, seed=9)[0]
    for path, dimensions in ((ppg, 124), (folder, 32)):
        found = embeddings_of(find_encoder(path), recording)
        assert found.vectors.shape == (4, dimensions)
        assert np.isfinite(found.vectors).all()
        assert table_of(found).splitlines()[0].startswith("start_s,e0,e1")
    assert SAMPLES == 960


def test_what_cannot_be_is_refused(asked: PretrainConfig, tmp_path: Path) -> None:
    both = PretrainConfig(sensor="acc", data=("x",), method="masked", teacher="t.safetensors")
    with pytest.raises(ConfigError, match="with a `teacher` it is aligned"):
        chosen_job(both)
    with pytest.raises(ConfigError, match="`method` is 'flip'; allowed: masked, contrast"):
        chosen_job(replace(asked, method="flip"))
    with pytest.raises(ConfigError, match="`method` is 'aligned'; allowed: masked, contrast"):
        chosen_job(replace(asked, sensor="acc", method="aligned"))
    with pytest.raises(ConfigError, match="`sensor` is 'ecg'; allowed: ppg, acc"):
        chosen_job(replace(asked, sensor="ecg"))
    with pytest.raises(ConfigError, match="teaches an encoder of acceleration; one of PPG has"):
        chosen_job(replace(asked, teacher="t.safetensors"))
    with pytest.raises(ConfigError, match="`steps` is 0; allowed: 1 or more"):
        chosen_job(replace(asked, steps=0))
    with pytest.raises(ConfigError, match="compact encoder, and `sensor` is 'ppg'; allowed: acc"):
        pretrain_compact(asked, tmp_path / "c", limit_bytes=1, progress=Silent(), **COSTS)
    with pytest.raises(ConfigError, match=r"ends in \.safetensors"):
        pretrain_encoder(asked, tmp_path / "ppg", progress=Silent())
    with pytest.raises(RunError, match=r"no such encoder; pass a file of `ppgnas pretrain`"):
        pretrain_encoder(
            with_teacher(asked, tmp_path / "none.safetensors"),
            tmp_path / "a.safetensors",
            progress=Silent(),
        )
    with pytest.raises(RunError, match=r"no encoder\.json; pass a folder"):
        find_encoder(tmp_path)
    other = tmp_path / "model.tflite"
    other.write_bytes(b"\x20\0\0\0TFL3" + bytes(32))
    with pytest.raises(RunError, match=r"is no encoder \(no safetensors file\); pass a file of"):
        find_encoder(other)
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(RunError, match=r"a part of a compact encoder; pass its folder, "):
        find_encoder(other)


def test_a_recording_must_have_what_is_read(asked: PretrainConfig, tmp_path: Path) -> None:
    out = tmp_path / "acc.safetensors"
    pretrain_encoder(replace(asked, sensor="acc"), out, progress=Silent())
    whole = synthesize(people=1, minutes=1.0)[0]
    torn = embeddings_of(find_encoder(out), replace(whole, gaps=((15.0, 18.0),)))
    assert torn.start_s.tolist() == [0, 10, 20, 30]
    assert torn.clear.tolist() == [False, False, True, True]
    bare = replace(whole, acc=None, acc_hz=None)
    with pytest.raises(DataError, match="has no acceleration, and this encoder reads it"):
        embeddings_of(find_encoder(out), bare)
