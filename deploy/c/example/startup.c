/* Start-up of the example on an emulated MPS2+ AN500 (Cortex-M7): `say` and the end of `main` go
 * through semihosting (BKPT 0xAB, operation in r0, parameter in r1). A real project brings its own
 * start-up code instead of this file. */
#include <stddef.h>
#include <stdint.h>

enum { SYS_WRITE0 = 4, SYS_EXIT = 0x18, EXIT_OK = 0x20026, EXIT_ERROR = 0x20023 };

extern uint32_t __stack_top[];
extern uint32_t __data_begin[], __data_end[], __bss_begin[], __bss_end[];
extern const uint32_t __data_source[];

int main(void);
void say(const char *text);
void reset(void);
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

static void semihost(int32_t operation, const void *parameter)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void fault(void)
{
    for (;;) {
        semihost(SYS_EXIT, (const void *)(intptr_t)EXIT_ERROR);
    }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    __stack_top,
    (const void *)reset,
    (const void *)fault,
    (const void *)fault,
    (const void *)fault,
    (const void *)fault,
    (const void *)fault,
};

void say(const char *text)
{
    semihost(SYS_WRITE0, text);
}

void *memcpy(void *to, const void *from, size_t count)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    while (count-- > 0u) {
        *target++ = *source++;
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    unsigned char *target = to;
    while (count-- > 0u) {
        *target++ = (unsigned char)value;
    }
    return to;
}

void reset(void)
{
    const uint32_t *source = __data_source;
    for (uint32_t *to = __data_begin; to < __data_end; to++) {
        *to = *source++;
    }
    for (uint32_t *to = __bss_begin; to < __bss_end; to++) {
        *to = 0;
    }
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: the FPU */
    semihost(SYS_EXIT, (const void *)(intptr_t)(main() == 0 ? EXIT_OK : EXIT_ERROR));
    fault();
}
