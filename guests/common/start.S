/*
 * The first instructions of every guest, and its last.
 *
 * A guest begins as an arm64 kernel does: at EL1, MMU off, interrupts masked, x0 = address of the device tree. (QEMU
 * leaves x0 = 0 when it loads an ELF, and puts the tree at the start of RAM.) The loader has zeroed .bss.
 *
 * vCPU n has its stack at stacks + n * 16 KiB. vCPU 0 runs main(); the others begin at secondary_start when vCPU 0 asks
 * PSCI for them (see psci.h) and run secondary_main().
 */
    .set RAM_BASE, 0x40000000
    .set STACK_SIZE, 0x4000
    .set PSCI_CPU_OFF, 0x84000002
    .set PSCI_SYSTEM_OFF, 0x84000008

    .section .text.start, "ax"
    .global _start
    .type _start, %function
_start:
    mov     x1, #RAM_BASE
    cmp     x0, #0
    csel    x0, x1, x0, eq
    adrp    x1, device_tree
    str     x0, [x1, #:lo12:device_tree]
    bl      set_up_vcpu
    bl      main
    b       power_off
    .size _start, . - _start

    .global secondary_start
    .type secondary_start, %function
secondary_start:
    bl      set_up_vcpu
    bl      secondary_main
    ldr     w0, =PSCI_CPU_OFF               // done with this vCPU; the others live on
    hvc     #0
    b       power_off                       // CPU_OFF was refused
    .size secondary_start, . - secondary_start

/* Give this vCPU its stack and its exception vectors. */
    .type set_up_vcpu, %function
set_up_vcpu:
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff                   // Aff0: the vCPU's number on this board
    add     x1, x1, #1
    mov     x2, #STACK_SIZE
    adrp    x3, stacks
    madd    x1, x1, x2, x3                  // stacks grow downwards
    mov     sp, x1
    adrp    x1, vectors
    add     x1, x1, #:lo12:vectors
    msr     vbar_el1, x1
    isb
    ret
    .size set_up_vcpu, . - set_up_vcpu

/* PSCI SYSTEM_OFF by HVC: the board, or the hypervisor under us, ends here. At EL2 that is ourselves, and PSCI is by SMC. */
    .global power_off
    .type power_off, %function
power_off:
    ldr     w0, =PSCI_SYSTEM_OFF
    mrs     x1, CurrentEL
    tbnz    x1, #3, 2f                      // EL2
    hvc     #0
1:  wfi
    b       1b
2:  smc     #0
    b       1b
    .size power_off, . - power_off

/* A guest with one vCPU has no secondary_main(). */
    .weak secondary_main
    .type secondary_main, %function
secondary_main:
    ret
    .size secondary_main, . - secondary_main

    .bss
    .balign 8
    .global device_tree
    .type device_tree, %object
device_tree:
    .skip 8
    .size device_tree, . - device_tree
