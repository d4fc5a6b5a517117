/*
 * edges: where accesses and code cross pages, wrap or lose their translation underway; identification as EL2 gives it; waits that are
 * not trapped; TLB maintenance that HCR_EL2.FB makes reach the other CPU.
 */
#include "../common/gic.h"
#include "common/cpu.h"

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(load_pair, "ldp x0, x2, [x1]");
CODE(store_pair, "stp x0, x2, [x1]");
CODE(wfi, "wfi");
CODE(read_ids, "mrs x0, midr_el1\n\tmrs x1, mpidr_el1");

#define VA 0x80000000ul
#define IPA 0x800000000ul
#define PAGE 0x1000ul
#define LOAD_ISS (ISS_ISV | ISS_SAS(3) | ISS_SF | ISS_SRT(0))

CASE(across_pages_of_stage2, "FAR_EL2, HPFAR_EL2: an access across two pages: the address of the page that faults")
{
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, IPA, 3, RAM_RW);
    map(&s1, VA + PAGE, IPA + 5 * PAGE, 3, RAM_RW);
    map(&s2, IPA, ARENA, 3, S2_RAM);
    const struct exception *e = RUN(EL0T, load, 0, VA + PAGE - 3);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_TRANSLATION(3)));
    CHECK(e->far, VA + PAGE);
    CHECK(e->hpfar, (IPA + 5 * PAGE) >> 8);
    *(u64 *)(ARENA + PAGE - 8) = 0x1111111111111111;
    e = RUN(EL0T, store, 0, VA + PAGE - 3);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | ISS_WNR | FSC_TRANSLATION(3)));
    CHECK(e->far, VA + PAGE);
    CHECK(e->hpfar, (IPA + 5 * PAGE) >> 8);
    e = RUN(EL0T, load_pair, 7, VA + PAGE - 8);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(3)));
    CHECK(e->far, VA + PAGE);
    CHECK(e->x[1], VA + PAGE - 8);
    e = RUN(EL0T, store_pair, 7, VA + PAGE - 8);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_TRANSLATION(3)));
    CHECK(e->far, VA + PAGE);
    /* the first page faults: its own address */
    map(&s2, IPA + 5 * PAGE, ARENA + PAGE, 3, S2_RAM);
    map(&s2, IPA, 0, 3, S2_RAM & ~D_AF);
    tlbi_all();
    e = RUN(EL0T, load, 0, VA + PAGE - 3);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_ACCESS_FLAG(3)));
    CHECK(e->far, VA + PAGE - 3);
    CHECK(e->hpfar, IPA >> 8);
}

CASE(across_pages_two_places, "D8.2: two pages of one access are translated apart")
{
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA + 7 * PAGE, 3, RAM_RW);
    map(&s1, VA + PAGE, ARENA + 2 * PAGE, 3, RAM_RW);
    *(u64 *)(ARENA + 8 * PAGE - 8) = 0x8877665544332211, *(u64 *)(ARENA + 2 * PAGE) = 0xffeeddccbbaa9900;
    CHECK(RUN(EL0T, load, 0, VA + PAGE - 4)->x[0], 0xbbaa990088776655);
    CHECK_RETURNED(RUN(EL0T, store, 0x0102030405060708, VA + PAGE - 4));
    CHECK(*(u64 *)(ARENA + 8 * PAGE - 8), 0x0506070844332211);
    CHECK(*(u64 *)(ARENA + 2 * PAGE), 0xffeeddcc01020304);
}

CASE(code_across_pages, "D8.15.9: straight code that runs into a page: the Instruction Abort is the next page's, what came before is done")
{
    struct tables s1;
    u32 *end = (u32 *)(ARENA + PAGE);
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW | D_READ_ONLY);
    end[-2] = 0x91000400; /* add x0, x0, #1 */
    end[-1] = 0x91000400;
    end[0] = 0x91000400;
    end[1] = INSN_RET;
    asm volatile("dsb ish\n\tic iallu\n\tdsb ish\n\tisb" ::: "memory");
    const struct exception *e = RUN(EL0T, VA + PAGE - 8, 10);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(3)));
    CHECK(e->far, VA + PAGE);
    CHECK(e->elr, VA + PAGE);
    CHECK(e->x[0], 12);
    map(&s1, VA + PAGE, ARENA + PAGE, 3, RAM_RW | D_READ_ONLY);
    CHECK(RUN(EL0T, VA + PAGE - 8, 10)->x[0], 13);
    /* the second page elsewhere now, with other code */
    *(u32 *)(ARENA + 4 * PAGE) = 0x91001000; /* add x0, x0, #4 */
    *(u32 *)(ARENA + 4 * PAGE + 4) = INSN_RET;
    map(&s1, VA + PAGE, ARENA + 4 * PAGE, 3, RAM_RW | D_READ_ONLY);
    tlbi_all();
    asm volatile("ic iallu\n\tdsb ish\n\tisb" ::: "memory");
    CHECK(RUN(EL0T, VA + PAGE - 8, 10)->x[0], 16);
    /* and not executable any more */
    map(&s1, VA + PAGE, ARENA + 4 * PAGE, 3, RAM_RW | D_READ_ONLY | D_UXN);
    tlbi_all();
    e = RUN(EL0T, VA + PAGE - 8, 10);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_PERMISSION(3)));
    CHECK(e->x[0], 12);
}

CODE(unmap_itself, "str xzr, [x1]\n\tdsb ish\n\ttlbi vmalle1\n\tdsb ish\n\tisb\n\tldr x0, [x2]");

CASE(unmapped_underway, "D8.13: code at EL1 unmaps a page, invalidates, and the next access faults")
{
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    CHECK_RETURNED(RUN(EL1H, load, 0, VA));
    u64 *entry = descriptor(&s1, VA, 3);
    map(&s1, (u64)entry & ~0xffful, (u64)entry & ~0xffful, 3, RAM_RW);
    const struct exception *e = RUN(EL1H, unmap_itself, 0, (u64)entry, VA);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(3)));
    CHECK(e->far, VA);
    CHECK(e->elr, unmap_itself + 20);
}

CODE(mmu_off_and_on, "mrs x3, sctlr_el1\n\tbic x4, x3, #1\n\tmsr sctlr_el1, x4\n\tisb\n\tldr x0, [x1]\n\tmsr sctlr_el1, x3\n\tisb\n\tldr x2, [x1]");

CASE(mmu_off_and_on_again, "SCTLR_EL1.M: each access is translated as M says then; no invalidation is needed")
{
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA + PAGE, 3, RAM_RW);
    *(u64 *)ARENA = 1, *(u64 *)(ARENA + PAGE) = 2;
    const struct exception *e = RUN(EL1H, mmu_off_and_on, 0, ARENA);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 1);
    CHECK(e->x[2], 2);
}

CASE(lower_range_disabled, "TCR_EL1.EPD0: a walk by TTBR0_EL1 is a level 0 Translation fault")
{
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    sysreg_write(tcr_el1, sysreg_read(tcr_el1) | 1 << 7);
    tlbi_all();
    NEED_EL2(); /* EL1 has nothing to execute from */
    asm volatile("at s1e1r, %0\n\tisb" : : "r"((u64)load));
    CHECK(sysreg_read(par_el1), 1 << 11 | FSC_TRANSLATION(0) << 1 | 1);
}

CASE(identification, "VPIDR_EL2, VMPIDR_EL2: MIDR_EL1 and MPIDR_EL1 as EL1 reads them; EL2 reads its own")
{
    const u64 midr = sysreg_read(midr_el1), mpidr = sysreg_read(mpidr_el1);
    sysreg_write(vpidr_el2, 0x12345678);
    sysreg_write(vmpidr_el2, 1ul << 31 | 0x050607ul);
    const struct exception *e = RUN(EL1H, read_ids);
    CHECK(e->x[0], 0x12345678);
    CHECK(e->x[1], 1ul << 31 | 0x050607);
    e = RUN(EL2H, read_ids);
    CHECK(e->x[0], midr);
    CHECK(e->x[1], mpidr);
}

CASE(wfi_with_interrupt_pending, "C6.2 WFI: traps are looked at only if no interrupt is pending: HCR_EL2.TWI, SCTLR_EL1.nTWI")
{
    gic_enable_private(0, 5);
    sysreg_write(icc_igrpen1_el1, 1);
    write32(GICR_BASE(0) + GICR_IGROUPR0, read32(GICR_BASE(0) + GICR_IGROUPR0) | 1u << 5);
    write32(GICR_BASE(0) + 0x10200, 1u << 5);
    next.hcr |= 1ul << 13;
    CHECK_RETURNED(RUN(EL1H | PSTATE_I, wfi));
    write32(GICR_BASE(0) + 0x10280, 1u << 5);
    CHECK_TAKEN(RUN(EL1H | PSTATE_I, wfi), 2, LOWER_SYNC, ESR(EC_WFX, 1 << 24 | 14 << 20));
    next.hcr |= HCR_IMO | HCR_VI;
    CHECK_RETURNED(RUN(EL1H | PSTATE_I, wfi));
}

/* ---- HCR_EL2.FB */

static volatile u64 *const shared = (u64 *)(ARENA + 0x100000);

static void use_tables(u64 root)
{
    sysreg_write(mair_el1, MAIR_VALUE);
    sysreg_write(tcr_el1, shared[8]);
    sysreg_write(ttbr0_el1, root);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | SCTLR_M | SCTLR_C | SCTLR_I);
    shared[1] = RUN(EL1H, load, 0, VA)->x[0];
    shared[0] = 1;
    asm volatile("dsb ish" ::: "memory");
    while (!shared[2])
        ;
    asm volatile("dmb ish" ::: "memory");
    shared[3] = RUN(EL1H, load, 0, VA)->x[0];
    asm volatile("dsb ish" ::: "memory");
}

CODE(tlbi_local, "tlbi vmalle1\n\tdsb ish\n\tisb");

CASE(forced_broadcast, "HCR_EL2.FB: TLBI VMALLE1 of EL1 reaches the other CPUs")
{
    NEED_TWO_CPUS();
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    *(u64 *)ARENA = 1, *(u64 *)(ARENA + PAGE) = 2;
    for (int i = 0; i < 4; i++)
        shared[i] = 0;
    shared[8] = sysreg_read(tcr_el1);
    start_second(use_tables, s1.root);
    const u64 start = sysreg_read(cntpct_el0);
    while (!shared[0] && sysreg_read(cntpct_el0) - start < sysreg_read(cntfrq_el0))
        ;
    CHECK(shared[1], 1);
    map(&s1, VA, ARENA + PAGE, 3, RAM_RW);
    asm volatile("dsb ish" ::: "memory");
    next.hcr |= 1ul << 9;
    CHECK_RETURNED(RUN(EL1H, tlbi_local));
    shared[2] = 1;
    asm volatile("dsb ish" ::: "memory");
    wait_second();
    CHECK(shared[3], 2);
}
