/*
 * The runner's half that depends on the level, for images that begin at EL1 (a guest of a hypervisor, or a board without EL2):
 * el1_start.S, this, and the cases compiled with AT_EL1. At EL2 it is start.S, record.c and clean.c.
 *
 * C code runs at EL1 with the MMU off; RUN() puts SCTLR_EL1 and SP_EL1 in place and leaves by ERET to EL1 or EL0, and the vectors of
 * EL1 come back. There is no watchdog.
 */
#include "../../common/gic.h"
#include "cpu.h"

#undef sysreg_read
#define sysreg_read(name) ({ u64 value_; asm volatile("mrs %0, " #name : "=r"(value_)); value_; })
#define SET(name, value) asm volatile("msr " #name ", %0" : : "r"((u64)(value)))

int watchdog_on;
static struct {
    u64 sctlr_el1, sp_el1;
} held[8];

u64 this_cpu(void) { return sysreg_read(mpidr_el1) & 7; }
void isb(void) { asm volatile("isb" ::: "memory"); }
void no_watchdog(void) {}
void interrupts_init(void)
{
    if (!have(FEAT_GICv3))
        return;
    write32(GICD_CTLR, GICD_CTLR_ARE_AND_GROUPS);
    write32(GICR_BASE(0) + GICR_WAKER, read32(GICR_BASE(0) + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
    while (read32(GICR_BASE(0) + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        ;
    write32(GICR_BASE(0) + GICR_IGROUPR0, ~0u);
}

void tlbi_all(void) { asm volatile("dsb ish\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory"); }

void gic_on(void)
{
    SET(icc_pmr_el1, 0xff);
    SET(icc_igrpen1_el1, 1);
    isb();
}

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
    run_enter(cpu, spsr, pc, held[this_cpu()].sp_el1, held[this_cpu()].sctlr_el1, registers);
    return record_exception(cpu);
}

struct exception *record_exception(struct cpu *cpu)
{
    struct exception *e = &cpu->exception;

    for (int i = 0; i < 31; i++)
        e->x[i] = cpu->x[i];
    e->el = 1;
    e->vector = cpu->vector;
    e->esr = cpu->esr_el1;
    e->far = cpu->far_el1;
    e->hpfar = 0;
    e->elr = cpu->elr_el1;
    e->spsr = cpu->spsr_el1;
    e->pstate = EL1H | sysreg_read(daif) | cpu->nzcv;
    if (have(FEAT_PAN))
        e->pstate |= sysreg_read(S3_0_C4_C2_3);
    if (have(FEAT_UAO))
        e->pstate |= sysreg_read(S3_0_C4_C2_4);
    if (have(FEAT_DIT))
        e->pstate |= sysreg_read(S3_3_C4_C2_5);
    if (have(FEAT_SSBS))
        e->pstate |= sysreg_read(S3_3_C4_C2_6);
    e->hcr = 0;
    e->sp_el0 = cpu->sp_el0;
    e->sp_el1 = cpu->sp_el1;
    e->sp_el2 = 0;
    return e;
}

/* ---- the state in which each case begins */

void clean_state(void)
{
    const u64 stack = 0x8000 * (this_cpu() + 1);
    extern char stacks[];

    asm volatile("msr daifset, #15");
    held[this_cpu()].sctlr_el1 = SCTLR_EL1_CLEAN;
    held[this_cpu()].sp_el1 = (u64)stacks + stack - 0x4000;
    SET(sp_el0, (u64)stacks + stack - 0x6000);
    SET(actlr_el1, 0);
    SET(cpacr_el1, 0);
    SET(ttbr0_el1, 0);
    SET(ttbr1_el1, 0);
    SET(tcr_el1, 0);
    SET(mair_el1, 0);
    SET(amair_el1, 0);
    SET(contextidr_el1, 0);
    SET(afsr0_el1, 0);
    SET(afsr1_el1, 0);
    SET(par_el1, 0);
    SET(csselr_el1, 0);
    SET(tpidr_el0, 0);
    SET(tpidrro_el0, 0);
    SET(mdscr_el1, 0);
    SET(oslar_el1, 0);
    SET(cntkctl_el1, 0);
    SET(cntp_ctl_el0, 0);
    SET(cntv_ctl_el0, 0);
    if (have(FEAT_RAS))
        SET(S3_0_C12_C1_1, 0); /* DISR_EL1 */
    if (have(FEAT_PMUv3)) {
        SET(S3_3_C9_C12_0, 6);   /* PMCR_EL0: counters off and zero */
        SET(S3_3_C9_C12_2, ~0u); /* PMCNTENCLR_EL0 */
        SET(S3_0_C9_C14_2, ~0u); /* PMINTENCLR_EL1 */
        SET(S3_3_C9_C12_3, ~0u); /* PMOVSCLR_EL0 */
        SET(S3_3_C9_C14_0, 0);   /* PMUSERENR_EL0 */
    }
    if (have(FEAT_PAN))
        asm volatile(".inst 0xd500409f"); /* MSR PAN, #0 */
    if (have(FEAT_UAO))
        asm volatile(".inst 0xd500407f"); /* MSR UAO, #0 */
    if (have(FEAT_GICv3)) {
        SET(icc_sre_el1, 7);
        isb();
        SET(icc_pmr_el1, 0xff);
        SET(icc_bpr0_el1, 0);
        SET(icc_bpr1_el1, 0);
        SET(icc_ctlr_el1, 0);
        SET(icc_igrpen0_el1, 0);
        SET(icc_igrpen1_el1, 0);
    }
    isb();
    asm volatile("clrex\n\tic iallu" ::: "memory");
    tlbi_all();
}
