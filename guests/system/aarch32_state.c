/*
 * aarch32_state: the registers in which EL2 keeps what a guest in AArch32 state has. They are there where EL1 could be in that state.
 */
#include "traps.h"

static const struct {
    const char *name;
    u32 sysreg;
    u64 bits; /* that hold what is written */
} registers[] = {
    {"DBGVCR32_EL2", SYSREG(2, 4, 0, 7, 0), 0xde},      {"DACR32_EL2", SYSREG(3, 4, 3, 0, 0), 0xffffffff},
    {"IFSR32_EL2", SYSREG(3, 4, 5, 0, 1), 0x163f},      {"FPEXC32_EL2", SYSREG(3, 4, 5, 3, 0), 1ul << 30},
    {"SPSR_irq", SYSREG(3, 4, 4, 3, 0), 0xfe1fffff},    {"SPSR_abt", SYSREG(3, 4, 4, 3, 1), 0xfe1fffff},
    {"SPSR_und", SYSREG(3, 4, 4, 3, 2), 0xfe1fffff},    {"SPSR_fiq", SYSREG(3, 4, 4, 3, 3), 0xfe1fffff},
};
#define EACH_REGISTER(i) for (unsigned i = 0; i < sizeof registers / sizeof *registers; i++)

#define PART(midr) ((midr) >> 4 & 0xfff)

/* ID_AA64PFR0_EL1.EL1 says it; and Cortex-A53, A57 and A72 have the registers, though gdbhv's do not enter AArch32. */
static int there(void)
{
    const u64 part = PART(sysreg_read(midr_el1));

    return (sysreg_read(id_aa64pfr0_el1) >> 4 & 15) == 2 || part == 0xd03 || part == 0xd07 || part == 0xd08;
}

#define NEED_REGISTERS()                                                                                               \
    do {                                                                                                               \
        if (!there()) {                                                                                                \
            skip("EL1 is in AArch64 state only");                                                                      \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

static const struct exception *attempt(u64 mode, u32 code, int read)
{
    return RUN(mode, EMIT(read ? INSN_MRS(code, RT_READ) : INSN_MSR(code, RT_WRITE)), 0, 0, 0, 0, 0, 0);
}

static void kept(unsigned i)
{
    const u64 bits = registers[i].bits;

    at_row(registers[i].name);
    sysreg_set(registers[i].sysreg, 0xaaaaaaaa & bits);
    CHECK(sysreg_get(registers[i].sysreg) & bits, 0xaaaaaaaa & bits);
    sysreg_set(registers[i].sysreg, ~0xaaaaaaaaul & bits);
    CHECK(sysreg_get(registers[i].sysreg) & bits, ~0xaaaaaaaaul & bits);
    sysreg_set(registers[i].sysreg, 0);
}

CASE(vector_catch_is_kept, "DBGVCR32_EL2: read-write at EL2") 
{
    NEED_REGISTERS();
    kept(0);
}

CASE(values_are_kept, "DACR32_EL2, IFSR32_EL2, SPSR_abt and their kind: read-write at EL2")
{
    NEED_REGISTERS();
    EACH_REGISTER(i)
        if (i > 0)
            kept(i);
}

CASE(undefined_below_el2, "the same: UNDEFINED at EL1 and EL0")
{
    EACH_REGISTER(i) {
        at_row(registers[i].name);
        for (int read = 0; read < 2; read++) {
            CHECK_TAKEN(attempt(EL1H, registers[i].sysreg, read), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
            CHECK_TAKEN(attempt(EL0T, registers[i].sysreg, read), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        }
    }
}

CASE(undefined_without_aarch32, "the same: present only where EL1 can use AArch32 state")
{
    if (there()) {
        skip("EL1 can use AArch32 state");
        return;
    }
    EACH_REGISTER(i) {
        at_row(registers[i].name);
        for (int read = 0; read < 2; read++)
            CHECK_TAKEN(attempt(EL2H, registers[i].sysreg, read), 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    }
}

CASE(fpexc_is_floating_point, "FPEXC32_EL2: CPTR_EL2.TFP traps it at EL2")
{
    const u32 fpexc = SYSREG(3, 4, 5, 3, 0), cptr = SYSREG(3, 4, 1, 1, 2);

    NEED_REGISTERS();
    sysreg_set(cptr, 0x33ff | 1ul << 10);
    for (int read = 0; read < 2; read++)
        CHECK_TAKEN(attempt(EL2H, fpexc, read), 2, CURRENT_SYNC, ESR(EC_FP, 1ul << 24 | 14ul << 20));
    sysreg_set(cptr, 0x33ff);
    CHECK_RETURNED(attempt(EL2H, fpexc, READ));
}
