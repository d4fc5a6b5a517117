/*
 * gicv2: GICv2 with one Security state (IHI 0048): targets, SGIs by source, groups, the CPU interface in memory, and the virtual interface
 * with its list registers. Interrupts stay masked; what is signalled is read in ISR_EL1 and GICC_HPPIR.
 */
#include "common/system.h"

#define GICD 0x08000000ul
#define GICC 0x08010000ul
#define GICH 0x08030000ul
#define GICV 0x08040000ul

#define CTLR 0x00
#define PMR 0x04
#define BPR 0x08
#define IAR 0x0c
#define EOIR 0x10
#define RPR 0x14
#define HPPIR 0x18
#define AIAR 0x20
#define AEOIR 0x24
#define AHPPIR 0x28
#define DIR 0x1000

#define IGROUPR 0x080
#define ISENABLER 0x100
#define ICENABLER 0x180
#define ISPENDR 0x200
#define ICPENDR 0x280
#define ISACTIVER 0x300
#define ICACTIVER 0x380
#define IPRIORITYR 0x400
#define ITARGETSR 0x800
#define ICFGR 0xc00
#define SGIR 0xf00
#define CPENDSGIR 0xf10
#define SPENDSGIR 0xf20

#define GROUPS 3u
#define ACK_CTL (1u << 2)
#define FIQ_EN (1u << 3)
#define EOI_MODE (1u << 9)

#define NONE 1023
#define OTHER_GROUP 1022
#define MAINTENANCE 25
#define SPI_A 200u
#define SPI_B 201u

#define LR_PENDING (1u << 28)
#define LR_ACTIVE (2u << 28)
#define LR_GROUP1 (1u << 30)
#define LR_HW (1u << 31)
#define LR_EOI (1u << 19)
#define LR_PRIORITY(p) ((u32)(p) >> 3 << 23)
#define LR(n) (GICH + 0x100 + 4 * (n))

static void dsb(void) { asm volatile("dsb sy" ::: "memory"); }
static u8 read8(u64 address)
{
    u32 value;
    asm volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static void write8(u64 address, u32 value)
{
    asm volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory");
    dsb();
}
static void write(u64 address, u32 value)
{
    write32(address, value);
    dsb();
}
static int get(u32 intid, u64 base) { return read32(GICD + base + intid / 32 * 4) >> intid % 32 & 1; }
static void set(u32 intid, u64 base) { write(GICD + base + intid / 32 * 4, 1u << intid % 32); }
static void group(u32 intid, int one)
{
    const u64 at = GICD + IGROUPR + intid / 32 * 4;
    const u32 old = read32(at), bit = 1u << intid % 32;

    write(at, one ? old | bit : old & ~bit);
}
static void ready(u32 intid, u32 priority)
{
    write8(GICD + IPRIORITYR + intid, priority);
    set(intid, ISENABLER);
}
static u64 signalled(void)
{
    dsb();
    return sysreg_read(isr_el1) & (PSTATE_I | PSTATE_F);
}
static u32 take(void)
{
    dsb();
    const u32 id = read32(GICC + IAR);

    if ((id & 0x3ff) < 1020)
        write(GICC + EOIR, id);
    return id;
}

static void interface_on(void)
{
    write(GICC + CTLR, GROUPS);
    write(GICC + PMR, 0xff);
}

/* What cases use: group 0, inactive, not pending, off, for this CPU. There is no watchdog: it is a GICv3's. */
static void gic_clean(void)
{
    static const u32 used[] = {MAINTENANCE, 27, SPI_A, SPI_B};

    no_watchdog();
    write(GICD + CTLR, GROUPS);
    for (int n = 0; n < 16; n += 4)
        write(GICD + CPENDSGIR + n, ~0u);
    write(GICD + ICACTIVER, 0xffff);
    write(GICD + IGROUPR, 0);
    for (unsigned i = 0; i < sizeof used / sizeof *used; i++) {
        set(used[i], ICENABLER);
        set(used[i], ICPENDR);
        set(used[i], ICACTIVER);
        group(used[i], 0);
        if (used[i] >= 32) {
            const u64 at = GICD + ICFGR + used[i] / 16 * 4;

            write8(GICD + ITARGETSR + used[i], 1u << this_cpu());
            write(at, read32(at) | 2u << used[i] % 16 * 2); /* edge */
        }
    }
    write(GICH + CTLR, 0);
    for (int n = 0; n < 4; n++)
        write(LR(n), 0);
    write(GICH + 0xf0, 0);
    write(GICC + 0xd0, 0);
    write(GICC + 0xe0, 0);
    write(GICC + BPR, 0);
    interface_on();
}

static void take_to(u64 address)
{
    interface_on();
    *(volatile u64 *)address = take();
}
static u64 take_on_second(void)
{
    start_second(take_to, ARENA);
    wait_second();
    return *(volatile u64 *)ARENA;
}

CODE(read_sre, "mrs x0, S3_0_C12_C12_5");
CODE(read_lr, "mrs x0, S3_4_C12_C12_0");

CASE(no_system_registers, "ID_AA64PFR0_EL1.GIC; ICC_SRE_EL1, ICH_LR<n>_EL2 are UNDEFINED without FEAT_GICv3")
{
    gic_clean();
    CHECK(sysreg_read(id_aa64pfr0_el1) >> 24 & 15, 0);
    CHECK_TAKEN(RUN(EL1H, read_sre), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL2H, read_lr), 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(identification, "4.3.2 'GICD_TYPER'; 4.3.17 'ICPIDR2'")
{
    gic_clean();
    CHECK(read32(GICD + 4) >> 5 & 7, second_cpu());
    CHECK(read32(GICD + 0xfe8) >> 4 & 15, 2);
    CHECK(read32(GICC + 0xfc) >> 16 & 15, 2);
}

CASE(target_masks, "4.3.12 'GICD_ITARGETSR<n>'")
{
    NEED_TWO_CPUS();
    gic_clean();
    CHECK(read32(GICD + ITARGETSR), 0x01010101); /* private: the CPU that asks */
    write(GICD + ITARGETSR, 0);
    CHECK(read32(GICD + ITARGETSR + 0x1c), 0x01010101);
    write(GICD + ITARGETSR + SPI_A, 0xff020301);
    CHECK(read32(GICD + ITARGETSR + SPI_A), 0x03020301); /* CPUs that are there */
    write8(GICD + ITARGETSR + SPI_A + 1, 1);
    CHECK(read32(GICD + ITARGETSR + SPI_A), 0x03020101);
    CHECK(read8(GICD + ITARGETSR + SPI_A + 2), 2);
    write(GICD + ITARGETSR + SPI_A, 0x01010101);
}

CASE(life_of_an_spi, "3.2.4 'Interrupt handling state machine'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), PSTATE_I); /* group 0 as IRQ: FIQEn = 0 */
    CHECK(read32(GICC + HPPIR), SPI_A);
    CHECK(read32(GICC + IAR), SPI_A);
    CHECK(read32(GICC + RPR), 0x80);
    CHECK(get(SPI_A, ISACTIVER), 1);
    CHECK(get(SPI_A, ISPENDR), 0);
    set(SPI_A, ISPENDR);
    CHECK(read32(GICC + IAR), NONE); /* active and pending */
    write(GICC + EOIR, SPI_A);
    CHECK(take(), SPI_A);
    CHECK(take(), NONE);
}

CASE(several_targets, "3.2.3 'The 1-N model': one CPU takes it")
{
    NEED_TWO_CPUS();
    gic_clean();
    ready(SPI_A, 0x80);
    write8(GICD + ITARGETSR + SPI_A, 2);
    set(SPI_A, ISPENDR);
    CHECK(take(), NONE);
    CHECK(take_on_second(), SPI_A);
    write8(GICD + ITARGETSR + SPI_A, 3);
    set(SPI_A, ISPENDR);
    CHECK(take(), SPI_A);
    CHECK(take_on_second(), NONE);
}

CASE(sgi_to_itself, "4.3.15 'GICD_SGIR', TargetListFilter = 2; 4.3.5: SGIs are always enabled")
{
    gic_clean();
    CHECK(read32(GICD + ISENABLER) & 0xffff, 0xffff);
    write(GICD + SGIR, 2u << 24 | 5);
    CHECK(read32(GICC + HPPIR), 5u | this_cpu() << 10);
    CHECK(take(), 5u | this_cpu() << 10);
    CHECK(take(), NONE);
}

static void send(u64 value) { write(GICD + SGIR, value); }

CASE(sgi_by_source, "4.3.15 'GICD_SGIR'; 4.4.4 'GICC_IAR', CPUID; 4.3.16 'GICD_SPENDSGIR<n>'")
{
    NEED_TWO_CPUS();
    gic_clean();
    write(GICD + SGIR, 1u << 16 | 3); /* from both to this one */
    start_second(send, 1u << 24 | 3); /* all but itself */
    wait_second();
    CHECK(read32(GICD + SPENDSGIR) >> 24, 3);
    CHECK(get(3, ISPENDR), 1);
    CHECK(take(), 3);
    CHECK(take(), 3 | 1 << 10);
    CHECK(take(), NONE);
    write(GICD + SGIR, 2u << 16 | 4);
    CHECK(take(), NONE);
    CHECK(take_on_second(), 4);
}

CASE(sgi_pending_registers, "4.3.16 'GICD_CPENDSGIR<n>', 'GICD_SPENDSGIR<n>'; GICD_ISPENDR0 is read-only for SGIs")
{
    gic_clean();
    write8(GICD + SPENDSGIR + 6, 1);
    CHECK(read8(GICD + CPENDSGIR + 6), 1);
    CHECK(signalled(), PSTATE_I);
    write(GICD + ICPENDR, 1u << 6);
    CHECK(get(6, ISPENDR), 1);
    write8(GICD + CPENDSGIR + 6, 1);
    CHECK(signalled(), 0);
    write(GICD + ISPENDR, 1u << 6);
    CHECK(get(6, ISPENDR), 0);
}

CASE(active_is_not_signalled, "4.3.9 'GICD_ISACTIVER<n>', 4.3.10 'GICD_ICACTIVER<n>'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    set(SPI_A, ISACTIVER);
    set(SPI_A, ISPENDR);
    CHECK(take(), NONE);
    set(SPI_A, ICACTIVER);
    CHECK(take(), SPI_A);
}

CASE(preemption_and_mask, "3.3.2 'Preemption'; 4.4.2 'GICC_PMR'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x40);
    set(SPI_A, ISPENDR);
    write(GICC + PMR, 0x80);
    CHECK(read32(GICC + IAR), NONE);
    write(GICC + PMR, 0xf0);
    CHECK(read32(GICC + IAR), SPI_A);
    set(SPI_B, ISPENDR);
    CHECK(read32(GICC + IAR), SPI_B);
    CHECK(read32(GICC + RPR), 0x40);
    write(GICC + EOIR, SPI_B);
    CHECK(read32(GICC + RPR), 0x80);
    write(GICC + EOIR, SPI_A);
    CHECK(read32(GICC + RPR), 0xff);
}

CASE(groups, "4.4.1 'GICC_CTLR', AckCtl, FIQEn; 4.4.8 'GICC_AIAR'; 4.4.4: 1022")
{
    gic_clean();
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    write(GICC + CTLR, GROUPS | FIQ_EN);
    CHECK(signalled(), PSTATE_F);
    CHECK(read32(GICC + AIAR), NONE);
    group(SPI_A, 1);
    CHECK(signalled(), PSTATE_I); /* group 1 as IRQ always */
    CHECK(read32(GICC + IAR), OTHER_GROUP);
    CHECK(read32(GICC + HPPIR), OTHER_GROUP);
    CHECK(read32(GICC + AHPPIR), SPI_A);
    CHECK(read32(GICC + AIAR), SPI_A);
    write(GICC + AEOIR, SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 0);
    write(GICC + CTLR, GROUPS | ACK_CTL);
    set(SPI_A, ISPENDR);
    CHECK(take(), SPI_A);
    set(SPI_A, ISPENDR);
    write(GICC + CTLR, 1);
    CHECK(signalled(), 0);
    write(GICC + CTLR, GROUPS);
    write(GICD + CTLR, 1);
    CHECK(signalled(), 0);
    write(GICD + CTLR, GROUPS);
    CHECK(signalled(), PSTATE_I);
    set(SPI_A, ICPENDR);
}

CASE(eoi_mode_1, "4.4.5 'GICC_EOIR'; 4.4.15 'GICC_DIR'")
{
    gic_clean();
    write(GICC + CTLR, GROUPS | EOI_MODE);
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(read32(GICC + IAR), SPI_A);
    write(GICC + EOIR, SPI_A);
    CHECK(read32(GICC + RPR), 0xff);
    CHECK(get(SPI_A, ISACTIVER), 1);
    write(GICC + DIR, SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 0);
}

/* ---- the virtual interface: a guest at EL1, GICV at its own address */

CODE(acknowledge, "ldr w0, [x8, #0xc]\n\tmrs x1, isr_el1\n\tldr w2, [x8, #0x14]");
CODE(look, "ldr w0, [x8, #0x18]\n\tmrs x1, isr_el1\n\tldr w2, [x8, #0x14]");
CODE(end, "str w0, [x8, #0x10]\n\tdsb sy\n\tldr w2, [x8, #0x14]");
#define GUEST (EL1H | PSTATE_DAIF)
static const struct exception *guest(const char *code, u64 x0)
{
    /* x8 has GICV's address: made by the code's first instructions */
    const u64 at = EMIT(0xd2a10088u, /* movz x8, #0x0804, lsl #16 */
                        0xd61f0020u /* br x1 */);

    return RUN(GUEST, at, x0, (u64)code);
}

static void guest_on(void)
{
    gic_clean();
    next.hcr |= HCR_IMO | HCR_FMO;
    write(GICH + 0x08, 0x1fu << 27 | GROUPS | ACK_CTL);
    write(GICH + CTLR, 1);
}

CASE(list_register_life, "5.3.8 'GICH_LR<n>'; 5.2.2 'Virtual interrupt handling'")
{
    guest_on();
    write(LR(0), LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A);
    const struct exception *e = guest(look, 0);
    CHECK_RETURNED(e);
    CHECK(e->x[0], SPI_A);
    CHECK(e->x[1], PSTATE_I);
    e = guest(acknowledge, 0);
    CHECK(e->x[0], SPI_A);
    CHECK(e->x[1], 0);
    CHECK(e->x[2], 0x80);
    CHECK(read32(LR(0)), LR_ACTIVE | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A);
    CHECK(read32(GICH + 0xf0), 1u << 16);
    e = guest(end, SPI_A);
    CHECK(e->x[2], 0xff);
    CHECK(read32(LR(0)) >> 28 & 3, 0);
    CHECK(read32(GICH + 0xf0), 0);
    CHECK(read32(GICH + 0x30) & 15, 15);
}

CASE(virtual_sgi, "5.3.8 'GICH_LR<n>', CPUID: GICV_IAR tells the source")
{
    guest_on();
    write(LR(0), LR_PENDING | LR_PRIORITY(0x80) | 5u << 10 | 3);
    CHECK(guest(acknowledge, 0)->x[0], 5u << 10 | 3);
    guest(end, 5u << 10 | 3);
    CHECK(read32(LR(0)) >> 28 & 3, 0);
}

CASE(hardware_interrupts, "5.3.8 'GICH_LR<n>', HW")
{
    guest_on();
    write(GICC + CTLR, GROUPS | EOI_MODE); /* as a hypervisor does: taken, dropped, and for the guest to end */
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(take(), SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 1);
    write(LR(0), LR_HW | LR_PENDING | LR_PRIORITY(0x80) | SPI_A << 10 | 77);
    CHECK(guest(acknowledge, 0)->x[0], 77);
    CHECK(get(SPI_A, ISACTIVER), 1);
    guest(end, 77);
    CHECK(get(SPI_A, ISACTIVER), 0);
}

CASE(virtual_groups, "5.3.4 'GICH_VMCR', VMFIQEn, VMAckCtl")
{
    guest_on();
    write(GICH + 0x08, 0x1fu << 27 | GROUPS | FIQ_EN);
    write(LR(0), LR_PENDING | LR_PRIORITY(0x80) | SPI_A);
    CHECK(guest(look, 0)->x[1], PSTATE_F);
    write(LR(0), LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | SPI_A);
    const struct exception *e = guest(acknowledge, 0);
    CHECK(e->x[1], PSTATE_I);
    CHECK(e->x[0], OTHER_GROUP);
}

CASE(maintenance_causes, "5.3.5 'GICH_MISR'; 5.3.2 'GICH_HCR'")
{
    guest_on();
    set(MAINTENANCE, ISENABLER);
    CHECK(signalled(), 0);
    write(GICH + CTLR, 1 | 1u << 1); /* UIE */
    CHECK(read32(GICH + 0x10), 1u << 1);
    CHECK(signalled(), PSTATE_I);
    write(LR(0), LR_ACTIVE | SPI_A);
    write(LR(1), LR_ACTIVE | SPI_B);
    CHECK(signalled(), 0);
    write(GICH + CTLR, 1 | 1u << 3); /* NPIE */
    CHECK(read32(GICH + 0x10), 1u << 3);
    write(LR(1), LR_EOI | SPI_B);
    CHECK(read32(GICH + 0x20), 2);
    CHECK(read32(GICH + 0x10), 1u << 3 | 1);
    write(LR(0), 0);
    write(LR(1), 0);
    write(GICH + 0xf0, 1u << 16);
    write(GICH + CTLR, 1 | 1u << 2); /* LRENPIE */
    guest(end, SPI_A); /* in no list register */
    CHECK(read32(GICH + CTLR) >> 27, 1);
    CHECK(read32(GICH + 0x10), 1u << 2);
    write(GICH + CTLR, 0);
}
