/*
 * What of the runner is EL1's, for images that begin at EL1 (a guest of a hypervisor, or a board without EL2): el2.c's other half.
 *
 * C code runs at EL1 with the MMU off; RUN() puts SCTLR_EL1 and SP_EL1 in place and leaves by ERET to EL1 or EL0, and the vectors of
 * EL1 come back.
 */
#include "cpu.h"

static struct {
    u64 sctlr_el1, sp_el1;
} held[8];

void tlbi_all(void) { asm volatile("dsb ish\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory"); }
void clean_el2(void) {}

/* ---- registers */

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static int ends_with(const char *text, const char *end)
{
    for (; *text; text++)
        if (same(text, end))
            return 1;
    return 0;
}

u64 *held_register(const char *name)
{
    /* Those that ERET and the vectors need are not a case's either. */
    static const char *const mine[] = {"elr_el1", "spsr_el1", "vbar_el1", "tpidr_el1"};

    if (same(name, "sctlr_el1"))
        return &held[this_cpu()].sctlr_el1;
    if (same(name, "sp_el1"))
        return &held[this_cpu()].sp_el1;
    for (unsigned i = 0; i < sizeof mine / sizeof *mine; i++)
        if (same(name, mine[i]))
            needs_el2();
    if (ends_with(name, "_el2") || ends_with(name, "_el12") || ends_with(name, "_el02") ||
        (name[0] == 'S' && name[1] == '3' && (name[3] == '4' || name[3] == '5')))
        needs_el2();
    return 0;
}

u64 *held_encoding(u32 sysreg)
{
    const u32 op1 = sysreg >> 16 & 7;

    if (op1 == 4 || op1 == 5) /* of MRS, MSR and SYS */
        needs_el2();
    return sysreg == SYSREG(3, 0, 1, 0, 0) ? &held[this_cpu()].sctlr_el1 : 0;
}

/* ---- running code */

const struct exception *run(u64 spsr, u64 pc, const u64 x[8])
{
    struct cpu *cpu = my_cpu();
    u64 registers[9];

    if ((spsr & 12) > 4 || next.hcr != HCR_CLEAN || next.sctlr_el2 != SCTLR_EL2_OFF)
        needs_el2();
    for (int i = 0; i < 8; i++)
        registers[i] = x[i];
    registers[8] = (u64)return_by_svc;
    watchdog_start(cpu);
    run_enter(cpu, spsr, pc, held[this_cpu()].sp_el1, held[this_cpu()].sctlr_el1, registers);
    return watchdog_stop(cpu, record_exception(cpu));
}

void record_level(const struct cpu *cpu, struct exception *e)
{
    e->pstate = EL1H | pstate_now() | cpu->nzcv;
}
