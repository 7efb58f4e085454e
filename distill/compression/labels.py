"""A pool whose windows another network has labelled."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch

from distill.pool import ANSWERS, FACTS, answer, open_pool
from distill.training.checkpoint import digest_of
from ppgnas.files import is_sealed, seal, write_json_atomic
from search_spaces.network import Network


def label(pool: Path, network: Network, folder: Path) -> None:
    """Make a pool of the same windows with the answers of a network, unless `folder` has it.

    Args:
        pool: folder of the pool; all but its teacher's answers is shared with it.
        network: who labels, in evaluation mode; features are kept where they were of the teacher.
    """
    windows = open_pool(pool, device=next(network.parameters()).device)
    features = windows.features is not None
    facts = folder / FACTS
    answers = [folder / name for name in ANSWERS[: 1 + features]]
    identity = {
        **json.loads((pool / FACTS).read_text(encoding="utf-8")),
        "labelled_by": digest_of(network.state_dict()),
    }
    if all(map(is_sealed, (facts, *answers))) and json.loads(facts.read_text()) == identity:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in pool.glob("*.npy"):
        shared = folder / path.name
        if path.name not in ANSWERS:
            shared.unlink(missing_ok=True)  # of a pool that was made again since
            os.link(path, shared)
    said = (
        answer(network, windows.of(x, network.arch), features=features) for x in windows.inputs()
    )
    batches = [[part.half() for part in parts] for parts in said]
    for path, parts in zip(answers, zip(*batches, strict=True), strict=True):
        np.save(path, torch.cat(parts).numpy())
    write_json_atomic(facts, identity)
    for path in (*answers, facts):
        seal(path)
