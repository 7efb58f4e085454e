"""What `json` and `tomllib` take and nobody behind can compute with is refused where it enters."""

from __future__ import annotations

import pytest

from ppgnas.parsing import parse_json, parse_toml, printable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "NaN is no finite number"),
        ("[-Infinity]", "-Infinity is no finite number"),
        ("1e999", "1e999 is no finite number"),
        ("9" * 5000, "99999999999999999999 is no whole number of 64 bits"),
        (str(-(2**63)), "-9223372036854775808 is no whole number of 64 bits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "9" * 400, "a whole number is beyond 64 bits"),
        ("a = " + "9" * 5000, "Exceeds the limit"),
        ("a = [{b = 9223372036854775808}]", "a whole number is beyond 64 bits"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("a." * 5000 + "a = 1", "a key has more than 100 dots"),
        ("[" + "a." * 5000 + "a]", "a key has more than 100 dots"),
        ("a = ", "Invalid value"),
    ],
)
def test_toml_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_toml(text)


def test_what_is_kept() -> None:
    assert parse_json("[9223372036854775807, 1.5, null]") == [2**63 - 1, 1.5, None]
    assert parse_toml("a = 9223372036854775807") == {"a": 2**63 - 1}
    assert printable("a\x1b[31mb\ud800\tc\nZo\u00eb") == "a\ufffd[31mb\ufffd\ufffdc\nZo\u00eb"
