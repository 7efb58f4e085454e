"""The verbs of the hardware models: `calibrate`, `bench hwmodels`, `boards new` and `check`."""

import json
import re
from pathlib import Path

import pytest

from hwmodels.boards import BOARDS_DIR, board_names, load_board
from hwmodels.engines.load import engine_names, load_engine
from hwmodels.graph import Graph
from hwmodels.scorecard import score
from nas.bench.hwmodels import bench_hwmodels, markdown
from tests.hwmodels.small import small_graph
from tests.nas.cli.leaving import leave, run_json

NETWORK = ("--budget-scope", "network")  # what was timed: no path around it


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four graphs, and timings of them at 1.33 times what the engine says."""
    monkeypatch.chdir(tmp_path)
    board, engine = load_board("stm32f767"), load_engine("tflm-cmsis-nn")
    lines = ["model,latency_ms"]
    for number in range(4):
        graph = small_graph(channels=8 + 4 * number, time=16 + 8 * number)
        path = tmp_path / f"g{number}.json"
        path.write_text(json.dumps(graph.to_json()), encoding="utf-8")
        lines.append(f"{path.name},{1.33 * score(graph, board, engine).latency_ms.value}")
    (tmp_path / "timings.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_timings_make_an_engine_that_scores(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["calibrate", "timings.csv", "--board", "stm32f767", "--out", "mine.toml"]
    words += ["--engine", "tflm-cmsis-nn"]
    document = run_json(capsys, *words)
    assert document["scale"] == pytest.approx(1.33)
    assert document["points"] == 4
    assert document["held_out_error_percent"] == pytest.approx(0, abs=1e-6)
    page = (folder / "mine.html").read_text(encoding="utf-8")
    assert "measured cycles" in page
    assert 'src="http' not in page
    assert leave(*words) == 0
    printed = capsys.readouterr().out
    assert "error of held-out ones 0.00 %" in printed
    assert "mine.toml written; parity plot: mine.html" in printed
    scored = ("score", "g1.json", "--board", "stm32f767", *NETWORK, "--engine")
    mine, before = (run_json(capsys, *scored, name) for name in ("mine.toml", "tflm-cmsis-nn"))
    assert mine["latency_ms"]["value"] == pytest.approx(1.33 * before["latency_ms"]["value"])


def test_an_anchor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("calibrate", "--anchor", "g1.json=0.3ms", "--board", "stm32f767") == 0
    assert "not known from so few" in capsys.readouterr().out
    words = ("score", "g1.json", "--board", "stm32f767", "--engine", "my_engine.toml", *NETWORK)
    document = run_json(capsys, *words)
    assert document["latency_ms"]["value"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("measured", "board", "core"),
    [
        ("nrf52832", "nrf5340", "Cortex-M33"),
        ("nrf52832", "stm32g0b1", "Cortex-M0+"),
        ("nrf52832", "stm32h743", "Cortex-M7"),
        ("nrf52832", "nrf52840", ""),
        ("stm32f767", "nrf5340", ""),  # which takes a Cortex-M7's cycles and a ratio
    ],
)
def test_a_board_of_which_a_calibration_says_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], measured: str, board: str, core: str
) -> None:
    assert leave("calibrate", "--anchor", "g1.json=0.9ms", "--board", measured) == 0
    capsys.readouterr()
    words = ("score", "g1.json", "--board", board, *NETWORK, "--json")
    assert leave(*words, "--engine", "my_engine.toml") == 0
    printed = capsys.readouterr()
    told = f", and none of that counts on the {core} of {board}; calibrate there too."
    assert (told in printed.err) == bool(core)
    plain = run_json(capsys, *words[:-1])
    same = json.loads(printed.out)["latency_ms"] == plain["latency_ms"]
    assert same == bool(core)


def test_timings_in_another_unit_are_questioned(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a whole table as of one anchor; nothing is written."""
    name, ms = (folder / "timings.csv").read_text(encoding="utf-8").splitlines()[2].split(",")
    units = {1e3: "microseconds", 1e-3: "seconds", 216e3: "cycles", 1e6: "nanoseconds"}
    for factor, unit in units.items():
        lines = (folder / "timings.csv").read_text(encoding="utf-8").splitlines()
        rows = (line.split(",") for line in lines[1:])
        wrong = [lines[0], *(f"{model},{float(time) * factor}" for model, time in rows)]
        (folder / "wrong.csv").write_text("\n".join(wrong), encoding="utf-8")
        for words in (["wrong.csv"], ["--anchor", f"{name}={float(ms) * factor}ms"]):
            for engine in ([], ["--engine", "tflm-cmsis-nn"]):
                assert leave("calibrate", *words, *engine, "--board", "stm32f767") == 2
                said = capsys.readouterr().err
                assert "times what " in said and "allowed: 1/20 to 20" in said
                look = re.search(r"They look like (.*), not ms", said)
                assert look is not None and unit in look[1].split(" or ")
    assert not (folder / "my_engine.toml").exists()


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ([1, 1.01, 1e3], "line 4 is 1e+03 times line 2"),
        ([1e3, 1, 1.02, 1.01], "line 2 is 1e+03 times line 3"),
        ([1, 1, 216e3, 216e3], "line 4 is 2.16e+05 times line 2"),
    ],
)
def test_repeats_in_another_unit_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], factors: list[float], said: str
) -> None:
    """A median would pass over the one, and take the middle of halves."""
    rows = "".join(f"g1.json,{0.3 * factor}\n" for factor in factors)
    (folder / "repeats.csv").write_text(f"model,latency_ms\n{rows}", encoding="utf-8")
    assert leave("calibrate", "repeats.csv", "--board", "stm32f767") == 2
    assert said in capsys.readouterr().err
    assert not (folder / "my_engine.toml").exists()


@pytest.mark.parametrize(
    ("factor", "said"), [(1.5, ""), (7, "seldom differ"), (0.1, "seldom differ")]
)
def test_a_factor_far_from_one_is_questioned(
    folder: Path, capsys: pytest.CaptureFixture[str], factor: float, said: str
) -> None:
    plain = run_json(capsys, "score", "g1.json", "--board", "stm32f767", *NETWORK)
    ms = plain["latency_ms"]["value"] * factor
    words = ["calibrate", "--anchor", f"g1.json={ms}ms", "--board", "stm32f767"]
    assert leave(*words) == 0
    assert said in (told := capsys.readouterr().err) and ("seldom" in told) == bool(said)
    assert ("seldom" in str(run_json(capsys, *words)["caution"])) == bool(said)


@pytest.mark.parametrize(
    ("board", "scale", "per_cycle", "said"),
    [
        ("stm32f767", 1.0, 1e9 / 216e6, "They look like nanoseconds, not cycles"),
        ("stm32f767", 0.8, 1e9 / 216e6, "they may be nanoseconds, not cycles"),
        ("stm32l4r5", 1.2, 1e9 / 120e6, "They look like nanoseconds, not cycles"),
        ("stm32f767", 1.3, 1e6 / 216e6, "They look like microseconds, not cycles"),
        ("stm32h743", 1.0, 1e9 / 480e6, "they may be nanoseconds, not cycles"),
    ],
)
def test_other_units_taken_for_cycles_are_questioned(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    board: str,
    scale: float,
    per_cycle: float,
    said: str,
) -> None:
    target, engine = load_board(board), load_engine("tflm-cmsis-nn")
    lines = ["model,cycles"]
    for number in range(4):
        graph = Graph.from_json(json.loads((folder / f"g{number}.json").read_text()))
        ms = score(graph, target, engine).latency_ms.value
        cycles = ms * target.clock_hz / 1e3
        lines.append(f"g{number}.json,{scale * cycles * per_cycle}")
    (folder / "counted.csv").write_text("\n".join(lines), encoding="utf-8")
    words = ["calibrate", "counted.csv", "--board", board, "--engine", "tflm-cmsis-nn"]
    assert leave(*words) == (2 if said.startswith("They") else 0)
    assert said in capsys.readouterr().err
    assert (folder / "my_engine.toml").exists() != said.startswith("They")


@pytest.mark.parametrize("key", ["sleep_power", "sleep.stop2"])
def test_sleep_draws_less_than_work(
    folder: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    assert leave("boards", "new", "STM32G474") == 0
    path = folder / "stm32g474.toml"
    text = path.read_text(encoding="utf-8")
    figure = '{ value = 900, unit = "mW", source = "typed" }'
    text = (
        re.sub(r"(?m)^sleep_power = .*$", f"sleep_power = {figure}", text)
        if (key == "sleep_power")
        else f"{text}\n[sleep]\nstop2 = {figure}\n"
    )
    path.write_text(text, encoding="utf-8")
    for words in (["boards", "check", path.name], ["score", "g1.json", "--board", path.name]):
        assert leave(*words) == 2
        assert f"{key} is 900 mW, above active_power of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "calibrate needs either a CSV file of timings or --anchor MODEL=TIME, and not both"),
        (["timings.csv", "--out", "x.json"], "--out is 'x.json'; an engine file ends in .toml"),
        (["--anchor", "g1.json"], "--anchor is 'g1.json'; MODEL=TIME is expected"),
        (["--anchor", "g9.json=3ms"], "g9.json"),
        (
            ["--anchor", "g1.json=3"],
            "has no unit; allowed units: ms, us, s. Write for example --anchor g1.json=12.3ms",
        ),
        (["--anchor", "g1.json=0ms"], "--anchor is '0ms'; it must be above zero"),
        (["none.csv"], "none.csv: there is no such file"),
    ],
)
def test_wrong_use_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert leave("calibrate", *words) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "my_engine.toml").exists()


def test_a_missing_model_is_named_by_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "timings.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("g2.json", "gone.json"))
    assert leave("calibrate", "timings.csv") == 2
    assert "timings.csv: line 4, column model: " in capsys.readouterr().err


def test_boards_new_and_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("boards", "new", "STM32G474") == 0
    assert leave("boards", "check", "stm32g474.toml") == 0
    printed = capsys.readouterr().out
    assert "stm32g474.toml: STM32G474 can be read, but clock, flash, sram, active_power" in printed
    assert leave("boards", "new", "stm32g474") == 2
    assert "stm32g474.toml exists" in capsys.readouterr().err
    path = folder / "stm32g474.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('unit = "KiB"', 'unit = "KB"', 1))
    assert leave("boards", "check", "stm32g474.toml") == 2
    assert "flash.unit is 'KB'; allowed: B, KiB, MiB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ([], ["clock", "flash", "sram", "active_power", "sleep_power", "clock_limit"]),
        (["clock", "clock_limit"], ["flash", "sram", "active_power", "sleep_power"]),
        (["clock", "clock_limit", "flash", "sram", "active_power"], ["sleep_power"]),
        (["clock", "clock_limit", "flash", "sram", "active_power", "sleep_power"], []),
    ],
)
def test_figures_of_the_template_are_told(
    changed: list[str], left: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave("boards", "new", "mine") == 0
    path = folder / "mine.toml"
    text = path.read_text(encoding="utf-8")
    for key in changed:
        text = re.sub(rf'(?m)^({key} = .*)"assumption: fill in"', r'\1"data sheet"', text)
    path.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert run_json(capsys, "boards", "check", "mine.toml")["unfilled"] == left
    assert leave("boards", "check", "mine.toml") == 0
    printed = capsys.readouterr().out
    assert ("MINE is complete, 7 figures" in printed) is (not left)
    verb = "is" if len(left) == 1 else "are"
    assert (f"but {', '.join(left)} {verb} still the template's" in printed) is bool(left)


@pytest.mark.parametrize("name", ["nrf5340", "STM32H743", "apollo510.toml"])
def test_a_file_called_as_a_board_that_is_known(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave("boards", "new", name) == 0
    stem = name.removesuffix(".toml").lower()
    assert (
        f"{stem}.toml written, a copy of the board that comes with ppgnas: --board {stem}.toml is "
        f"this file, --board {stem} stays that one"
    ) in capsys.readouterr().out
    assert run_json(capsys, "boards", "check", f"{stem}.toml")["unfilled"] == []


@pytest.mark.parametrize(
    ("board", "ratio", "range_of"),
    [
        ("nrf5340", 0.67, "Cortex-M33 that come with ppgnas have 1.28 to 1.7"),
        ("stm32f446", 0.53, "Cortex-M4F that come with ppgnas have 1.37 to 2.35"),
        ("stm32h743", 2, "Cortex-M7 that come with ppgnas have 0.65 to 1.15"),
        ("nrf5340", 1.6, ""),
    ],
)
def test_a_ratio_that_is_turned_round_is_asked_about(
    board: str, ratio: float, range_of: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "mine.toml"
    figure = f'core_ratio = {{ value = {ratio}, unit = "x Cortex-M7"'
    text = (BOARDS_DIR / f"{board}.toml").read_text(encoding="utf-8")
    path.write_text(re.sub(r'core_ratio = .*unit = "x Cortex-M7"', figure, text))
    assert leave("boards", "check", "mine.toml") == 0
    asked = f"core_ratio is {ratio:g}; the boards with a {range_of}: is it the cycles"
    assert (asked in capsys.readouterr().out) is bool(range_of)


PLACES = ("/x", "~x", "$(id)", "a\nb", "a\\b", "..", "x.toml/..", "../x", "a/b.toml")


@pytest.mark.parametrize(
    "name", [*PLACES, "x y", "<b>", "caf\u00e9", ".toml", "-x.toml", "x" * 65]
)
def test_a_board_is_written_nowhere_else(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.parent.rglob("*"))
    assert leave("boards", "new", "--", name) == 2
    assert "is no name of a part; use up to 64 of a-z" in capsys.readouterr().err
    assert sorted(folder.parent.rglob("*")) == before


def test_a_link_in_a_boards_place_is_not_followed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mine.toml").symlink_to(tmp_path / "elsewhere.toml")
    leave("boards", "new", "mine")
    capsys.readouterr()
    assert not (tmp_path / "elsewhere.toml").exists()


def test_table_of_errors() -> None:
    found = bench_hwmodels(architectures=50)
    assert [speed.goal_per_second for speed in found.speeds] == [25_000, 20_000]
    document = found.to_json()
    assert all(row["met"] for row in document["rows"])
    text = markdown(found)
    assert "| TFLM + CMSIS-NN whole networks, Cortex-M7" in text
    others = len(board_names()) + len(engine_names()) + 2  # with their headings
    assert text.count("\n| ") == len(document["rows"]) + 3 + others
    assert "| tflm-esp-nn | esp-tflite-micro, as published | by ratio: Xtensa LX7" in text
    assert document["engines"][0]["cores"]["Cortex-M7"] == "emulated"
    assert json.loads(json.dumps(document, allow_nan=False)) == document
