"""What `personalize` is asked."""

from __future__ import annotations

from typing import Literal, get_args

from ppgnas.errors import DataError

PersonalKind = Literal["none", "prior", "bias", "scale-bias", "head", "low-rank"]
PERSONAL_KINDS: tuple[PersonalKind, ...] = get_args(PersonalKind)
AUTO = "auto"
AUTO_KIND: PersonalKind = "low-rank"


def kind_of(name: str) -> PersonalKind:
    """The kind of a name; `auto` is `AUTO_KIND`.

    Raises:
        DataError: it is none of them.
    """
    if name == AUTO:
        return AUTO_KIND
    for known in PERSONAL_KINDS:
        if known == name:
            return known
    raise DataError(f"`kind` is {name!r}; allowed: {AUTO}, {', '.join(PERSONAL_KINDS)}")


def check_minutes(minutes: float) -> None:
    """Refuse minutes that are none.

    Raises:
        DataError: they are not between 0 and a day.
    """
    if not 0 < minutes <= 24 * 60:
        raise DataError(f"`minutes` is {minutes:g}; allowed: above 0, at most {24 * 60}")
