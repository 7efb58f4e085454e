"""What `personalize` is asked."""

from __future__ import annotations

from typing import Literal, get_args

from ppgnas.errors import DataError
from ppgnas.parsing import one_of

PersonalKind = Literal["none", "prior", "bias", "scale-bias", "head", "low-rank"]
PERSONAL_KINDS: tuple[PersonalKind, ...] = get_args(PersonalKind)
AUTO: Literal["auto"] = "auto"
AUTO_KIND: PersonalKind = "low-rank"


def kind_of(name: str) -> PersonalKind:
    """The kind of a name; `auto` is `AUTO_KIND`.

    Raises:
        DataError: it is none of them.
    """
    found = one_of("kind", name, (AUTO, *PERSONAL_KINDS), DataError)
    return AUTO_KIND if found == AUTO else found


def check_minutes(minutes: float) -> None:
    """Refuse minutes that are none.

    Raises:
        DataError: they are not between 0 and a day.
    """
    if not 0 < minutes <= 24 * 60:
        raise DataError(f"`minutes` is {minutes:g}; allowed: above 0, at most {24 * 60}")
