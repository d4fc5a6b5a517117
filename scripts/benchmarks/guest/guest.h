/* What a C guest has: start.S calls round() as often as it is told, and each time it must return `expected`. */
#include <stdint.h>

uint64_t round(void);
extern const uint64_t expected;

static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x9e3779b97f4a7c15 + (sum >> 29);
}

static inline uint32_t next_random(uint32_t *state)
{
    return *state = *state * 1664525 + 1013904223;
}
