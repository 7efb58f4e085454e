/* The part of <string.h> that a freestanding compiler needs (C99 4 leaves the header out there).
 *
 * A freestanding compiler takes memcpy for any function; as a built-in one it becomes a single
 * instruction where the size is known and small.
 */
#ifndef PPGNAS_STRING_H
#define PPGNAS_STRING_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t count);
void *memmove(void *target, const void *source, size_t count);
void *memset(void *target, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);

#define memcpy(target, source, count) __builtin_memcpy((target), (source), (count))
#define memmove(target, source, count) __builtin_memmove((target), (source), (count))
#define memset(target, value, count) __builtin_memset((target), (value), (count))
#define memcmp(left, right, count) __builtin_memcmp((left), (right), (count))

#endif
