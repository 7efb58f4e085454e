"""Tables of plain text, as a terminal and as Markdown show them."""

from __future__ import annotations

from ppgnas.tables import csv_table, markdown_cell, markdown_table, text_table


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


def test_cells_cannot_break_out() -> None:
    assert markdown_cell("a|b\n<script>") == "a\\|b &lt;script>"


def test_csv_of_rows_and_of_keys() -> None:
    assert csv_table(("a", "b"), [(1, None), ("x,y", 2)]) == 'a,b\n1,\n"x,y",2\n'
    assert csv_table(("b", "c"), [{"a": 1, "b": 2}]) == "b,c\n2,\n"
