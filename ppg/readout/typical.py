"""What the spread of a reading means in a typical network of this tool.

Errors on people whom their networks were not trained on, as `fit_confidence` pools them, of
networks of effort quick (ppgnas 0.1.0, November 2026). Raw readings: `published:tiny` twice,
`small` and `medium`, trained on half of 45 people of BAMI-1, BAMI-2 and IEEE SPC 2015 and read on
the other half, and two trained on synthetic people and read on 24 others; the errors are 0.9
times those means. Smoothed readings: `tiny` twice, `small`, `medium` and `large` on each half of
the same people, and two of synthetic ones. The people that seed 0 reports on were not among them.
"""

from __future__ import annotations

from ppg.readout.confidence import Confidence

RAW = Confidence(
    (2.3, 3.28, 4.56, 6.22, 8.31, 11.01, 14.75, 19.7, 25.09, 30.02, 35.26, 43.22),
    (0.48, 0.77, 1.03, 1.18, 1.34, 1.75, 2.71, 5.53, 9.44, 15.98, 23.07, 29.04),
)
SMOOTHED = Confidence(
    (1.76, 2.15, 2.35, 2.54, 2.74, 3.01, 3.45, 4.33, 6.31, 9.97, 16.4, 31.49),
    (0.69, 1.03, 1.16, 1.27, 1.47, 1.73, 1.97, 2.53, 4.02, 6.79, 11.33, 17.05),
)
