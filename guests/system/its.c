/*
 * its: LPIs and the Interrupt Translation Service (IHI 0069, chapter 5 and 12.18): tables and commands in memory, LPIs at the CPU
 * interface of each CPU and, by a list register, at the virtual one.
 */
#include "common/system.h"

#define GICD 0x08000000ul
#define GITS 0x08080000ul
#define GICR(cpu) (0x080a0000ul + 0x20000ul * (cpu))

/* Tables of the running case, 64 KiB each; a queue of 4 KiB. */
#define AREA(n) (ARENA + 0x100000ul + 0x10000ul * (n))
#define QUEUE AREA(0)
#define DEVICES AREA(1)
#define COLLECTIONS AREA(2)
#define CONFIG AREA(3)
#define PENDING(cpu) AREA(4 + (cpu))
#define ITT AREA(6)
#define LEVEL2 AREA(7)

#define VALID (1ul << 63)
#define ENABLED 1u
#define NONE 1023
#define LPI 8192ul

static u64 written; /* GITS_CWRITER */

static void dsb(void) { asm volatile("dsb sy" ::: "memory"); }

static u64 read64(u64 address)
{
    u64 value;

    asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static int have_its(void) { return read32(GICD + 4) >> 17 & 1; }
#define NEED_ITS()                                                                                                     \
    do {                                                                                                               \
        if (!have_its()) {                                                                                             \
            skip("no LPIs");                                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* The physical CPU interface of the CPU that calls: group 1, all priorities. */
static void interface_on(void)
{
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen1_el1, 1);
}

static void configure(u64 intid, u8 value)
{
    *(volatile u8 *)(CONFIG + intid - LPI) = value;
    dsb();
}

static void clear(u64 from, u64 bytes)
{
    for (u64 at = from; at < from + bytes; at += 8)
        *(volatile u64 *)at = 0;
}

static void lpis_on(u64 cpu, u64 pendbaser)
{
    write64(GICR(cpu) + 0x70, CONFIG | 15);
    write64(GICR(cpu) + 0x78, pendbaser);
    dsb();
    write32(GICR(cpu), ENABLED);
    dsb();
}

static void lpis_off(void)
{
    for (u64 cpu = 0; cpu < 2; cpu++)
        write32(GICR(cpu), 0);
    write32(GITS, 0);
    dsb();
}

/* One command; done when CREADR has followed. */
static void command(u64 a, u64 b, u64 c, u64 d)
{
    volatile u64 *at = (volatile u64 *)(QUEUE + written);

    at[0] = a;
    at[1] = b;
    at[2] = c;
    at[3] = d;
    dsb();
    written = (written + 32) & 0xfff;
    write64(GITS + 0x88, written);
    for (int i = 0; i < 100000 && read64(GITS + 0x90) != written; i++)
        ;
    if (read64(GITS + 0x90) != written)
        give_up("the command queue does not move");
}

static void mapd(u64 device, u64 itt, u64 bits) { command(8 | device << 32, bits - 1, itt | VALID, 0); }
static void mapti(u64 device, u64 event, u64 intid, u64 icid) { command(10 | device << 32, event | intid << 32, icid, 0); }
static void movi(u64 device, u64 event, u64 icid) { command(1 | device << 32, event, icid, 0); }
static void on_event(u64 code, u64 device, u64 event) { command(code | device << 32, event, 0, 0); }
static void sync(u64 target) { command(5, 0, target, 0); }
static void invall(u64 icid) { command(13, 0, icid, 0); }
#define INT 3
#define CLEAR 4
#define INV 12
#define DISCARD 15

/* RDbase of a CPU, as GITS_TYPER.PTA says: the frame's address or its number, from bit 16. */
static u64 target(u64 cpu)
{
    if (read64(GITS + 8) >> 19 & 1)
        return GICR(cpu);
    return (read64(GICR(cpu) + 8) >> 8 & 0xffff) << 16;
}

static void mapc(u64 icid, u64 cpu) { command(9, 0, icid | target(cpu) | VALID, 0); }

/* All on: LPIs with priority 0xa0, flat tables of 64 KiB, device 2 with 5 bits of EventID, collections 0 and 1 at CPUs 0 and 1. */
static void its_on(u64 device_table_bits)
{
    written = 0;
    for (u64 at = AREA(0); at < AREA(9); at += 0x10000)
        clear(at, 0x10000);
    lpis_off();
    write32(GICD, 2);
    interface_on();
    for (u64 n = 0; n < 64; n++)
        configure(LPI + n, 0xa0 | ENABLED);
    lpis_on(0, PENDING(0));
    if (second_cpu())
        lpis_on(1, PENDING(1));
    for (u64 n = 0; n < 8; n++) {
        const u64 baser = GITS + 0x100 + 8 * n, type = read64(baser) >> 56 & 7;

        if (type == 1)
            write64(baser, DEVICES | 0x200 | device_table_bits | VALID);
        else if (type == 4)
            write64(baser, COLLECTIONS | 0x200 | VALID);
    }
    write64(GITS + 0x80, QUEUE | VALID);
    write64(GITS + 0x88, 0);
    write32(GITS, ENABLED);
    mapc(0, 0);
    if (second_cpu())
        mapc(1, 1);
}

static void its_ready(void)
{
    its_on(0);
    mapd(2, ITT, 5);
}

/* Acknowledge and end what this CPU is signalled. */
static u64 take(void)
{
    dsb();
    const u64 intid = sysreg_read(icc_iar1_el1);

    if (intid != NONE)
        sysreg_write(icc_eoir1_el1, intid);
    return intid;
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

CASE(identification, "12.18 'GITS_TYPER', 'GITS_BASER<n>', 'GITS_CTLR', 'GITS_PIDR2'; 12.9.38 'GICD_TYPER'; 12.11 'GICR_TYPER'")
{
    NEED_ITS();
    int devices = 0, collections = 0;
    const u64 typer = read64(GITS + 8);

    lpis_off();
    CHECK_MASKED(typer, 1, 1); /* Physical */
    CHECK((typer >> 8 & 31) + 1 >= 14, 1);
    CHECK_MASKED(read32(GITS + 0xffe8) >> 4, 15, 3);
    CHECK_MASKED(read64(GICR(0) + 8), 1, 1); /* PLPIS */
    CHECK_MASKED(read32(GITS), 1ul << 31 | 1, 1ul << 31); /* Quiescent while disabled */
    for (u64 n = 0; n < 8; n++) {
        const u64 baser = GITS + 0x100 + 8 * n, type = read64(baser) >> 56 & 7;

        write64(baser, 0);
        devices += type == 1;
        collections += type == 4;
        if (type) {
            write64(baser, ~0ul);
            CHECK(read64(baser) >> 56 & 7, type);
            CHECK(read64(baser) >> 63, 1);
            write64(baser, 0);
        } else {
            CHECK(read64(baser), 0);
        }
    }
    CHECK(devices, 1);
    CHECK(collections, 1);
    write64(GITS + 0x80, QUEUE | VALID | 3);
    CHECK_MASKED(read64(GITS + 0x80), 0x800ffffffffff0fful, QUEUE | VALID | 3);
    CHECK(read64(GITS + 0x90), 0); /* a write of GITS_CBASER clears GITS_CREADR */
}

CASE(int_becomes_an_lpi, "5.3.5 'INT'; 5.1 'LPIs'")
{
    NEED_ITS();
    its_ready();
    mapti(2, 20, LPI + 3, 0);
    CHECK(take(), NONE);
    on_event(INT, 2, 20);
    sync(target(0));
    CHECK(sysreg_read(icc_hppir1_el1), LPI + 3);
    CHECK(sysreg_read(isr_el1), PSTATE_I);
    CHECK(take(), LPI + 3);
    CHECK(take(), NONE);
    lpis_off();
}

CASE(no_active_state, "5.1 'LPIs': pending and inactive are the only states")
{
    NEED_ITS();
    its_ready();
    mapti(2, 1, LPI + 1, 0);
    on_event(INT, 2, 1);
    CHECK(sysreg_read(icc_iar1_el1), LPI + 1);
    CHECK(sysreg_read(icc_rpr_el1), 0xa0);
    on_event(INT, 2, 1);
    CHECK(sysreg_read(icc_hppir1_el1), LPI + 1); /* pending again, while its priority is still active */
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    sysreg_write(icc_eoir1_el1, LPI + 1);
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
    CHECK(take(), LPI + 1);
    lpis_off();
}

CASE(collections_are_cpus, "5.3.8 'MAPC'; 5.3.10 'MAPTI'")
{
    NEED_ITS();
    NEED_TWO_CPUS();
    its_ready();
    mapti(2, 20, LPI + 3, 1);
    mapti(2, 21, LPI + 4, 0);
    on_event(INT, 2, 20);
    CHECK(take(), NONE);
    CHECK(take_on_second(), LPI + 3);
    on_event(INT, 2, 21);
    CHECK(take_on_second(), NONE);
    CHECK(take(), LPI + 4);
    lpis_off();
}

CASE(disabled_stays_pending, "5.1.1 'LPI Configuration tables': cached until INV or INVALL; 5.3.6 'INV', 5.3.7 'INVALL'")
{
    NEED_ITS();
    its_ready();
    mapti(2, 20, LPI + 3, 0);
    configure(LPI + 3, 0xa0);
    on_event(INV, 2, 20);
    on_event(INT, 2, 20);
    CHECK(take(), NONE);
    configure(LPI + 3, 0xa0 | ENABLED);
    invall(0);
    sync(target(0));
    CHECK(take(), LPI + 3);
    on_event(INT, 2, 20);
    CHECK(take(), LPI + 3);
    configure(LPI + 3, 0xa0);
    on_event(INV, 2, 20);
    on_event(INT, 2, 20);
    CHECK(take(), NONE);
    configure(LPI + 3, 0x50 | ENABLED);
    on_event(INV, 2, 20);
    CHECK(sysreg_read(icc_iar1_el1), LPI + 3);
    CHECK(sysreg_read(icc_rpr_el1), 0x50);
    sysreg_write(icc_eoir1_el1, LPI + 3);
    lpis_off();
}

CASE(priorities, "4.8 'Interrupt prioritization'; 5.1.1: bits 7:2 of the configuration are the priority")
{
    NEED_ITS();
    its_ready();
    mapti(2, 0, LPI, 0);
    mapti(2, 1, LPI + 1, 0);
    mapti(2, 2, LPI + 2, 0);
    configure(LPI, 0xc0 | ENABLED);
    configure(LPI + 2, 0x40 | ENABLED);
    invall(0);
    sysreg_write(icc_pmr_el1, 0xb0);
    on_event(INT, 2, 0);
    CHECK(take(), NONE); /* masked */
    on_event(INT, 2, 1);
    CHECK(sysreg_read(icc_iar1_el1), LPI + 1);
    on_event(INT, 2, 2);
    CHECK(sysreg_read(icc_iar1_el1), LPI + 2); /* preempts */
    CHECK(sysreg_read(icc_rpr_el1), 0x40);
    sysreg_write(icc_eoir1_el1, LPI + 2);
    CHECK(sysreg_read(icc_rpr_el1), 0xa0);
    sysreg_write(icc_eoir1_el1, LPI + 1);
    sysreg_write(icc_pmr_el1, 0xff);
    write32(GICD, 1); /* group 1 is not forwarded */
    CHECK(take(), NONE);
    write32(GICD, 2);
    CHECK(take(), LPI);
    lpis_off();
}

CASE(clear_and_discard, "5.3.3 'CLEAR'; 5.3.4 'DISCARD'")
{
    NEED_ITS();
    its_ready();
    mapti(2, 7, LPI + 7, 0);
    on_event(INT, 2, 7);
    on_event(CLEAR, 2, 7);
    CHECK(take(), NONE);
    on_event(INT, 2, 7);
    on_event(DISCARD, 2, 7);
    CHECK(take(), NONE);
    on_event(INT, 2, 7); /* not mapped: ignored */
    CHECK(take(), NONE);
    mapti(2, 7, LPI + 8, 0);
    on_event(INT, 2, 7);
    CHECK(take(), LPI + 8);
    lpis_off();
}

CASE(movi_takes_what_is_pending_along, "5.3.12 'MOVI'; 5.3.11 'MOVALL'")
{
    NEED_ITS();
    NEED_TWO_CPUS();
    its_ready();
    mapti(2, 7, LPI + 7, 0);
    on_event(INT, 2, 7);
    movi(2, 7, 1);
    CHECK(take(), NONE);
    CHECK(take_on_second(), LPI + 7);
    on_event(INT, 2, 7);
    CHECK(take(), NONE);
    command(14, 0, target(1), target(0)); /* MOVALL */
    CHECK(take_on_second(), NONE);
    CHECK(take(), LPI + 7);
    on_event(INT, 2, 7); /* the collection is where it was */
    CHECK(take_on_second(), LPI + 7);
    lpis_off();
}

CASE(mapi, "5.3.9 'MAPI': the INTID is the EventID")
{
    NEED_ITS();
    its_on(0);
    clear(ITT, 0x10000);
    mapd(3, LEVEL2, 14); /* 16384 events of at most 16 bytes: two areas */
    command(11 | 3ul << 32, LPI + 9, 0, 0);
    on_event(INT, 3, LPI + 9);
    CHECK(take(), LPI + 9);
    lpis_off();
}

CASE(unmapped_devices, "5.3.8 'MAPD' with V = 0; 5.3.2: a command in error")
{
    NEED_ITS();
    its_ready();
    mapti(2, 7, LPI + 7, 0);
    command(8 | 2ul << 32, 0, 0, 0);
    on_event(INT, 2, 7);
    CHECK(take(), NONE);
    mapti(2, 7, LPI + 7, 0); /* no device: nothing is mapped */
    on_event(INT, 2, 7);
    CHECK(take(), NONE);
    mapd(2, ITT, 5);
    mapti(2, 31, LPI + 7, 0);
    mapti(2, 32, LPI + 8, 0); /* out of range */
    on_event(INT, 2, 32);
    CHECK(take(), NONE);
    on_event(INT, 2, 31);
    CHECK(take(), LPI + 7);
    lpis_off();
}

CASE(two_level_device_table, "5.2.1 'Two level tables'; 12.18 'GITS_BASER<n>', Indirect")
{
    NEED_ITS();
    its_on(1ul << 62);
    if (!(read64(GITS + 0x100) >> 62 & 1) && !(read64(GITS + 0x108) >> 62 & 1)) {
        lpis_off();
        skip("flat tables only");
        return;
    }
    *(volatile u64 *)DEVICES = LEVEL2 | VALID; /* devices 0 to (64 KiB / entry size) - 1 */
    dsb();
    mapd(5, ITT, 5);
    mapti(5, 1, LPI + 2, 0);
    on_event(INT, 5, 1);
    CHECK(take(), LPI + 2);
    mapd(20000, ITT + 0x1000, 5); /* its second level is not there */
    mapti(20000, 1, LPI + 3, 0);
    on_event(INT, 20000, 1);
    CHECK(take(), NONE);
    lpis_off();
}

CASE(the_translater, "12.18 'GITS_TRANSLATER': a write is an event of the device that writes; a PE's DeviceID is 0 here")
{
    NEED_ITS();
    its_on(0);
    mapd(0, ITT, 5);
    mapti(0, 9, LPI + 9, 0);
    write32(GITS + 0x10040, 9);
    CHECK(take(), LPI + 9);
    write32(GITS + 0x10040, 10); /* not mapped */
    CHECK(take(), NONE);
    write32(GITS, 0);
    write32(GITS + 0x10040, 9);
    CHECK(take(), NONE);
    lpis_off();
}

CASE(the_pending_table, "5.1.2 'LPI Pending tables'; 12.11 'GICR_PENDBASER'")
{
    NEED_ITS();
    its_ready();
    write32(GICR(0), 0);
    *(volatile u8 *)(PENDING(0) + (LPI + 5) / 8) = 1 << 5;
    lpis_on(0, PENDING(0));
    CHECK(take(), LPI + 5);
    CHECK(take(), NONE);
    CHECK(read64(GICR(0) + 0x78) >> 62 & 1, 0); /* PTZ is write-only */
    lpis_off();
}

CASE(lpis_off_lose_nothing_but_lpis, "12.11 'GICR_CTLR', EnableLPIs = 0: no LPIs")
{
    NEED_ITS();
    its_ready();
    mapti(2, 7, LPI + 7, 0);
    write32(GICR(0), 0);
    on_event(INT, 2, 7);
    CHECK(take(), NONE);
    lpis_on(0, PENDING(0));
    on_event(INT, 2, 7);
    CHECK(take(), LPI + 7);
    lpis_off();
}

CASE(the_queue_wraps, "12.18 'GITS_CWRITER', 'GITS_CREADR'; 5.3.2 'The ITS command queue'")
{
    NEED_ITS();
    its_ready();
    mapti(2, 7, LPI + 7, 0);
    for (int i = 0; i < 300; i++) { /* the queue holds 128 */
        on_event(INT, 2, 7);
        if (!CHECK(take(), LPI + 7))
            break;
    }
    lpis_off();
}

CODE(acknowledge, "mrs x0, icc_iar1_el1");
CODE(end, "msr icc_eoir1_el1, x0");

CASE(virtual_lpi, "6.2 'Operation overview': a vINTID of 8192 and more has no active state; 12.4.9 'ICH_LR<n>_EL2'")
{
    NEED_ITS();
    no_watchdog();
    next.hcr |= HCR_IMO;
    sysreg_write(S3_4_C12_C11_7, 0xffu << 24 | 2); /* ICH_VMCR_EL2: VPMR, VENG1 */
    sysreg_write(S3_4_C12_C12_0, 1ul << 62 | 1ul << 60 | 0x80ul << 48 | (LPI + 5));
    sysreg_write(S3_4_C12_C11_0, 1);
    const struct exception *e = RUN(EL1H | PSTATE_DAIF, acknowledge);
    CHECK_RETURNED(e);
    CHECK(e->x[0], LPI + 5);
    CHECK(sysreg_read(S3_4_C12_C12_0) >> 62, 0); /* inactive at once */
    CHECK(sysreg_read(S3_4_C12_C9_0), 1ul << (0x80 >> 3)); /* ICH_AP1R0_EL2: its priority is active */
    CHECK_RETURNED(RUN(EL1H | PSTATE_DAIF, end, LPI + 5));
    CHECK(sysreg_read(S3_4_C12_C9_0), 0);
    CHECK(sysreg_read(S3_4_C12_C11_0) >> 27, 0); /* EOIcount does not count LPIs */
}
