"""Figures of board files: units as vendors write them, and what a part may have none of."""

from pathlib import Path

import pytest

from hwmodels.boards import load_board
from ppgnas.errors import BoardError
from tests.hwmodels.test_boards import GOOD, write


@pytest.mark.parametrize("unit", ['"MHz"', '"GHz"', '"kHz"'])
def test_a_clock_in_any_of_its_units(tmp_path: Path, unit: str) -> None:
    worth = {'"MHz"': 100, '"GHz"': 0.1, '"kHz"': 1e5}[unit]
    text = GOOD.replace('value = 100, unit = "MHz"', f"value = {worth}, unit = {unit}")
    assert load_board(write(tmp_path, text)).clock_hz == pytest.approx(100e6)


def test_a_unit_with_either_sign_of_micro_and_nanowatts(tmp_path: Path) -> None:
    for unit, worth in (("uW", 1e-3), ("\N{MICRO SIGN}W", 1e-3), ("nW", 1e-6),
                        ("\N{GREEK SMALL LETTER MU}W", 1e-3)):  # fmt: skip
        text = GOOD.replace('high = 9, unit = "uW"', f'high = 9, unit = "{unit}"')
        assert load_board(write(tmp_path, text)).sleep_mw.value == pytest.approx(4 * worth)


@pytest.mark.parametrize("key", ["flash_wait_states", "instruction_cache", "data_cache"])
def test_a_part_without_caches_or_waits_says_0(tmp_path: Path, key: str) -> None:
    unit = "cycles" if key == "flash_wait_states" else "KiB"
    line = f'{key} = {{ value = 0, unit = "{unit}", source = "page 1" }}\n'
    board = load_board(write(tmp_path, line + GOOD))
    assert 0 in (board.flash_wait_states, board.instruction_cache_bytes, board.data_cache_bytes)


@pytest.mark.parametrize("waits", ["16", "2.5", "70"])
def test_wait_states_that_no_controller_is_set_to(tmp_path: Path, waits: str) -> None:
    line = f'flash_wait_states = {{ value = {waits}, unit = "cycles", source = "page 1" }}\n'
    with pytest.raises(BoardError, match=rf"is {waits} cycles; allowed: whole ones, 0 to 15"):
        load_board(write(tmp_path, line + GOOD))
