/*
 * alignment: which unaligned accesses fault: plain ones by SCTLR_ELx.A, exclusive, atomic and ordered ones by FEAT_LSE2 and
 * SCTLR_ELx.nAA, all of them in Device memory.
 */
#include "common/system.h"

#define SCTLR_NAA (1ul << 6)
#define VA 0x80000000ul

enum kind { PLAIN, ORDERED, ATOMIC };

/* Base X1, data X0 (X2, X4 and X5 where more is needed). */
struct row {
    const char *name;
    u32 instruction, bytes;
    enum kind kind;
    int write; /* an alignment fault is a write's (WnR): not an atomic's, whose read comes first */
    int feature; /* -1: base */
};

static const struct row rows[] = {
    {"LDR X", 0xf9400020, 8, PLAIN, 0, -1},
    {"LDR W", 0xb9400020, 4, PLAIN, 0, -1},
    {"LDRH", 0x79400020, 2, PLAIN, 0, -1},
    {"STR X", 0xf9000020, 8, PLAIN, 1, -1},
    {"STRH", 0x79000020, 2, PLAIN, 1, -1},
    {"LDP X", 0xa9400820, 8, PLAIN, 0, -1},
    {"STP W", 0x29000820, 4, PLAIN, 1, -1},
    {"LDAR X", 0xc8dffc20, 8, ORDERED, 0, -1},
    {"LDAR W", 0x88dffc20, 4, ORDERED, 0, -1},
    {"LDARH", 0x48dffc20, 2, ORDERED, 0, -1},
    {"STLR X", 0xc89ffc20, 8, ORDERED, 1, -1},
    {"STLR W", 0x889ffc20, 4, ORDERED, 1, -1},
    {"STLRH", 0x489ffc20, 2, ORDERED, 1, -1},
    {"LDLAR X", 0xc8df7c20, 8, ORDERED, 0, FEAT_LSE2},
    {"STLLR W", 0x889f7c20, 4, ORDERED, 1, FEAT_LSE2},
    {"LDAPR X", 0xf8bfc020, 8, ORDERED, 0, FEAT_LRCPC},
    {"LDAPRH", 0x78bfc020, 2, ORDERED, 0, FEAT_LRCPC},
    {"LDAPUR X", 0xd9400020, 8, ORDERED, 0, FEAT_LRCPC2},
    {"STLUR W", 0x99000020, 4, ORDERED, 1, FEAT_LRCPC2},
    {"LDXR X", 0xc85f7c20, 8, ATOMIC, 0, -1},
    {"LDAXR W", 0x885ffc20, 4, ATOMIC, 0, -1},
    {"LDXRH", 0x485f7c20, 2, ATOMIC, 0, -1},
    {"LDXP W", 0x887f0820, 8, ATOMIC, 0, -1},
    {"LDXP X", 0xc87f0820, 16, ATOMIC, 0, -1},
    {"LDADD X", 0xf8200022, 8, ATOMIC, 0, FEAT_LSE},
    {"LDADDAL W", 0xb8e00022, 4, ATOMIC, 0, FEAT_LSE},
    {"SWPH", 0x78208022, 2, ATOMIC, 0, FEAT_LSE},
    {"CAS X", 0xc8a27c20, 8, ATOMIC, 0, FEAT_LSE},
    {"CASP W", 0x08227c24, 8, ATOMIC, 0, FEAT_LSE},
    {"CASP X", 0x48227c24, 16, ATOMIC, 0, FEAT_LSE},
};

/* AArch64.UnalignedAccessFaults(), for memory that is Normal. */
static int faults(const struct row *r, u64 va, u64 sctlr)
{
    const int inside = (va & 15) + r->bytes <= 16;

    if (!(va & (r->bytes - 1)))
        return 0;
    if (sctlr & SCTLR_A)
        return 1;
    if (r->kind == ATOMIC)
        return !have(FEAT_LSE2) || !inside;
    if (r->kind == ORDERED)
        return !have(FEAT_LSE2) || (!(sctlr & SCTLR_NAA) && !inside);
    return 0;
}

static void alignment_fault(const struct exception *e, const struct row *r, u64 va, u64 el, u64 vector, u64 ec)
{
    CHECK_TAKEN(e, el, vector, ESR(ec, (r->write ? ISS_WNR : 0) | FSC_ALIGNMENT));
    CHECK(e->far, va);
    CHECK(e->elr, code_buffer);
}

/* Two pages: offsets 0 to 15, and around the border of the pages. */
static void every_row(enum mode mode, u64 sctlr, enum kind kind)
{
    const u64 vector = mode == EL0T ? LOWER_SYNC : CURRENT_SYNC, ec = mode == EL0T ? EC_DABT_LOWER : EC_DABT;

    for (u64 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        if (r->kind != kind || (r->feature >= 0 && !have(r->feature)))
            continue;
        at_row(r->name);
        const u64 code = EMIT(r->instruction);
        for (u64 at = 0; at < 32; at++) {
            const u64 va = VA + (at < 16 ? at : 0xff0 - 16 + at);
            const struct exception *e = RUN(mode, code, 0, va);
            if (faults(r, va, sctlr))
                alignment_fault(e, r, va, mode == EL2H ? 2 : 1, vector, ec);
            else
                CHECK_RETURNED(e);
        }
    }
}

static void two_pages(u64 attributes)
{
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, attributes);
    map(&s1, VA + 0x1000, ARENA + 0x3000, 3, attributes);
}

static void under(enum kind kind, u64 bits)
{
    two_pages(RAM_RW);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | bits);
    every_row(EL0T, bits, kind);
    every_row(EL1H, bits, kind);
}

CASE(plain_accesses, "B2.5 'Alignment support'; SCTLR_EL1.A = 0: none faults")
{
    under(PLAIN, 0);
}

CASE(plain_accesses_with_a, "SCTLR_EL1.A = 1: all that is unaligned faults; nAA does not matter")
{
    under(PLAIN, SCTLR_A);
    if (have(FEAT_LSE2))
        under(PLAIN, SCTLR_A | SCTLR_NAA);
}

CASE(ordered_accesses, "AArch64.UnalignedAccessFaults(): with FEAT_LSE2 and nAA = 0 outside 16 aligned bytes, without it always")
{
    under(ORDERED, 0);
}

CASE(ordered_accesses_with_naa, "SCTLR_EL1.nAA = 1: none faults")
{
    NEED(LSE2);
    under(ORDERED, SCTLR_NAA);
}

CASE(ordered_accesses_with_a, "SCTLR_EL1.A = 1: all that is unaligned faults, whatever nAA")
{
    under(ORDERED, SCTLR_A);
    if (have(FEAT_LSE2))
        under(ORDERED, SCTLR_A | SCTLR_NAA);
}

CASE(atomic_accesses, "AArch64.UnalignedAccessFaults(): with FEAT_LSE2 outside 16 aligned bytes, without it always")
{
    under(ATOMIC, 0);
}

CASE(atomic_accesses_with_naa, "SCTLR_EL1.nAA has no part in exclusives and atomics")
{
    NEED(LSE2);
    under(ATOMIC, SCTLR_NAA);
}

CASE(atomic_accesses_with_a, "SCTLR_EL1.A = 1: all that is unaligned faults")
{
    under(ATOMIC, SCTLR_A);
}

CASE(accesses_of_el2, "SCTLR_EL2.A and nAA are EL2's own")
{
    static const u64 bits[] = {0, SCTLR_A, SCTLR_NAA};
    struct tables s1;

    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, NORMAL | D_INNER_SHAREABLE | D_AF | D_USER);
    map(&s1, VA + 0x1000, ARENA + 0x3000, 3, NORMAL | D_INNER_SHAREABLE | D_AF | D_USER);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | SCTLR_A); /* not asked */
    for (u64 i = 0; i < 3; i++) {
        if (bits[i] == SCTLR_NAA && !have(FEAT_LSE2))
            continue;
        next.sctlr_el2 = SCTLR_EL2_OFF | SCTLR_M | SCTLR_C | SCTLR_I | bits[i];
        every_row(EL2H, bits[i], PLAIN);
        every_row(EL2H, bits[i], ORDERED);
        every_row(EL2H, bits[i], ATOMIC);
    }
}

CASE(device_memory, "B2.5: an unaligned access to Device memory faults, inside 16 bytes too, whatever nAA")
{
    two_pages((RAM_RW & ~NORMAL) | DEVICE);
    if (have(FEAT_LSE2))
        sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_NAA);
    for (u64 i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        if (r->kind == ATOMIC || (r->feature >= 0 && !have(r->feature)))
            continue;
        at_row(r->name);
        const u64 va = VA + 1;
        alignment_fault(RUN(EL1H, EMIT(r->instruction), 0, va), r, va, 1, CURRENT_SYNC, EC_DABT);
    }
}

/* ---- what an unaligned access does */

static void fill(void)
{
    for (u64 i = 0; i < 32; i++)
        ((volatile u8 *)ARENA)[i] = 0x10 + i;
}

static u64 bytes_at(u64 at, u64 bytes)
{
    u64 value = 0;

    for (u64 i = 0; i < bytes; i++)
        value |= (u64)((volatile u8 *)ARENA)[at + i] << (8 * i);
    return value;
}

CODE(increment_exclusive, "ldxr x0, [x1]\n\tadd x0, x0, #1\n\tstxr w3, x0, [x1]");

CASE(unaligned_exclusives_work, "FEAT_LSE2: a Load-Exclusive and a Store-Exclusive inside 16 bytes")
{
    NEED(LSE2);
    two_pages(RAM_RW);
    for (u64 at = 0; at <= 8; at++) {
        fill();
        const u64 old = bytes_at(at, 8), before = bytes_at(at + 8, 8);
        const struct exception *e = RUN(EL0T, increment_exclusive, 0, VA + at);
        CHECK_RETURNED(e);
        CHECK(e->x[3], 0);
        CHECK(bytes_at(at, 8), old + 1);
        CHECK(bytes_at(at + 8, 8), before);
    }
}

CASE(unaligned_atomics_work, "FEAT_LSE2: LDADD, SWP and CAS inside 16 bytes")
{
    NEED(LSE2);
    NEED(LSE);
    two_pages(RAM_RW);
    for (u64 at = 0; at <= 8; at++) {
        fill();
        const u64 old = bytes_at(at, 8);
        const struct exception *e = RUN(EL1H, EMIT(0xf8200022), 5, VA + at); /* LDADD X0, X2, [X1] */
        CHECK(e->x[2], old);
        CHECK(bytes_at(at, 8), old + 5);
        e = RUN(EL1H, EMIT(0xf8208022), 0x77, VA + at); /* SWP X0, X2, [X1] */
        CHECK(e->x[2], old + 5);
        CHECK(bytes_at(at, 8), 0x77);
        e = RUN(EL1H, EMIT(0xc8a27c20), 0x88, VA + at, 0x77); /* CAS X2, X0, [X1] */
        CHECK(e->x[2], 0x77);
        CHECK(bytes_at(at, 8), 0x88);
    }
}

CASE(unaligned_ordered_accesses_work, "FEAT_LSE2, SCTLR_EL1.nAA = 1: LDAR and STLR over the border of two pages")
{
    NEED(LSE2);
    two_pages(RAM_RW);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_NAA);
    for (u64 at = 1; at < 8; at++) {
        const u64 value = 0x1122334455667788ul;
        *(volatile u64 *)(ARENA + 0xff8) = 0;
        *(volatile u64 *)(ARENA + 0x3000) = 0;
        CHECK_RETURNED(RUN(EL1H, EMIT(0xc89ffc20), value, VA + 0xff8 + at)); /* STLR X0, [X1] */
        CHECK(*(volatile u64 *)(ARENA + 0xff8), value << (8 * at));
        CHECK(*(volatile u64 *)(ARENA + 0x3000), value >> (64 - 8 * at));
        const struct exception *e = RUN(EL0T, EMIT(0xc8dffc20), 0, VA + 0xff8 + at); /* LDAR X0, [X1] */
        CHECK_RETURNED(e);
        CHECK(e->x[0], value);
    }
}
