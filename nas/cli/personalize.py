"""The verb `personalize`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import options
from nas.cli.common import emit, print_notes, verb
from nas.cli.data.options import reads_a_file
from nas.cli.options import Text
from ppgnas.tables import counted

if TYPE_CHECKING:
    from nas.personal.adapt import Adaptation


@verb
@reads_a_file
def personalize(
    model: options.Weights,
    recording: Annotated[
        str, typer.Option(help="A file of the wearer, of any form, with a reference; or a folder.")
    ],
    name: options.RecordingName = None,
    minutes: Annotated[
        float, typer.Option(help="The first so many minutes teach; the rest judges.")
    ] = 5.0,
    kind: Annotated[
        str,
        typer.Option(
            help="What changes: auto, none, prior, bias, scale-bias, head or low-rank; see "
            "docs/personalisation.md."
        ),
    ] = "auto",
    channels: options.Channels = None,
    out: Annotated[
        Text, typer.Option(help="Folder of the adapted network; it must not exist.")
    ] = None,
    as_json: options.AsJson = False,
    *,
    given: dict[str, Any],
) -> None:
    """Adapt an int8 network to one wearer, from minutes in which the heart rate is known.

    Each fifth of these minutes is read by a head that learnt from the others: unless errors fall
    so, the network stays as it is.

    \b
    ppgnas personalize results/run:1 --recording recordings/anna_1.npz --minutes 5 --out anna
    ppgnas personalize results/run:1 --recording recordings/ --name anna_1 --kind low-rank --json
    """
    from nas.models.evaluate import roles_of
    from nas.models.names import find_model
    from nas.models.predict import find_recording
    from nas.personal.adapt import adapt, write_adapted
    from nas.personal.calibration import check_minutes, kind_of, wearer_of_model
    from ppg.inspection.signals import reference_fault
    from ppg.recording import with_channels

    chosen_kind = kind_of(kind)
    check_minutes(minutes)
    found = find_model(model)
    notes: list[str] = []
    read = find_recording(recording, name=name, options=given, say=notes.append)
    print_notes((*notes, *filter(None, [reference_fault(read)])))
    (read,) = with_channels([read], found.channels if channels is None else channels)
    wearer = wearer_of_model(found, read)
    adapted = adapt(wearer, minutes=minutes, kind=chosen_kind)
    shown = f"{read.dataset}/{read.name}"
    if roles_of(found, [read])[read.person] in ("train", "search"):
        print(
            f"Note: {read.person} trained or ranked this network; what adapting does here "
            "says nothing about others.",
            file=sys.stderr,
        )
    before = adapted.before
    if adapted.kept and before is not None and 2 * adapted.beyond > before.windows:
        print(
            "Note: most of the rest lies beyond the heart rates that taught, where an adapted "
            "head may err more than before; let the calibration hold what comes later.",
            file=sys.stderr,
        )
    if adapted.reads_less_than_a_constant:
        print(
            f"Note: one constant, the mean heart rate that taught, errs by "
            f"{adapted.constant_bpm:.2f} BPM on the rest, less than this network: it does not "
            "read this wearer, whatever its head.",
            file=sys.stderr,
        )
    if out is not None:
        write_adapted(Path(out), found, wearer, adapted, recording=shown)
    if as_json:
        emit({"recording": shown, "synthetic": read.synthetic, **adapted.to_json(), "out": out})
        return
    synthetic = " (SYNTHETIC)" if read.synthetic else ""
    print("\n".join([f"{shown}{synthetic}: {adapted_text(adapted)}"]))
    if out is not None:
        print(f"{out}: the network with {'the adapted' if adapted.kept else 'its factory'} head")


def adapted_text(adapted: Adaptation) -> str:
    """What came of it, in lines."""
    low, high = adapted.taught_bpm
    lines = [
        f"kind {adapted.kind}, {counted(adapted.windows, 'window')} of the first "
        f"{adapted.minutes:g} min teach, {low:.0f} to {high:.0f} BPM"
    ]
    guard = adapted.guard
    if guard is not None:
        said = "the adapted head stays" if guard.kept else "the factory head stays"
        lines.append(
            f"guard: {guard.before_bpm:.2f} BPM expected before, {guard.after_bpm:.2f} after on "
            f"{counted(guard.windows, 'window')} by heads that had not learnt from them: {said}"
        )
    before, after = adapted.before, adapted.after
    if before is None or after is None:
        lines.append(
            f"nothing of the recording is left to judge on after {adapted.minutes:g} min; give "
            "fewer --minutes to learn what adapting does"
        )
    else:
        lines.append(
            f"the rest, {counted(before.windows, 'window')}: {before.mae_bpm:.2f} BPM raw before, "
            f"{after.mae_bpm:.2f} after; smoothed {before.mae_bpm_smoothed:.2f} and "
            f"{after.mae_bpm_smoothed:.2f}; {adapted.beyond} of them beyond the heart rates that "
            "taught"
        )
    if adapted.memory is not None:
        memory = adapted.memory
        lines.append(
            f"on the device: {memory.total} bytes of SRAM, {memory.windows} for windows, "
            f"{memory.parameters} for parameters, {memory.head} for the head, "
            f"{memory.step} for a step"
        )
    if adapted.effort is not None:
        effort = adapted.effort
        lines.append(
            f"about {effort.seconds:.2f} s of an STM32H743, up to {effort.seconds_high:.2f} "
            f"({effort.cycles / 1e6:.0f} million cycles in emulation)"
        )
    return "\n  ".join(lines)
