/* One recorded window through the network, against the logits that the integer reference gives.
 *
 * window.h holds a synthetic window: it tries the path and says nothing about people. */
#include "model.h"
#include "window.h"

#if defined(PPG_SEMIHOSTING)
void say(const char *text);
#else
#include <stdio.h>
#define say(text) (void)fputs(text, stdout)
#endif

/* 8 bytes of alignment by the type. It may lie in any SRAM, and holds nothing between calls. */
static uint64_t memory[(PPG_SCRATCH_BYTES + 7) / 8];
int8_t logits[PPG_CLASSES];
#if defined(PPG_STREAMING)
static ppg_network_t network; /* what it keeps of the blocks before */
#endif

/* How many logits differ, or an error of the network, which is negative. */
#if defined(__GNUC__)
__attribute__((noinline)) /* so that a debugger or an emulator finds it */
#endif
int ppg_check(void);
int ppg_check(void)
{
    int different = 0;
#if defined(PPG_STREAMING)
    int status = 0;
    ppg_network_reset(&network);
    for (size_t at = 0; at < sizeof ppg_example && status == 0; at += PPG_STEPS * PPG_CHANNELS) {
        status = ppg_step(&network, ppg_example + at, logits, memory);
    }
    if (status != 1) {
        return status - 1;
    }
#else
    const int status = ppg_infer(ppg_example, logits, memory);
    if (status != PPG_OK) {
        return status;
    }
#endif
    for (int index = 0; index < PPG_CLASSES; index++) {
        different += logits[index] != ppg_expected[index];
    }
    return different;
}

int main(void)
{
    const int different = ppg_check();
    say(different == 0 ? "PASS\n" : "FAIL\n");
    return different == 0 ? 0 : 1;
}
