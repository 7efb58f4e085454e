"""A finished run as a Markdown page: what was asked, how long it took, what came out, and how a
random search with as many evaluations did. Every figure is read from the run directories.
"""

from __future__ import annotations

import shlex

from nas.run.candidates import Candidates
from nas.run.folder import RunDir
from nas.run.units import format_bytes, format_duration
from ppgnas.errors import RunError
from ppgnas.tables import markdown_cell, markdown_table


def hypervolume_after(candidates: Candidates, evaluations: int) -> float:
    """Hypervolume (0 to 1 of the reference box) after so many accuracy evaluations.

    Raises:
        RunError: the run has fewer evaluations.
    """
    seen = 0
    for candidate in candidates.candidates:
        seen += candidate.mae_bpm is not None
        if seen == evaluations:
            return candidate.hypervolume
    raise RunError(f"the run has {seen} evaluations, {evaluations} were asked for")


def finalists_table(run: RunDir) -> str:
    """A run's finalists, best on search people first."""
    head = (
        *("finalist", "file", "MAE, report people (90 %)", "smoothed", "median person"),
        *("MAE, search people", "weights", "flash", "SRAM", "latency", "energy", "TFLite off by"),
    )
    rows = []
    for number in run.finalists():
        card = run.card(number)
        report, costs = card.report, card.costs
        low, high = report.mae_bpm_low, report.mae_bpm_high
        row = (
            number,
            next(iter(card.report_mae_bpm)),
            f"{report.mae_bpm:.2f} ({low:.2f} to {high:.2f})",
            f"{report.mae_bpm_smoothed:.2f}",
            f"{report.median_person_mae_bpm:.2f}",
            f"{card.search_mae_bpm.retrained_int8:.2f}",
            format_bytes(card.weight_bytes),
            format_bytes(costs.flash_bytes.value),
            format_bytes(costs.sram_bytes.value),
            f"{costs.latency_ms.value:.2f} ms",
            f"{costs.energy_mj.value:.3g} mJ",
            f"{card.parity.tflite_max_lsb} LSB",
        )
        rows.append(row)
    return markdown_table(head, rows)


def _people_table(run: RunDir) -> str:
    cards = [run.card(number) for number in run.finalists()]
    rows = [
        (person, *(f"{card.report.people[person].mae_bpm:.2f}" for card in cards))
        for person in sorted(cards[0].report.people)
    ]
    return markdown_table(("person", *(str(card.finalist) for card in cards)), rows)


def _times(times: dict[str, float]) -> str:
    return ", ".join(f"{phase} {format_duration(seconds)}" for phase, seconds in times.items())


def search_page(run: RunDir, baseline: RunDir | None = None) -> str:
    """The page.

    Raises:
        RunError: a folder is no finished run.
    """
    for one in (run, baseline):
        if one is not None and not one.finished:
            raise RunError(f"{one.path} is not a finished run; continue it with `resume`")
    document, candidates = run.document(), run.candidates()
    split, config = document.split, document.config
    counts = ", ".join(f"{len(people)} {role}" for role, people in split.to_json().items())
    synthetic = "**Synthetic recordings.** " if document.synthetic else ""
    parts = [
        "# A search, from recordings to int8 files",
        f"    {document.command}",
        f"{synthetic}Seed {config.seed}; {counts} people, report people: "
        f"{', '.join(map(markdown_cell, split.report))}. Board {candidates.board}, engine "
        f"{candidates.engine}. {candidates.considered} architectures considered, "
        f"{candidates.evaluated} evaluated. Wall time: {_times(document.time_s)}.",
        "MAE in BPM is the mean over people, int8 integer arithmetic; report people were read "
        "once, after everything was chosen. Finalist 1 is the best on search people. Latency, "
        "flash, SRAM and power are estimates.",
        finalists_table(run),
        "Raw MAE of each report person, by finalist:",
        _people_table(run),
    ]
    if baseline is not None:
        parts += _baseline_parts(run, baseline)
    versions = ", ".join(f"{name} {value}" for name, value in document.versions.items())
    command = f"ppgnas bench search {run.path}"
    if baseline is not None:
        command += f" --baseline {shlex.quote(str(baseline.path))}"
    parts.append(f"Versions: {versions}. Page: `{command} --page FILE`.")
    return "\n\n".join(parts) + "\n"


def _baseline_parts(run: RunDir, baseline: RunDir) -> list[str]:
    ours, theirs = run.candidates(), baseline.candidates()
    if ours.reference_point != theirs.reference_point:
        raise RunError(
            f"{baseline.path} has another reference point than {run.path}; their hypervolumes do "
            "not compare. Use the same space, board, engine, budgets and objectives"
        )
    if ours.judged_by != theirs.judged_by:
        raise RunError(
            f"{baseline.path} holds {theirs.judged_by} errors, {run.path} {ours.judged_by} ones; "
            "their hypervolumes do not compare. Search both with one version"
        )
    both = min(ours.evaluated, theirs.evaluated)
    sampler = baseline.document().config.sampler
    own = run.document().config.sampler
    return [
        f"## {sampler} as a baseline",
        f"    {baseline.document().command}",
        f"{theirs.considered} architectures considered, {theirs.evaluated} evaluated. "
        f"Hypervolume of {ours.judged_by} accuracy after the same {both} evaluations: {own} "
        f"{hypervolume_after(ours, both):.4f}, {sampler} {hypervolume_after(theirs, both):.4f}; "
        f"at the end {own} {hypervolume_after(ours, ours.evaluated):.4f} "
        f"({ours.evaluated} evaluations).",
        finalists_table(baseline),
    ]
