/*
 * exit_zoo: each common cause of a VM exit once, in a known order, then what must *not* exit. It proves the division of
 * labour between a guest and its hypervisor: the former's own affairs stay with it, and nothing else does.
 *
 * The causes are functions in causes.S, named zoo_*. For each there is a line: what will happen is printed before it
 * happens, what came of it after. What came of it is the function's result, or the exception that the guest's own handler
 * saw; the handler skips the instruction. The guest cannot tell an exception of its own from an injected one, and need not.
 *
 * The MMU is on (mmu.h), so each address has both stages to go through.
 */
#include "exception.h"
#include "gic.h"
#include "mmu.h"
#include "types.h"
#include "uart.h"

#define FRESH_TABLE 0x42600000ul   /* level 2 table, never touched but by the walker */
#define BEHIND_FRESH_TABLE_ENTRY 3 /* VA 0xc0000000 */

#define USER_ALIAS_ENTRY 5         /* VA 0x140000000 */
#define DESC_USER (1ul << 6)       /* AP: EL0 may, too */

#define CNTKCTL_EVENT_STREAM (1ul << 2 | 9ul << 4) /* EVNTEN, EVNTI: an event every 1024 ticks */
#define CNTV_CTL_DISABLED 0

typedef u64 zoo_cause(void);

/* In this order: the function zoo_<name>, and what the line says. */
#define ZOO(animal)                                                                                                    \
    animal(hvc_psci, "HVC #0, PSCI_VERSION")                                                                           \
    animal(hvc_unknown, "HVC #0x2a, a call that nobody knows")                                                         \
    animal(smc, "SMC #0, PSCI_VERSION")                                                                                \
    animal(wfi, "WFI until the virtual timer")                                                                         \
    animal(wfe, "WFE")                                                                                                 \
    animal(id_read, "MRS ID_AA64PFR0_EL1")                                                                             \
    animal(actlr_write, "MSR ACTLR_EL1")                                                                               \
    animal(set_way, "DC CISW")                                                                                         \
    animal(impdef_read, "MRS of an implementation defined register")                                                   \
    animal(debug_write, "MSR MDSCR_EL1")                                                                               \
    animal(os_lock_write, "MSR OSLAR_EL1")                                                                             \
    animal(pmu_write, "MSR PMCNTENCLR_EL0, if there is a PMU")                                                         \
    animal(physical_timer_read, "MRS CNTP_CTL_EL0")                                                                    \
    animal(fp, "FMOV, the first use of FP")                                                                            \
    animal(mmio_read, "device reads of 1, 2, 4 bytes")                                                                 \
    animal(mmio_read_64, "device read of 8 bytes")                                                                     \
    animal(mmio_read_signed, "device read, sign-extended")                                                             \
    animal(mmio_write, "device writes and a read back")                                                                \
    animal(mmio_no_syndrome, "device read with write-back")                                                            \
    animal(nothing_there, "load where there is nothing")                                                               \
    animal(fresh_load, "load from fresh RAM")                                                                          \
    animal(fresh_store, "STP to fresh RAM")                                                                            \
    animal(fresh_fetch, "jump to fresh RAM")                                                                           \
    animal(fresh_table, "load through a fresh stage 1 table")                                                          \
    animal(sgi, "ICC_SGI1R_EL1, an SGI to itself")                                                                     \
    animal(timer_interrupt, "the virtual timer interrupts a loop")                                                     \
    animal(own_event, "own: SEVL, WFE")                                                                                \
    animal(own_svc, "own: SVC #7")                                                                                     \
    animal(own_user_svc, "own: SVC #8 at EL0")                                                                         \
    animal(own_brk, "own: BRK #0x2a")                                                                                  \
    animal(own_undefined, "own: UDF")                                                                                  \
    animal(own_stage1_fault, "own: load from an unmapped VA")

#define DECLARE(name, text) zoo_cause zoo_##name;
#define ROW(name, text) {text, zoo_##name},
ZOO(DECLARE)
static const struct {
    const char *text;
    zoo_cause *cause;
} zoo[] = {ZOO(ROW)};

/* Addresses in causes.S: a place without code yet, and where to go on after user mode. */
extern const char zoo_fresh_code[], zoo_user_is_back[];
volatile u32 last_intid; /* causes.S waits for it */

static const char *outcome;
static struct {
    u32 undefined, svc, brk, aborts, interrupts;
} seen;

void el1_irq(struct frame *frame)
{
    const u32 intid = gic_acknowledge();

    if (intid == INTID_NONE)
        return;
    if (intid == INTID_VIRTUAL_TIMER)
        sysreg_write(cntv_ctl_el0, CNTV_CTL_DISABLED);
    else if (intid != 1)
        unexpected(frame);
    seen.interrupts++;
    last_intid = intid;
    gic_end(intid);
}

static const char *abort_name(u64 esr)
{
    switch (esr_fault_status(esr)) {
    case 0x04 ... 0x07:
        return "a stage 1 translation fault";
    case FAULT_EXTERNAL_ABORT:
        return "an external abort";
    default:
        return "another abort";
    }
}

void el1_sync(struct frame *frame)
{
    switch (esr_class(frame->esr)) {
    case EC_SVC: /* ELR is already behind it */
        seen.svc++;
        outcome = "a system call";
        return;
    case EC_BRK:
        seen.brk++;
        outcome = "a breakpoint instruction";
        break;
    case EC_UNKNOWN:
        seen.undefined++;
        outcome = "an undefined instruction";
        break;
    case EC_DATA_ABORT:
    case EC_INSTRUCTION_ABORT:
        seen.aborts++;
        outcome = abort_name(frame->esr);
        break;
    default:
        unexpected(frame);
    }
    if (frame->elr == (u64)zoo_fresh_code) /* nothing to go on with there: go back to the caller */
        frame->elr = frame->x[30];
    else
        frame->elr += 4;
}

/* The user program of zoo_own_user_svc is one system call long. */
void el0_sync(struct frame *frame)
{
    if (esr_class(frame->esr) != EC_SVC)
        unexpected(frame);
    seen.svc++;
    outcome = "a system call";
    frame->elr = (u64)zoo_user_is_back;
    frame->spsr = SPSR_EL1H;
}

static void show(unsigned number, const char *text, zoo_cause *cause)
{
    u64 result;

    uart_puts(number < 10 ? "zoo  " : "zoo ");
    uart_decimal(number);
    uart_puts(" ");
    uart_puts(text);
    outcome = 0;
    last_intid = 0;
    result = cause();
    uart_puts(" -> ");
    if (outcome)
        uart_puts(outcome);
    else
        uart_hex(result);
    uart_puts("\n");
}

static void count(const char *text, u32 n)
{
    uart_puts(text);
    uart_decimal(n);
}

int main(void)
{
    unsigned i;

    mmu_build_table();
    stage1_table[BEHIND_FRESH_TABLE_ENTRY] = FRESH_TABLE | DESC_TABLE;
    stage1_table[USER_ALIAS_ENTRY] = stage1_table[1] | DESC_USER;
    mmu_on();
    gic_init_distributor();
    gic_init_vcpu(0);
    gic_enable_private(0, 1);
    gic_enable_private(0, INTID_VIRTUAL_TIMER);
    sysreg_write(cntkctl_el1, CNTKCTL_EVENT_STREAM);
    irq_enable();

    for (i = 0; i < sizeof(zoo) / sizeof(zoo[0]); i++)
        show(i + 1, zoo[i].text, zoo[i].cause);
    count("zoo: handled at EL1: svc ", seen.svc);
    count(", brk ", seen.brk);
    count(", undefined ", seen.undefined);
    count(", aborts ", seen.aborts);
    count(", interrupts ", seen.interrupts);
    uart_puts("\nzoo ok\n");
    return 0;
}
