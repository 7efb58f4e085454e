"""Recordings of one's own: files with named columns, what their cells mean, and when they were.

`text` and the readers of `ppg.loaders.devices` make a `Table` of a file, `columns` says what each
column is (or guesses it from the names), and `read` makes a recording of them.
"""
