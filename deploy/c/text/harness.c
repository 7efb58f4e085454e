#include "model.h"

/* Written from outside, which a compiler that sees the whole program would not know. */
__attribute__((used)) int8_t ppg_input[PPG_STEPS * PPG_CHANNELS];
int8_t ppg_logits[PPG_CLASSES];
uint64_t ppg_memory[(PPG_SCRATCH_BYTES + 7) / 8];

int ppg_run(void);
#if defined(PPG_STREAMING)
ppg_network_t ppg_network;

int ppg_start(void);
int ppg_start(void)
{
    ppg_network_reset(&ppg_network);
    return 0;
}

int ppg_run(void)
{
    return ppg_step(&ppg_network, ppg_input, ppg_logits, ppg_memory);
}
#else
int ppg_run(void)
{
    return ppg_infer(ppg_input, ppg_logits, ppg_memory);
}
#endif
