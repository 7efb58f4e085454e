"""How the acceleration follows the clock of the PPG, whose crystal is another one.

The lead L is how many output samples of the acceleration there are beyond those of the PPG. It
swings with the order in which samples come, bursts of FIFOs above all, and moves steadily where
the clocks differ. A block is 2 s of PPG; its lead is the middle of the smallest and the largest L,
in half steps (`low + high`). The first block holds how the sensors started; the lead of the second
is the reference, and `error` that of a later block less it.

* Until the error leaves what the swing explains, `widest / 16 - 1` steps, 2 at least and half of
  the slack at most, nothing is done: at the nominal rates the output is that of the nominal rates,
  to the last bit. `widest` is the largest 16 (high - low) that two blocks in a row had, one less
  each block. Where the lead goes beyond 3/4 of the slack there is no such freedom.
* A block that swings further, by more than clocks can run apart in it, is not judged: samples came
  late once, or were lost.
* From then on the acceleration is read at `2^24 + correction` for `2^24` of its nominal pace:

      rate       = [error START / (blocks since the reference)]                  once, then
      rate      += error RATE                                                    each block
      correction = rate + error LEAD

  a loop that is critically damped, with a time constant of 16 s. |rate| is at most 1/16,
  |correction| 1/8.
* A lead beyond the slack is a loss, and so is an error above 7/8 of it, or one that differs from
  the last by more than `widest / 16 + JUMP / 8` steps: clocks do not run apart that fast. Invalid
  samples stand in for the missing ones, until the lead is within `widest / 32` steps, or a quarter
  of the slack, of the reference.
"""

from __future__ import annotations

ONE_BITS = 24
ONE = 2**ONE_BITS  # parts of a position between samples, beside those of the nominal ratio

RATE_LIMIT = ONE // 16
_LEAD_SHARE, _RATE_SHARE = 8, 256  # of an error that a block takes away; 4 * 8^2: critical


def constants(*, slack_steps: int, block_steps: int) -> dict[str, int]:
    """Numbers of the loop by their names in C; `block_steps` output samples are a block."""
    return {
        "FRONT_RATE_LIMIT": RATE_LIMIT,
        "FRONT_FOLLOW_START": ONE // (2 * block_steps),
        "FRONT_FOLLOW_LEAD": ONE // (2 * _LEAD_SHARE * block_steps),
        "FRONT_FOLLOW_RATE": ONE // (2 * _RATE_SHARE * block_steps),
        "FRONT_JUMP": 16 * (block_steps // 16 + 1),
        "FRONT_SWING_STEPS": slack_steps // 4,
        "FRONT_LOSS_STEPS": max(3, 7 * slack_steps // 8),
        "FRONT_NEAR_STEPS": 3 * slack_steps // 4,
        "FRONT_FREE_STEPS": max(2, slack_steps // 2 - 1),
    }
