/*
 * gic_virtual: the virtual interface of GICv3 (IHI 0069, chapter 6 and 12.4): list registers, ICV_* at EL1, maintenance interrupts.
 */
#include "common/gicv3.h"

CODE(acknowledge, "mrs x0, icc_iar1_el1\n\tmrs x1, isr_el1\n\tmrs x2, icc_rpr_el1");
CODE(look, "mrs x0, icc_hppir1_el1\n\tmrs x1, isr_el1\n\tmrs x2, icc_rpr_el1");
CODE(end, "msr icc_eoir1_el1, x0\n\tisb\n\tmrs x2, icc_rpr_el1");
CODE(deactivate, "msr icc_dir_el1, x0\n\tisb");
CODE(configure, "mrs x4, icc_pmr_el1\n\tmsr icc_pmr_el1, x0\n\tmsr icc_ctlr_el1, x1\n\tmsr icc_bpr1_el1, x2\n\tmsr icc_igrpen1_el1, x3\n\tisb"
                "\n\tmrs x0, icc_pmr_el1\n\tmrs x1, icc_ctlr_el1\n\tmrs x2, icc_bpr1_el1\n\tmrs x3, icc_igrpen1_el1");

#define GUEST (EL1H | PSTATE_DAIF)

/* A guest with its interface on, virtual interrupts both IRQ and FIQ. */
static void guest_on(void)
{
    no_watchdog();
    gic_clean();
    next.hcr |= HCR_IMO | HCR_FMO;
    WRITE_(ICH_VMCR_EL2, 0xfful << 24 | 3);
    WRITE_(ICH_HCR_EL2, 1);
}

CASE(list_register_life, "6.2, 6.3 'Interrupt handling on a virtual CPU interface'; 12.4 'ICH_LR<n>_EL2'")
{
    guest_on();
    const u64 lr = LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A;
    WRITE_(ICH_LR0_EL2, lr | LR_PENDING);
    const struct exception *e = RUN(GUEST, look);
    CHECK_RETURNED(e);
    CHECK(e->x[0], SPI_A);
    CHECK(e->x[1], PSTATE_I);
    CHECK(e->x[2], 0xff);
    e = RUN(GUEST, acknowledge);
    CHECK(e->x[0], SPI_A);
    CHECK(e->x[1], 0);
    CHECK(e->x[2], 0x80);
    CHECK(READ_(ICH_LR0_EL2), lr | LR_ACTIVE);
    CHECK(READ_(ICH_AP1R0_EL2), 1ul << 16);
    e = RUN(GUEST, end, SPI_A);
    CHECK(e->x[2], 0xff);
    CHECK(READ_(ICH_LR0_EL2), lr);
    CHECK(READ_(ICH_AP1R0_EL2), 0);
    WRITE_(ICH_LR0_EL2, lr | LR_PENDING | LR_ACTIVE); /* active and pending: not signalled */
    e = RUN(GUEST, acknowledge);
    CHECK(e->x[0], NONE);
    CHECK(READ_(ICH_LR0_EL2), lr | LR_PENDING | LR_ACTIVE);
}

CASE(virtual_priorities, "6.3; 12.4 'ICH_VMCR_EL2': the highest priority of the list registers, above VPMR")
{
    guest_on();
    WRITE_(ICH_LR0_EL2, LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A);
    WRITE_(ICH_LR1_EL2, LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x40) | SPI_B);
    CHECK(RUN(GUEST, acknowledge)->x[0], SPI_B);
    CHECK(RUN(GUEST, acknowledge)->x[0], NONE); /* 0x80 does not preempt 0x40 */
    RUN(GUEST, end, SPI_B);
    WRITE_(ICH_VMCR_EL2, 0x80ul << 24 | 3);
    CHECK(RUN(GUEST, acknowledge)->x[0], NONE); /* masked */
    CHECK(RUN(GUEST, look)->x[0], SPI_A);
    WRITE_(ICH_HCR_EL2, 0);
    WRITE_(ICH_VMCR_EL2, 0xf8ul << 24 | 3);
    CHECK(RUN(GUEST, look)->x[1], 0); /* the interface is off */
}

CASE(virtual_groups, "12.4 'ICH_VMCR_EL2', VENG0, VENG1; group 0 as a virtual FIQ")
{
    guest_on();
    WRITE_(ICH_LR0_EL2, LR_PENDING | LR_PRIORITY(0x80) | SPI_A);
    CHECK(RUN(GUEST, look)->x[1], PSTATE_F);
    CHECK(RUN(GUEST, acknowledge)->x[0], NONE); /* by IAR1 */
    WRITE_(ICH_VMCR_EL2, 0xfful << 24 | 2);
    CHECK(RUN(GUEST, look)->x[1], 0);
    const struct exception *e = RUN(EL1H | PSTATE_A | PSTATE_D, look); /* nothing to take */
    CHECK_RETURNED(e);
    WRITE_(ICH_VMCR_EL2, 0xfful << 24 | 3);
    e = RUN(EL1H | PSTATE_A | PSTATE_D, look);
    CHECK(e->el, 1);
    CHECK(e->vector, CURRENT_FIQ);
}

CASE(guest_configures_its_interface, "12.4 'ICH_VMCR_EL2': what ICV_* writes")
{
    guest_on();
    const struct exception *e = RUN(GUEST, configure, 0x80, 3, 5, 0);
    CHECK_RETURNED(e);
    CHECK(e->x[4], 0xf8); /* 5 bits of 0xff */
    CHECK(e->x[0], 0x80);
    CHECK_MASKED(e->x[1], 3, 3);
    CHECK(e->x[2], 3); /* CBPR: VBPR0 + 1 */
    CHECK(e->x[3], 0);
    /* VENG0, VFIQEn (RES1), VCBPR, VEOIM; VBPR1 was not to be written; VPMR */
    CHECK_MASKED(READ_(ICH_VMCR_EL2), 0xff00021ful, 0x80ul << 24 | 1u << 9 | 1u << 4 | 1u << 3 | 1);
    CHECK(sysreg_read(icc_pmr_el1), 0xf8); /* the physical one is another */
}

CASE(hardware_interrupts, "12.4 'ICH_LR<n>_EL2', HW: the end of the virtual one is the end of the physical one")
{
    guest_on();
    ready(SPI_A, 0x80);
    set(SPI_A, ISACTIVER);
    WRITE_(ICH_LR0_EL2, LR_PENDING | LR_HW | LR_GROUP1 | LR_PRIORITY(0x80) | (u64)SPI_A << 32 | 77);
    CHECK(RUN(GUEST, acknowledge)->x[0], 77);
    CHECK(get(SPI_A, ISACTIVER), 1);
    RUN(GUEST, end, 77);
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(READ_(ICH_LR0_EL2) >> 62, 0);
}

CASE(virtual_eoi_mode, "12.3 'ICV_CTLR_EL1', EOImode; 'ICV_DIR_EL1'; 12.4 'ICH_HCR_EL2', EOIcount")
{
    guest_on();
    WRITE_(ICH_VMCR_EL2, 0xfful << 24 | 1u << 9 | 3);
    WRITE_(ICH_LR0_EL2, LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A);
    CHECK(RUN(GUEST, acknowledge)->x[0], SPI_A);
    CHECK(RUN(GUEST, end, SPI_A)->x[2], 0xff);
    CHECK(READ_(ICH_LR0_EL2) >> 62, 2);
    RUN(GUEST, deactivate, SPI_A);
    CHECK(READ_(ICH_LR0_EL2) >> 62, 0);
    CHECK(READ_(ICH_HCR_EL2) >> 27, 0);
    RUN(GUEST, deactivate, SPI_B); /* in no list register */
    CHECK(READ_(ICH_HCR_EL2) >> 27, 1);
}

CASE(eoi_count, "12.4 'ICH_HCR_EL2', EOIcount, LRENPIE: an end of an interrupt that is in no list register")
{
    guest_on();
    WRITE_(ICH_HCR_EL2, 1 | 1u << 2);
    CHECK(READ_(ICH_MISR_EL2), 0);
    WRITE_(ICH_AP1R0_EL2, 1ul << 16);
    RUN(GUEST, end, SPI_B);
    CHECK(READ_(ICH_HCR_EL2) >> 27, 1);
    CHECK(READ_(ICH_AP1R0_EL2), 0);
    CHECK(READ_(ICH_MISR_EL2), 1u << 2);
}

CASE(trapped_deactivation, "12.4 'ICH_HCR_EL2', TDIR")
{
    guest_on();
    if (!(READ_(ICH_VTR_EL2) >> 19 & 1)) { /* TDS */
        skip("no TDIR");
        return;
    }
    WRITE_(ICH_HCR_EL2, 1 | 1u << 14);
    const struct exception *e = RUN(GUEST, deactivate, SPI_A);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(SYSREG(3, 0, 12, 11, 1), 0, 0)));
}

CASE(maintenance_causes, "12.4 'ICH_MISR_EL2', 'ICH_EISR_EL2', 'ICH_ELRSR_EL2'; 6.3.4 'Maintenance interrupts'")
{
    guest_on();
    set(MAINTENANCE, ISENABLER);
    CHECK(READ_(ICH_ELRSR_EL2) & 3, 3);
    CHECK(signalled(), 0);
    WRITE_(ICH_HCR_EL2, 1 | 1u << 1); /* UIE: none or one list register in use */
    CHECK(READ_(ICH_MISR_EL2), 1u << 1);
    CHECK(signalled(), PSTATE_I);
    CHECK(sysreg_read(icc_hppir1_el1), MAINTENANCE);
    WRITE_(ICH_LR0_EL2, LR_ACTIVE | LR_GROUP1 | SPI_A);
    CHECK(READ_(ICH_MISR_EL2), 1u << 1);
    WRITE_(ICH_LR1_EL2, LR_ACTIVE | LR_GROUP1 | SPI_B);
    CHECK(READ_(ICH_MISR_EL2), 0);
    CHECK(READ_(ICH_ELRSR_EL2) & 3, 0);
    CHECK(signalled(), 0); /* a level */
    WRITE_(ICH_HCR_EL2, 1 | 1u << 3); /* NPIE: none is pending */
    CHECK(READ_(ICH_MISR_EL2), 1u << 3);
    WRITE_(ICH_LR1_EL2, LR_PENDING | LR_GROUP1 | SPI_B);
    CHECK(READ_(ICH_MISR_EL2), 0);
    WRITE_(ICH_LR1_EL2, LR_EOI | SPI_B); /* inactive, to be told of */
    CHECK(READ_(ICH_MISR_EL2), 1u << 0 | 1u << 3);
    CHECK(READ_(ICH_EISR_EL2), 2);
    CHECK(READ_(ICH_ELRSR_EL2) & 3, 0);
    WRITE_(ICH_LR1_EL2, 0);
    WRITE_(ICH_HCR_EL2, 1 | 1u << 4 | 1u << 7); /* VGrp0EIE, VGrp1DIE */
    CHECK(READ_(ICH_MISR_EL2), 1u << 4);
    WRITE_(ICH_VMCR_EL2, 0);
    CHECK(READ_(ICH_MISR_EL2), 1u << 7);
    WRITE_(ICH_HCR_EL2, 1 | 1u << 5 | 1u << 6); /* VGrp0DIE, VGrp1EIE */
    CHECK(READ_(ICH_MISR_EL2), 1u << 5);
    WRITE_(ICH_VMCR_EL2, 2);
    CHECK(READ_(ICH_MISR_EL2), 1u << 5 | 1u << 6);
    CHECK(signalled(), PSTATE_I);
    WRITE_(ICH_HCR_EL2, 1u << 5 | 1u << 6); /* En = 0 */
    CHECK(signalled(), 0);
}

CASE(eoi_maintenance, "12.4 'ICH_LR<n>_EL2', EOI: the end of the virtual one is told")
{
    guest_on();
    WRITE_(ICH_LR0_EL2, LR_PENDING | LR_EOI | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A);
    CHECK(RUN(GUEST, acknowledge)->x[0], SPI_A);
    CHECK(READ_(ICH_EISR_EL2), 0);
    RUN(GUEST, end, SPI_A);
    CHECK(READ_(ICH_EISR_EL2), 1);
    CHECK(READ_(ICH_MISR_EL2) & 1, 1);
}

CASE(one_group_virtual, "12.2: ICC_* of group 0 are virtual by FMO, of group 1 by IMO, common ones by either")
{
    guest_on();
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    next.hcr = (next.hcr & ~HCR_IMO) | HCR_FMO;
    WRITE_(ICH_LR0_EL2, LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_B);
    const struct exception *e = RUN(GUEST, look);
    CHECK_RETURNED(e);
    CHECK(e->x[0], SPI_A); /* ICC_HPPIR1_EL1 is the physical one */
    set(SPI_A, ICPENDR);
}
