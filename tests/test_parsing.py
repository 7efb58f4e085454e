"""What `json` and `tomllib` take and nobody behind can compute with is refused where it enters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ppgnas.errors import BoardError, DataError, OptionError
from ppgnas.parsing import listed, parse_json, parse_toml, printable, refuse_idle


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


@pytest.mark.parametrize(
    ("text", "read", "values"),
    [
        ("a", str, ("a",)),
        (" a, b ,c", str, ("a", "b", "c")),
        ("1,-2,03", int, (1, -2, 3)),
        ("0.5,1", float, (0.5, 1.0)),
    ],
)
def test_values_of_a_list(text: str, read: Callable[[str], object], values: object) -> None:
    assert listed("names", text, DataError, example="a,b", read=read) == values


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *((text, str) for text in ("", "a,", ",a", "a, ,b", "a,a", "a, a")),
        *(("1,x", int), ("1,01", int), ("1.0,1", float)),
    ],
)
def test_lists_that_are_refused(text: str, read: Callable[[str], object]) -> None:
    with pytest.raises(DataError) as caught:
        listed("names", text, DataError, example="a,b", allowed="things", read=read)
    assert str(caught.value) == (
        f"`names` is {text!r}; allowed: things with commas, none empty and each once, such as a,b"
    )


def test_a_value_of_a_list_is_refused_in_its_own_words() -> None:
    def read(text: str) -> str:
        raise BoardError(f"{text} is no board")

    with pytest.raises(BoardError, match="a is no board"):
        listed("names", "a,b", DataError, example="a,b", read=read)


def test_arguments_that_cannot_act() -> None:
    refuse_idle("it rains", first=None, second=False)
    with pytest.raises(OptionError, match=r"^`a` cannot act: it rains; leave it out$"):
        refuse_idle("it rains", a=0, b=None)
    with pytest.raises(OptionError, match=r"^`a`, `b` cannot act: it rains; leave them out$"):
        refuse_idle("it rains", a="", b=0.0)
