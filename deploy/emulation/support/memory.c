/* The four memory functions that a freestanding C99 compiler may call (C99 7.21, AAPCS).
 *
 * Used where no C library is linked. Words where both ends are aligned, bytes elsewhere. They are
 * kept out of the image unless something calls them, and counted like all other code.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict target, const void *restrict source, size_t count);
void *memmove(void *target, const void *source, size_t count);
void *memset(void *target, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);

void *memcpy(void *restrict target, const void *restrict source, size_t count)
{
    unsigned char *to = target;
    const unsigned char *from = source;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0u) {
        for (; count >= 4u; count -= 4u, to += 4, from += 4) {
            *(uint32_t *)(void *)to = *(const uint32_t *)(const void *)from;
        }
    }
    while (count-- > 0u) {
        *to++ = *from++;
    }
    return target;
}

void *memmove(void *target, const void *source, size_t count)
{
    unsigned char *to = target;
    const unsigned char *from = source;
    if ((uintptr_t)to - (uintptr_t)from >= count) {
        return memcpy(target, source, count);
    }
    while (count-- > 0u) {
        to[count] = from[count];
    }
    return target;
}

void *memset(void *target, int value, size_t count)
{
    unsigned char *to = target;
    const uint32_t byte = (unsigned char)value;
    if (((uintptr_t)to & 3u) == 0u) {
        for (; count >= 4u; count -= 4u, to += 4) {
            *(uint32_t *)(void *)to = byte * 0x01010101u;
        }
    }
    while (count-- > 0u) {
        *to++ = (unsigned char)byte;
    }
    return target;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const unsigned char *a = left;
    const unsigned char *b = right;
    for (; count > 0u; count--, a++, b++) {
        if (*a != *b) {
            return (int)*a - (int)*b;
        }
    }
    return 0;
}
