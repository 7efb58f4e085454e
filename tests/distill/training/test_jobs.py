"""Many small trainings side by side: every result comes back, and a death is told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from distill.training.effort import Progress
from distill.training.jobs import REPORT_EVERY, OwnQueue, Workers, run_jobs, workers
from ppgnas.errors import RunError


def count_to(steps: int, factor: int, progress: Progress) -> int:
    for step in range(1, steps + 1):
        progress(step, steps, "")
    return steps * factor


def fail(steps: int, factor: int, progress: Progress) -> int:
    raise RunError(f"{steps} steps of {factor}")


def die(steps: int, factor: int, progress: Progress) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    with workers(2, what="toys") as own:
        yield own


def run(
    work: object, jobs: list[tuple[int, int]], seen: list[tuple[int, int, str]], **given: Any
) -> dict[int, int]:
    results: dict[int, int] = {}
    asked = {
        "steps": [steps for steps, _ in jobs],
        "what": "toys",
        "processes": 2,
        "progress": lambda *said: seen.append(said),
        "on_done": lambda index, result: results.update({index: result}),
        **given,
    }
    run_jobs(work, jobs, **asked)  # type: ignore[arg-type]
    return results


def test_results_come_by_job_and_steps_are_summed() -> None:
    seen: list[tuple[int, int, str]] = []
    jobs = [(2 * REPORT_EVERY, 1), (3, 10), (REPORT_EVERY + 1, 100)]
    assert run(count_to, jobs, seen) == {0: 40, 1: 30, 2: 2100}
    assert seen[-1] == (64, 64, "3 of 3 toys done")
    done = [each[0] for each in seen]
    assert done == sorted(done) and {total for _, total, _ in seen} == {64}


def test_what_was_done_before_counts(two: Workers) -> None:
    seen: list[tuple[int, int, str]] = []
    run(count_to, [(3, 1), (50, 1)], seen, begun=[0, 40], processes=1, given=two)
    done = [each[0] for each in seen]
    assert done[0] in (40, 43) and done[-1] == 53  # nothing yet, or the first of them


def test_where_it_is_enough_no_further_job_begins(two: Workers) -> None:
    ended = run(count_to, [(1, 1)] * 6, [], enough=lambda: True, given=two)
    assert ended.keys() <= {0, 1}


class Elsewhere(OwnQueue):
    """Another machine does the first job, and ends it once ours are told."""

    told: dict[int, object]

    def claim(self) -> int | None:
        index = super().claim()
        return super().claim() if index == 0 else index

    def done(self, index: int, result: object) -> None:
        super().done(index, result)
        self.told[index] = result
        if len(self.told) == 2:
            super().done(0, None)


def test_what_another_machine_does_is_waited_for_and_not_done_here(two: Workers) -> None:
    seen: list[tuple[int, int, str]] = []
    queue = Elsewhere(3)
    queue.told = {}
    jobs = [(2, 1), (3, 1), (4, 1)]
    results = run(count_to, jobs, seen, processes=1, shared=queue, given=two)
    assert results == queue.told == {1: 3, 2: 4}
    assert seen[-1] == (9, 9, "3 of 3 toys done")


def origin(steps: int, factor: int, progress: Progress) -> int:
    return os.getppid()


@pytest.mark.skipif(sys.platform != "linux", reason="each begins anew elsewhere")
def test_workers_are_copies_of_one_process(two: Workers) -> None:
    (one,) = {*run(origin, [(1, 1)] * 2, [], given=two).values()}
    with workers(1) as others:
        (other,) = run(origin, [(1, 1)], [], processes=1, given=others).values()
    assert one == other != os.getpid()


def test_no_jobs_start_no_process() -> None:
    seen: list[tuple[int, int, str]] = []
    assert run(die, [], seen) == {} and seen == []


def test_an_error_of_a_job_is_raised_here(two: Workers) -> None:
    with pytest.raises(RunError, match="3 steps of 7"):
        run(fail, [(3, 7)], [], given=two)


def test_a_killed_worker_is_told() -> None:
    message = (
        "a worker that trains toys was killed, perhaps for want of memory; run the command "
        "again to go on, a search with `resume`"
    )
    with pytest.raises(RunError, match=message):
        run(die, [(1, 1)], [])


def whose(steps: int, factor: int, progress: Progress) -> int:
    return os.getpid()


def test_workers_stay_for_further_calls_and_nobody_takes_a_step_of_the_call_before() -> None:
    seen: list[tuple[int, int, str]] = []
    people = set[int]()
    with workers(1) as own:
        for work, count in ((count_to, 3), (whose, 1), (whose, 1)):
            jobs = [(3 * REPORT_EVERY, 1)] * count
            people |= set(run(work, jobs, seen, processes=1, given=own).values())
    assert len(people - {3 * REPORT_EVERY}) == 1
    assert seen[-1][0] == 3 * REPORT_EVERY
