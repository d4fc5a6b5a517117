/*
 * What is added to a copy of guests/type1/stage2.c: a page of a guest moves to other memory, or goes away. Without MISTAKE it is done as the
 * Arm ARM demands (D8.16: break-before-make; D8.17.5: TLBI by IPA and what combines both stages); each MISTAKE leaves something out.
 */
enum mistake {
    NONE, NO_TLBI, WRONG_VMID, WRONG_IPA, NO_VMALLE1, NO_BREAK, NO_DSB_BEFORE, NO_DSB_AFTER, NO_DSB_RETURN, LATE_TLBI,
    NO_DSB_OWN, NO_ISB_OWN, GONE_NO_TLBI, GONE_WRONG_VMID, GONE_NO_VMALLE1,
};
#ifndef MISTAKE
#define MISTAKE NONE
#endif

static void invalidate(struct vm *vm, u64 ipa)
{
    const u64 vttbr = sysreg_read(vttbr_el2);

    if (MISTAKE == NO_TLBI || MISTAKE == GONE_NO_TLBI)
        return;
    if (MISTAKE == WRONG_VMID || MISTAKE == GONE_WRONG_VMID)
        sysreg_write(vttbr_el2, (vm->vmid + 7) << 48 | (u64)vm->stage2);
    if (MISTAKE == WRONG_IPA)
        ipa += PAGE;
    if (MISTAKE != NO_DSB_BEFORE)
        asm volatile("dsb ishst" ::: "memory");
    asm volatile("tlbi ipas2e1is, %0" : : "r"(ipa >> 12) : "memory");
    if (MISTAKE != NO_VMALLE1 && MISTAKE != GONE_NO_VMALLE1) {
        asm volatile("dsb ish" ::: "memory");
        asm volatile("tlbi vmalle1is" ::: "memory");
    }
    if (MISTAKE != NO_DSB_AFTER && MISTAKE != NO_DSB_RETURN)
        asm volatile("dsb ish" ::: "memory");
    asm volatile("isb" ::: "memory");
    if (sysreg_read(vttbr_el2) != vttbr)
        sysreg_write(vttbr_el2, vttbr);
}

void page_moves(struct vm *vm, u64 ipa)
{
    volatile u64 *entry = descriptor(vm->stage2, ipa);
    const u64 old = *entry;
    u64 *from = (u64 *)(old & DESC_ADDRESS), *to = page_new();

    for (unsigned i = 0; i < PAGE / sizeof *to; i++)
        to[i] = from[i];
    if (MISTAKE == NO_BREAK) {
        *entry = (u64)to | (old & ~DESC_ADDRESS);
        invalidate(vm, ipa);
        return;
    }
    *entry = 0;
    invalidate(vm, ipa);
    if (MISTAKE >= GONE_NO_TLBI || MISTAKE == NO_DSB_RETURN)
        return; /* it is there again when it is touched */
    *entry = (u64)to | (old & ~DESC_ADDRESS);
    asm volatile("dsb ishst" ::: "memory");
}

/* Give EL2 itself the first GiB of RAM once more, at 2 GiB, and look at it. */
void own_mapping(void)
{
    volatile u64 *table = (u64 *)(sysreg_read(ttbr0_el2) & DESC_ADDRESS);

    table[2] = table[1];
    if (MISTAKE != NO_DSB_OWN)
        asm volatile("dsb ishst" ::: "memory");
    if (MISTAKE != NO_ISB_OWN)
        asm volatile("isb" ::: "memory");
    (void)*(volatile u64 *)((u64)table + BIT(30));
}

/* A guest has a new page at `ipa`. */
void page_came(struct vm *vm, u64 ipa)
{
    const u64 page = ipa & ~(PAGE - 1);
    static u64 code, old;

    if (vm != vms)
        return;
    if (MISTAKE == LATE_TLBI) {
        if (page == IPA_RAM + 3 * PAGE) {
            code = sysreg_read(elr_el2) & ~(PAGE - 1); /* its stage 1 maps VA = IPA */
            old = *descriptor(vm->stage2, code);
            *(volatile u64 *)descriptor(vm->stage2, code) = 0; /* and the guest goes on, there */
            asm volatile("dsb ishst" ::: "memory");
        } else if (page == IPA_RAM + 5 * PAGE) {
            invalidate(vm, code);
            *(volatile u64 *)descriptor(vm->stage2, code) = old;
            asm volatile("dsb ishst" ::: "memory");
        }
    } else if (page == IPA_RAM + 3 * PAGE) {
        page_moves(vm, IPA_RAM);
        own_mapping();
    }
}
