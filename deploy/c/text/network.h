#define PPG_STEPS $steps
#define PPG_CHANNELS $channels
#define PPG_CLASSES $classes
#define PPG_SCRATCH_BYTES $scratch_bytes
$place

#define PPG_OK 0
#define PPG_ERROR_NULL (-1)
#define PPG_ERROR_ALIGNMENT (-2)

/* int8 logits of one window.
 *
 * input: $window, normalised and quantised; logits: [PPG_CLASSES];
 * memory: PPG_SCRATCH_BYTES bytes, aligned to 8, contents without meaning before and after.
 * Returns PPG_OK, or an error if a pointer is NULL or the memory not aligned. */
int ppg_infer(const int8_t *input, int8_t *logits, void *memory);
