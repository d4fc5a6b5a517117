/*
 * gic: GICv3 with one Security state (IHI 0069): life of an interrupt, priorities and groups, routing, SGIs, and the virtual interface
 * with its list registers and maintenance interrupts. Interrupts stay masked; what is signalled is read in ISR_EL1 and ICC_HPPIR.
 */
#include "common/system.h"

#define GICD 0x08000000ul
#define GICR(cpu) (0x080a0000ul + 0x20000ul * (cpu))
#define SGI_BASE(cpu) (GICR(cpu) + 0x10000)

#define IGROUPR 0x080
#define ISENABLER 0x100
#define ICENABLER 0x180
#define ISPENDR 0x200
#define ICPENDR 0x280
#define ISACTIVER 0x300
#define ICACTIVER 0x380
#define IPRIORITYR 0x400
#define ICFGR 0xc00
#define IROUTER 0x6000

#define NONE 1023
#define MAINTENANCE 25
/* SPIs without a device on either board; the clock's alarm is SPI 2. */
#define SPI_A 200u
#define SPI_B 201u
#define ALARM 34u

#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_HCR_EL2 S3_4_C12_C11_0
#define ICH_VTR_EL2 S3_4_C12_C11_1
#define ICH_MISR_EL2 S3_4_C12_C11_2
#define ICH_EISR_EL2 S3_4_C12_C11_3
#define ICH_ELRSR_EL2 S3_4_C12_C11_5
#define ICH_VMCR_EL2 S3_4_C12_C11_7
#define ICH_LR0_EL2 S3_4_C12_C12_0
#define ICH_LR1_EL2 S3_4_C12_C12_1
#define READ_(name) sysreg_read(name)
#define WRITE_(name, value) sysreg_write(name, value)

#define LR_PENDING (1ul << 62)
#define LR_ACTIVE (2ul << 62)
#define LR_HW (1ul << 61)
#define LR_GROUP1 (1ul << 60)
#define LR_EOI (1ul << 41)
#define LR_PRIORITY(p) ((u64)(p) << 48)

static void dsb(void) { asm volatile("dsb sy" ::: "memory"); }
static u8 read8(u64 address)
{
    u32 value;
    asm volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static void write8(u64 address, u32 value) { asm volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory"); }
static u64 read64(u64 address)
{
    u64 value;
    asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

/* The frame of an INTID, private ones of the CPU that calls. */
static u64 frame(u32 intid) { return intid < 32 ? SGI_BASE(this_cpu()) : GICD; }
static u64 bit_at(u32 intid, u64 base) { return frame(intid) + base + intid / 32 * 4; }
static int get(u32 intid, u64 base) { return read32(bit_at(intid, base)) >> intid % 32 & 1; }
static void set(u32 intid, u64 base)
{
    write32(bit_at(intid, base), 1u << intid % 32);
    dsb();
}
static void group(u32 intid, int one)
{
    const u32 old = read32(bit_at(intid, IGROUPR)), bit = 1u << intid % 32;

    write32(bit_at(intid, IGROUPR), one ? old | bit : old & ~bit);
    dsb();
}
static void priority(u32 intid, u32 value)
{
    write8(frame(intid) + IPRIORITYR + intid, value);
    dsb();
}
static void edge(u32 intid, int on)
{
    const u64 at = frame(intid) + ICFGR + intid / 16 * 4;
    const u32 bit = 2u << intid % 16 * 2;

    write32(at, on ? read32(at) | bit : read32(at) & ~bit);
    dsb();
}
static void route(u32 intid, u64 to)
{
    write64(GICD + IROUTER + 8ul * intid, to);
    dsb();
}

static void interface_on(void)
{
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen0_el1, 1);
    sysreg_write(icc_igrpen1_el1, 1);
}

static void wake(u64 cpu)
{
    write32(GICR(cpu) + 0x14, 0);
    while (read32(GICR(cpu) + 0x14) & 4)
        ;
}

/* The interrupts that cases use: inactive, not pending, off; Distributor and interface on. */
static void gic_clean(void)
{
    static const u32 used[] = {0, 1, 2, 3, MAINTENANCE, 27, SPI_A, SPI_B, ALARM};

    write32(GICD, 3);
    wake(this_cpu());
    for (unsigned i = 0; i < sizeof used / sizeof *used; i++) {
        set(used[i], ICENABLER);
        set(used[i], ICPENDR);
        set(used[i], ICACTIVER);
        group(used[i], 1);
        priority(used[i], 0xa0);
        if (used[i] >= 32)
            route(used[i], this_cpu());
    }
    edge(SPI_A, 1);
    edge(SPI_B, 1);
    sysreg_write(icc_ap0r0_el1, 0);
    sysreg_write(icc_ap1r0_el1, 0);
    interface_on();
}

static void ready(u32 intid, u32 level)
{
    priority(intid, level);
    set(intid, ISENABLER);
}

static u64 take(void)
{
    dsb();
    const u64 intid = sysreg_read(icc_iar1_el1);

    if (intid < 1020)
        sysreg_write(icc_eoir1_el1, intid);
    return intid;
}
static u64 signalled(void)
{
    dsb();
    return sysreg_read(isr_el1) & (PSTATE_I | PSTATE_F);
}

/* The second CPU: interface on, then what it is signalled. */
static void take_to(u64 address)
{
    wake(this_cpu());
    interface_on();
    *(volatile u64 *)address = take();
}
static u64 take_on_second(void)
{
    start_second(take_to, ARENA);
    wait_second();
    return *(volatile u64 *)ARENA;
}

/* ---- the life of an interrupt */

CASE(identification, "12.9 'GICD_TYPER', 'GICD_CTLR', 'GICD_PIDR2'; 12.11 'GICR_TYPER'")
{
    CHECK_MASKED(read32(GICD), 1u << 4 | 1u << 6, 1u << 4 | 1u << 6); /* ARE, DS */
    CHECK_MASKED(read32(GICD + 4), 1u << 10, 0); /* SecurityExtn */
    CHECK_MASKED(read32(GICD + 4) >> 5, 7, 0); /* CPUNumber: PEs without affinity routing */
    CHECK(read32(GICD + 0xffe8) >> 4 & 15, 3);
    CHECK(read32(GICR(0) + 0xffe8) >> 4 & 15, 3);
    CHECK(read64(GICR(0) + 8) >> 32, 0);
    CHECK(read64(GICR(1) + 8) >> 32, 1); /* affinity */
    CHECK(read64(GICR(1) + 8) >> 4 & 1, 1); /* Last */
    CHECK(read32(GICD + 0x800), 0); /* GICD_ITARGETSR0 with affinity routing */
    CHECK(read32(GICD + ISENABLER), 0); /* private interrupts are the Redistributors' */
}

CASE(edge_from_pending_to_inactive, "4.1.2 'Interrupt handling state machine'")
{
    gic_clean();
    ready(SPI_A, 0xa0);
    CHECK(signalled(), 0);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), PSTATE_I);
    CHECK(sysreg_read(icc_hppir1_el1), SPI_A);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 1);
    CHECK(get(SPI_A, ISPENDR), 0);
    CHECK(signalled(), 0);
    set(SPI_A, ISPENDR); /* active and pending: not signalled */
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(take(), SPI_A);
    CHECK(take(), NONE);
    CHECK(get(SPI_A, ISPENDR), 0);
}

CASE(level_follows_the_line, "4.1.2, level-sensitive; 12.9 'GICD_ICPENDR<n>', 'GICD_ISPENDR<n>'")
{
    const u64 clock = 0x09010000;

    gic_clean();
    edge(ALARM, 0);
    ready(ALARM, 0xa0);
    write32(clock + 0x1c, 1);
    write32(clock + 8, 5000); /* load and match alike: the alarm rings */
    write32(clock + 4, 5000);
    write32(clock + 0x10, 1);
    for (u64 start = sysreg_read(cntpct_el0); !signalled() && sysreg_read(cntpct_el0) - start < sysreg_read(cntfrq_el0);)
        ;
    CHECK(signalled(), PSTATE_I);
    set(ALARM, ICPENDR);
    CHECK(get(ALARM, ISPENDR), 1); /* the line is high */
    CHECK(sysreg_read(icc_iar1_el1), ALARM);
    CHECK(get(ALARM, ISPENDR), 1); /* active and pending */
    sysreg_write(icc_eoir1_el1, ALARM);
    CHECK(signalled(), PSTATE_I); /* again */
    write32(clock + 0x1c, 1);
    CHECK(signalled(), 0);
    CHECK(get(ALARM, ISPENDR), 0);
    set(ALARM, ISPENDR); /* pending without the line, until it is acknowledged */
    CHECK(take(), ALARM);
    CHECK(take(), NONE);
    write32(clock + 0x10, 0);
}

CASE(active_is_not_signalled, "12.9 'GICD_ISACTIVER<n>', 'GICD_ICACTIVER<n>'")
{
    gic_clean();
    ready(SPI_A, 0xa0);
    set(SPI_A, ISACTIVER);
    CHECK(get(SPI_A, ICACTIVER), 1);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), 0);
    CHECK(take(), NONE);
    CHECK(sysreg_read(icc_rpr_el1), 0xff); /* nothing was acknowledged */
    set(SPI_A, ICACTIVER);
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(take(), SPI_A);
    /* Acknowledged, made inactive there and not ended here: its priority stays. */
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    set(SPI_A, ICACTIVER);
    CHECK(sysreg_read(icc_rpr_el1), 0xa0);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(take(), SPI_A);
}

CASE(private_interrupts_have_the_same_states, "12.11 'GICR_ISACTIVER0', 'GICR_ISPENDR0'")
{
    gic_clean();
    ready(27, 0xa0);
    set(27, ISACTIVER);
    set(27, ISPENDR);
    CHECK(take(), NONE);
    set(27, ICACTIVER);
    CHECK(take(), 27);
    ready(3, 0xa0);
    set(3, ISPENDR); /* an SGI too */
    CHECK(get(3, ISPENDR), 1);
    CHECK(take(), 3);
    CHECK(read32(SGI_BASE(0) + ICFGR), 0xaaaaaaaa); /* SGIs are edge-triggered */
}

CASE(disabled_stays_pending, "12.9 'GICD_ICENABLER<n>': disabling does not make it less pending")
{
    gic_clean();
    ready(SPI_A, 0xa0);
    set(SPI_A, ISPENDR);
    set(SPI_A, ICENABLER);
    CHECK(signalled(), 0);
    CHECK(get(SPI_A, ISPENDR), 1);
    set(SPI_A, ISENABLER);
    CHECK(take(), SPI_A);
}

CASE(priority_bytes, "12.9 'GICD_IPRIORITYR<n>': bytes; 4.8 'Interrupt prioritization': unimplemented bits are RAZ/WI")
{
    const u64 at = GICD + IPRIORITYR + SPI_A;

    gic_clean();
    write32(at, 0x10203040);
    CHECK(read8(at), 0x40);
    CHECK(read8(at + 3), 0x10);
    write8(at + 1, 0xc8);
    CHECK(read32(at), 0x1020c840);
    write8(at, 0xff);
    /* As many bits as ICC_CTLR_EL1.PRIbits says. */
    CHECK(read8(at), 0xffu << (7 - (sysreg_read(icc_ctlr_el1) >> 8 & 7)) & 0xff);
}

/* ---- priorities and groups */

CASE(highest_priority_first, "4.8 'Interrupt prioritization'; 12.2 'ICC_HPPIR1_EL1', 'ICC_RPR_EL1'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x40);
    ready(3, 0xc0);
    set(3, ISPENDR);
    set(SPI_A, ISPENDR);
    set(SPI_B, ISPENDR);
    CHECK(take(), SPI_B);
    CHECK(take(), SPI_A);
    CHECK(take(), 3);
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
}

CASE(priority_mask, "12.2 'ICC_PMR_EL1': only higher priorities than the mask")
{
    gic_clean();
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    sysreg_write(icc_pmr_el1, 0x80);
    CHECK(signalled(), 0);
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    CHECK(sysreg_read(icc_hppir1_el1), SPI_A); /* pending all the same */
    sysreg_write(icc_pmr_el1, 0x88);
    CHECK(take(), SPI_A);
}

CASE(preemption, "4.8.5 'Preemption'; 12.2 'ICC_BPR1_EL1', 'ICC_AP1R0_EL1'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x60);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    CHECK(sysreg_read(icc_ap1r0_el1), 1ul << (0x80 >> 3));
    sysreg_write(icc_bpr1_el1, 7); /* the group priority is bit 7 */
    set(SPI_B, ISPENDR);
    CHECK(signalled(), PSTATE_I); /* 0x00 before 0x80 */
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(take(), SPI_B);
    priority(SPI_A, 0x60);
    priority(SPI_B, 0x40);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    CHECK(sysreg_read(icc_rpr_el1), 0);
    set(SPI_B, ISPENDR);
    CHECK(signalled(), 0); /* of the same group priority */
    sysreg_write(icc_eoir1_el1, SPI_A);
    sysreg_write(icc_bpr1_el1, 0); /* as low as there is: more of the priority counts */
    CHECK(sysreg_read(icc_bpr1_el1), 8 - (sysreg_read(icc_ctlr_el1) >> 8 & 7) - 1);
    CHECK(take(), SPI_B);
}

CASE(group_0_is_an_fiq, "4.6 'Interrupt grouping', one Security state: group 0 as FIQ, group 1 as IRQ")
{
    no_watchdog();
    gic_clean();
    group(SPI_A, 0);
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), PSTATE_F);
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    CHECK(sysreg_read(icc_hppir1_el1), NONE);
    CHECK(sysreg_read(icc_hppir0_el1), SPI_A);
    CHECK(sysreg_read(icc_iar0_el1), SPI_A);
    CHECK(sysreg_read(icc_ap0r0_el1), 1ul << (0x80 >> 3));
    sysreg_write(icc_eoir0_el1, SPI_A);
    CHECK(sysreg_read(icc_ap0r0_el1), 0);
    CHECK(get(SPI_A, ISACTIVER), 0);
    set(SPI_A, ISPENDR);
    write32(GICD, 2); /* group 0 is not forwarded */
    CHECK(signalled(), 0);
    write32(GICD, 3);
    CHECK(signalled(), PSTATE_F);
    sysreg_write(icc_igrpen0_el1, 0);
    CHECK(signalled(), 0);
    set(SPI_A, ICPENDR);
}

CASE(common_binary_point, "12.2 'ICC_CTLR_EL1', CBPR; 'ICC_BPR1_EL1'")
{
    gic_clean();
    sysreg_write(icc_bpr0_el1, 5);
    sysreg_write(icc_bpr1_el1, 3);
    sysreg_write(icc_ctlr_el1, 1);
    CHECK(sysreg_read(icc_bpr1_el1), 6); /* BPR0 + 1 */
    sysreg_write(icc_bpr1_el1, 4); /* ignored */
    CHECK(sysreg_read(icc_bpr1_el1), 6);
    sysreg_write(icc_bpr0_el1, 7);
    CHECK(sysreg_read(icc_bpr1_el1), 7); /* saturated */
    sysreg_write(icc_ctlr_el1, 0);
    CHECK(sysreg_read(icc_bpr1_el1), 3);
}

CASE(eoi_mode_1, "4.1.2; 12.2 'ICC_DIR_EL1', 'ICC_EOIR1_EL1' with EOImode = 1")
{
    gic_clean();
    sysreg_write(icc_ctlr_el1, 2);
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    set(SPI_B, ISPENDR);
    CHECK(signalled(), 0);
    sysreg_write(icc_eoir1_el1, SPI_A); /* drops the priority alone */
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
    CHECK(get(SPI_A, ISACTIVER), 1);
    CHECK(signalled(), PSTATE_I);
    CHECK(sysreg_read(icc_iar1_el1), SPI_B);
    sysreg_write(icc_eoir1_el1, SPI_B);
    sysreg_write(icc_dir_el1, SPI_A); /* in any order */
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(get(SPI_B, ISACTIVER), 1);
    sysreg_write(icc_dir_el1, SPI_B);
    CHECK(get(SPI_B, ISACTIVER), 0);
}

CASE(special_intids, "2.2.1 'Special INTIDs'; 12.2 'ICC_EOIR1_EL1'")
{
    gic_clean();
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    CHECK(sysreg_read(icc_iar0_el1), NONE);
    CHECK(sysreg_read(icc_hppir0_el1), NONE);
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    sysreg_write(icc_eoir1_el1, 1023);
    CHECK(sysreg_read(icc_rpr_el1), 0x80); /* ignored */
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
}

/* ---- routing and SGIs */

CASE(routed_by_affinity, "12.9 'GICD_IROUTER<n>'")
{
    NEED_TWO_CPUS();
    gic_clean();
    ready(SPI_A, 0x80);
    route(SPI_A, 1);
    set(SPI_A, ISPENDR);
    CHECK(take(), NONE);
    CHECK(take_on_second(), SPI_A);
    route(SPI_A, 0x55); /* nobody */
    set(SPI_A, ISPENDR);
    CHECK(take(), NONE);
    CHECK(take_on_second(), NONE);
    route(SPI_A, 0);
    CHECK(take(), SPI_A);
}

CASE(one_of_n, "3.3.2 'The 1 of N interrupt distribution model'; 12.9 'GICD_IROUTER<n>', IRM; 12.11 'GICR_CTLR', DPG1NS")
{
    NEED_TWO_CPUS();
    if (read32(GICD + 4) >> 25 & 1) { /* GICD_TYPER.No1N */
        skip("No1N");
        return;
    }
    gic_clean();
    ready(SPI_A, 0x80);
    route(SPI_A, 1ul << 31);
    CHECK(read64(GICD + IROUTER + 8 * SPI_A), 1ul << 31);
    set(SPI_A, ISPENDR);
    const u64 first = take(); /* exactly one PE, the second only after the first did not */
    const u64 second = take_on_second();
    CHECK(first == SPI_A || second == SPI_A, 1);
    CHECK(first == NONE || second == NONE, 1);
    sysreg_write(icc_igrpen1_el1, 0);
    set(SPI_A, ISPENDR);
    CHECK(take_on_second(), SPI_A);
    sysreg_write(icc_igrpen1_el1, 1);
    if (read64(GICR(0) + 8) >> 5 & 1) { /* GICR_TYPER.DPGS */
        write32(GICR(0), 1u << 25);
        set(SPI_A, ISPENDR);
        CHECK(take(), NONE);
        CHECK(take_on_second(), SPI_A);
        write32(GICR(0), 0);
    }
    route(SPI_A, 0);
}

CASE(sgi_to_a_list, "12.2 'ICC_SGI1R_EL1'")
{
    NEED_TWO_CPUS();
    gic_clean();
    ready(1, 0x80);
    write32(SGI_BASE(1) + IGROUPR, read32(SGI_BASE(1) + IGROUPR) | 2);
    write32(SGI_BASE(1) + ISENABLER, 2);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 2);
    CHECK(take(), NONE);
    CHECK(take_on_second(), 1);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 3);
    CHECK(take(), 1);
    CHECK(take_on_second(), 1);
    sysreg_write(icc_sgi1r_el1, 1ul << 40 | 1ul << 24); /* IRM: all but this one */
    CHECK(take(), NONE);
    CHECK(take_on_second(), 1);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 1ul << 16 | 3); /* another cluster */
    CHECK(take(), NONE);
    CHECK(take_on_second(), NONE);
}

CASE(sgi_groups, "12.2 'ICC_SGI0R_EL1', 'ICC_SGI1R_EL1'; table of forwarded SGIs, one Security state")
{
    no_watchdog();
    gic_clean();
    ready(1, 0x80);
    group(2, 0);
    ready(2, 0x80);
    sysreg_write(icc_sgi0r_el1, 2ul << 24 | 1);
    CHECK(signalled(), PSTATE_F);
    CHECK(sysreg_read(icc_iar0_el1), 2);
    sysreg_write(icc_eoir0_el1, 2);
    sysreg_write(icc_sgi0r_el1, 1ul << 24 | 1); /* one of group 1: not by SGI0R */
    CHECK(signalled(), 0);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 1);
    CHECK(take(), 1);
    sysreg_write(icc_sgi1r_el1, 2ul << 24 | 1); /* one of group 0: by SGI1R too */
    CHECK(signalled(), PSTATE_F);
    set(2, ICPENDR);
}

/* ---- the virtual interface */

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
