"""`python -m tests.mutation --inputs 5000 --seed 0`: counts, and each miss."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.mutation.harness import run


def main() -> int:
    """Leaves with 1 where something was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="Number of the first, to repeat one.")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    began_s, inputs, misses = time.monotonic(), Counter[str](), Counter[str]()
    seconds: Counter[str] = Counter()
    for result in run(asked.inputs, seed=asked.seed, first=asked.first):
        for key in ("all", f"document {result['document']}", f"verb {result['verb']}"):
            inputs[key] += 1
            misses[key] += result["missed"] is not None
            seconds[key] += result.get("seconds", 0)
        if result["missed"] or asked.verbose:
            print(
                f"--seed {asked.seed} --first {result['number']} --inputs 1: "
                f"{result.get('command')}\n    {result.get('way')} of {result['document']}: "
                f"{result['missed'] or result}",
                flush=True,
            )
    for key, count in sorted(inputs.items()):
        print(f"{key:<45} {count:>6} inputs {misses[key]:>5} misses {seconds[key]:>7.1f} s")
    print(f"{time.monotonic() - began_s:.0f} s")
    return 1 if misses["all"] else 0


if __name__ == "__main__":
    sys.exit(main())
