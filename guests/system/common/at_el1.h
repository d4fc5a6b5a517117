/*
 * System registers for cases that are compiled to run at EL1, where C code and the code under test share the level (el1.c):
 * what would change the ground under C code is held until RUN(), and what is EL2's ends the case as skipped.
 */
#pragma once
#include "../../common/types.h"

#undef sysreg_read
#undef sysreg_write

/* Where a register is held (SCTLR_EL1, SP_EL1), or 0: it is the CPU's. Of EL2's registers the case is skipped. */
u64 *held_register(const char *name);

#define sysreg_read(name)                                                                                              \
    ({                                                                                                                 \
        const u64 *held_ = held_register(#name);                                                                       \
        u64 value_;                                                                                                    \
        if (held_)                                                                                                     \
            value_ = *held_;                                                                                           \
        else                                                                                                           \
            asm volatile("mrs %0, " #name : "=r"(value_));                                                             \
        value_;                                                                                                        \
    })
#define sysreg_write(name, value)                                                                                      \
    do {                                                                                                               \
        u64 *held_ = held_register(#name);                                                                             \
        const u64 written_ = (u64)(value);                                                                             \
        if (held_)                                                                                                     \
            *held_ = written_;                                                                                         \
        else                                                                                                           \
            asm volatile("msr " #name ", %0\n\tisb" : : "r"(written_) : "memory");                                     \
    } while (0)
