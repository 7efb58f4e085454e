"""Many small trainings side by side: every result comes back, and a death is told."""

from __future__ import annotations

import os
import signal

import pytest

from distill.training.jobs import REPORT_EVERY, OwnQueue, run_jobs, workers
from distill.training.progress import Progress
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


def run(
    work: object, jobs: list[tuple[int, int]], seen: list[tuple[int, int, str]]
) -> dict[int, int]:
    results: dict[int, int] = {}
    run_jobs(
        work,  # type: ignore[arg-type]
        jobs,
        steps=[steps for steps, _ in jobs],
        what="toys",
        processes=2,
        progress=lambda *said: seen.append(said),
        on_done=lambda index, result: results.update({index: result}),
    )
    return results


def test_results_come_by_job_and_steps_are_summed() -> None:
    seen: list[tuple[int, int, str]] = []
    jobs = [(2 * REPORT_EVERY, 1), (3, 10), (REPORT_EVERY + 1, 100)]
    assert run(count_to, jobs, seen) == {0: 40, 1: 30, 2: 2100}
    assert seen[-1] == (64, 64, "3 of 3 toys done")
    done = [each[0] for each in seen]
    assert done == sorted(done) and {total for _, total, _ in seen} == {64}


def test_what_was_done_before_counts() -> None:
    seen: list[int] = []
    run_jobs(
        count_to,
        [(3, 1), (50, 1)],
        steps=[3, 50],
        begun=[0, 40],
        what="toys",
        processes=1,
        progress=lambda done, *_: seen.append(done),
        on_done=lambda *_: None,
    )
    assert seen[0] in (40, 43) and seen[-1] == 53  # nothing yet, or the first of them


def test_where_it_is_enough_no_further_job_begins() -> None:
    ended: list[int] = []
    run_jobs(
        count_to,
        [(1, 1)] * 6,
        steps=[1] * 6,
        what="toys",
        processes=2,
        progress=lambda *_: None,
        on_done=lambda index, _: ended.append(index),
        enough=lambda: True,
    )
    assert set(ended) <= {0, 1}


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


def test_what_another_machine_does_is_waited_for_and_not_done_here() -> None:
    seen: list[tuple[int, int, str]] = []
    results: dict[int, int] = {}
    queue = Elsewhere(3)
    queue.told = {}
    run_jobs(
        count_to,
        [(2, 1), (3, 1), (4, 1)],
        steps=[2, 3, 4],
        what="toys",
        processes=1,
        progress=lambda *said: seen.append(said),
        on_done=lambda index, result: results.update({index: result}),
        shared=queue,
    )
    assert results == queue.told == {1: 3, 2: 4}
    assert seen[-1] == (9, 9, "3 of 3 toys done")


def test_no_jobs_start_no_process() -> None:
    seen: list[tuple[int, int, str]] = []
    assert run(die, [], seen) == {} and seen == []


def test_an_error_of_a_job_is_raised_here() -> None:
    with pytest.raises(RunError, match="3 steps of 7"):
        run(fail, [(3, 7)], [])


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
    seen: list[int] = []
    people = set[int]()
    with workers(1) as own:
        for work in (count_to, whose, whose):
            run_jobs(
                work,
                [(3 * REPORT_EVERY, 1)] * (3 if work is count_to else 1),
                steps=[3 * REPORT_EVERY] * (3 if work is count_to else 1),
                what="toys",
                processes=1,
                progress=lambda done, *_: seen.append(done),
                on_done=lambda _, result: people.add(result),
                given=own,
            )
    assert len(people - {3 * REPORT_EVERY}) == 1
    assert seen[-1] == 3 * REPORT_EVERY
