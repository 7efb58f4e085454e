"""Reading the documents of a run: whatever a hand or a full disk did to one is one message.

A document is parsed as JSON or TOML by its name, refused where a number is not finite, and handed
to the `from_json` of its type, which names the key that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ppgnas.errors import RunError
from ppgnas.files import text_of, write_json_atomic
from ppgnas.parsing import finite, mistake, parse_json, parse_toml

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AGAIN = (
    "pass a folder that `ppgnas search` wrote, use the ppgnas that wrote it, or start a new run "
    "with another `out`"
)
REMADE = "remove it to make it again"
Document = TypeVar("Document")


def read_document(
    path: Path, parse: Callable[[Any], Document], *, missing: str = AGAIN, damaged: str = AGAIN
) -> Document:
    """The value of a document.

    Args:
        path: of a `.toml` file, or of a JSON file.
        parse: `from_json` of its type; raises a ValueError, TypeError or KeyError on a wrong one.
        missing: what to do where the file is not there.

    Raises:
        RunError: it is missing, cannot be read, or is damaged or foreign.
    """
    try:
        return parse(_plain(path))
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist: {missing}") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); {damaged}") from error
    except ValidationError as error:
        raise RunError(f"{path} is damaged ({mistake(error)}); {damaged}") from error
    except KeyError as error:
        raise RunError(f"{path} is damaged (the key {error} is missing); {damaged}") from error
    except (ValueError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}); {damaged}") from error


def read_kept(
    path: Path, kind: type[Document], *, damaged: str = REMADE, anew: bool = False, **of: object
) -> Document | None:
    """What a bench kept of a piece of its work; None where there is nothing yet.

    Args:
        anew: whether one of something else is nothing, and made again.
        of: attributes, and what they are where the file is the one that is asked for.

    Raises:
        RunError: it is damaged, or of something else.
    """

    def parse(document: object) -> Document | None:
        record = TypeAdapter(kind).validate_python(document)
        for name, asked in of.items():
            if (found := getattr(record, name)) != asked:
                if anew:
                    return None
                raise ValueError(f"it is of {getattr(found, 'id', found)}")
        return record

    return read_document(path, parse, damaged=damaged) if path.exists() else None


def write_kept(path: Path, record: DataclassInstance) -> None:
    """Keep a piece of the work of a bench, for `read_kept`."""
    write_json_atomic(path, asdict(record))


def check_format(document: Mapping[str, Any], name: str) -> None:
    """Whether a document says that it is of this format, version 1.

    Raises:
        ValueError: it does not.
    """
    seen = document.get("format"), document.get("version")
    if seen != (name, 1):
        raise ValueError(f"format is {seen[0]!r}, version {seen[1]!r}; allowed: {name!r}, 1")


def write_rows(folder: Path, kind: str, rows: Iterable[object]) -> None:
    """Write `KIND.json`, a list of dataclasses."""
    listed = [vars(row) for row in rows]
    write_json_atomic(
        folder / f"{kind}.json", {"format": f"ppgnas-{kind}", "version": 1, kind: listed}
    )


def read_rows(folder: Path, kind: str, row: type[Document]) -> tuple[Document, ...]:
    """What `write_rows` wrote; nothing where no file is, as in what an older version made.

    Raises:
        RunError: it is damaged.
    """

    def parse(document: dict[str, Any]) -> tuple[Document, ...]:
        check_format(document, f"ppgnas-{kind}")
        return TypeAdapter(tuple[row, ...]).validate_python(document[kind])  # type: ignore[valid-type]

    path = folder / f"{kind}.json"
    return read_document(path, parse) if path.is_file() else ()


def _plain(path: Path) -> dict[str, Any]:
    text = text_of(path)
    if path.suffix == ".toml":
        return parse_toml(text, parse_float=finite)
    document = parse_json(text)
    if not isinstance(document, dict):
        raise ValueError(f"no JSON object but {type(document).__name__}")
    return document
