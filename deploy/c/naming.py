"""What an exported model is called: in its header, and in front of names that a linker sees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.device.c_text import plain_name
from ppgnas.errors import OptionError

API_VERSION = 2
"""Of the calls in `model.h`; it grows with every change that a caller notices."""
PREFIX = "ppg"
LICENCE = "MIT"
_ALLOWED = re.compile(r"[a-z][a-z0-9_]{0,29}[a-z0-9]")
_ORIGIN = re.compile(
    r'((?<=PPG_MODEL_RUN )".*"|(?<=PPG_MODEL_ID )".*"|(?<= \* Model ).* of run .*)'
)
"""What the files say of a run, which may be called like a name of the C."""


@dataclass(frozen=True)
class Identity:
    """Where a model comes from.

    Attributes:
        model, run: of the card, and the name of the run's folder.
        version: of ppgnas.
        sha256: of `weights.safetensors`, whole.
    """

    model: str
    run: str
    version: str
    sha256: str


def opening(identity: Identity | None) -> str:
    """First lines of both files: licence and origin."""
    by = "by ppgnas" if identity is None else f"by ppgnas {plain_name(identity.version)}"
    lines = [
        f"/* SPDX-License-Identifier: {LICENCE}",
        " *",
        f" * A neural network in integers, written {by}.",
    ]
    if identity is not None:
        lines.append(f" * Model {plain_name(identity.model)} of run {plain_name(identity.run)}.")
    return "\n".join([*lines, " */", ""])


def header(body: str, identity: Identity | None) -> str:
    """`model.h` around its declarations; C++ can include it."""
    macros = [f"#define PPG_API_VERSION {API_VERSION}"]
    if identity is not None:
        macros += [
            f'#define PPG_GENERATOR "ppgnas {plain_name(identity.version)}"',
            f'#define PPG_MODEL_ID "{plain_name(identity.model)}"',
            f'#define PPG_MODEL_RUN "{plain_name(identity.run)}"',
            "/* Of weights.safetensors in the run's folder. */",
            f'#define PPG_MODEL_SHA256 "{_digest(identity.sha256)}"',
        ]
    return "\n".join(
        [
            opening(identity)
            + "#ifndef PPG_MODEL_H\n#define PPG_MODEL_H\n\n#include <stdint.h>\n",
            '#ifdef __cplusplus\nextern "C" {\n#endif\n',
            *macros,
            f"\n{body}",
            "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
        ]
    )


def _digest(text: str) -> str:
    return re.sub(r"[^0-9a-f]", "_", text)[:64]


def prefixed(texts: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Files of a project with another prefix than `ppg`, so that two link into one image.

    Functions, types and macros change, and `model.c`, `model.h` become `PREFIX_model.c` and `.h`.

    Raises:
        OptionError: a prefix that is no name in C or begins names that the files have already.
    """
    if prefix == PREFIX:
        return dict(texts)
    if not _ALLOWED.fullmatch(prefix):
        raise OptionError(
            f"`prefix` is {prefix!r}; allowed: 2 to 31 small letters, digits and underscores, a "
            "letter first and no underscore last"
        )
    taken = re.compile(rf"\b(?:{prefix}|{prefix.upper()})_\w+")
    for text in texts.values():
        if found := taken.search(_ORIGIN.sub("", text)):
            raise OptionError(f"`prefix` {prefix!r} begins {found[0]} already; choose another")

    def renamed(text: str) -> str:
        text = re.sub(r"(?<!\w)(CONFIG_|-D)?PPG_", rf"\g<1>{prefix.upper()}_", text)
        text = re.sub(r"\bppg_", f"{prefix}_", text)
        return re.sub(r"\bmodel\.([ch])\b", rf"{prefix}_model.\1", text)

    def around_origin(text: str) -> str:
        parts = _ORIGIN.split(text)
        parts[::2] = map(renamed, parts[::2])
        return "".join(parts)

    return {renamed(name): around_origin(text) for name, text in texts.items()}
