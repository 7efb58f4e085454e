from __future__ import annotations

import pytest

from ppgnas.errors import TaskError
from ppgnas.task import TASK, Task


def test_the_usual_one() -> None:
    assert (TASK.classes, TASK.changed, TASK.words) == (180, {}, "")
    assert str(TASK) == "8 s every 2 s, 30-209 BPM"


def test_what_is_changed_is_written_and_read() -> None:
    other = Task(12, 4, 40, 199)
    assert other.classes == 160
    assert other.words == " window_s=12 stride_s=4 lowest_bpm=40 highest_bpm=199"
    assert Task.of_words(other.words) == other and Task.of_words("") == TASK
    for text in ("made elsewhere", "window=4", "window_s=x"):
        with pytest.raises(ValueError):
            Task.of_words(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((3, 1), "`window` is 3 s; allowed: 4 to 16 whole seconds"),
        ((8, 5), "`stride` is 5 s; allowed: 1 to 4 whole seconds"),
        ((9, 2), "`window` is 9 s and `stride` 2 s; allowed: a window of whole strides"),
        ((8, 2, 20, 200), "`bpm` is 20-200; allowed: from 24 up to 240 BPM"),
        ((8, 2, 90, 50), "`bpm` is 90-50; allowed: from 24 up to 240 BPM, the lowest first"),
        ((8, 2, 40, 200), "which are 161 classes of 1 BPM; allowed: an even number, 60 or more"),
        ((8, 2, 40, 79), "which are 40 classes of 1 BPM; allowed: an even number, 60 or more"),
    ],
)
def test_what_no_network_reads_is_refused(values: tuple[int, ...], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        Task(*values)
