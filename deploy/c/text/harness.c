#include "model.h"

int8_t ppg_input[PPG_STEPS * PPG_CHANNELS];
int8_t ppg_logits[PPG_CLASSES];
uint64_t ppg_memory[(PPG_SCRATCH_BYTES + 7) / 8];

int ppg_run(void);
int ppg_run(void)
{
    return ppg_infer(ppg_input, ppg_logits, ppg_memory);
}
