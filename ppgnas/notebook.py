"""Results that show themselves in a notebook and convert to pandas."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ppgnas.errors import DependencyError
from ppgnas.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 20


class Shown:
    """A result made of rows."""

    @abstractmethod
    def rows(self) -> Sequence[Mapping[str, object]]:
        """The result as rows of equal keys."""

    @property
    @abstractmethod
    def caption(self) -> str:
        """What the rows are, in a line."""

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame.

        Raises:
            DependencyError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise DependencyError("pandas is not installed; pip install pandas") from error
        return pd.DataFrame(list(self.rows()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.caption})"

    def _repr_html_(self) -> str:
        rows = list(self.rows())
        header = list(rows[0]) if rows else []
        shown = [[_cell(value) for value in row.values()] for row in rows[:SHOWN_ROWS]]
        hidden = len(rows) - len(shown)
        rest = f"; {hidden} more rows, see to_pandas()" if hidden else ""
        return html_table(header, shown, caption=f"{self.caption}{rest}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
