/*
 * tlbi: what each TLBI takes away and what it leaves. A page is read, so that its translation is cached; its descriptor is changed
 * without a TLBI; then one TLBI, and the page is read again: OLD means that the cached translation has survived.
 *
 * That what is covered goes is the architecture's; that what is not covered stays is this machine's (it keeps what was used): a
 * hypervisor that leaves a TLBI out sees it. QEMU's TLB covers more, its deviations say where.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");

#define PAGE_VA 0x80000000ul
#define BLOCK_VA 0x90000000ul
#define OLD 0x01d
#define NEW 0x3e3
#define OLD_PA (ARENA + 0x200000)
#define NEW_PA (ARENA + 0x400000)
#define ATTRIBUTES (NORMAL | D_INNER_SHAREABLE | D_AF | D_USER)

/* SYS #op1, C8, Cm, #op2 with this operand, executed by C code (at EL2), or at EL1. */
struct tlbi {
    const char *text;
    u32 op1, crm, op2;
    u64 operand;
    u64 expected;
};
#define TLBI(t) SYSREG(1, (t)->op1, 8, (t)->crm, (t)->op2)

static void tlbi_here(const struct tlbi *t)
{
    asm volatile("dsb ish" ::: "memory");
    sysreg_set(TLBI(t), t->operand);
    asm volatile("dsb ish\n\tisb" ::: "memory");
}

static void tlbi_at_el1(const struct tlbi *t)
{
    const struct exception *e = RUN(EL1H, EMIT(INSN_MSR(TLBI(t), 0), 0xd5033b9f /* DSB ISH */, 0xd5033fdf /* ISB */), t->operand);
    CHECK_RETURNED(e);
}

static u64 read_at(u64 spsr, u64 va)
{
    const struct exception *e = RUN(spsr, load, 0, va);

    return returned(e) ? e->x[0] : e->esr;
}

static void values(void)
{
    for (u64 at = 0; at < 0x10000; at += 0x1000) {
        *(volatile u64 *)(OLD_PA + at) = OLD;
        *(volatile u64 *)(NEW_PA + at) = NEW;
    }
}

static void asid(const struct tables *s1, u64 value) { sysreg_write(ttbr0_el1, s1->root | value << 48); }

/* For each row: a page with these attributes, cached for ASID 1, changed, the TLBI; is what it reads as expected? */
static void pages(u64 attributes, u64 va, const struct tlbi *rows, u64 count, int el)
{
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 39);
    values();
    for (u64 i = 0; i < count; i++) {
        asid(&s1, 1);
        map(&s1, va, OLD_PA, 3, attributes);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL1H, va), OLD);
        map(&s1, va, NEW_PA, 3, attributes);
        if (HOME_EL == 1 && rows[i].op1 == 4)
            continue; /* UNDEFINED there */
        if (el == 2)
            tlbi_here(&rows[i]);
        else
            tlbi_at_el1(&rows[i]);
        CHECK(read_at(EL1H, va), rows[i].expected);
    }
    at_row(0);
}
#define PAGES(attributes, va, rows, el) pages(attributes, va, rows, sizeof(rows) / sizeof(rows[0]), el)

#define VA(va, asid) ((u64)(asid) << 48 | (u64)(va) >> 12)

/* Forms by address. */
CASE(covered_pages_go, "C5.5, TLBI VAE1, VAAE1, VALE1, VAALE1, ASIDE1, VMALLE1, ALLE1, VMALLS12E1, and their IS forms")
{
    static const struct tlbi rows[] = {
        {"VAE1", 0, 7, 1, VA(PAGE_VA, 1), NEW},
        {"VAE1IS", 0, 3, 1, VA(PAGE_VA, 1), NEW},
        {"VALE1", 0, 7, 5, VA(PAGE_VA, 1), NEW},
        {"VALE1IS", 0, 3, 5, VA(PAGE_VA, 1), NEW},
        {"VAAE1", 0, 7, 3, VA(PAGE_VA, 9), NEW},
        {"VAAE1IS", 0, 3, 3, VA(PAGE_VA, 9), NEW},
        {"VAALE1", 0, 7, 7, VA(PAGE_VA, 9), NEW},
        {"VAALE1IS", 0, 3, 7, VA(PAGE_VA, 9), NEW},
        {"ASIDE1", 0, 7, 2, VA(0, 1), NEW},
        {"ASIDE1IS", 0, 3, 2, VA(0, 1), NEW},
        {"VMALLE1", 0, 7, 0, 0, NEW},
        {"VMALLE1IS", 0, 3, 0, 0, NEW},
        {"VMALLS12E1", 4, 7, 6, 0, NEW},
        {"VMALLS12E1IS", 4, 3, 6, 0, NEW},
        {"ALLE1", 4, 7, 4, 0, NEW},
        {"ALLE1IS", 4, 3, 4, 0, NEW},
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 2);
}

CASE(covered_pages_go_at_el1, "C5.5, TLBI VAE1, VAAE1, VALE1, VAALE1, ASIDE1, VMALLE1 at EL1")
{
    static const struct tlbi rows[] = {
        {"VAE1", 0, 7, 1, VA(PAGE_VA, 1), NEW},   {"VALE1", 0, 7, 5, VA(PAGE_VA, 1), NEW},
        {"VAAE1", 0, 7, 3, VA(PAGE_VA, 9), NEW},  {"VAALE1", 0, 7, 7, VA(PAGE_VA, 9), NEW},
        {"ASIDE1", 0, 7, 2, VA(0, 1), NEW},       {"VMALLE1", 0, 7, 0, 0, NEW},
        {"VAE1 of another page", 0, 7, 1, VA(PAGE_VA + 0x1000, 1), OLD},
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 1);
}

CASE(other_addresses_stay, "C5.5, TLBI VAE1, VAAE1, VALE1, VAALE1: the address")
{
    static const struct tlbi rows[] = {
        {"VAE1", 0, 7, 1, VA(PAGE_VA + 0x1000, 1), OLD},
        {"VALE1", 0, 7, 5, VA(PAGE_VA - 0x1000, 1), OLD},
        {"VAAE1", 0, 7, 3, VA(PAGE_VA + 0x200000, 1), OLD},
        {"VAALE1", 0, 7, 7, VA(PAGE_VA ^ 1ul << 30, 1), OLD},
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 2);
}

CASE(other_asids_stay, "C5.5, TLBI VAE1, VALE1, ASIDE1: entries that are not global, of another ASID")
{
    static const struct tlbi rows[] = {
        {"VAE1", 0, 7, 1, VA(PAGE_VA, 2), OLD},
        {"VALE1", 0, 7, 5, VA(PAGE_VA, 2), OLD},
        {"ASIDE1", 0, 7, 2, VA(0, 2), OLD},
        {"ASIDE1, 8 bits of ASID", 0, 7, 2, VA(0, 0x101), NEW}, /* TCR_EL1.AS = 0: the upper 8 bits are ignored */
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 2);
}

CASE(global_pages, "C5.5, TLBI VAE1: global entries of any ASID; ASIDE1: none that are global")
{
    static const struct tlbi rows[] = {
        {"VAE1 of another ASID", 0, 7, 1, VA(PAGE_VA, 2), NEW},
        {"VALE1 of another ASID", 0, 7, 5, VA(PAGE_VA, 2), NEW},
        {"ASIDE1", 0, 7, 2, VA(0, 1), OLD},
    };
    PAGES(ATTRIBUTES, PAGE_VA, rows, 2);
}

CASE(other_regimes_stay, "C5.5, TLBI VAE2, VALE2, ALLE2 are of EL2; IPAS2E1 of stage 2")
{
    static const struct tlbi rows[] = {
        {"VAE2", 4, 7, 1, VA(PAGE_VA, 1), OLD},
        {"VALE2", 4, 7, 5, VA(PAGE_VA, 1), OLD},
        {"ALLE2", 4, 7, 0, 0, OLD},
        {"IPAS2E1", 4, 4, 1, OLD_PA >> 12, OLD},
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 2);
}

#define RANGE(base, num, scale, tg) ((u64)(tg) << 46 | (u64)(scale) << 44 | (u64)(num) << 39 | (u64)(base) >> 12 | 1ul << 48)

CASE(ranges, "C5.5, TLBI RVAE1 and its kind: (NUM + 1) << (5 * SCALE + 1) pages from BaseADDR; TG is the granule, 0 is reserved")
{
    NEED(TLBIRANGE);
    static const struct tlbi rows[] = {
        {"RVAE1, first of two", 0, 6, 1, RANGE(PAGE_VA, 0, 0, 1), NEW},
        {"RVAE1, last of two", 0, 6, 1, RANGE(PAGE_VA - 0x1000, 0, 0, 1), NEW},
        {"RVAE1, behind it", 0, 6, 1, RANGE(PAGE_VA - 0x2000, 0, 0, 1), OLD},
        {"RVAE1, before it", 0, 6, 1, RANGE(PAGE_VA + 0x1000, 31, 3, 1), OLD},
        {"RVAE1, scale 1: last of 64", 0, 6, 1, RANGE(PAGE_VA - 63 * 0x1000, 0, 1, 1), NEW},
        {"RVAE1, scale 1: 65th", 0, 6, 1, RANGE(PAGE_VA - 64 * 0x1000, 0, 1, 1), OLD},
        {"RVAE1, all", 0, 6, 1, RANGE(0, 31, 3, 1), NEW},
        {"RVALE1", 0, 6, 5, RANGE(PAGE_VA, 0, 0, 1), NEW},
        {"RVAAE1", 0, 6, 3, RANGE(PAGE_VA, 0, 0, 1) ^ 3ul << 48, NEW},
        {"RVAALE1IS", 0, 2, 7, RANGE(PAGE_VA, 0, 0, 1) ^ 3ul << 48, NEW},
        {"RVAE1OS", 0, 5, 1, RANGE(PAGE_VA, 0, 0, 1), NEW},
        {"RVAE1, another ASID", 0, 6, 1, RANGE(PAGE_VA, 0, 0, 1) ^ 3ul << 48, OLD},
        {"RVAE1, TG = 0", 0, 6, 1, RANGE(PAGE_VA, 0, 0, 0), OLD},
        {"RVAE1, TTL = 3", 0, 6, 1, RANGE(PAGE_VA, 0, 0, 1) | 3ul << 37, NEW},
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 2);
}

CASE(levels, "C5.5, TTL: a level and granule that are not the leaf's need not be taken (FEAT_TTL)")
{
    NEED(TTL);
    static const struct tlbi rows[] = {
        {"no hint", 0, 7, 1, VA(PAGE_VA, 1), NEW},
        {"4 KiB, level 3", 0, 7, 1, VA(PAGE_VA, 1) | 7ul << 44, NEW},
        {"4 KiB, level 2", 0, 7, 1, VA(PAGE_VA, 1) | 6ul << 44, OLD},
        {"16 KiB, level 3", 0, 7, 1, VA(PAGE_VA, 1) | 11ul << 44, OLD},
        {"64 KiB, level 3", 0, 7, 1, VA(PAGE_VA, 1) | 15ul << 44, OLD},
    };
    PAGES(ATTRIBUTES | D_NG, PAGE_VA, rows, 2);
}

CASE(blocks, "C5.5, TLBI VAE1: any address in what one entry maps")
{
    struct tables s1;
    static const struct tlbi rows[] = {
        {"first page", 0, 7, 1, VA(BLOCK_VA, 1), NEW},
        {"last page", 0, 7, 1, VA(BLOCK_VA + 0x1ff000, 1), NEW},
        {"the next block", 0, 7, 1, VA(BLOCK_VA + 0x200000, 1), OLD},
    };

    stage1_new(&s1, SHIFT_4K, 39);
    values();
    for (int i = 0; i < 3; i++) {
        asid(&s1, 1);
        map(&s1, BLOCK_VA, OLD_PA, 2, ATTRIBUTES | D_NG);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL1H, BLOCK_VA + 0x5000), OLD);
        map(&s1, BLOCK_VA, NEW_PA, 2, ATTRIBUTES | D_NG);
        tlbi_here(&rows[i]);
        CHECK(read_at(EL1H, BLOCK_VA + 0x5000), rows[i].expected);
    }
    at_row(0);
}

CASE(contiguous_pages, "D8.7.1 'The Contiguous bit': one entry may map the row; any address in it takes it")
{
    struct tables s1;
    static const struct tlbi rows[] = {
        {"another page of the row", 0, 7, 1, VA(PAGE_VA + 0xf000, 1), NEW},
        {"the next row", 0, 7, 1, VA(PAGE_VA + 0x10000, 1), OLD},
    };

    stage1_new(&s1, SHIFT_4K, 39);
    values();
    asid(&s1, 1);
    for (int i = 0; i < 2; i++) {
        for (u64 at = 0; at < 0x10000; at += 0x1000)
            map(&s1, PAGE_VA + at, OLD_PA + at, 3, ATTRIBUTES | D_NG | D_CONTIGUOUS);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL1H, PAGE_VA + 0x3000), OLD);
        for (u64 at = 0; at < 0x10000; at += 0x1000)
            map(&s1, PAGE_VA + at, NEW_PA + at, 3, ATTRIBUTES | D_NG | D_CONTIGUOUS);
        tlbi_here(&rows[i]);
        CHECK(read_at(EL1H, PAGE_VA + 0x3000), rows[i].expected);
    }
    at_row(0);
}

CASE(tables_above_the_last_level, "C5.5, TLBI VAE1: entries from any level; VALE1: from the final level only")
{
    struct tables s1;
    static const struct tlbi rows[] = {
        {"VAE1", 0, 7, 1, VA(PAGE_VA, 1), NEW},
        {"VAAE1", 0, 7, 3, VA(PAGE_VA, 1), NEW},
        {"ASIDE1", 0, 7, 2, VA(0, 1), NEW},
        {"VMALLE1", 0, 7, 0, 0, NEW},
        {"VALE1", 0, 7, 5, VA(PAGE_VA, 1), OLD},
        {"VAALE1", 0, 7, 7, VA(PAGE_VA, 1), OLD},
        {"VAE1 of another 2 MiB", 0, 7, 1, VA(PAGE_VA + 0x200000, 1), OLD},
        {"VAE1 of another ASID", 0, 7, 1, VA(PAGE_VA, 2), OLD},
    };

    stage1_new(&s1, SHIFT_4K, 39);
    values();
    asid(&s1, 1);
    map(&s1, BLOCK_VA, NEW_PA, 3, ATTRIBUTES | D_NG);
    map(&s1, BLOCK_VA + 0x1000, NEW_PA, 3, ATTRIBUTES | D_NG);
    for (u64 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        *descriptor(&s1, PAGE_VA, 2) = 0;
        map(&s1, PAGE_VA, OLD_PA, 3, ATTRIBUTES | D_NG);
        map(&s1, PAGE_VA + 0x1000, OLD_PA, 3, ATTRIBUTES | D_NG);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL1H, PAGE_VA), OLD);
        /* the 2 MiB get the table of BLOCK_VA; a page is read that is not cached itself */
        *descriptor(&s1, PAGE_VA, 2) = *descriptor(&s1, BLOCK_VA, 2);
        tlbi_here(&rows[i]);
        CHECK(read_at(EL1H, PAGE_VA + 0x1000), rows[i].expected);
    }
    at_row(0);
}

/* Stage 2: the page's IPA is changed there. */

#define IPA 0xb0000000ul

struct stage2_row {
    struct tlbi tlbi;
    u64 then_vmalle1;
};

CASE(stage2, "C5.5, TLBI IPAS2E1: entries of stage 2 alone; entries that combine both stages go with VMALLE1, or all with VMALLS12E1 or ALLE1")
{
    struct tables s1, s2;
    static const struct stage2_row rows[] = {
        {{"IPAS2E1", 4, 4, 1, IPA >> 12, OLD}, NEW},
        {{"IPAS2E1IS", 4, 0, 1, IPA >> 12, OLD}, NEW},
        {{"IPAS2LE1", 4, 4, 5, IPA >> 12, OLD}, NEW},
        {{"IPAS2E1 of another IPA", 4, 4, 1, (IPA >> 12) + 1, OLD}, OLD},
        {{"VMALLE1 alone", 0, 7, 0, 0, OLD}, OLD},
        {{"VMALLS12E1", 4, 7, 6, 0, NEW}, NEW},
        {{"ALLE1", 4, 7, 4, 0, NEW}, NEW},
    };

    stage1_new(&s1, SHIFT_4K, 39);
    stage2_new(&s2, SHIFT_4K, 36, 1);
    values();
    map(&s1, PAGE_VA, IPA, 3, ATTRIBUTES);
    for (u64 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        map(&s2, IPA, OLD_PA, 3, S2_RAM);
        tlbi_all();
        at_row(rows[i].tlbi.text);
        CHECK(read_at(EL1H, PAGE_VA), OLD);
        map(&s2, IPA, NEW_PA, 3, S2_RAM);
        tlbi_here(&rows[i].tlbi);
        CHECK(read_at(EL1H, PAGE_VA), rows[i].tlbi.expected);
        asm volatile("tlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
        CHECK(read_at(EL1H, PAGE_VA), rows[i].then_vmalle1);
    }
    at_row(0);
}

CASE(stage2_with_stage1_off, "C5.5, TLBI IPAS2E1: with stage 1 off, entries are of stage 2 alone")
{
    struct tables s2;
    static const struct tlbi rows[] = {
        {"IPAS2E1", 4, 4, 1, IPA >> 12, NEW},
        {"IPAS2LE1IS", 4, 0, 5, IPA >> 12, NEW},
        {"IPAS2E1 of another IPA", 4, 4, 1, (IPA >> 12) + 1, OLD},
    };

    stage2_new(&s2, SHIFT_4K, 36, 1);
    values();
    for (int i = 0; i < 3; i++) {
        map(&s2, IPA, OLD_PA, 3, S2_RAM);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL1H, IPA), OLD);
        map(&s2, IPA, NEW_PA, 3, S2_RAM);
        tlbi_here(&rows[i]);
        CHECK(read_at(EL1H, IPA), rows[i].expected);
    }
    at_row(0);
}

CASE(other_vmids_stay, "C5.5, TLBI VMALLE1, VAE1, VMALLS12E1, IPAS2E1: the current VMID; ALLE1: all")
{
    struct tables s1, s2;
    static const struct tlbi rows[] = {
        {"VMALLE1", 0, 7, 0, 0, OLD},
        {"VAAE1", 0, 7, 3, VA(PAGE_VA, 0), OLD},
        {"VMALLS12E1", 4, 7, 6, 0, OLD},
        {"IPAS2E1", 4, 4, 1, OLD_PA >> 12, OLD},
        {"ALLE1", 4, 7, 4, 0, NEW},
    };

    stage1_new(&s1, SHIFT_4K, 39);
    stage2_new(&s2, SHIFT_4K, 36, 1);
    map(&s2, OLD_PA, OLD_PA, 2, S2_RAM);
    map(&s2, NEW_PA, NEW_PA, 2, S2_RAM);
    values();
    for (int i = 0; i < 5; i++) {
        map(&s1, PAGE_VA, OLD_PA, 3, ATTRIBUTES);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL1H, PAGE_VA), OLD);
        map(&s1, PAGE_VA, NEW_PA, 3, ATTRIBUTES);
        sysreg_write(vttbr_el2, s2.root | 2ul << 48);
        tlbi_here(&rows[i]);
        CHECK(read_at(EL1H, PAGE_VA), NEW);
        sysreg_write(vttbr_el2, s2.root | 1ul << 48);
        CHECK(read_at(EL1H, PAGE_VA), rows[i].expected);
    }
    at_row(0);
}

CASE(el2, "C5.5, TLBI VAE2, VALE2, ALLE2; the forms of EL1 do not reach EL2")
{
    struct tables s1;
    static const struct tlbi rows[] = {
        {"VAE2", 4, 7, 1, VA(PAGE_VA, 0), NEW},
        {"VAE2, bits of an ASID", 4, 7, 1, VA(PAGE_VA, 7), NEW}, /* E2H = 0: RES0 and ignored */
        {"VALE2IS", 4, 3, 5, VA(PAGE_VA, 0), NEW},
        {"VAE2 of another page", 4, 7, 1, VA(PAGE_VA + 0x1000, 0), OLD},
        {"ALLE2", 4, 7, 0, 0, NEW},
        {"VAAE1", 0, 7, 3, VA(PAGE_VA, 0), OLD},
        {"ALLE1", 4, 7, 4, 0, OLD},
        {"VMALLS12E1", 4, 7, 6, 0, OLD},
    };

    stage1_el2_new(&s1, SHIFT_4K, 39);
    values();
    for (u64 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        map(&s1, PAGE_VA, OLD_PA, 3, ATTRIBUTES);
        tlbi_all();
        at_row(rows[i].text);
        CHECK(read_at(EL2H, PAGE_VA), OLD);
        map(&s1, PAGE_VA, NEW_PA, 3, ATTRIBUTES);
        tlbi_here(&rows[i]);
        CHECK(read_at(EL2H, PAGE_VA), rows[i].expected);
    }
    at_row(0);
}

/* Two CPUs: the second has the page cached. */

static u64 second_ttbr, second_tcr;
static volatile u64 second_read, asked, answered;

/* Read each time that it is asked, in one state: a new job would begin with empty TLBs. */
static void reads_on_second(u64 times)
{
    sysreg_write(mair_el1, MAIR_VALUE);
    sysreg_write(tcr_el1, second_tcr);
    sysreg_write(ttbr0_el1, second_ttbr);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | SCTLR_M | SCTLR_C | SCTLR_I);
    for (u64 i = 1; i <= times; i++) {
        while (asked != i)
            asm volatile("yield");
        second_read = read_at(EL1H, PAGE_VA);
        answered = i;
    }
}

static u64 read_on_second(void)
{
    const u64 i = answered + 1;

    asked = i;
    while (answered != i)
        asm volatile("yield");
    return second_read;
}

CASE(broadcast, "D8.14.5 'TLB maintenance instructions that apply to the Inner Shareable domain'; HCR_EL2.FB")
{
    NEED_TWO_CPUS();
    struct tables s1;
    static const struct {
        struct tlbi tlbi;
        u64 hcr, el;
    } rows[] = {
        {{"VAE1", 0, 7, 1, VA(PAGE_VA, 1), OLD}, 0, 2},
        {{"VAE1IS", 0, 3, 1, VA(PAGE_VA, 1), NEW}, 0, 2},
        {{"VMALLE1", 0, 7, 0, 0, OLD}, 0, 2},
        {{"VMALLE1IS", 0, 3, 0, 0, NEW}, 0, 2},
        {{"VAE1 at EL1", 0, 7, 1, VA(PAGE_VA, 1), OLD}, 0, 1},
        {{"VAE1 at EL1, FB", 0, 7, 1, VA(PAGE_VA, 1), NEW}, 1ul << 9, 1},
        {{"VMALLE1 at EL1, FB", 0, 7, 0, 0, NEW}, 1ul << 9, 1},
        {{"VMALLE1 at EL2, FB", 0, 7, 0, 0, OLD}, 1ul << 9, 2},
        {{"ALLE1IS", 4, 3, 4, 0, NEW}, 0, 2},
        {{"ALLE1", 4, 7, 4, 0, OLD}, 0, 2},
    };

    stage1_new(&s1, SHIFT_4K, 39);
    values();
    asid(&s1, 1);
    second_ttbr = sysreg_read(ttbr0_el1);
    second_tcr = sysreg_read(tcr_el1);
    asked = answered = 0;
    start_second(reads_on_second, 2 * sizeof(rows) / sizeof(rows[0]));
    for (u64 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        map(&s1, PAGE_VA, OLD_PA, 3, ATTRIBUTES | D_NG);
        tlbi_all();
        at_row(rows[i].tlbi.text);
        CHECK(read_on_second(), OLD);
        map(&s1, PAGE_VA, NEW_PA, 3, ATTRIBUTES | D_NG);
        next.hcr = HCR_RW | rows[i].hcr;
        if (rows[i].el == 2) {
            sysreg_write(hcr_el2, sysreg_read(hcr_el2) | rows[i].hcr);
            tlbi_here(&rows[i].tlbi);
            sysreg_write(hcr_el2, sysreg_read(hcr_el2) & ~rows[i].hcr);
        } else {
            tlbi_at_el1(&rows[i].tlbi);
        }
        CHECK(read_on_second(), rows[i].tlbi.expected);
    }
    wait_second();
    at_row(0);
}
