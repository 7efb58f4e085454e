/* What two minutes of made-up samples must become, see path.c. */
#ifndef PPG_PATH_H
#define PPG_PATH_H

#include <stdint.h>

#define PATH_SAMPLES $samples
#define PATH_START ${start}u
#define PATH_RISE ${rise}u
/* So many samples of the PPG stand beside so many of the acceleration. */
#define PATH_PPG_HZ $ppg_hz
#define PATH_ACC_HZ $acc_hz
#define PATH_COUNTS $counts
#define PATH_READINGS $count

/* FNV-1a of the window and of the logits; BPM, spread, confidence and error, raw and smoothed. */
static const struct {
    uint32_t window, logits;
    uint16_t raw[4], smoothed[4];
} path_expected[PATH_READINGS] = {
$rows
};

#endif
