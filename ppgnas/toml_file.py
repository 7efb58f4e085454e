"""TOML files that a hand may have been at: found by name, read, checked, refused."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ppgnas.errors import BoardError, PpgnasError
from ppgnas.files import text_of
from ppgnas.parsing import parse_toml


class FileModel(BaseModel):
    """A table of a file: it holds these keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Document = TypeVar("Document", bound=FileModel)


def named_file(
    kind: str,
    name_or_path: str | Path,
    folder: Path,
    names: Sequence[str],
    *,
    otherwise: str,
    refusal: type[PpgnasError] = BoardError,
) -> Path:
    """The file of a name, or the path that was given.

    Args:
        kind: what is named, for the message: `board`.
        name_or_path: a name; or a path (it ends in `.toml` or holds a separator).
        folder: where the files of the names lie.
        names: those that are known.
        otherwise: how else it can be given, for the message.

    Raises:
        refusal: an unknown name.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(text)
    if text.lower() not in names:
        close = difflib.get_close_matches(text.lower(), names, n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise refusal(
            f"{kind} {text!r} is unknown; known {kind}s: {', '.join(names)}.{hint} {otherwise}"
        )
    return folder / f"{text.lower()}.toml"


def read_as(
    path: Path, kind: type[Document], *, help_text: str, refusal: type[PpgnasError] = BoardError
) -> Document:
    """Read and check a file.

    Args:
        help_text: the next step, as a sentence without a full stop.

    Raises:
        refusal: the file is missing, is not UTF-8 or is not TOML; or names the first wrong key,
            the value and what is allowed.
    """
    try:
        return kind.model_validate(read_toml(path, refusal))
    except ValidationError as error:
        raise refusal(explain(error, path, help_text)) from error


def read_toml(path: Path, refusal: type[PpgnasError] = BoardError) -> dict[str, Any]:
    """Read a TOML document.

    Raises:
        refusal: the file is missing, is not UTF-8 or is not TOML.
    """
    try:
        return parse_toml(text_of(path))
    except FileNotFoundError as error:
        raise refusal(f"{path}: there is no such file; pass the path of a TOML file") from error
    except OSError as error:
        raise refusal(f"{path}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise refusal(f"{path}: the file is not text; a UTF-8 TOML file is expected") from error
    except ValueError as error:
        raise refusal(f"{path}: this is not TOML: {error}; correct the line named") from error


LONGEST_VALUE = 80  # characters of it in a message
_EXPECTED = {
    "missing": "is missing",
    "greater_than": "must be above 0",
    "greater_than_equal": "must be at least 0",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "extra_forbidden": "is not a key of such a file",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}


def explain(error: ValidationError, path: Path, help_text: str) -> str:
    """One message that names the file, the first wrong key, the value and what is allowed.

    Args:
        help_text: the next step, as a sentence without a full stop.
    """
    first: Any = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":  # our own, which says what is wrong
        where = f"{path}: {key}" if key else str(path)
        return f"{where}: {first['ctx']['error']}. {help_text}"
    expected = _EXPECTED.get(first["type"], first["msg"])
    told = repr(first["input"])
    told = told if len(told) <= LONGEST_VALUE else f"{told[:LONGEST_VALUE]}..."
    seen = "" if first["type"] in ("missing", "extra_forbidden") else f" is {told} and"
    return f"{path}: {key}{seen} {expected}. {help_text}"
