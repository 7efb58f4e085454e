"""What an export writes, and what it does with files of before."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from nas.models.export import MANIFEST, export_files
from nas.models.names import ModelError, find_model
from nas.run.folder import RunDir
from ppgnas.errors import ExportError


def test_export(run: RunDir, tmp_path: Path) -> None:
    model = find_model(f"{run.path}:1")
    out = tmp_path / "out"
    written = export_files(model, ["tflite", "onnx"], out)
    assert [path.name for path in written] == ["model.tflite", "model.onnx"]
    for path in written:
        assert path.read_bytes() == (run.finalist(1) / path.name).read_bytes()
    assert export_files(model, ["tflite"], out) == [out / "model.tflite"]
    with pytest.raises(ModelError, match="exists and differs; it stays as it is"):
        export_files(find_model(f"{run.path}:2"), ["tflite"], out)
    other = find_model(f"{run.path}:2")
    assert export_files(other, ["tflite"], out, force=True) == [out / "model.tflite"]
    assert (out / "model.tflite").read_bytes() == (run.finalist(2) / "model.tflite").read_bytes()
    with pytest.raises(ModelError, match="`formats` is 'elf'; allowed: tflite, onnx, c"):
        export_files(model, ["elf"], out)


def test_export_of_c(run: RunDir, tmp_path: Path) -> None:
    """The run's own model.c, with what builds it and a card that describes both."""
    model = find_model(f"{run.path}:1")
    written = export_files(model, ["c", "tflite"], tmp_path)
    assert {path.name for path in written} == {
        "model.tflite",
        "model.c",
        "model.h",
        "main.c",
        "bench.c",
        "startup.c",
        "an500.ld",
        "Makefile",
        "window.h",
        "path.c",
        "path.h",
        "README.md",
        "card.json",
        "CMakeLists.txt",
        "Kconfig",
        "module.yml",
        "library.json",
        "library.properties",
        "ppgnas.ppg_model.pdsc",
        "export.sha256",
    }
    # The finalist's own functions, with front end and decoder around them.
    own = (run.finalist(1) / "model.c").read_text(encoding="utf-8")
    functions = own[own.index("/* ---- arithmetic") :]
    source = (tmp_path / "model.c").read_text(encoding="utf-8")
    assert functions in source
    assert "int ppg_predict(" in source and "int ppg_predict(" not in own
    card = json.loads((tmp_path / "card.json").read_text())
    assert {key: card[key] for key in card if key != "c"} == {
        key: value
        for key, value in json.loads((run.finalist(1) / "card.json").read_text()).items()
        if key != "c"
    }
    assert card["c"]["sha256"]["model.c"] == hashlib.sha256(source.encode()).hexdigest()
    assert card["c"]["sensors"]["smoothing"] == "hmm"
    assert card["c"]["scratch_bytes"] > 0
    assert card["c"]["rule"] == "c"
    for who in ("search", "report"):
        assert card["c"][who]["mae_bpm_c"] > 0
    assert export_files(model, ["c"], tmp_path) == [p for p in written if p.suffix != ".tflite"]
    cycles = card["costs"]["cycles"]["value"]
    assert f"{cycles} cycles (" in (tmp_path / "README.md").read_text(encoding="utf-8")
    named = export_files(model, ["c"], tmp_path / "two", prefix="two")
    assert {"two_model.c", "two_model.h"} < {path.name for path in named}
    header = (tmp_path / "two" / "two_model.h").read_text(encoding="utf-8")
    assert f'#define TWO_MODEL_ID "{card["id"]}"' in header
    assert f'#define TWO_MODEL_RUN "{run.path.name}"' in header
    assert card["files"]["weights.safetensors"]["sha256"] in header


def test_what_another_prefix_left_goes_and_what_is_not_its_own_stays(
    run: RunDir, tmp_path: Path
) -> None:
    model, out = find_model(f"{run.path}:1"), tmp_path / "out"
    export_files(model, ["c", "tflite"], out)
    (out / "model.h").write_text("changed by hand")
    (out / "mine.c").write_text("int mine;")
    outside = tmp_path / "outside.c"
    outside.write_text("")
    with (out / "export.sha256").open("a") as listed:
        listed.write(f"{hashlib.sha256(b'').hexdigest()}  ../outside.c\nno digest\n\0  \0\n")
    export_files(model, ["c"], out, prefix="two", force=True)
    assert not (out / "model.c").exists() and (out / "two_model.c").is_file()
    stay = ("model.h", "mine.c", "model.tflite", "../outside.c")
    assert all((out / name).is_file() for name in stay)
    for line in (out / "export.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    with pytest.raises(ModelError, match="exists and differs"):
        export_files(model, ["c"], out)


@pytest.mark.parametrize("formats", ["c,tflite", "onnx,c", "c,onnx,tflite"])
def test_all_files_of_an_export_are_listed(formats: str, run: RunDir, tmp_path: Path) -> None:
    model = find_model(f"{run.path}:1")
    written = export_files(model, formats, tmp_path)
    assert _listed(tmp_path) == {p.relative_to(tmp_path).as_posix() for p in written} - {MANIFEST}


def test_what_is_exported_beside_c_is_listed_and_stays(run: RunDir, tmp_path: Path) -> None:
    model = find_model(f"{run.path}:1")
    export_files(model, "c", tmp_path)
    alone = _listed(tmp_path)
    export_files(model, "tflite", tmp_path)
    export_files(model, "onnx", tmp_path)
    both = alone | {"model.tflite", "model.onnx"}
    assert _listed(tmp_path) == both
    export_files(model, "c", tmp_path)
    assert _listed(tmp_path) == both
    with pytest.raises(ModelError, match=r"exists and differs"):
        export_files(find_model(f"{run.path}:2"), "c", tmp_path)
    export_files(find_model(f"{run.path}:2"), "c", tmp_path, force=True)
    assert _listed(tmp_path) == alone and not (tmp_path / "model.tflite").exists()


def _listed(folder: Path) -> set[str]:
    """What a manifest holds, each with its digest."""
    lines = (folder / MANIFEST).read_text().splitlines()
    rows = [line.split("  ") for line in lines]
    for digest, name in rows:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    return {name for _, name in rows}


def test_export_of_streaming_c(run: RunDir, tmp_path: Path) -> None:
    """Errors of windows are not said of it, and its README says how to call it."""
    model = find_model(f"{run.path}:1")
    export_files(model, ["c"], tmp_path, mode="streaming")
    card = json.loads((tmp_path / "card.json").read_text())
    assert "search" not in card["c"] or card["c"]["search"] is None
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "`int ppg_step(ppg_network_t *network" in readme and "ppg_infer" not in readme
    assert "trained and judged in mode window: no error of its card holds" in readme
    assert "ppg_stream_reset(&stream);" in readme
    assert "int ppg_step(" in (tmp_path / "model.c").read_text(encoding="utf-8")


def test_c_comes_from_the_integers_that_the_card_describes(run: RunDir, tmp_path: Path) -> None:
    path = run.finalist(2) / "weights.safetensors"
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"!")
        with pytest.raises(ExportError, match="is not the file that its card describes"):
            export_files(find_model(f"{run.path}:2"), ["c"], tmp_path / "out")
    finally:
        path.write_bytes(content)


def test_a_file_that_was_changed_is_not_handed_out(run: RunDir, tmp_path: Path) -> None:
    path = run.finalist(2) / "model.onnx"
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"!")
        with pytest.raises(ExportError, match="is not the file that its card describes"):
            export_files(find_model(f"{run.path}:2"), ["tflite", "onnx"], tmp_path / "out")
    finally:
        path.write_bytes(content)
    assert not (tmp_path / "out").exists()
