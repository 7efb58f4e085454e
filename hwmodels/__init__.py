"""What a network costs on a chip: the layer graph, boards, engines and the scorecard.

Nothing here knows of torch or of recordings. `graph` holds the int8 layer graph that everything
after an architecture reads; `boards` and `engines` read TOML files whose every figure has a
source; `kernels` and `fit` turn counted layers into per-kernel cycle laws; `arena`, `flash` and
`power` are the memory planner, the flash budget and the duty cycle; `scorecard` puts them
together, each figure with a low and a high.
"""
