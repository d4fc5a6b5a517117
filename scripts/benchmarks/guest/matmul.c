/* C = A * B of 40 x 40 doubles, one scalar at a time. */
#include "guest.h"

enum { N = 40 };
static double a[N][N], b[N][N], c[N][N];
const uint64_t expected = 0x40c9787333333332;

uint64_t round(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * 7 + j * 3) % 11 * 0.1;
            b[i][j] = (i * 5 + j) % 13 * 0.3 - 1.0;
        }
    double trace = 0;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
        trace += c[i][(i * 3) % N] * (i + 1);
    }
    return (union { double d; uint64_t u; }){trace}.u;
}
