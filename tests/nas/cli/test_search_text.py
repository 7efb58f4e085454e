"""What a search prints of its finalists."""

from __future__ import annotations

import pytest

from nas.cli.search import _errors
from ppgnas.task import Mode
from tests.nas.run.made import made_card


@pytest.mark.parametrize(
    ("mode", "onnx"), [("window", "3.80 model.onnx"), ("streaming", "3.80 model.onnx (windows)")]
)
def test_the_error_of_a_file_that_reads_windows_is_said_to_be(mode: Mode, onnx: str) -> None:
    others = f"3.75 model.tflite, {onnx}"
    assert _errors(made_card(mode=mode)) == ("model.c", "4.00", "3.20", others, "3.50")


def test_files_of_older_cards_are_left_out() -> None:
    assert _errors(made_card(onnx=None))[3] == "3.75 model.tflite"
