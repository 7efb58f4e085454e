"""Fits every cost law and writes the coefficients: `python -m hwmodels.fit`.

Counted kernels, timed kernels, ST's tools on whole networks, generated C, and what stands around
a network, each from the CSV files in `hwmodels/data`, to the TOML files beside them.
"""

from __future__ import annotations

from pathlib import Path

from hwmodels.fit import counted, generated_c, path, timed
from hwmodels.fit.law_file import toml
from hwmodels.fit.st import law as st
from hwmodels.path import LAW_TOML as PATH_TOML
from ppgnas.files import write_text_atomic
from ppgnas.toml_file import FileModel

_COMMENT = """Written by `python -m hwmodels.fit`; do not edit. Sources: hwmodels/data/README.md.
# Errors are relative, of points left out of the fit: a layer, all layers with weights of one
# shape, or a network. half_width: of 90 %, in logs."""


def _write(path: Path, document: FileModel) -> None:
    write_text_atomic(path, toml(document, _COMMENT))


def main() -> None:
    """Fit, write the coefficients and print the errors."""
    law = generated_c.document(
        generated_c.read_rows(), generated_c.read_rows(generated_c.STREAMING_CSV)
    )
    _write(generated_c.LAW_TOML, law)
    networks = law.networks
    print(
        f"generated C: {networks.networks} networks held out, mean error "
        f"{networks.mean_error:.2%}, worst {networks.worst_error:.2%}"
    )
    blocks = law.streaming
    print(
        f"generated C, streaming: {blocks.networks} networks, mean error {blocks.mean_error:.2%}, "
        f"worst {blocks.worst_error:.2%}"
    )
    around = path.document(path.read_rows())
    _write(PATH_TOML, around)
    print(
        f"around a network: {around.errors.settings} settings held out, mean error "
        f"{around.errors.mean_error:.2%}, worst {around.errors.worst_error:.2%}"
    )
    laws, ratios = counted.fit_all()
    _write(timed.TIMED_TOML, timed.document(timed.fit_all(laws)))
    points = st.points()
    _write(st.ST_TOML, st.document(points, st.fit(points), st.held_out(points)))
    _write(counted.FIT_TOML, counted.document(laws, ratios))
    for name, fitted in laws.items():
        print(f"{name:18} {fitted.layers:4} layers  mean {fitted.mean_error:6.2%}  "
              f"p90 {fitted.p90_error:6.2%}  max {fitted.max_error:6.2%}")  # fmt: skip
    for model, mcu, ratio in ratios:
        print(f"{ratio:6.3f} cycles/instruction  {mcu:12} {model}")


if __name__ == "__main__":
    main()
