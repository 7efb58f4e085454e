"""What `data convert --guess` does: how the files of a folder look to be meant."""

from __future__ import annotations

from pathlib import Path

from nas.cli.common import emit, print_notes


def write_guess(folder: Path, *, as_json: bool) -> None:
    """Write `recordings.toml` of a folder of files, for a hand to check.

    Raises:
        DataError: it is no folder, has a mapping file already, or no file with a PPG.
    """
    from ppg.loaders.forms import guess_mapping
    from ppg.loaders.own.mapping import MAPPING
    from ppgnas.errors import DataError
    from ppgnas.files import write_text_atomic

    file = folder / MAPPING
    if not folder.is_dir():
        raise DataError(f"{folder}: no folder; `guess` looks through the files of a folder.")
    if file.exists():
        raise DataError(f"{file} is there already; convert with it, or take it away first.")
    notes: list[str] = []
    text, count = guess_mapping(folder, say=notes.append)
    write_text_atomic(file, text)
    print_notes(notes)
    if as_json:
        emit({"file": str(file), "recordings": count, "notes": notes})
        return
    print(
        f"{count} recordings in {file}; check who is who and what is read, then: "
        f"ppgnas data convert {folder} OUT"
    )
