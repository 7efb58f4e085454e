"""Data sets of the field, read from the files that their authors publish.

One file a data set; `registry` lists them, finds which one a folder holds, and reads it. Nothing
is executed that a file brings: pickles go through `unpickle`, archives through `archive`.
"""
