"""Forms in which devices and laboratories write recordings, one file a form.

Each makes a `ppg.loaders.own.table.Table` and says what its columns are; `ppg.loaders.forms` lists
them. Those that need a package of the field say so where it is not installed.
"""
