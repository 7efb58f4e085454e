/* At -O2 clang unrolls and inlines what is no inner loop until it is three times as long; gcc does not.
 * An inner loop within what is small stands apart. */
#if defined(__GNUC__)
#define PPG_INSIDE inline __attribute__((always_inline))
#define PPG_SELDOM(condition) __builtin_expect(condition, 0)
#define PPG_KEPT(value) __asm__("" : "+r"(value)) /* is computed here as it is written */
#else
#define PPG_INSIDE inline
#define PPG_SELDOM(condition) (condition)
#define PPG_KEPT(value) ((void)0)
#endif
#if defined(__clang__)
#define PPG_SMALL __attribute__((minsize))
#define PPG_APART __attribute__((noinline))
#define PPG_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define PPG_SMALL
#define PPG_APART
#define PPG_ROLLED
#endif
