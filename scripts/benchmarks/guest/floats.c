/* Scalar doubles: division, square root, conversions, comparisons. A walk of points that are drawn to the unit circle. */
#include "guest.h"

const uint64_t expected = 0xa43bc3239e979d35;

uint64_t round(void)
{
    double x = 0.3, y = 1.7, longest = 0;
    int64_t cells = 0;
    float narrow = 0;
    for (int i = 1; i <= 2000; i++) {
        double length = __builtin_sqrt(x * x + y * y);
        x = x / length + 1.0 / i;
        y = y / length - (double)(i & 15) * 0.125;
        if (length > longest)
            longest = length;
        cells += (int64_t)(x * 1024.0) ^ (int64_t)(y * 1024.0);
        narrow += (float)length;
        if (x < 0)
            x = -x + 0.01;
        y = __builtin_fabs(y) < 1e-3 ? 0.5 : y;
    }
    uint64_t sum = (union { double d; uint64_t u; }){x + y + longest + (double)narrow}.u;
    return mix(sum, (uint64_t)cells);
}
