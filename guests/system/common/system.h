/*
 * A system program: many named cases that prove what the architecture says about EL2, EL1 and EL0, each with its expectation written
 * from the Arm ARM (never from a run). One ELF per topic: guests/system/<topic>.c, with its facts in guests/system/<topic>.toml.
 *
 * To add a case, add a function to the topic's file and its name to the topic's .toml:
 *
 *     CODE(load, "ldr x0, [x1]");                       // code that a case runs; `load` is its address, it ends by returning
 *
 *     CASE(load_from_unmapped, "D8.15.9 'Translation fault'; ESR_EL1, ISS encoding for an exception from a Data Abort")
 *     {
 *         NEED(PAN);                                      // a feature of features.h: without it the case is skipped
 *         struct tables s1;
 *         stage1_new(&s1, SHIFT_4K, 39);                  // tables that map this image, MMU of EL1&0 on
 *         const struct exception *e = RUN(EL0T, load, 0, 0x80000000);    // ERET there with x0, x1 ...; back at the first exception
 *         CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(1)));
 *         CHECK(e->far, 0x80000000);
 *         CHECK(e->elr, load);
 *     }
 *
 * A case begins in a clean state (clean.c): MMUs off, no traps, no timers, no interrupts, TLBs empty, HCR_EL2.RW only. C code always
 * runs at EL2, E2H = 0, MMU off, interrupts masked; `next.hcr` and `next.sctlr_el2` say what holds while RUN() is away (they stay
 * until the case ends), all other registers are written directly. A watchdog (CNTHP, group 0: an FIQ to EL2 by HCR_EL2.FMO, which
 * RUN() adds to next.hcr) ends code that hangs; cases about FIQs, group 0 or CNTHP call no_watchdog() first (CNTP: see NO_WATCHDOG_BY_CNTP()).
 * TPIDR_EL2 and VBAR_EL2 belong to the vectors.
 *
 * A topic with [el1] in its .toml is compiled a second time, with AT_EL1, to an image whose C code runs at EL1 (el1.c): as a guest, and
 * on a board without EL2. There a case that touches what is EL2's is skipped where it does: a register, next.hcr, RUN(EL2H ...),
 * CHECK_TAKEN(e, 2 ...). What differs is said by HOME_EL, the level of C code, and by the macros at it.
 */
#pragma once
#include "../../common/types.h"
#include "features.h"
#include "layout.h"
#ifdef AT_EL1
#include "at_el1.h"
#endif

struct exception;

/* ---- cases */

struct case_row {
    const char *name, *section;
    void (*function)(void);
};

#define CASE(id, from)                                                                                                 \
    static void case_##id(void);                                                                                       \
    static const struct case_row row_##id __attribute__((section("cases"), used)) = {#id, from, case_##id};            \
    static void case_##id(void)

/* End the case as skipped; NEED() of a feature that is missing does it. */
void skip(const char *why);
#define NEED(feature)                                                                                                  \
    do {                                                                                                               \
        if (!have(FEAT_##feature)) {                                                                                   \
            skip("no FEAT_" #feature);                                                                                 \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
#define NEED_TWO_CPUS()                                                                                                \
    do {                                                                                                               \
        if (!second_cpu()) {                                                                                           \
            skip("one CPU");                                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Compare; a difference is printed with the text of the expression and makes the case FAIL. It goes on. Returns whether they are equal. */
#define CHECK(got, expected) check(#got, (u64)(got), (u64)(expected))
#define CHECK_MASKED(got, mask, expected) check(#got " & " #mask, (u64)(got) & (u64)(mask), (u64)(expected))
#define CHECK_TAKEN(e, el, vector, esr) check_taken(#e, e, el, vector, esr)
int check(const char *what, u64 got, u64 expected);
int check_taken(const char *what, const struct exception *e, u64 el, u64 vector, u64 esr);
/* In a table of a case: the row that is looked at, printed with each difference. 0 for none. */
void at_row(const char *text);
/* The case's name and what was checked so far are lost: for what makes no sense to go on from. */
void give_up(const char *why) __attribute__((noreturn));

/* ---- running code */

struct exception {
    u64 el, vector;                /* taken to; offset in its vector table */
    u64 esr, far, hpfar;           /* of that EL; HPFAR_EL2 always */
    u64 elr, spsr;
    u64 pstate;                    /* in the handler, as SPSR lays it out; flags and IL too */
    u64 hcr;                       /* HCR_EL2 as it was */
    u64 sp_el0, sp_el1, sp_el2;
    u64 x[31];
};

struct next {
    u64 hcr, sctlr_el2;
};
extern struct next next;

/* SPSR_ELx.M, and PSTATE bits at their place in it (C5.2.18). */
enum mode { EL0T = 0, EL1T = 4, EL1H = 5, EL2T = 8, EL2H = 9 };
#define PSTATE_F (1ul << 6)
#define PSTATE_I (1ul << 7)
#define PSTATE_A (1ul << 8)
#define PSTATE_D (1ul << 9)
#define PSTATE_DAIF (15ul << 6)
#define PSTATE_BTYPE (3ul << 10)
#define PSTATE_SSBS (1ul << 12)
#define PSTATE_IL (1ul << 20)
#define PSTATE_SS (1ul << 21)
#define PSTATE_PAN (1ul << 22)
#define PSTATE_UAO (1ul << 23)
#define PSTATE_DIT (1ul << 24)
#define PSTATE_TCO (1ul << 25)
#define PSTATE_V (1ul << 28)
#define PSTATE_C (1ul << 29)
#define PSTATE_Z (1ul << 30)
#define PSTATE_N (1ul << 31)

/* ERET to `code` with SPSR_EL2 = spsr and x0.. = the arguments (at most 8); returns the exception that ended it (per CPU, until the next). */
#define RUN(spsr, code, ...) run(spsr, (u64)(code), (const u64[8]){__VA_ARGS__})
const struct exception *run(u64 spsr, u64 pc, const u64 x[8]);
/* Whether the code ended by returning to its caller; what it leaves is in e->x. */
int returned(const struct exception *e);
/* The same as a check. */
#define CHECK_RETURNED(e) check_returned(#e, e)
int check_returned(const char *what, const struct exception *e);

/* The mode of the next level below HOME_EL (layout.h). IRQs from EL1 come to C code by interrupts_home(), at HOME_IRQ. */
#if HOME_EL == 1
#define BELOW EL0T
#define HOME_SYNC CURRENT_SYNC /* from EL1 */
#define HOME_IRQ CURRENT_IRQ
#define FIRMWARE_CALL "hvc #0"
static inline void interrupts_home(void) {}
#else
#define BELOW EL1H
#define HOME_SYNC LOWER_SYNC
#define HOME_IRQ LOWER_IRQ
#define FIRMWARE_CALL "smc #0"
#define interrupts_home() (next.hcr |= 1ul << 4) /* IMO */
#endif
/* At EL1, end the case as skipped. */
void needs_el2(void);
#define NEED_EL2()                                                                                                     \
    do {                                                                                                               \
        if (HOME_EL != 2)                                                                                              \
            needs_el2();                                                                                               \
    } while (0)

void no_watchdog(void);
/* At EL1 the watchdog is CNTP: a case that uses that timer has none there. */
#define NO_WATCHDOG_BY_CNTP()                                                                                          \
    do {                                                                                                               \
        if (HOME_EL == 1)                                                                                              \
            no_watchdog();                                                                                             \
    } while (0)

/* Code by its text, RET added. */
#define CODE(name, text)                                                                                               \
    extern const char name[];                                                                                          \
    asm(".pushsection .text\n.balign 16\n.type " #name ", %function\n" #name ":\n" text "\n\tret\n.size " #name        \
        ", . - " #name "\n.popsection")

/* Code by its instructions, RET added; at most 1000. Each call begins the buffer anew (part of the text that EL1 and EL0 may execute). */
#define EMIT(...) emit((const u32[]){__VA_ARGS__}, sizeof((const u32[]){__VA_ARGS__}) / 4)
u64 emit(const u32 *instructions, u64 count);
extern u32 code_buffer[1024];

/* System register encodings, and MRS, MSR and SYS of them (C5.1.2). */
#define SYSREG(op0, op1, crn, crm, op2) ((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define INSN_MRS(sysreg, rt) (0xd5200000u | (sysreg) | (rt))
#define INSN_MSR(sysreg, rt) (0xd5000000u | (sysreg) | (rt)) /* SYS too: op0 = 1 */
#define INSN_RET 0xd65f03c0u
#define INSN_NOP 0xd503201fu
u64 sysreg_get(u32 sysreg);             /* at EL2 */
void sysreg_set(u32 sysreg, u64 value); /* with ISB */
void isb(void);
void tlbi_all(void); /* all of EL1&0, EL2 and EL2&0 */

/* ---- exceptions */

#define CURRENT_SP0_SYNC 0x000ul
#define CURRENT_SYNC 0x200ul
#define CURRENT_IRQ 0x280ul
#define CURRENT_FIQ 0x300ul
#define CURRENT_SERROR 0x380ul
#define LOWER_SYNC 0x400ul
#define LOWER_IRQ 0x480ul
#define LOWER_FIQ 0x500ul
#define LOWER_SERROR 0x580ul

/* ESR_ELx of a 32-bit instruction (IL = 1); ESR_IL0 with IL = 0 */
#define ESR(ec, iss) ((u64)(ec) << 26 | 1ul << 25 | (u64)(iss))
#define ESR_IL0(ec, iss) ((u64)(ec) << 26 | (u64)(iss))
#define ESR_EC(esr) ((esr) >> 26 & 0x3f)

enum exception_class {
    EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_FP = 0x07, EC_PAC = 0x09, EC_BTI = 0x0d, EC_ILLEGAL = 0x0e,
    EC_SVC = 0x15, EC_HVC = 0x16, EC_SMC = 0x17, EC_SYSREG = 0x18, EC_SVE = 0x19, EC_ERET = 0x1a,
    EC_IABT_LOWER = 0x20, EC_IABT = 0x21, EC_PC_ALIGN = 0x22, EC_DABT_LOWER = 0x24, EC_DABT = 0x25, EC_SP_ALIGN = 0x26,
    EC_SERROR = 0x2f, EC_BREAKPOINT_LOWER = 0x30, EC_BREAKPOINT = 0x31, EC_STEP_LOWER = 0x32, EC_STEP = 0x33,
    EC_WATCHPOINT_LOWER = 0x34, EC_WATCHPOINT = 0x35, EC_BRK = 0x3c,
};

/* ISS of EC_SYSREG: which register, Rt, direction (1 = read) */
#define ISS_SYSREG(sysreg, rt, read)                                                                                   \
    ((u64)((sysreg) >> 19 & 3) << 20 | (u64)((sysreg) >> 5 & 7) << 17 | (u64)((sysreg) >> 16 & 7) << 14 |              \
     (u64)((sysreg) >> 12 & 15) << 10 | (u64)(rt) << 5 | (u64)((sysreg) >> 8 & 15) << 1 | (u64)(read))

/* ISS of aborts */
#define FSC_ADDRESS_SIZE(level) (0x00ul + (level))
#define FSC_TRANSLATION(level) (0x04ul + (level))
#define FSC_ACCESS_FLAG(level) (0x08ul + (level))
#define FSC_PERMISSION(level) (0x0cul + (level))
#define FSC_EXTERNAL 0x10ul
#define FSC_EXTERNAL_WALK(level) (0x14ul + (level))
#define FSC_ALIGNMENT 0x21ul
#define ISS_WNR (1ul << 6)
#define ISS_S1PTW (1ul << 7)
#define ISS_CM (1ul << 8)
#define ISS_EA (1ul << 9)
#define ISS_FNV (1ul << 10)
#define ISS_AR (1ul << 14)
#define ISS_SF (1ul << 15)
#define ISS_SRT(rt) ((u64)(rt) << 16)
#define ISS_SSE (1ul << 21)
#define ISS_SAS(log2_bytes) ((u64)(log2_bytes) << 22)
#define ISS_ISV (1ul << 24)

/* ---- memory and tables (tables.c) */

#define ARENA 0x41000000ul     /* RAM of the running case */
#define ARENA_SIZE 0x01000000ul
#define NOWHERE 0x0b000000ul   /* a hole of the board: an external abort */

#define SHIFT_4K 12
#define SHIFT_16K 14
#define SHIFT_64K 16

struct tables {
    u64 root;
    int stage;      /* 1, 2 */
    unsigned shift; /* 12, 14, 16: log2 of the granule */
    unsigned bits;  /* of the input address */
    int level;      /* of the root */
};

/* Descriptor bits (D8.3). */
#define D_VALID 1ul
#define D_TABLE 3ul            /* valid; at level 3 a page */
#define D_ATTR(n) ((u64)(n) << 2)
#define D_USER (1ul << 6)      /* AP[1]: EL0 may access (and what EL1 writes is then not executed at EL1) */
#define D_READ_ONLY (1ul << 7) /* AP[2] */
#define D_INNER_SHAREABLE (3ul << 8)
#define D_AF (1ul << 10)
#define D_NG (1ul << 11)
#define D_DBM (1ul << 51)
#define D_CONTIGUOUS (1ul << 52)
#define D_PXN (1ul << 53)
#define D_UXN (1ul << 54)
#define S2_NORMAL (15ul << 2)  /* MemAttr: write-back */
#define S2_DEVICE (1ul << 2)   /* Device-nGnRE */
#define S2_R (1ul << 6)
#define S2_W (2ul << 6)
#define S2_XN (2ul << 53)
/* Indices into MAIR_VALUE */
#define MAIR_VALUE 0x4404fful /* Normal write-back, Device-nGnRE, Normal non-cacheable */
#define NORMAL D_ATTR(0)
#define DEVICE D_ATTR(1)
#define NON_CACHEABLE D_ATTR(2)
#define RAM_RW (NORMAL | D_INNER_SHAREABLE | D_AF | D_USER) /* read and written at EL1 and EL0 */
#define S2_RAM (S2_NORMAL | S2_R | S2_W | D_INNER_SHAREABLE | D_AF)

/* Empty tables of their own. `level`: of the root, for stage 2; stage 1 computes it. */
void tables_new(struct tables *t, int stage, unsigned shift, unsigned bits, int level);
/* The descriptor of `address` at `level`; tables above it are made, blocks split. */
u64 *descriptor(struct tables *t, u64 address, int level);
/* Map one block or page. `attributes`: without address and type bits. */
void map(struct tables *t, u64 input, u64 output, int level, u64 attributes);
/* Map this image at its own address by pages: text for EL1 and EL0 to execute, data to read and write. Without it no vector of EL1 runs. */
void map_image(struct tables *t);
u64 level_size(const struct tables *t, int level); /* bytes that a descriptor of that level maps */

/* Tables of EL1&0 at TTBR0_EL1, image mapped, TCR_EL1 (EPD1 = 1), MAIR_EL1, SCTLR_EL1.{M,C,I} = 1. */
void stage1_new(struct tables *t, unsigned shift, unsigned bits);
/* The same for stage 2: VTTBR_EL2 (VMID 1), VTCR_EL2, next.hcr |= VM; this image and all tables mapped at their own addresses. */
void stage2_new(struct tables *t, unsigned shift, unsigned bits, int level);
/* The same for EL2 (E2H = 0) at TTBR0_EL2: TCR_EL2, MAIR_EL2, next.sctlr_el2 |= M, C, I. */
void stage1_el2_new(struct tables *t, unsigned shift, unsigned bits);
u64 tcr_tg0(unsigned shift);           /* TCR_ELx.TG0 and VTCR_EL2.TG0, at their place */
u64 pa_range(void);                    /* ID_AA64MMFR0_EL1.PARange, at most 5 (48 bits) */

#define HCR_VM (1ul << 0)
#define HCR_FMO (1ul << 3)
#define HCR_IMO (1ul << 4)
#define HCR_AMO (1ul << 5)
#define HCR_VF (1ul << 6)
#define HCR_VI (1ul << 7)
#define HCR_VSE (1ul << 8)
#define HCR_TGE (1ul << 27)
#define HCR_RW (1ul << 31)
#define HCR_E2H (1ul << 34)

#define SCTLR_M (1ul << 0)
#define SCTLR_A (1ul << 1)
#define SCTLR_C (1ul << 2)
#define SCTLR_SA (1ul << 3)
#define SCTLR_SA0 (1ul << 4)
#define SCTLR_I (1ul << 12)
#define SCTLR_WXN (1ul << 19)
#define SCTLR_SPAN (1ul << 23)
#define SCTLR_EL1_CLEAN 0x30d00800ul /* RES1 bits of Armv8.0 */

/* ---- CPUs, firmware, interrupts */

u64 this_cpu(void);
/* Power CPU 1 on if it is not yet. Returns whether there is one. It starts in the clean state and waits. */
int second_cpu(void);
/* Let CPU 1 call function(argument) at EL2; it may use RUN() and the registers, not CHECK(). Then wait for its end. */
void start_second(void (*function)(u64), u64 argument);
void wait_second(void);
u64 smc(u64 function, u64 a1, u64 a2, u64 a3);

/* Group 1 interrupts to this CPU: GIC on, priority mask open; then gic_enable_private() etc. of guests/common/gic.h. */
void gic_on(void);
