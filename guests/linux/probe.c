/*
 * probe: /init of a Linux guest that uses, through the kernel's own drivers, what a kernel has the machine for: the PMU's counters and
 * its overflow interrupt, hardware breakpoints and watchpoints, single steps, timers, and CPUs that interrupt each other.
 *
 * A static program without a C library. It prints `probe NAME: ok` or `probe NAME: FAILED: got ..., expected ...` for each part, and
 * powers the machine off. The kernel's command line has nothing to say.
 */
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/time.h>
#include <linux/uio.h>
#include <linux/unistd.h>

#define NULL ((void *)0)
typedef unsigned long u64;
typedef unsigned int u32;

/* ---------------------------------------------------------------------------------------------- the kernel */

static long syscall6(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    register u64 x8 asm("x8") = number;
    register u64 x0 asm("x0") = a;
    register u64 x1 asm("x1") = b;
    register u64 x2 asm("x2") = c;
    register u64 x3 asm("x3") = d;
    register u64 x4 asm("x4") = e;
    register u64 x5 asm("x5") = f;
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#define CALL(number, a, b, c, d, e, ...) syscall6(__NR_##number, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), 0)
#define syscall(...) CALL(__VA_ARGS__, 0, 0, 0, 0, 0)

/* The compiler calls it. */
void *memset(void *to, int value, u64 n)
{
    for (volatile char *p = to; n; n--)
        *p++ = value;
    return to;
}

static void put(const char *s)
{
    u64 n = 0;
    while (s[n])
        n++;
    syscall(write, 1, s, n);
}

static void put_number(long v)
{
    char text[24], *p = text + sizeof text;
    u64 u = v < 0 ? -v : v;
    *--p = 0;
    do
        *--p = '0' + u % 10;
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    put(p);
}

static void verdict(const char *name, long got, long least, long most)
{
    put("probe ");
    put(name);
    if (got >= least && got <= most) {
        put(": ok\n");
        return;
    }
    put(": FAILED: got ");
    put_number(got);
    put(", expected ");
    put_number(least);
    put(" to ");
    put_number(most);
    put("\n");
}

/* ---------------------------------------------------------------------------------------------- what is measured */

/* n rounds of 4 instructions, and RET. */
void loop(u64 n);
asm(".text\n.type loop, %function\nloop:\n 1: subs x0, x0, #1\n nop\n nop\n b.ne 1b\n ret\n.size loop, . - loop\n");

static volatile u64 watched[4];
static volatile u32 signals;

void __attribute__((noinline)) called(void)
{
    asm volatile("" ::: "memory");
}

/* ---------------------------------------------------------------------------------------------- counters */

static long open_event(struct perf_event_attr *attr, u64 config)
{
    attr->size = sizeof *attr;
    attr->config = config;
    attr->disabled = 1;
    attr->exclude_kernel = 1;
    attr->exclude_hv = 1;
    return syscall(perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static long counted(long fd, u64 rounds)
{
    u64 value = -1;
    syscall(ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
    loop(rounds);
    syscall(ioctl, fd, PERF_EVENT_IOC_DISABLE, 0);
    syscall(read, fd, &value, sizeof value);
    return value;
}

static void counter(const char *name, u64 config, long rounds)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE};
    long fd = open_event(&attr, config);
    verdict(name, fd < 0 ? fd : counted(fd, rounds), 4 * rounds, 4 * rounds + 200);
    syscall(close, fd);
}

struct kernel_sigaction {
    void (*handler)(int);
    u64 flags;
    void (*restorer)(void);
    u64 mask;
};
static void on_signal(int number)
{
    (void)number;
    signals++;
}
static void handle(int number)
{
    struct kernel_sigaction action = {.handler = on_signal};
    syscall(rt_sigaction, number, &action, NULL, 8);
}

/* A sample each 100,000 instructions: the overflow interrupt, as a signal. */
static void overflow(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE, .sample_period = 100000, .wakeup_events = 1};
    long fd = open_event(&attr, PERF_COUNT_HW_INSTRUCTIONS);
    signals = 0;
    handle(SIGIO);
    syscall(fcntl, fd, F_SETFL, FASYNC);
    syscall(fcntl, fd, F_SETOWN, syscall(getpid, 0));
    if (fd >= 0)
        counted(fd, 250000);
    verdict("pmu overflow interrupts", fd < 0 ? fd : signals, 9, 10);
    syscall(close, fd);
}

/* ---------------------------------------------------------------------------------------------- breakpoints */

static void hardware_breakpoint(const char *name, u32 type, volatile void *address, u64 len, void (*act)(void), long hits)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_BREAKPOINT, .bp_type = type, .bp_addr = (u64)address, .bp_len = len};
    u64 value = -1;
    long fd = open_event(&attr, 0);
    if (fd >= 0) {
        syscall(ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
        act();
        syscall(ioctl, fd, PERF_EVENT_IOC_DISABLE, 0);
        syscall(read, fd, &value, sizeof value);
    }
    verdict(name, fd < 0 ? fd : (long)value, hits, hits);
    syscall(close, fd);
}
static void act_write(void)
{
    for (int i = 0; i < 5; i++)
        watched[1] = i;
    watched[0] = watched[2] = watched[1];
}
static void act_call(void)
{
    for (int i = 0; i < 7; i++)
        called();
}

/* ---------------------------------------------------------------------------------------------- ptrace */

static long child(void (*body)(void))
{
    long pid = syscall(clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        syscall(ptrace, PTRACE_TRACEME, 0, 0, 0);
        syscall(kill, syscall(getpid, 0), SIGSTOP);
        body();
        syscall(exit, 42);
    }
    return pid;
}
static int wait_for(long pid)
{
    int status = -1;
    syscall(wait4, pid, &status, 0, NULL);
    return status;
}
static u64 pc_of(long pid)
{
    struct user_pt_regs regs = {0};
    struct iovec v = {&regs, sizeof regs};
    syscall(ptrace, PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
    return regs.pc;
}
static void body_loop(void)
{
    loop(100);
}

/* Single steps until the loop ends: each of its 401 instructions is seen once. */
static void steps(void)
{
    long pid = child(body_loop), inside = 0;
    int status = wait_for(pid);
    for (long n = 0; n < 100000 && (status & 0xff) == 0x7f; n++) {
        u64 pc = pc_of(pid);
        inside += pc >= (u64)loop && pc < (u64)loop + 20;
        syscall(ptrace, PTRACE_SINGLESTEP, pid, 0, 0);
        status = wait_for(pid);
    }
    verdict("ptrace single steps", inside, 401, 401);
    verdict("ptrace exit status", status >> 8, 42, 42);
}

static void debug_register(long pid, int set, u64 address, u32 control)
{
    struct user_hwdebug_state state = {0};
    struct iovec v = {&state, 8 + sizeof state.dbg_regs[0]};
    state.dbg_regs[0].addr = address;
    state.dbg_regs[0].ctrl = control;
    syscall(ptrace, PTRACE_SETREGSET, pid, set, &v);
}

/* Stops at a breakpoint or watchpoint that the debugger has put into a process. */
static void traps(const char *name, int set, u64 address, u32 control, void (*body)(void), long hits)
{
    long pid = child(body), seen = 0;
    int status = wait_for(pid);
    debug_register(pid, set, address, control);
    for (;;) {
        syscall(ptrace, PTRACE_CONT, pid, 0, 0);
        status = wait_for(pid);
        if ((status & 0xff) != 0x7f || seen > 100)
            break;
        seen++;
        debug_register(pid, set, address, control & ~1u); /* step over it */
        syscall(ptrace, PTRACE_SINGLESTEP, pid, 0, 0);
        wait_for(pid);
        debug_register(pid, set, address, control);
    }
    verdict(name, seen, hits, hits);
}

/* ---------------------------------------------------------------------------------------------- time */

static long now(void)
{
    struct timespec t = {0};
    syscall(clock_gettime, CLOCK_MONOTONIC, &t, 0, 0);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}
static void sleep(void)
{
    struct timespec t = {0, 20000000};
    long start = now();
    syscall(nanosleep, &t, NULL, 0, 0);
    verdict("nanosleep 20 ms", (now() - start) / 1000, 20000, 30000);
}

/* ---------------------------------------------------------------------------------------------- */

void __attribute__((noreturn)) start(void)
{
    counter("pmu cycles", PERF_COUNT_HW_CPU_CYCLES, 100000);
    counter("pmu instructions", PERF_COUNT_HW_INSTRUCTIONS, 100000);
    overflow();
    hardware_breakpoint("watchpoint on writes", HW_BREAKPOINT_W, &watched[1], 8, act_write, 5);
    hardware_breakpoint("watchpoint on a byte that nobody writes", HW_BREAKPOINT_W, &watched[3], 1, act_write, 0);
    hardware_breakpoint("breakpoint", HW_BREAKPOINT_X, called, 4, act_call, 7);
    steps();
    traps("ptrace breakpoint", NT_ARM_HW_BREAK, (u64)called, 0x1e5, act_call, 7);
    traps("ptrace watchpoint", NT_ARM_HW_WATCH, (u64)&watched[1], 0x1ff5, act_write, 5);
    sleep();
    put("probe done\n");
    syscall(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
    for (;;)
        ;
}
asm(".text\n.global _start\n_start:\n mov x29, xzr\n b start\n");
