"""What stands before and after the network on the device, in integers, and its C.

Each step is written twice: as plain numpy over int64 ("the rule", which the documentation states
formula by formula) and as C99 in `text/`, which equals the rule bit for bit on every input. No
float is computed on the device, so a host, an emulator and a chip without FPU agree.

Before: `settings`, `filtering`, `following`, `windows`, `normalising` (streaming: `blocks`), whose
`rule` is the tests' oracle (with `tests/deploy/device/clock_rule.py`) and gives an export its
vectors. After: `weights`, `decoding`, `smoothing`, `decoder`. `front_end_c` and `decoder_c` emit
the C.
"""
