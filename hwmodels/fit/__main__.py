"""Fits every cost law and writes the coefficients: `python -m hwmodels.fit`.

Counted kernels, timed kernels, ST's tools on whole networks, and generated C, each from the CSV
files in `hwmodels/data`, to the TOML files beside them.
"""

from __future__ import annotations

from hwmodels.fit import counted, generated_c, st, timed
from ppgnas.files import write_text_atomic


def main() -> None:
    """Fit, write the coefficients and print the errors."""
    law = generated_c.document(generated_c.read_rows())
    write_text_atomic(generated_c.LAW_TOML, generated_c.render(law))
    networks = law.networks
    print(
        f"generated C: {networks.networks} networks held out, mean error "
        f"{networks.mean_error:.2%}, worst {networks.worst_error:.2%}"
    )
    laws, ratios = counted.fit_all()
    write_text_atomic(timed.TIMED_TOML, timed.render(timed.fit_all(laws)))
    write_text_atomic(st.ST_TOML, st.render(st.fit_all()))
    write_text_atomic(counted.FIT_TOML, counted.render(laws, ratios))
    for name, fitted in laws.items():
        print(f"{name:18} {fitted.layers:4} layers  mean {fitted.mean_error:6.2%}  "
              f"p90 {fitted.p90_error:6.2%}  max {fitted.max_error:6.2%}")  # fmt: skip
    for model, mcu, ratio in ratios:
        print(f"{ratio:6.3f} cycles/instruction  {mcu:12} {model}")


if __name__ == "__main__":
    main()
