/* PSCI (Arm DEN 0022) and the SMC calling convention (DEN 0028): x0 = function, x1..x3 = arguments, x0 = result. */
#pragma once
#include "types.h"

#define PSCI_VERSION 0x84000000ul
#define PSCI_CPU_ON 0xc4000003ul

void power_off(void) __attribute__((noreturn)); /* start.S: PSCI SYSTEM_OFF */
void secondary_start(void);                     /* start.S: where other vCPUs begin */

static inline u64 psci_call(u64 function, u64 a1, u64 a2, u64 a3)
{
    register u64 x0 asm("x0") = function;
    register u64 x1 asm("x1") = a1;
    register u64 x2 asm("x2") = a2;
    register u64 x3 asm("x3") = a3;

    asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    return x0;
}
