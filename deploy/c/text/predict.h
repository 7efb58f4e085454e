/* ---- a reading ---------------------------------------------------------------------------- */

/* Bytes of memory that ppg_predict wants, aligned to 8; it holds nothing between calls. */
#define PPG_MEMORY_BYTES $memory

/* Heart rate of one window.
 *
 * window: from ppg_window; strides: how many times 2 s lie between this window and the one before,
 * 0 for the first; raw: of this window alone; smoothed: with those before it.
 * Returns PPG_OK, or an error if a pointer is NULL or the memory not aligned. */
int ppg_predict(const int16_t *window, uint32_t strides, void *memory, ppg_smoother_t *smoother,
                ppg_reading_t *raw, ppg_reading_t *smoothed);
