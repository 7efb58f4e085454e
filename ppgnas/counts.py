"""Counts in sentences: `1 person`, `2 people`."""


def counted(count: int, one: str, many: str = "") -> str:
    """A count with what is counted; `many` adds an s unless given, and may hold the verb.

    >>> counted(1, "person", "people"), counted(1200, "window")
    ('1 person', '1,200 windows')
    >>> counted(1, "recording has", "recordings have")
    '1 recording has'
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
