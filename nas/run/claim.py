"""Which search a run directory belongs to: `run.toml` when it begins, the same when it goes on.

A run that goes on with another configuration, other recordings, another split or training windows
that are prepared in another way would mix two searches, so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from nas.run.config import SearchConfig, differences
from nas.run.folder import FORMAT, RunDir, timestamp
from nas.run.machine import versions
from nas.run.people import People
from ppg.augment.bank import PREPARATION
from ppg.readout.transitions import fit_transitions
from ppgnas import __version__
from ppgnas.errors import RunError
from search_spaces.space import SearchSpace


def check_same(config: SearchConfig, run: RunDir) -> None:
    """Whether a run was started with this configuration.

    Raises:
        RunError: it differs; names the keys.
    """
    found = stored_config(run)
    different = differences(config, found)
    if different:
        listed = "; ".join(
            f"{key}: {old!r} in the run, {new!r} asked" for key, (new, old) in different.items()
        )
        raise RunError(
            f"--resume: {run.path} was started with another configuration ({listed}). Leave "
            "those options out to continue it, or choose another --out for a new run"
        )


def stored_config(run: RunDir) -> SearchConfig:
    """The configuration of a run.

    Raises:
        RunError: there is none, or it is damaged.
    """
    document = run.document()
    try:
        return SearchConfig.from_tables(document)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{run.toml} lacks {error}; it was damaged or written by another version. Start a new "
            "run with another --out"
        ) from error


def claim(
    run: RunDir, config: SearchConfig, space: SearchSpace, people: People, *, command: str
) -> None:
    """Write `run.toml`, or check that the one that is there asks for the same.

    Args:
        run: the folder, which exists.
        config: what is asked.
        space: that is searched with these people.
        people: of the run.
        command: how the user said it, for provenance.

    Raises:
        RunError: another search has claimed the folder.
    """
    split = {part: list(names) for part, names in people.split.to_json().items()}
    if run.exists:
        check_same(config, run)
        _check_same_people(run, people, split)
        return
    tables = config.to_tables()
    tables["run"] = {
        "format": FORMAT,
        "version": __version__,
        "command": command,
        "created": timestamp(),
        **tables["run"],
    }
    tables["search"]["space_size"] = str(space.size)  # beyond the integers of TOML
    tables["data"] |= {
        "synthetic": people.synthetic,
        "fingerprint": people.fingerprint,
        **PREPARATION,
        "recordings": len(people.recordings),
        "people": len({recording.person for recording in people.recordings}),
    }
    run.write_document(
        {
            **tables,
            "split": split,
            "smoothing": fit_transitions(people.train).to_json(),
            "versions": versions(),
            "time_s": {},
        }
    )


def _check_same_people(run: RunDir, people: People, split: Mapping[str, list[str]]) -> None:
    document = run.document()
    found = document["data"].get("fingerprint")
    if found != people.fingerprint:
        raise RunError(
            f"--resume: the recordings changed since {run.path} was started (fingerprint "
            f"{str(found)[:12]} in the run, {people.fingerprint[:12]} now). Bring them back, or "
            "choose another --out for a new run"
        )
    began = {key: document["data"].get(key) for key in PREPARATION}
    if began != PREPARATION:
        raise RunError(
            f"--resume: {run.path} was started by a ppgnas that prepared training windows in "
            f"another way ({_listed(began)}; here {_listed(PREPARATION)}), and its teacher and "
            "supernet do not fit what would follow. Finish it with that version, or choose "
            "another --out for a new run"
        )
    if document.get("split") != split:
        raise RunError(
            f"--resume: the split of people is not the one {run.path} was started with, and "
            "somebody it trained on may now be a report person. Bring the split file back, or "
            "choose another --out for a new run"
        )


def _listed(facts: Mapping[str, str | None]) -> str:
    return ", ".join(f"{key} {value or 'unnamed'}" for key, value in facts.items())
