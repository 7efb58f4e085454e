"""What the spread of a reading means in a typical network of this tool.

Errors on people whom their networks were not trained on, as `fit_confidence` pools them: four
networks (`published:tiny` twice, `small`, `medium`, effort quick, ppgnas 0.1.0) trained on half of
45 people of BAMI-1, BAMI-2 and IEEE SPC 2015 and read on the other half, and two trained on
synthetic people and read on 24 others. At equal spreads they erred alike. The errors are 0.9 times
those means: a few people err most, and the mean of a dozen people is more often below the mean of
all than above it. The people that seed 0 reports on were not among them. November 2026.
"""

from __future__ import annotations

from ppg.readout.confidence import Confidence

RAW = Confidence(
    (2.3, 3.28, 4.56, 6.22, 8.31, 11.01, 14.75, 19.7, 25.09, 30.02, 35.26, 43.22),
    (0.48, 0.77, 1.03, 1.18, 1.34, 1.75, 2.71, 5.53, 9.44, 15.98, 23.07, 29.04),
)
SMOOTHED = Confidence(
    (1.5, 1.75, 2.08, 2.24, 2.37, 2.52, 2.72, 3.02, 3.55, 4.69, 8.03, 26.94),
    (0.45, 0.76, 1.39, 1.65, 1.65, 1.74, 2.35, 3.89, 6.25, 8.96, 12.45, 21.2),
)
