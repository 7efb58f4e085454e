from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from hwmodels.boards import load_board
from hwmodels.engines.load import load_engine
from hwmodels.generated_c.cost import fast_cost
from hwmodels.path import USUAL, shape_of
from hwmodels.scorecard import score
from nas.cli.main import main
from nas.models.export import export_files
from nas.models.names import ModelError, find_model
from nas.models.windows import windows_for
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from nas.run.resolve import resolve
from nas.search import search
from ppgnas.errors import ExportError, GraphError, PpgnasError, RunError, SpaceError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.nas.fakes import FakeTrainer, few_drawn, write_people

FILES = Path(__file__).parents[2] / "deploy" / "tflite" / "files"
ARCH = SearchSpace.preset("tiny").smallest()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    folder = tmp_path_factory.mktemp("models")
    config = resolve(
        {
            "budget": "80KB",
            "data": str(write_people(folder / "data")),
            "space": "tiny",
            "trials": 30,
            "finalists": 2,
        }
    )
    run = RunDir(folder / "run")
    with few_drawn(page=False):
        search(config, run, command="", progress=Silent(), make_trainer=FakeTrainer)
    return run


def test_files_are_told_apart_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(ARCH.dumps())
    (tmp_path / "b.json").write_text(json.dumps(lower(ARCH).to_json()))
    by_arch, by_graph = (find_model(str(tmp_path / name)) for name in ("a.json", "b.json"))
    assert by_arch.graph == by_graph.graph == lower(ARCH)
    assert (by_arch.arch, by_graph.arch) == (ARCH, None)
    with pytest.raises(ModelError, match="has no weights; name a finalist"):
        by_arch.net()


def test_a_finalist_by_number_and_by_id(run: RunDir) -> None:
    by_number = find_model(f"{run.path}:2")
    by_id = find_model(f"{run.path}:{run.card(2).id}")
    assert by_number.folder == by_id.folder == run.finalist(2)
    assert by_number.arch is not None
    assert by_number.graph == by_number.net().graph == lower(by_number.arch)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"dilation": 1', '"dilation": 3'),
        ('"kernel": ', '"kernel": 1'),
        ('"stem_width": 1', '"stem_width": 3'),
    ],
)
def test_an_arch_that_its_card_does_not_describe(
    run: RunDir, tmp_path: Path, old: str, new: str
) -> None:
    """A flipped bit makes another number of a digit, and another network of the same form."""
    folder = tmp_path / "1"
    shutil.copytree(run.finalist(1), folder)
    find_model(str(folder))
    path = folder / "arch.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RunError, match=r"arch\.json is not the architecture that its card descr"):
        find_model(str(folder))


def test_what_the_c_of_an_export_calls_itself_calibrates(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the CSV of its benchmark, which lies beside the run; its rows are repeats."""
    key = run.card(2).id
    assert find_model(f"{run.finalist(2)}:{key}").folder == run.finalist(2)
    cycles = fast_cost(
        lower(find_model(f"{run.path}:2").arch or ARCH), load_engine("ppgnas-c").law
    )
    rows = [f"run:{key},window,{round(cycles[0] * by)},DWT" for by in (3, 1.5, 1.5)]
    path = run.path.parent / "bench.csv"
    path.write_text("\n".join(["model,mode,cycles,counter", *rows]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["calibrate", str(path), "--board", "stm32h743", "--out", "mine.toml"])
    assert left.value.code == 0
    assert "1 timing of bench.csv" in (tmp_path / "mine.toml").read_text()


def test_a_tflite_file_by_its_content(run: RunDir, tmp_path: Path) -> None:
    """The file of a finalist is the finalist's graph, save the names of layers."""
    content = (run.finalist(1) / "model.tflite").read_bytes()
    finalist = find_model(f"{run.path}:1")
    for name in ("somebody.tflite", "somebody.bin"):
        (tmp_path / name).write_bytes(content)
        model = find_model(str(tmp_path / name))
        assert model.graph.tensors == finalist.graph.tensors
        assert [layer.op for layer in model.graph.layers] == [
            layer.op for layer in finalist.graph.layers
        ]
        assert (model.arch, model.folder, model.run) == (None, None, None)
        assert model.net().activations == finalist.net().activations


@pytest.mark.parametrize("name", ["heart", "torch_heart", "torch_branches"])
def test_what_reads_recordings_whatever_the_order_of_its_axes(name: str) -> None:
    """PPG and axes as channels behind time, in front of it, and in inputs of their own."""
    model = find_model(str(FILES / f"{name}_int8.tflite"))
    spec = model.inputs
    assert (spec.rate_hz, spec.acceleration) == (16, True)
    board, engine = load_board("stm32h743"), load_engine("ppgnas-c")
    assert shape_of(model.graph, USUAL) is not None
    assert score(model.graph, board, engine, around=USUAL).path is not None
    found = windows_for(model, model.net(), data=None, limit=3)
    assert found.source == "synthetic" and found.x.shape == (3, *model.graph.window)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("m.json", None, ModelError, "there is no such file; name RUN:ID"),
        ("m.json", "{", ModelError, "is not JSON"),
        ("m.safetensors", "\x10" + 7 * "\0" + "{}", ModelError, "m.safetensors holds weights al"),
        (
            "m.onnx",
            "....",
            ModelError,
            r"m\.onnx is an ONNX file, .* pass the \.tflite file",
        ),
        ("m.ONNX", "....", ModelError, r"is not JSON"),
        ("m.json", "\x08\x07", ModelError, r"m\.json is an ONNX file"),
        ("m.bin", "\x08\x08", ModelError, r"m\.bin is an ONNX file, which is written for other"),
        ("m.json", "{}", ModelError, "is neither an architecture"),
        ("m.json", '{"stages": 3}', SpaceError, "malformed"),
        ("m.json", '{"format": "ppgnas-graph"}', GraphError, "malformed"),
        ("m.tflite", "TFL3", GraphError, r"m\.tflite is no TFLite file"),
        (
            "m.tflite",
            "\x08\x08\x12\x04",
            ModelError,
            r"m\.tflite is an ONNX file, .* the same net",
        ),
        ("m.pb", "\x08\x01\x12\x04", ModelError, r"m\.pb is a SavedModel of TensorFlow; quantise"),
        ("m.keras", "PK\x03\x04..", ModelError, r"m\.keras is an archive \(zip\), as Keras and"),
        ("m.tflite", "PK\x03\x04..", ModelError, r"m\.tflite is an archive .* converter and pass"),
        ("m.tflite", "<!DOCTYPE html>", ModelError, r"m\.tflite is a page of HTML .* fetch the"),
        ("m.tflite", "version https://git-lfs.github.com/spec/v1", ModelError, "git lfs pull"),
        ("m.tflite", "....TFL3.......", GraphError, r"m\.tflite is damaged or cut short"),
        ("m.h5", "\x89HDF\r\n\x1a\n", ModelError, r"m\.h5 is a file of HDF5, as Keras saves mo"),
        ("m.pt", "\x80\x02\x8a\n", ModelError, r"m\.pt is a pickle, as PyTorch saved models; qua"),
        ("m.tflite", "\x1f\x8b\x08", ModelError, r"m\.tflite is packed \(gzip\); unpack it"),
    ],
)
def test_what_is_no_model(
    name: str, content: str | None, error: type[PpgnasError], message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(error, match=message):
        find_model(str(tmp_path / name))


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a folder and holds no model with a card; name RUN:"):
        find_model(str(tmp_path))
    (tmp_path / "model.tflite").touch()  # as of a compact encoder
    with pytest.raises(ModelError, match=r"with a card; pass .*model\.tflite"):
        find_model(str(tmp_path))


def test_no_such_run_or_finalist(run: RunDir, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        find_model(f"{tmp_path}:1")
    with pytest.raises(RunError, match=r"has no finalist '9'; its finalists: 1, 2"):
        find_model(f"{run.path}:9")
    with pytest.raises(ModelError, match=f"is a run; name one of its finalists: {run.path}:1, "):
        find_model(str(run.path))


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


def test_tflite_files_of_a_search_carry_a_plan_of_the_arena(run: RunDir) -> None:
    from deploy.tflite import writer as tflite

    content = (run.finalist(1) / "model.tflite").read_bytes()
    assert tflite.PLAN_NAME.encode() in content


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


def test_a_name_that_no_system_takes_is_refused() -> None:
    with pytest.raises(ModelError, match=r"'a\\x00b' can be no path; name RUN:ID"):
        find_model("a\0b")
