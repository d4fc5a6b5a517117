/*
 * stale: a hypervisor that moves its guest's pages, and in one place forgets the TLBI. Its guest finds out only much later, when
 * a page has not what it has written there: the TLB still has the page's old place, which belongs to somebody else by then.
 *
 * For going back: scripts/sessions/back_to_tlbi.py. What is right is `move`: break, TLBI, make (Arm ARM D8.16.1).
 */
typedef unsigned char u8;
typedef unsigned long u64;

#define sysreg_write(name, value) asm volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(value)) : "memory")

/* Descriptors of stage 2 (D8.3), VTCR_EL2 (D24.2.180), HCR_EL2. */
#define BLOCK 1ul
#define TABLE 3ul /* and a page, at level 3 */
#define NORMAL (0xful << 2 | 3ul << 6 | 3ul << 8 | 1ul << 10) /* write-back, readable and writable, inner shareable, AF */
#define DEVICE (0x1ul << 2 | 3ul << 6 | 1ul << 10)
#define ADDRESS 0xfffffffff000ul
#define VTCR (1ul << 31 | 3ul << 12 | 1ul << 10 | 1ul << 8 | 1ul << 6 | 32ul) /* from level 1, 4 GiB of IPA */
#define HCR (1ul << 31 | 1ul) /* RW, VM */

#define PAGE 4096ul
#define PAGES 8
#define WINDOW 0x80000000ul /* IPA of the pages that are moved */

static u64 level1[512] __attribute__((aligned(PAGE)));
static u64 level2[512] __attribute__((aligned(PAGE)));
static u64 level3[512] __attribute__((aligned(PAGE)));
static u8 memory[2 * PAGES][PAGE] __attribute__((aligned(PAGE))); /* where pages are, or were */
static unsigned next = PAGES;                                     /* the one that is given away next */

enum { MOVE, COMPACT }; /* what the guest asks for */

/* --- the hypervisor, at EL2 */

__attribute__((noinline)) static void invalidate(u64 ipa)
{
    asm volatile("dsb ishst\n\ttlbi ipas2e1is, %0\n\tdsb ish\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" : : "r"(ipa >> 12) : "memory");
}

static u8 *fresh(u64 old)
{
    u8 *to = memory[next++ % (2 * PAGES)];

    for (u64 n = 0; n < PAGE; n++)
        to[n] = ((volatile u8 *)old)[n];
    return to;
}

/* Somebody else has the page now. */
static void give_away(u64 page)
{
    for (u64 n = 0; n < PAGE; n++)
        ((volatile u8 *)page)[n] = 0xee;
}

/* Break, TLBI, make. */
__attribute__((noinline)) static void move(u64 page)
{
    const u64 old = level3[page] & ADDRESS;

    *(volatile u64 *)&level3[page] = 0;
    invalidate(WINDOW + page * PAGE);
    *(volatile u64 *)&level3[page] = (u64)fresh(old) | NORMAL | TABLE;
    asm volatile("dsb ishst" ::: "memory");
    give_away(old);
}

/* The same in a hurry: the mistake. */
__attribute__((noinline)) static void compact(u64 page)
{
    const u64 old = level3[page] & ADDRESS;

    *(volatile u64 *)&level3[page] = (u64)fresh(old) | NORMAL | TABLE;
    asm volatile("dsb ishst\n\tisb" ::: "memory");
    give_away(old);
}

u64 guest_asks(u64 what, u64 page)
{
    (what == MOVE ? move : compact)(page % PAGES);
    return 0;
}

void main(void)
{
    level1[0] = BLOCK | DEVICE;               /* the UART */
    level1[1] = 0x40000000ul | BLOCK | NORMAL; /* this program */
    level1[2] = (u64)level2 | TABLE;
    level2[0] = (u64)level3 | TABLE;
    for (unsigned n = 0; n < PAGES; n++)
        level3[n] = (u64)memory[n] | NORMAL | TABLE;
    sysreg_write(vtcr_el2, VTCR);
    sysreg_write(vttbr_el2, (u64)level1);
    asm volatile("dsb ish\n\ttlbi vmalls12e1is\n\tdsb ish\n\tisb" ::: "memory");
    sysreg_write(hcr_el2, HCR);
}

/* --- the guest, at EL1 */

u64 hvc(u64 what, u64 page);
void power_off(void) __attribute__((noreturn));

static void print(const char *text)
{
    for (; *text; text++)
        *(volatile unsigned *)0x09000000ul = (u8)*text;
}

__attribute__((noreturn, noinline)) static void panic(volatile u64 *where)
{
    print("stale: panic: a page has not what was written there\n");
    asm volatile("" : : "r"(where));
    power_off();
}

static volatile u64 *word(u64 page) { return (volatile u64 *)(WINDOW + page * PAGE); }

void guest_main(void)
{
    print("stale: eight pages\n");
    for (u64 n = 0; n < PAGES; n++)
        *word(n) = 100 + n;
    for (u64 round = 0; round < 40; round++)
        hvc(round == 20 ? COMPACT : MOVE, round == 20 ? 5 : round % 5); /* page 5 is moved once, in round 20 */
    for (u64 n = 0; n < PAGES; n++)
        if (*word(n) != 100 + n)
            panic(word(n));
    print("stale: all pages have what was written there\n");
    power_off();
}
