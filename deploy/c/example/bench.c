/* Times the network on its chip and prints what `ppgnas calibrate` reads: one row of CSV a call.
 *
 * On a board put bench.c, window.h and the model into your project, fill ppg_bench_putchar with its
 * UART, RTT or SWO, and call ppg_bench() once the clock runs at full speed (with
 * -DPPG_BENCH_NO_MAIN; without, main is here). Interrupts should be off. */
#include "model.h"
#include "window.h"

#if !defined(PPG_BENCH_RUNS)
#define PPG_BENCH_RUNS 10
#endif
#if !defined(PPG_BENCH_MODEL) /* what ppgnas finds the network by: a run and its finalist, or a file */
#if defined(PPG_MODEL_RUN)
#define PPG_BENCH_MODEL PPG_MODEL_RUN ":" PPG_MODEL_ID
#else
#define PPG_BENCH_MODEL "model.tflite"
#endif
#endif
#if defined(PPG_STREAMING)
#define MODE "streaming"
#else
#define MODE "window"
#endif

/* Prints one character; another definition takes the place of this one. */
void ppg_bench_putchar(int character);
/* 0 if all calls were right and timed. */
int ppg_bench(void);

static uint64_t memory[(PPG_SCRATCH_BYTES + 7) / 8];
static int8_t found[PPG_CLASSES];
#if defined(PPG_STREAMING)
static ppg_network_t network;
#endif

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define UNIT "cycles"
#if defined(PPG_SEMIHOSTING)
void say(const char *text);
#endif

__attribute__((weak)) void ppg_bench_putchar(int character)
{
#if defined(PPG_SEMIHOSTING)
    const char text[2] = {(char)character, 0};
    say(text);
#else
    (void)character;
#endif
}

#define AT(address) (*(volatile uint32_t *)(address))
#define SYST_CSR AT(0xE000E010u)
#define SYST_RVR AT(0xE000E014u)
#define SYST_CVR AT(0xE000E018u)
static const char *counter;

/* SysTick counts 24 bits down, by the core's clock, without an interrupt. */
static void start_systick(void)
{
    counter = "SysTick";
    SYST_CSR = 0;
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0;
    SYST_CSR = 5;
}

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
static void start(void)
{
    start_systick();
}
#define CYCCNT 0u
#else
#define CYCCNT AT(0xE0001004u)

static void start(void)
{
    AT(0xE000EDFCu) |= 1u << 24;    /* DEMCR: TRCENA */
    AT(0xE0001FB0u) = 0xC5ACCE55u;  /* unlocks the DWT of a Cortex-M7 */
    AT(0xE0001000u) |= 1u;          /* DWT_CTRL: CYCCNTENA */
    counter = "DWT";
    const uint32_t before = CYCCNT;
    for (volatile int wait = 0; wait < 100; wait++) {
    }
    if (CYCCNT == before) { /* locked, or an emulator */
        start_systick();
    }
}
#endif

static uint32_t begun;

static void begin(void)
{
    if (counter[0] == 'D') {
        begun = CYCCNT;
        return;
    }
    SYST_CVR = 0; /* clears COUNTFLAG; the next tick loads 0xFFFFFF */
    while (SYST_CVR == 0u) {
    }
    (void)SYST_CSR;
    begun = SYST_CVR;
}

/* Units since `begin`; 0 where the counter ran over. */
static uint32_t taken(void)
{
    if (counter[0] == 'D') {
        return CYCCNT - begun;
    }
    const uint32_t now = SYST_CVR;
    return (SYST_CSR & (1u << 16)) != 0u ? 0u : begun - now;
}
#else
#include <stdio.h>
#include <time.h>
#define UNIT "host_us" /* no column of calibrate: a board is what it fits */
static const char *const counter = "clock";
static clock_t begun;

__attribute__((weak)) void ppg_bench_putchar(int character)
{
    (void)putchar(character);
}

static void start(void)
{
}

static void begin(void)
{
    begun = clock();
}

/* Microseconds since `begin`. */
static uint32_t taken(void)
{
    return (uint32_t)((clock() - begun) * 1000000 / CLOCKS_PER_SEC) + 1u;
}
#endif

static void print(const char *text)
{
    while (*text != '\0') {
        ppg_bench_putchar(*text++);
    }
}

static void print_number(uint32_t value)
{
    char text[11], *at = text + 10;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0u);
    print(at);
}

/* One call and what it took: of the whole window, or of the block that completes it. */
static uint32_t timed(void)
{
#if defined(PPG_STREAMING)
    const int8_t *block = ppg_example;
    ppg_network_reset(&network);
    for (int early = 0; early < 3; early++, block += PPG_STEPS * PPG_CHANNELS) {
        (void)ppg_step(&network, block, found, memory);
    }
    begin();
    (void)ppg_step(&network, block, found, memory);
#else
    begin();
    (void)ppg_infer(ppg_example, found, memory);
#endif
    return taken();
}

int ppg_bench(void)
{
    start();
    print("model,mode," UNIT ",counter\n");
    for (int run = 0; run < PPG_BENCH_RUNS; run++) {
        const uint32_t units = timed();
        for (int index = 0; index < PPG_CLASSES; index++) {
            if (found[index] != ppg_expected[index]) {
                print("FAIL: logits differ from those of the integer reference\n");
                return 1;
            }
        }
        if (units == 0u) {
            print("FAIL: the call took more than the 2^24 cycles that SysTick counts\n");
            return 1;
        }
        print(PPG_BENCH_MODEL "," MODE ",");
        print_number(units);
        print(",");
        print(counter);
        print("\n");
    }
    return 0;
}

#if !defined(PPG_BENCH_NO_MAIN)
int main(void)
{
    return ppg_bench();
}
#endif
