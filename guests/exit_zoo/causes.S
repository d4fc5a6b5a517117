/*
 * The animals of the exit zoo: one function for each event, as few instructions as it takes, so that a breakpoint on the
 * name is a breakpoint at the event and an exit's PC tells which it was. u64 zoo_x(void): what it returns is printed.
 *
 * The control bit in brackets is what takes the instruction to EL2 under KVM.
 */
    .set RTC, 0x09010000                    // PL031; its identification begins at 0xfe0
    .set GICD, 0x08000000
    .set NOTHING_THERE, 0x0b000000

/* RAM that nobody has touched, one 2 MiB block each, by its address in the alias (VA = IPA + 0x40000000, mmu.h). */
    .set FRESH_LOAD, 0x82000000             // IPA 0x42000000
    .set FRESH_STORE, 0x82200000            // IPA 0x42200000
    .global zoo_fresh_code
    .set zoo_fresh_code, 0x82400000         // IPA 0x42400000
    .set BEHIND_FRESH_TABLE, 0xc0000000     // level 2 table at IPA 0x42600000 (exit_zoo.c)
    .set UNMAPPED, 0x100000000

    .set USER_ALIAS, 0x100000000            // what EL0 may use: VA 0x140000000 is IPA 0x40000000 (exit_zoo.c)

    .macro cause name
    .global zoo_\name
    .type zoo_\name, %function
zoo_\name:
    .endm
    .macro done name
    ret
    .size zoo_\name, . - zoo_\name
    .endm

    .text
/* ---- calls ---- */
cause hvc_psci                              // always
    ldr     w0, =0x84000000                 // PSCI_VERSION
    hvc     #0
done hvc_psci

cause hvc_unknown                           // always; nobody defines this function
    ldr     w0, =0xc600ff00
    hvc     #0x2a
done hvc_unknown

cause smc                                   // [HCR_EL2.TSC]; alone, a board without EL3 has no SMC
    ldr     w0, =0x84000000
    smc     #0
done smc

/* ---- waits ---- */
cause wfi                                   // [HCR_EL2.TWI]; the virtual timer ends it, masked as it is
    msr     daifset, #2
    mov     x0, #6250                       // 100 us at 62.5 MHz
    msr     cntv_tval_el0, x0
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
    wfi
    mrs     x0, cntv_ctl_el0                // ENABLE and ISTATUS: 5
    msr     daifclr, #2                     // now the interrupt is taken
    isb
done wfi

cause wfe                                   // [HCR_EL2.TWE]: one exit. The event register saves one of the two: it is set
    wfe                                     // after any exception return (Arm ARM, "Wait for Event"), and WFE takes it.
    wfe                                     // Alone, the event stream ends them.
    mov     x0, #0
done wfe

/* ---- system registers and cache instructions ---- */
cause id_read                               // [HCR_EL2.TID3]
    mrs     x0, id_aa64pfr0_el1
    ubfx    x0, x0, #24, #4                 // GIC: 1, there is a system register interface
done id_read

cause actlr_write                           // [HCR_EL2.TACR]
    msr     actlr_el1, xzr
    mov     x0, #0
done actlr_write

cause set_way                               // [HCR_EL2.TSW]
    dc      cisw, xzr
    mov     x0, #0
done set_way

cause impdef_read                           // [HCR_EL2.TIDCP]; nobody has this register
    mrs     x0, s3_7_c11_c3_5
done impdef_read

cause debug_write                           // [MDCR_EL2.TDA]
    msr     mdscr_el1, xzr
    mov     x0, #0
done debug_write

cause os_lock_write                         // [MDCR_EL2.TDOSA]
    msr     oslar_el1, xzr
    mov     x0, #0
done os_lock_write

cause pmu_write                             // [MDCR_EL2.TPM], if the VM has a PMU: a guest asks first, which is an exit by itself
    mrs     x0, id_aa64dfr0_el1             // [HCR_EL2.TID3]
    ands    x0, x0, #0xf00                  // PMUVer
    b.eq    1f
    msr     pmcntenclr_el0, xzr
1:  mov     x0, #0
done pmu_write

cause physical_timer_read                   // [CNTHCTL_EL2.EL1PCEN = 0]
    mrs     x0, cntp_ctl_el0
done physical_timer_read

cause fp                                    // [CPTR_EL2.TFP] while the FP registers are someone else's
    mov     x0, #3 << 20                    // CPACR_EL1.FPEN: EL1 and EL0 may use them
    msr     cpacr_el1, x0
    isb
    mov     x0, #0x2b
    .arch armv8-a+fp
    fmov    d0, x0
    fmov    x0, d0
    .arch armv8-a
done fp

/* ---- devices: stage 2 has no mapping there ---- */
cause mmio_read                             // ISV = 1, SAS = 0, 1, 2
    ldr     x1, =RTC + 0xfe0
    ldrb    w0, [x1]
    ldrh    w2, [x1]
    and     w0, w0, w2
    ldr     w2, [x1]
    and     w0, w0, w2
done mmio_read

cause mmio_read_64                          // SAS = 3, SF = 1
    ldr     x1, =GICD + 0x6100              // GICD_IROUTER32
    ldr     x0, [x1]
done mmio_read_64

cause mmio_read_signed                      // SSE = 1
    ldr     x1, =RTC + 0xff8                // 0x05
    ldrsw   x0, [x1]
done mmio_read_signed

cause mmio_write                            // WnR = 1
    ldr     x1, =RTC + 0x04                 // the match register
    mov     w0, #0x5a
    str     w0, [x1]
    str     wzr, [x1]
    ldr     w0, [x1]
done mmio_write

cause mmio_no_syndrome                      // ISV = 0: a load with write-back is not described by the syndrome
    ldr     x1, =RTC + 0xfe0
    ldr     w0, [x1], #4
done mmio_no_syndrome

cause nothing_there                         // neither memory nor a device
    ldr     x1, =NOTHING_THERE
    ldr     w0, [x1]
done nothing_there

/* ---- memory on demand ---- */
cause fresh_load
    ldr     x1, =FRESH_LOAD
    ldr     x0, [x1]
done fresh_load

cause fresh_store                           // ISV = 0 as well, and harmless: the hypervisor only has to map a page
    ldr     x1, =FRESH_STORE
    stp     xzr, xzr, [x1]
    mov     x0, #0
done fresh_store

cause fresh_fetch                           // the page is full of zeros, and zero is UDF #0
    stp     x29, x30, [sp, #-16]!
    ldr     x1, =zoo_fresh_code
    blr     x1
    ldp     x29, x30, [sp], #16
done fresh_fetch

cause fresh_table                           // S1PTW: the walk's own fetch faults in stage 2; what it finds then is zero,
    ldr     x1, =BEHIND_FRESH_TABLE         // a stage 1 translation fault
    ldr     x0, [x1]
done fresh_table

/* ---- interrupts ---- */
cause sgi                                   // [HCR_EL2.IMO, FMO]; to itself: INTID 1, target list 1
    mov     x0, #1 << 24
    orr     x0, x0, #1
    msr     icc_sgi1r_el1, x0
    isb
    b       wait_for_interrupt
    .size zoo_sgi, . - zoo_sgi

cause timer_interrupt                       // [HCR_EL2.IMO]: the interrupt that ends this loop comes to EL2 first
    mov     x0, #6250
    msr     cntv_tval_el0, x0
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
    b       wait_for_interrupt
    .size zoo_timer_interrupt, . - zoo_timer_interrupt

    .type wait_for_interrupt, %function
wait_for_interrupt:
    adrp    x1, last_intid
1:  ldr     w0, [x1, #:lo12:last_intid]
    cbz     w0, 1b
    str     wzr, [x1, #:lo12:last_intid]
    ret
    .size wait_for_interrupt, . - wait_for_interrupt

/* ---- what a guest handles alone: no exits ---- */
cause own_event                             // the event register is set: WFE neither waits nor exits
    sevl
    wfe
    mov     x0, #0
done own_event

cause own_svc
    svc     #7
done own_svc

cause own_user_svc                          // the same from EL0; the handler sends it to zoo_user_is_back
    adr     x0, user_code
    mov     x1, #USER_ALIAS
    add     x0, x0, x1
    msr     elr_el1, x0
    msr     spsr_el1, xzr                   // EL0t
    eret
user_code:
    svc     #8
    .global zoo_user_is_back
zoo_user_is_back:
done own_user_svc

cause own_brk
    brk     #0x2a
done own_brk

cause own_undefined
    udf     #0
done own_undefined

cause own_stage1_fault
    ldr     x1, =UNMAPPED
    ldr     x0, [x1]
done own_stage1_fault
