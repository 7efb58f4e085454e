"""What verbs say of recordings before they use the labels; `ppgnas data inspect` says more."""

from __future__ import annotations

from collections.abc import Sequence

from ppg.inspection.channels import channel_warnings
from ppg.inspection.signals import ADVICE, reference_fault
from ppg.recording import Recording
from ppgnas.tables import counted


def faults(recordings: Sequence[Recording]) -> list[str]:
    """Sentences on channels and references that look wrong.

    Generated recordings rail and lose the skin on purpose, and nothing can be done about it.
    """
    measured = [recording for recording in recordings if not recording.synthetic]
    channels = [(one, message) for one in measured for _, message in channel_warnings(one)]
    references = [(one, why) for one in measured if (why := reference_fault(one))]
    several = any(one.ppg.shape[1] > 1 for one, _ in channels)
    without = "ppgnas data convert --channels writes recordings without it"
    found = (
        ("PPG channel", channels, f", {without}" if several else "; leave out what has no pulse"),
        ("reference", references, f"{ADVICE}, or leave the recordings out"),
    )
    return [
        _sentence(what, marked, len(measured)) + f"{advice}."
        for what, marked, advice in found
        if marked
    ]


def _sentence(what: str, found: Sequence[tuple[Recording, str]], measured: int) -> str:
    (first, why), count = found[0], len({(one.dataset, one.name) for one, _ in found})
    return (
        f"{count} of {counted(measured, 'recording')} {'has' if count == 1 else 'have'} a {what} "
        f"that looks wrong (the first is {first.dataset}/{first.name}: "
        f"{why.removesuffix(ADVICE)}). ppgnas data inspect lists them"
    )
