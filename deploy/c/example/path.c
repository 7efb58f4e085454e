/* From raw samples to heart rate: two minutes of a made-up signal, every window or block, all logits and
 * every reading compared with what numpy says (path.h). The signal says nothing about people. */
#include "model.h"
#include "path.h"

#if defined(PPG_SEMIHOSTING)
void say(const char *text);
#else
#include <stdio.h>
#define say(text) (void)fputs(text, stdout)
#endif

static ppg_state_t state;
static ppg_smoother_t smoother;
#if defined(PPG_STREAMING)
static ppg_stream_t stream, other;
#endif
static uint64_t memory[(PPG_MEMORY_BYTES + 7) / 8];
static int8_t logits[PPG_CLASSES];
static int16_t window[PPG_WINDOW_WORDS];
static uint32_t seed, phase, step;
static int readings;

static uint32_t draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 20;
}

static uint32_t hashed(uint32_t hash, uint32_t byte)
{
    return (hash ^ (byte & 255u)) * 16777619u;
}

/* Whether a reading is what it must be. */
static int equal(const ppg_reading_t *found, const uint16_t *expected)
{
    return found->bpm_q8 == expected[0] && found->spread_q8 == expected[1] &&
           found->confidence_q15 == expected[2] && found->error_q8 == expected[3] &&
           found->invalid_steps == 0;
}

/* One where the window that is due, its logits or its readings differ. */
static int different(void)
{
    ppg_reading_t raw, smoothed;
    uint32_t of_window = 2166136261u, of_logits = 2166136261u;
    int8_t *input = (int8_t *)memory + PPG_INPUT_OFFSET;
    const int at = readings++;
    if (at >= PATH_READINGS || ppg_window(&state, window) != PPG_OK) {
        return 1;
    }
    for (int i = 0; i < PPG_WINDOW_WORDS; i++) {
        of_window = hashed(hashed(of_window, (uint16_t)window[i]), (uint16_t)window[i] >> 8);
    }
#if defined(PPG_STREAMING)
    const int due = at >= PPG_BLOCKS - 1; /* with the last block of a window */
    ppg_quantise(&other.gain, window, input);
    if (ppg_step(&other.network, input, logits, memory) != due ||
        ppg_predict(window, at >= PPG_BLOCKS, &stream, memory, &smoother, &raw, &smoothed) != due) {
        return 1;
    }
    if (!due) {
        return of_window != path_expected[at].window;
    }
#else
    ppg_quantise(window, input);
    if (ppg_infer(input, logits, memory) != PPG_OK ||
        ppg_predict(window, at > 0, memory, &smoother, &raw, &smoothed) != PPG_OK) {
        return 1;
    }
#endif
    for (int i = 0; i < PPG_CLASSES; i++) {
        of_logits = hashed(of_logits, (uint8_t)logits[i]);
    }
    return of_window != path_expected[at].window || of_logits != path_expected[at].logits ||
           !equal(&raw, path_expected[at].raw) || !equal(&smoothed, path_expected[at].smoothed);
}

#if PPG_CHANNELS == 4
static int push_acc(void)
{
    int16_t axes[3];
    for (int axis = 0; axis < 3; axis++) {
        axes[axis] = (int16_t)(draw() * (uint32_t)PATH_COUNTS / 16384u);
    }
    axes[2] = (int16_t)(axes[2] + PATH_COUNTS / 2);
    return ppg_push_acc(&state, axes);
}
#endif

static int push_ppg(void)
{
    const uint32_t up = phase >> 16;
    int32_t light[PPG_PPG_CHANNELS];
    for (int lane = 0; lane < PPG_PPG_CHANNELS; lane++) {
        light[lane] = (int32_t)(90000u + (up < 32768u ? up : 65535u - up) / 4u + draw() / 16u);
    }
    phase += step;
    step += PATH_RISE;
    return ppg_push_ppg(&state, light);
}

/* How many readings differ or are missing. */
int ppg_check_path(void);
int ppg_check_path(void)
{
    int wrong = 0;
    seed = 1;
    phase = 0;
    step = PATH_START;
    readings = 0;
    ppg_reset(&state);
    ppg_smoother_reset(&smoother);
#if defined(PPG_STREAMING)
    ppg_stream_reset(&stream);
    ppg_stream_reset(&other);
#endif
#if PPG_CHANNELS == 4
    int32_t taken = 0;
#endif
    for (int32_t i = 0; i < PATH_SAMPLES; i++) {
        int status = push_ppg();
        wrong += status < 0 || (status == 1 && different());
#if PPG_CHANNELS == 4
        for (; (int64_t)taken * PATH_PPG_HZ <= (int64_t)i * PATH_ACC_HZ; taken++) {
            status = push_acc();
            wrong += status < 0 || (status == 1 && different());
        }
#endif
    }
    return wrong + (PATH_READINGS - readings);
}

int main(void)
{
    const int wrong = ppg_check_path();
    say(wrong == 0 ? "PASS\n" : "FAIL\n");
    return wrong == 0 ? 0 : 1;
}
