/* Fixed-width names, device accesses of an exact width, and system registers by name. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

/*
 * One device access is one plain load or store of one register, as a hypervisor can emulate it from the syndrome alone
 * (ISV = 1): no write-back, no pair. A compiler may choose otherwise; inline assembly does not.
 */
static inline u32 read32(u64 address)
{
    u32 value;
    asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void write32(u64 address, u32 value)
{
    asm volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void write64(u64 address, u64 value)
{
    asm volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
}

#define sysreg_read(name) ({ u64 value_; asm volatile("mrs %0, " #name : "=r"(value_)); value_; })
#define sysreg_write(name, value) asm volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(value)) : "memory")
