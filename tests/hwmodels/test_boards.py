"""Board files: what ships is complete; what is wrong is told by file and key."""

from dataclasses import replace
from pathlib import Path

import pytest

from hwmodels.boards import BOARDS_DIR, board_names, load_board, template
from hwmodels.engines.load import engines_for, load_engine
from hwmodels.estimate import Estimate
from ppgnas.errors import BoardError

HELP = (
    'A figure reads { value = 480, unit = "MHz", source = "..." } with optional low and high, '
    "in the units Hz, kHz, MHz, GHz, B, KiB, MiB, W, mW, uW, nW, mJ, uJ, nJ, x Cortex-M7, cycles; "
    "`ppgnas boards new NAME` writes a board file to fill in"
)
GOOD = """\
part = "XYZ1"
core = "Cortex-M4F"
clock = { value = 100, unit = "MHz", source = "page 1" }
flash = { value = 1, unit = "MiB", source = "page 1" }
sram = { value = 96, unit = "KiB", source = "page 1" }
core_ratio = { value = 2, low = 1.5, high = 2.5, unit = "x Cortex-M7", source = "page 2" }
active_power = { value = 20, unit = "mW", source = "assumption" }
sleep_power = { value = 4, low = 3, high = 9, unit = "uW", source = "page 3" }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_board_loads() -> None:
    assert board_names()[0] == "stm32h743"
    assert set(board_names()) == {
        "stm32h743", "stm32h747", "stm32h7a3", "stm32f746", "stm32f767", "stm32f769", "imxrt1062",
        "samv71", "same70", "stm32wb55", "stm32l4r5", "stm32u575", "stm32u585", "stm32u385",
        "nrf52840", "nrf5340", "apollo4", "stm32f446", "nrf52832", "stm32l552",
        "apollo510", "r7fa8d1", "nrf54l15", "max32690", "stm32g0b1", "esp32-s3", "esp32-c3",
        "stm32l152", "stm32n657", "nrf54h20",
    }  # fmt: skip
    for name in board_names():
        board = load_board(name)
        assert board.part.lower() == board.name == name
        assert len(board.sources) >= 7
        assert all(board.sources.values())
        assert board.clock_limit_hz is not None
        assert board.clock_limit_hz >= board.clock_hz
        clocks = [board.clock_hz, *(setting.clock_hz for setting in board.clocks)]
        assert clocks == sorted(set(clocks), reverse=True)
        powers = [board.active_mw.value, *(setting.active_mw.value for setting in board.clocks)]
        assert powers == sorted(powers, reverse=True)
        assert sum(board.memories.values()) <= board.sram_bytes
        assert board.sleep_mw.high < board.active_mw.low


def test_default_board() -> None:
    board = load_board("stm32h743")
    assert (board.clock_hz, board.flash_bytes, board.sram_bytes) == (480e6, 2 << 20, 1056 * 1024)
    assert board.core_ratio.value == 1.0
    assert board.assumptions == ("clocks.3.active_power",)
    assert board.sleep_mw.value == pytest.approx(0.91 * 3.3, rel=0.01)  # Stop, the memory kept
    assert board.memories["dtcm"] == 128 * 1024
    assert (board.instruction_cache_bytes, board.data_cache_bytes) == (16384, 16384)
    assert board.flash_wait_states == 4


def test_name_is_read_without_regard_to_case_and_by_path() -> None:
    assert load_board("STM32H743") == load_board("stm32h743")
    assert load_board(BOARDS_DIR / "nrf5340.toml") == load_board("nrf5340")
    assert load_board(str(BOARDS_DIR / "nrf5340.toml")) == load_board("nrf5340")


def test_units_are_converted_and_assumptions_widened(tmp_path: Path) -> None:
    board = load_board(write(tmp_path, GOOD))
    assert board.name == "mine"
    assert board.clock_hz == 100e6
    assert board.flash_bytes == 1 << 20
    assert board.active_mw == Estimate(20, 10, 30)
    assert board.sleep_mw.value == pytest.approx(0.004)
    assert board.sleep_mw.high == pytest.approx(0.009)
    assert board.assumptions == ("active_power",)


@pytest.mark.parametrize(
    ("ordered", "name"),
    [
        ("STM32H7A3ZIT6Q", "stm32h7a3"),
        ("stm32u575zit6", "stm32u575"),
        ("NRF52832-QFAA", "nrf52832"),
    ],
)
def test_a_part_by_what_is_ordered_is_the_part(tmp_path: Path, ordered: str, name: str) -> None:
    """Engines run there, and their intervals are those of a part that was timed."""
    known = load_board(name)
    text = (BOARDS_DIR / f"{name}.toml").read_text()
    text = text.replace(f'part = "{known.part}"', f'part = "{ordered}"')
    board = load_board(write(tmp_path, text))
    assert engines_for(board) == engines_for(known)
    for engine in map(load_engine, engines_for(known)):
        factors = [engine.profile(b).factor(b, macs=10**6) for b in (board, known)]
        assert factors[0] == factors[1]


def test_a_part_that_nobody_knows_is_of_its_maker_in_any_case(tmp_path: Path) -> None:
    for part, runs in (("STM32G474", True), ("stm32g474", True), ("ATSAMD51", False)):
        board = load_board(write(tmp_path, GOOD.replace("XYZ1", part)))
        assert ("st-edge-ai" in engines_for(board)) == runs


@pytest.mark.parametrize("name", ["nrf52840", "stm32wb55", "apollo4", "max32690"])
def test_parts_that_nobody_timed_differ_as_those_do_that_were(name: str) -> None:
    """A Cortex-M4F that has no board file, PSoC 62, against STM32H7A3: HALE 1.0.175 and Plumerai
    2023.05 on ToyCar, ResNet-8, DS-CNN and MobileNet (MLPerf Tiny v1.1 and v1.2)."""
    ratio = load_board(name).core_ratio
    measured = [2.35, 1.90, 1.98, 1.89, 1.77, 1.99, 2.09, 2.16]
    assert all(ratio.low <= one <= ratio.high for one in measured)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Cortex-M4", "Cortex-M4F"),
        ("ARM Cortex-M4F", "Cortex-M4F"),
        ("Arm\u00ae Cortex\u00ae-M33", "Cortex-M33"),
        ("cortex-m0+", "Cortex-M0+"),
        ("Cortex-M0", "Cortex-M0"),  # of another pipeline
        ("Cortex-M35P", "Cortex-M35P"),
        ("RISC-V RV32IMAC", "RISC-V RV32IMC"),
        ("Cortex-M0plus", "Cortex-M0+"),
        ("ARM Cortex-M4 with FPU", "Cortex-M4F"),
        ("Cortex-M33 + DSP + FPU", "Cortex-M33"),
        ("32-bit Arm Cortex-M0+ CPU", "Cortex-M0+"),
        ("Cortex-M55 (Helium, TrustZone)", "Cortex-M55"),
        ("Arm Cortex-M7 core with double-precision FPU", "Cortex-M7"),
        ("CM7", "Cortex-M7"),
        ("M33", "Cortex-M33"),
        ("RV32IMC core", "RISC-V RV32IMC"),
        ("ARM926EJ-S", "ARM926EJ-S"),
        ("Cortex-A53", "Cortex-A53"),
        ("RV32IMAFC", "RISC-V RV32IMC"),
        ("RV32GC", "RISC-V RV32IMC"),
        ("risc-v rv32imac_zicsr", "RISC-V RV32IMC"),
        ("RV32EC", "RV32EC"),  # without multiplication
        ("RV64GC", "RV64GC"),
        ("Xtensa LX6", "Xtensa LX6"),
        ("xtensa lx7", "Xtensa LX7"),
    ],
)
def test_cores_as_vendors_call_them(tmp_path: Path, text: str, name: str) -> None:
    assert load_board(str(write(tmp_path, GOOD.replace("Cortex-M4F", text)))).core == name


@pytest.mark.parametrize("names", ["stm32h743,nrf5340", "nrf5340, stm32u575,stm32h743"])
def test_several_boards_are_said_to_be_several(names: str) -> None:
    with pytest.raises(BoardError, match=rf"board '{names}' is \d boards; only search and"):
        load_board(names)


def test_unknown_name_lists_the_known_and_the_close() -> None:
    with pytest.raises(BoardError) as caught:
        load_board("stm32h734")
    assert str(caught.value) == (
        f"board 'stm32h734' is unknown; known boards: {', '.join(board_names())}. Did you mean "
        "stm32h7a3 or stm32h747 or stm32h743? Another board is given by the path of its TOML file"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('sram = { value = 96, unit = "KiB", source = "page 1" }\n', "",
         f"sram is missing. {HELP}"),
        ("value = 100,", "value = -100,", f"clock.value is -100 and must be at least 0. {HELP}"),
        ("value = 100,", "value = 0,",
         "clock.value is 0; it must be above 0. Give the figure of the part"),
        ("value = 100,", "value = 1e-9,",
         "clock.value is 1e-09 MHz; it must be at least 1 Hz. Give the figure of the part"),
        ("value = 100,", "value = 0.01,",
         "clock is 10000 Hz; no core computes below 32000 Hz, the clock of a watch. Correct the "
         "unit, or give the clock at which the network runs"),
        ("value = 96,", "value = 1e-300,",
         "sram.value is 1e-300 KiB; it must be at least 1 B. Give the figure of the part"),
        ("value = 100,", 'value = "fast",',
         f"clock.value is 'fast' and must be a number. {HELP}"),
        ("value = 100,", f"value = [{'0, ' * 9000}],",
         f"clock.value is [{'0, ' * 26}0... and must be a number. {HELP}"),
        ("value = 100,", "value = nan,",
         f"clock.value is nan and must be a finite number. {HELP}"),
        ('value = 100, unit = "MHz",', "value = 100,", f"clock.unit is missing. {HELP}"),
        ('unit = "MHz"', 'unit = "bpm"',
         "clock.unit is 'bpm'; allowed: Hz, kHz, MHz, GHz. Write one of these, and the figure in "
         "it"),
        ('value = 4, low = 3, high = 9, unit = "uW"', 'value = 4, unit = "\N{MICRO SIGN}A"',
         "sleep_power.unit is '\N{MICRO SIGN}A'; allowed: W, mW, uW, nW. A current times its "
         "supply is a power: 4 uA at 3.3 V are 13.2 uW"),
        ('value = 96, unit = "KiB"', 'value = 96, unit = "kB"',
         "sram.unit is 'kB'; allowed: B, KiB, MiB. The kB of a chip's memory is KiB"),
        ('clock = { value = 100, unit = "MHz", source = "page 1" }', "clock = 100",
         f"clock is 100 and must be a table. {HELP}"),
        ('unit = "MHz", source = "page 1"', 'unit = "MHz"', f"clock.source is missing. {HELP}"),
        ("low = 3,", "low = 5,",
         "sleep_power: low is 5.0, value is 4.0, high is 9.0; they must be in ascending order. "
         "Correct the bounds"),
        ('part = "XYZ1"', 'part = "XYZ1"\nram = 3', f"ram is not a key of such a file. {HELP}"),
        ("value = 100,", "value = 5000,",
         "clock is 5000 MHz; no microcontroller runs above 2000 MHz. Correct the unit"),
        ('value = 20, unit = "mW"', 'value = 20, unit = "W"',
         "active_power is 20000 mW; no microcontroller draws above 10000 mW. Correct the unit"),
        ('value = 20, unit = "mW"', 'value = 20, high = 20000, unit = "mW"',
         "active_power is up to 20000 mW; no microcontroller draws above 10000 mW. Correct the "
         "unit"),
        ("high = 9, unit", "high = 30000, unit",
         "sleep_power is up to 30 mW, above active_power of 20 mW; a core that sleeps draws less "
         "than one that computes. Correct one, its bounds or its unit"),
        ('value = 4, low = 3, high = 9, unit = "uW"', 'value = 21, unit = "mW"',
         "sleep_power is 21 mW, above active_power of 20 mW; a core that sleeps draws less than "
         "one that computes. Correct one, its bounds or its unit"),
        ('value = 1, unit = "MiB"', 'value = 1048576, unit = "MiB"',
         "flash is 1.09951e+12 B; allowed: 1024 B to 128 MiB. Correct the unit"),
        ('value = 96, unit = "KiB"', 'value = 9.6e7, unit = "KiB"',
         "sram is 9.8304e+10 B; allowed: 1024 B to 128 MiB. Correct the unit"),
        ('value = 1, unit = "MiB"', 'value = 524288, unit = "KiB"',
         "flash is 5.36871e+08 B; allowed: 1024 B to 128 MiB. Correct the unit"),
        ('value = 96, unit = "KiB"', 'value = 196608, unit = "KiB"',
         "sram is 2.01327e+08 B; allowed: 1024 B to 128 MiB. Correct the unit"),
        ('value = 96, unit = "KiB"', 'value = 96, unit = "B"',
         "sram is 96 B; allowed: 1024 B to 128 MiB. Correct the unit"),
        ("value = 2, low = 1.5, high = 2.5,", "value = 1000,",
         "core_ratio is 1000 x Cortex-M7; allowed: 0.01 to 100. Give cycles over those of a "
         "Cortex-M7 with the same kernels, not times"),
    ],
)  # fmt: skip
def test_bad_figure_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BoardError) as caught:
        load_board(path)
    assert str(caught.value) == f"{path}: {message}"


def test_missing_foreign_and_broken_files(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(BoardError) as caught:
        load_board(missing)
    assert str(caught.value) == f"{missing}: there is no such file; pass the path of a TOML file"
    with pytest.raises(BoardError, match=r"mine\.toml: this is not TOML: .*; correct the line"):
        load_board(write(tmp_path, "clock = = 3"))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BoardError, match=r"binary\.toml: the file is not text"):
        load_board(binary)
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(BoardError, match=r"folder\.toml: the file cannot be read \(Is a dir"):
        load_board(folder)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('clock_limit = { value = 80, unit = "MHz", source = "page 1" }\n',
         "clock is 100 MHz; XYZ1 runs at up to 80 MHz. Lower it, or correct clock_limit"),
        ('[[clocks]]\nclock = { value = 120, unit = "MHz", source = "x" }\n'
         'active_power = { value = 9, unit = "mW", source = "x" }\n',
         "clocks.1.clock is 120 MHz, above the board's own 100 MHz; clocks lists the lower "
         "settings. Raise clock instead"),
        ('[memory]\ndtcm = { value = 97, unit = "KiB", source = "x" }\n',
         "memory holds 99328 B, sram is 98304 B; the regions must not exceed the total. "
         "Correct one"),
        ('[memory]\ndtcm = { value = 64, source = "x" }\n',
         f"memory.dtcm.unit is missing. {HELP}"),
        ('[[clocks]]\nclock = { value = 50, unit = "MHz", source = "x" }\n'
         'active_power = { value = 900, unit = "mW", source = "x" }\n',
         "clocks.1.active_power is 900 mW, above active_power of 20 mW at the board's own "
         "clock; a lower clock draws less. Correct one, or its unit"),
        ('[sleep]\nstop = { value = -1, unit = "mW", source = "x" }\n',
         f"sleep.stop.value is -1 and must be at least 0. {HELP}"),
    ],
)  # fmt: skip
def test_bad_optional_figure_is_named(tmp_path: Path, added: str, message: str) -> None:
    path = write(tmp_path, GOOD + added)
    with pytest.raises(BoardError) as caught:
        load_board(path)
    assert str(caught.value) == f"{path}: {message}"


def _of(part: str, core: str) -> str:
    return GOOD.replace('part = "XYZ1"', f'part = "{part}"').replace("Cortex-M4F", core)


@pytest.mark.parametrize(
    ("part", "core", "has"),
    [
        ("nRF52840", "Cortex-M33", "Cortex-M4F"),
        ("nRF52840-QIAA", "Cortex-M33", "Cortex-M4F"),
        ("STM32G0B1RET6", "Cortex-M4F", "Cortex-M0+"),
        ("stm32h7a3", "M4", "Cortex-M7"),
        ("ESP32-C3", "Xtensa LX7", "RISC-V RV32IMC"),
        ("STM32WB55", "Cortex-M7", "Cortex-M4F and a Cortex-M0+"),
    ],
)
def test_a_known_part_has_its_own_core(tmp_path: Path, part: str, core: str, has: str) -> None:
    path = write(tmp_path, _of(part, core))
    with pytest.raises(BoardError) as caught:
        load_board(path)
    said = f"core is {core}; {part} has a {has}. Correct part or core"
    assert str(caught.value) == f"{path}: {said}"


@pytest.mark.parametrize(
    ("part", "core", "known_as"),
    [
        ("STM32L4R5ZI", "ARM Cortex-M4", "Cortex-M4F"),
        ("STM32H747XI", "Cortex-M4", "Cortex-M4F"),  # its second core
        ("STM32WB55", "Cortex-M0plus", "Cortex-M0+"),
        ("XYZ1", "Cortex-M33", "Cortex-M33"),  # no board of the project
    ],
)
def test_any_core_that_a_part_has_is_taken(
    tmp_path: Path, part: str, core: str, known_as: str
) -> None:
    given = _of(part, core).replace("value = 100,", "value = 64,")  # MHz, which all of them reach
    assert load_board(write(tmp_path, given)).core == known_as


@pytest.mark.parametrize(
    ("key", "figure", "said"),
    [
        ("ppg_base", 'value = 5, unit = "W"', "ppg_base is up to 5000 mW; no sensor of a wrist "),
        ("accelerometer_base", 'value = 1, high = 2000, unit = "mW"', "base is up to 2000 mW; "),
        ("ppg_sample", 'value = 6, unit = "mJ"', None),
        ("ppg_sample", 'value = 60, unit = "mJ"', "ppg_sample is up to 60 mJ; no sensor of a "),
    ],
)
def test_sensors_that_no_wrist_has(
    tmp_path: Path, key: str, figure: str, said: str | None
) -> None:
    table = {name: 'value = 1, unit = "uW"' for name in ("ppg_base", "accelerometer_base")}
    table |= {name: 'value = 1, unit = "uJ"' for name in ("ppg_sample", "accelerometer_sample")}
    table[key] = figure
    lines = [f'{name} = {{ {text}, source = "x" }}' for name, text in table.items()]
    path = write(tmp_path, GOOD + "[sensors]\n" + "\n".join(lines))
    if said is None:
        load_board(path)
        return
    with pytest.raises(BoardError, match=said):
        load_board(path)


def test_limit_of_a_known_part_is_known(tmp_path: Path) -> None:
    text = _of("STM32H743", "Cortex-M7").replace("value = 100,", "value = 600,")
    with pytest.raises(BoardError, match=r"clock is 600 MHz; STM32H743 runs at up to 480 MHz"):
        load_board(write(tmp_path, text))


@pytest.mark.parametrize("name", ["stm32h743", "STM32U575", "esp32-c3"])
def test_template_of_a_board_that_is_known_is_its_own(tmp_path: Path, name: str) -> None:
    assert replace(load_board(write(tmp_path, template(name))), name="") == replace(
        load_board(name), name=""
    )


def test_template_is_a_board(tmp_path: Path) -> None:
    """Also with all of its comments of figures taken away."""
    text = template("my_part")
    board = load_board(write(tmp_path, text))
    assert board.part == "MY_PART"
    assert "active_power" in board.assumptions
    keys = (
        *("# flash", "# instr", "# data", "# [", "# dtcm", "# clock =", "# active", "# off"),
        *("# ppg_", "# accelerometer_"),
    )
    full = "\n".join(line[2:] if line.startswith(keys) else line for line in text.splitlines())
    board = load_board(write(tmp_path, full))
    assert board.memories == {"dtcm": 65536}
    assert board.clocks[0].clock_hz == 32e6
    assert board.sleep_states["off"].value == pytest.approx(1e-3)
