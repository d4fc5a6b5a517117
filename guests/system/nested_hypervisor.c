/*
 * nested_hypervisor: a hypervisor of a few instructions at virtual EL2, its guest, and a host in this program that runs both.
 */
#include "common/nested.h"

/* ---- a hypervisor at virtual EL2, its guest, and a host */

/*
 * The hypervisor sets its vectors, asks itself a question by SVC, and runs a guest; the guest's HVC comes back to its vectors, it looks
 * at the syndrome and returns; the second HVC ends it. It keeps what it sees in x0..x6. (No LR: run() has it.)
 */
asm(".pushsection .text\n"
    ".balign 16\n"
    ".type hypervisor, %function\n"
    "hypervisor:\n"
    "   mrs  x0, CurrentEL\n"             /* 8 */
    "   adr  x1, hypervisor_vectors\n"
    "   msr  vbar_el2, x1\n"
    "   svc  #1\n"                        /* x1 = SPSR_EL2, x2 = ESR_EL2: taken to EL1 without the host */
    "   mov  x7, #0x5000\n"
    "   msr  vttbr_el2, x7\n"
    "   mrs  x3, vttbr_el2\n"
    "   mov  x7, #0x80000000\n"
    "   msr  hcr_el2, x7\n"
    "   tlbi vmalls12e1\n"
    "   adr  x7, guest\n"
    "   msr  elr_el2, x7\n"
    "   mov  x7, #0x3c5\n"                /* EL1h, DAIF */
    "   msr  spsr_el2, x7\n"
    "   eret\n"
    ".size hypervisor, . - hypervisor\n"
    ".type guest, %function\n"
    "guest:\n"
    "   mrs  x4, CurrentEL\n"             /* 4 */
    "   hvc  #2\n"
    "guest_2:\n"
    "   add  x5, x5, #1\n"
    "   hvc  #3\n"
    ".size guest, . - guest\n"
    ".balign 0x800\n"
    ".type hypervisor_vectors, %function\n"
    "hypervisor_vectors:\n"
    ".space 0x200\n"
    "   mrs  x1, spsr_el2\n"              /* SVC at virtual EL2 */
    "   mrs  x2, esr_el2\n"
    "   eret\n"
    ".balign 0x200\n"
    "   mrs  x6, esr_el2\n"               /* HVC of the guest */
    "   and  x7, x6, #1\n"
    "   cbnz x7, 1f\n"
    "   mrs  x5, elr_el2\n"
    "   eret\n"
    "1: mrs  x7, spsr_el2\n"
    "   hvc  #4\n"                        /* to the host: it is over */
    ".balign 0x400\n"
    ".size hypervisor_vectors, . - hypervisor_vectors\n"
    ".popsection");
extern const char hypervisor[], guest[], guest_2[], hypervisor_vectors[];

/* What the host knows of the vCPU: registers of virtual EL2 that are neither EL1's nor in memory. */
struct vcpu {
    u64 vttbr, hcr;
    u64 traps, erets, tlbis;
    int at_el2; /* virtual EL2 */
};

/* Where the host keeps a register of virtual EL2: its exceptions are EL1's. */
static u32 real(u32 reg)
{
    switch (reg) {
    case SYSREG(3, 4, 12, 0, 0): return SYSREG(3, 0, 12, 0, 0); /* VBAR */
    case SYSREG(3, 4, 4, 0, 0): return SYSREG(3, 0, 4, 0, 0);   /* SPSR */
    case SYSREG(3, 4, 4, 0, 1): return SYSREG(3, 0, 4, 0, 1);   /* ELR */
    case SYSREG(3, 4, 5, 2, 0): return SYSREG(3, 0, 5, 2, 0);   /* ESR */
    default: return 0;
    }
}

static u32 reg_of(u64 iss)
{
    return SYSREG((u32)(iss >> 20 & 3), (u32)(iss >> 14 & 7), (u32)(iss >> 10 & 15), (u32)(iss >> 1 & 15), (u32)(iss >> 17 & 7));
}

static u64 *stored(struct vcpu *v, u32 reg)
{
    return reg == SYSREG(3, 4, 2, 1, 0) ? &v->vttbr : reg == HCR_EL2_REG ? &v->hcr : 0;
}

/* A trapped MRS, MSR or SYS of virtual EL2. */
static void emulate(struct vcpu *v, u64 iss, u64 x[8])
{
    const u32 reg = reg_of(iss), rt = iss >> 5 & 31;
    u64 *to = stored(v, reg);

    v->traps++;
    if ((reg >> 19 & 3) == 1)
        v->tlbis++;
    else if (iss & 1)
        x[rt & 7] = to ? *to : sysreg_get(real(reg));
    else if (to)
        *to = x[rt & 7];
    else
        sysreg_set(real(reg), x[rt & 7]);
}

/* Run the hypervisor until it is done; what it saw is in the exception's registers. */
static const struct exception *host(struct vcpu *v, u64 hcr_of_virtual_el2)
{
    u64 pc = (u64)hypervisor, spsr = EL1H | PSTATE_DAIF, x[8] = {0};
    const struct exception *e;

    v->at_el2 = 1;
    for (int i = 0; i < 64; i++) {
        next.hcr = HCR_RW | (v->at_el2 ? hcr_of_virtual_el2 : 0);
        e = run(spsr, pc, x);
        for (int n = 0; n < 8; n++)
            x[n] = e->x[n];
        spsr = e->spsr;
        pc = e->elr;
        if (e->el != 2 || e->vector != LOWER_SYNC)
            break;
        const u64 ec = ESR_EC(e->esr), iss = e->esr & 0x1ffffff;
        if (v->at_el2 && ec == EC_SYSREG) {
            emulate(v, iss, x);
            pc += 4;
        } else if (v->at_el2 && ec == EC_ERET) {
            v->erets++;
            spsr = sysreg_read(spsr_el1);
            pc = sysreg_read(elr_el1);
            v->at_el2 = (spsr & 12) == 8;
            spsr = (spsr & ~15ul) | EL1H;
        } else if (!v->at_el2 && ec == EC_HVC) {
            sysreg_write(esr_el1, e->esr); /* an exception from the guest to virtual EL2 */
            sysreg_write(elr_el1, pc);
            sysreg_write(spsr_el1, spsr);
            pc = sysreg_read(vbar_el1) + LOWER_SYNC;
            spsr = EL1H | PSTATE_DAIF;
            v->at_el2 = 1;
        } else {
            break;
        }
    }
    return e;
}

static void saw_everything(const struct exception *e, const struct vcpu *v)
{
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 4));
    CHECK(v->at_el2, 1);
    CHECK(e->x[0], 8);
    CHECK(e->x[1], EL2H | PSTATE_DAIF); /* SPSR_EL1 of the SVC */
    CHECK(e->x[2], ESR(EC_SVC, 1));
    CHECK(e->x[3], 0x5000);
    CHECK(e->x[4], 4);
    CHECK(e->x[5], guest_2 + 1); /* ELR_EL2 of the first HVC, and the guest has added 1 */
    CHECK(e->x[6], ESR(EC_HVC, 3));
    CHECK(e->x[7], EL1H | PSTATE_DAIF);
    CHECK(v->erets, 3); /* of the SVC, to the guest, to the guest */
    CHECK(v->tlbis, 1);
}

CASE(hypervisor_with_nv, "HCR_EL2.NV: each access of virtual EL2 is emulated by the host")
{
    NEED(NV);
    struct vcpu v = {0};
    const struct exception *e = host(&v, HCR_NV);
    saw_everything(e, &v);
    CHECK(v.hcr, 0x80000000);
    CHECK(v.traps, 13);
}

CASE(hypervisor_with_nv2, "HCR_EL2.NV2 and NV1: only VBAR_EL2, TLBI and ERET come to the host")
{
    NEED(NV2);
    struct vcpu v = {0};
    sysreg_set(VNCR_EL2, ARENA);
    const struct exception *e = host(&v, HCR_NV | HCR_NV1 | HCR_NV2);
    saw_everything(e, &v);
    CHECK(*(volatile u64 *)(ARENA + HCR_OFFSET), 0x80000000);
    CHECK(*(volatile u64 *)(ARENA + 0x020), 0x5000);
    CHECK(v.traps, 2);
}

CASE(hypervisor_with_nv2_and_tables, "HCR_EL2.NV2 and NV1 with stage 1 of EL1 in the format of NV1, and the page mapped by EL2")
{
    NEED(NV2);
    struct vcpu v = {0};
    struct tables s1, s1_el2;
    stage1_new(&s1, SHIFT_4K, 39);
    stage1_el2_new(&s1_el2, SHIFT_4K, 39);
    map(&s1_el2, VA, ARENA, 3, KERNEL_RW | D_USER);
    sysreg_set(VNCR_EL2, VA);
    const struct exception *e = host(&v, HCR_NV | HCR_NV1 | HCR_NV2);
    saw_everything(e, &v);
    CHECK(*(volatile u64 *)(ARENA + 0x020), 0x5000);
    CHECK(v.traps, 2);
}
