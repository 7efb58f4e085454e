from __future__ import annotations

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
from nas.models.names import Model, ModelError, find_model
from nas.models.windows import windows_for
from nas.run.folder import RunDir
from ppgnas.errors import GraphError, PpgnasError, RunError, SpaceError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.nas.cli.leaving import leave, run_json

FILES = Path(__file__).parents[2] / "deploy" / "tflite" / "files"
ARCH = SearchSpace.preset("tiny").smallest()


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
        ("m.ONNX", "....", ModelError, r"m\.ONNX is no model; name RUN:ID"),
        ("m.c", "/* int8 */", ModelError, r"m\.c is no model; name RUN:ID"),
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
    with pytest.raises(ModelError, match=r"is a folder and no model; name RUN:"):
        find_model(str(tmp_path))
    (tmp_path / "model.tflite").touch()  # as of a compact encoder
    with pytest.raises(ModelError, match=r"no model; pass .*model\.tflite"):
        find_model(str(tmp_path))


def test_no_such_run_or_finalist(run: RunDir, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        find_model(f"{tmp_path}:1")
    with pytest.raises(RunError, match=r"has no finalist '9'; its finalists: 1, 2"):
        find_model(f"{run.path}:9")
    with pytest.raises(ModelError, match=f"is a run; name one of its finalists: {run.path}:1, "):
        find_model(str(run.path))


def test_windows_that_the_weights_do_not_read_are_told(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked, said in (
        (("--window", "4s"), "4 s every 2 s, 30-209 BPM, mode window"),
        (("--stride", "1s"), "8 s every 1 s, 30-209 BPM, mode window"),
        (("--bpm", "40-199"), "8 s every 2 s, 40-199 BPM, mode window"),
        (("--mode", "streaming"), "8 s every 2 s, 30-209 BPM, mode streaming"),
    ):
        assert leave("score", f"{run.path}:1", *asked) == 0
        assert (
            f"Note: {run.path}:1 was trained with 8 s every 2 s, 30-209 BPM, mode window; these "
            f"are costs with {said}\n"
        ) in capsys.readouterr().err
    assert leave("score", f"{run.path}:1", "--window", "8s") == 0
    assert leave("score", "published:tiny", "--window", "4s") == 0
    assert "trained with" not in capsys.readouterr().err
    with monkeypatch.context() as patched:  # of a network that streams
        patched.setattr(Model, "mode", property(lambda self: self.folder and "streaming"))
        other = ("score", f"{run.path}:1", "--bpm", "40-199")
        assert run_json(capsys, *other) == run_json(capsys, *other, "--mode", "streaming")
        assert run_json(capsys, *other) != run_json(capsys, *other, "--mode", "window")
    own = run_json(capsys, "score", f"{run.path}:1")
    assert run_json(capsys, "score", f"{run.path}:1", "--window", "8s") == own
    assert own["clock"]["meets"] is True
    assert run_json(capsys, "score", f"{run.path}:1", "--latency", "1us")["clock"] is None


def test_tflite_files_of_a_search_carry_a_plan_of_the_arena(run: RunDir) -> None:
    from deploy.tflite import writer as tflite

    content = (run.finalist(1) / "model.tflite").read_bytes()
    assert tflite.PLAN_NAME.encode() in content


def test_a_name_that_no_system_takes_is_refused() -> None:
    with pytest.raises(ModelError, match=r"'a\\x00b' can be no path; name RUN:ID"):
        find_model("a\0b")
