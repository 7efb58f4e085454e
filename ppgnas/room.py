"""Room under a limit as tables say it: the share of the limit that is left."""


def left_words(share: float) -> str:
    """What is left of a limit, or by how much of it it is exceeded.

    What only comes near 0 or 100 % is not said to be it.

    >>> left_words(0.38), left_words(-0.12), left_words(0.9997), left_words(-0.0002)
    ('38 % left', '12 % over', '99.9 % left', '0.1 % over')
    """
    percent = 100 * abs(share)
    if 0 < percent < 0.5:
        shown = f"{max(percent, 0.1):.1f}"
    elif 99.5 <= percent < 100 and share > 0:
        shown = f"{min(percent, 99.9):.1f}"
    else:
        shown = f"{percent:,.0f}"
    return f"{shown} % {'left' if share >= 0 else 'over'}"
