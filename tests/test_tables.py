"""Tables of plain text, as a terminal and as Markdown show them."""

from __future__ import annotations

import pytest

from ppgnas.tables import (
    LONGEST_NAME,
    csv_table,
    markdown_cell,
    markdown_table,
    name_end,
    text_table,
)


def test_first_column_left_others_right() -> None:
    rows = [("a", 1), ("long name", 12.5)]
    assert text_table(("name", "ms"), rows).splitlines() == [
        "name         ms",
        "a             1",
        "long name  12.5",
    ]
    assert markdown_table(("name", "ms"), rows).splitlines() == [
        "| name | ms |",
        "|---|---:|",
        "| a | 1 |",
        "| long name | 12.5 |",
    ]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("conv1", "conv1"),
        ("c" * LONGEST_NAME, "c" * LONGEST_NAME),
        ("Net/torch.nn.modules.container.Sequential_net/Block_1/torch.nn.modules.conv.Conv1d_c2;3",
         "...ial_net/Block_1/torch.nn.modules.conv.Conv1d_c2;3"[-LONGEST_NAME:]),
    ],
)  # fmt: skip
def test_of_a_long_name_the_end_is_shown(name: str, seen: str) -> None:
    shown = name_end(name)
    assert shown == (seen if len(name) <= LONGEST_NAME else "..." + seen[3:])
    assert len(shown) <= LONGEST_NAME and name.endswith(shown.removeprefix("..."))


def test_cells_cannot_break_out() -> None:
    assert markdown_cell("a|b\n<script>") == "a\\|b &lt;script>"


def test_csv_of_rows_and_of_keys() -> None:
    assert csv_table(("a", "b"), [(1, None), ("x,y", 2)]) == 'a,b\n1,\n"x,y",2\n'
    assert csv_table(("b", "c"), [{"a": 1, "b": 2}]) == "b,c\n2,\n"
