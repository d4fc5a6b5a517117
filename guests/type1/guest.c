/*
 * The two guests: kernels of a few functions. They print what came out, never how long it took, and take turns at the console
 * by ringing each other's bell: so they say the same on every board, with one CPU or two.
 *
 * own_...() is what a guest does alone; exit_...() is what the hypervisor must do for it. guest.S is before and around it.
 */
#include "type1.h"

/* What has been handled. Each VM has its own: the variables are in its RAM. */
static volatile u32 undefined, faults, external_aborts;
static volatile u64 fault_address;
static volatile u32 interrupts[2][64]; /* by vCPU and INTID */

/* Wait for so many of an interrupt. WFI ends at a masked one too: so none is lost between test and WFI. */
static void wait_for(u32 intid, u32 count)
{
    asm volatile("msr daifset, #2");
    while (interrupts[this_cpu()][intid] < count)
        asm volatile("wfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" ::: "memory");
    asm volatile("msr daifclr, #2");
}

/* ---- The UART's driver: it sends a line, and waits until the UART says by interrupt that it can take more. */

static void uart_put(char c)
{
    static u32 lines;

    lines += c == '\n';
    write32(IPA_UART + UARTDR, (u8)c);
    if (c == '\n')
        wait_for(INTID_UART, lines);
}

static void uart_number(u64 value, u64 base)
{
    if (value >= base)
        uart_number(value / base, base);
    uart_put("0123456789abcdef"[value % base]);
}

/* A line; %d or %x stands for `value`. */
static void say(const char *line, u64 value)
{
    for (; *line; line++) {
        if (*line == '%')
            uart_number(value, *++line == 'd' ? 10 : 16);
        else
            uart_put(*line);
    }
    uart_put('\n');
}

/* ---- The handlers of EL1, called by guest.S. */

void guest_failed(struct registers *r)
{
    say("an exception that it does not expect, at 0x%x", r->pc);
    SMCCC("hvc", PSCI_SYSTEM_OFF, 0, 0, 0);
}

void guest_synchronous(struct registers *r)
{
    const u64 esr = sysreg_read(esr_el1);

    switch (ESR_EC(esr)) {
    case EC_SVC: /* ELR_EL1 is behind it */
        if (esr & 0xffff) { /* its immediate */
            r->x[0] += r->x[1];
        } else {
            r->pc = r->x[30];
            r->pstate = PSTATE_EL1H;
        }
        return;
    case EC_UNKNOWN:
        undefined++;
        break;
    case EC_DABT:
        fault_address = sysreg_read(far_el1);
        if (FSC_TRANSLATION(ISS_FSC(esr)))
            faults++;
        else
            external_aborts++;
        break;
    default:
        guest_failed(r);
    }
    r->pc += 4; /* skip it */
}

void guest_interrupt(void)
{
    const u32 intid = sysreg_read(icc_iar1_el1);

    if (intid == INTID_VIRTUAL_TIMER)
        sysreg_write(cntv_ctl_el0, 0);
    else if (intid == INTID_UART)
        write32(IPA_UART + UARTICR, UART_INT_TX);
    interrupts[this_cpu()][intid]++;
    sysreg_write(icc_eoir1_el1, intid);
}

/* ---- What a guest does alone. */

static void own_system_call(void)
{
    u64 user_add(u64 a, u64 b); /* guest.S */

    say("own: EL0 asks EL1 by SVC: 20 + 22 = %d", user_add(20, 22));
}

static void own_undefined(void)
{
    asm volatile("udf #0" ::: "memory");
    say("own: undefined instructions: %d", undefined);
}

static void own_fault(void)
{
    read32(0x40001234);
    say("own: a fault of stage 1 at 0x%x", fault_address);
}

static void timer_in_200_microseconds(void)
{
    sysreg_write(cntv_tval_el0, sysreg_read(cntfrq_el0) / 5000);
    sysreg_write(cntv_ctl_el0, TIMER_ENABLE);
}

static void own_timer(void)
{
    timer_in_200_microseconds();
    while (interrupts[0][INTID_VIRTUAL_TIMER] < 1)
        ;
    say("own: the timer interrupts a loop: %d", interrupts[0][INTID_VIRTUAL_TIMER]);
}

/* ---- What exits. */

static void exit_hypercall(void) { say("exit: HVC: PSCI has version 0.%d", SMCCC("hvc", PSCI_VERSION, 0, 0, 0)); }
static void exit_id_register(void) { say("exit: MRS: ID_AA64PFR0_EL1 is 0x%x", sysreg_read(id_aa64pfr0_el1)); }

static void exit_wait(void)
{
    timer_in_200_microseconds();
    wait_for(INTID_VIRTUAL_TIMER, 2);
    say("exit: WFI until the timer: %d", interrupts[0][INTID_VIRTUAL_TIMER]);
}

static void exit_memory(void)
{
    static volatile u64 heap[8][512] __attribute__((aligned(4096)));
    u64 sum = 0;

    for (int i = 0; i < 8; i++)
        sum += heap[i][i]; /* it is there, and zero */
    say("exit: memory on demand: 8 pages of %d", sum);
}

static void exit_wrong_store(void)
{
    write32(0x0b000000, 1);
    say("exit: nobody answers at 0x%x", fault_address);
}

static void exit_store_to_program(void)
{
    write32(IPA_IMAGE, 1);
    say("exit: nor to a store to the program: external aborts: %d", external_aborts);
}

static void alpha(void)
{
    say("hello from EL%d", sysreg_read(CurrentEL) >> 2);
    own_system_call();
    own_undefined();
    own_fault();
    own_timer();
    exit_hypercall();
    exit_id_register();
    exit_wait();
    exit_memory();
    exit_wrong_store();
    exit_store_to_program();
    SMCCC("hvc", RING, 0, 0, 0);
    wait_for(INTID_BELL, 1);
    say("beta is through", 0);
}

/* ---- The guest with two vCPUs. */

#define COUNTS 100000u
#define ROUNDS 3u

static u32 counter_lock;
static volatile u32 counter;

static void count(void)
{
    for (u32 i = 0; i < COUNTS; i++) {
        while (__atomic_exchange_n(&counter_lock, 1, __ATOMIC_ACQUIRE))
            asm volatile("yield");
        counter = counter + 1;
        __atomic_store_n(&counter_lock, 0, __ATOMIC_RELEASE);
    }
}

static void send_sgi(u64 to)
{
    sysreg_write(icc_sgi1r_el1, (u64)INTID_SGI << 24 | 1ul << to); /* INTID; TargetList */
}

static void beta(void)
{
    extern const char guest_start[];
    const u64 error = SMCCC("hvc", PSCI_CPU_ON, 1, (u64)guest_start, 1);

    count();
    while (counter < 2 * COUNTS) /* no WFI: the other vCPU gets a CPU nevertheless */
        ;
    for (u32 n = 1; n <= ROUNDS; n++) {
        send_sgi(1);
        wait_for(INTID_SGI, n);
    }
    wait_for(INTID_BELL, 1); /* alpha has the console until then */
    say("hello; CPU_ON gives %d", error);
    say("two vCPUs have counted to %d", counter);
    say("interrupts from one to the other and back: %d", interrupts[0][INTID_SGI]);
    SMCCC("hvc", RING, 0, 0, 0);
}

static void beta_second(void)
{
    count();
    for (u32 n = 1; n <= ROUNDS; n++) {
        wait_for(INTID_SGI, n);
        send_sgi(0);
    }
    for (;;)
        asm volatile("wfi");
}

void guest_main(u64 guest, u64 vcpu)
{
    sysreg_write(icc_sre_el1, 1);     /* the virtual CPU interface, by system registers */
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen1_el1, 1);
    asm volatile("msr daifclr, #2");
    if (vcpu == 0)
        write32(IPA_UART + UARTIMSC, UART_INT_TX);
    if (guest == 0)
        alpha();
    else if (vcpu == 0)
        beta();
    else
        beta_second();
    SMCCC("hvc", PSCI_SYSTEM_OFF, 0, 0, 0);
}
