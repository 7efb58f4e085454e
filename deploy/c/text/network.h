#define PPG_STEPS $steps
#define PPG_CHANNELS $channels
#define PPG_CLASSES $classes
#define PPG_SCRATCH_BYTES $scratch_bytes
/* Where `ppg_infer` wants its input: at this place of the scratch buffer it is not copied. */
#define PPG_INPUT_OFFSET $offset

#define PPG_OK 0
#define PPG_ERROR_NULL (-1)
#define PPG_ERROR_ALIGNMENT (-2)

/* int8 logits of one window.
 *
 * input: [PPG_STEPS][PPG_CHANNELS], normalised and quantised; logits: [PPG_CLASSES];
 * memory: PPG_SCRATCH_BYTES bytes, aligned to 8, contents without meaning before and after.
 * Returns PPG_OK, or an error if a pointer is NULL or the memory not aligned. */
int ppg_infer(const int8_t *input, int8_t *logits, void *memory);
