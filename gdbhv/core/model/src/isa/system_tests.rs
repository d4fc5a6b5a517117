//! Oracle: the Arm ARM (C5.2, C6.2, D1.3) and the exit-class table: what each instruction raises, from which level, by which control.

use crate::config::Config;
use crate::cpu::Power;
use crate::exec::code::Code;
use crate::exec::interp::{self, Leave};
use crate::feature::Features;
use crate::raise::Exception;
use crate::reg::names::*;
use crate::reg::Reg;
use crate::shared::Shared;
use crate::syndrome::ec;

const RAM: u64 = 0x4000_0000;
const WFE: u32 = 0xd503_205f;
const WFI: u32 = 0xd503_207f;
const SVC: u32 = 0xd400_0001 | 0x2a << 5;
const HVC: u32 = 0xd400_0002 | 0x2a << 5;
const SMC: u32 = 0xd400_0003 | 0x2a << 5;
const BRK: u32 = 0xd420_0000 | 0x2a << 5;
const HLT: u32 = 0xd440_0000;
const ERET: u32 = 0xd69f_03e0;
const DAIFSET: u32 = 0xd503_4fdf;
const DAIFCLR: u32 = 0xd503_4fff;
const SPSEL: u32 = 0xd500_40bf;
const PAN: u32 = 0xd500_419f;

struct Bench {
    cpu: crate::pe::Pe,
    sh: Shared,
    code: Code,
}

fn pe(el: u8, has_el2: bool, set: &[(Reg, u64)]) -> Bench {
    let config = Config {
        has_el2,
        hosted: false,
        features: Features::ALL,
        core: &crate::cores::MAX,
    };
    let mut cpu = crate::pe::Pe::new(0, el);
    let mut sh = Shared::new(config, RAM, 0x1_0000);
    sh.registers.reset(&mut cpu);
    set.iter().for_each(|(r, v)| cpu.set(*r, *v));
    crate::exec::refresh::refresh(&mut cpu, &mut sh);
    cpu.pc = RAM;
    let code = Code::new(&sh.ram, config.features, 1);
    Bench { cpu, sh, code }
}

impl Bench {
    /// Execute one instruction; what it raised.
    fn run(&mut self, insn: u32) -> Option<Exception> {
        self.sh.ram.write(RAM, 4, insn as u64).expect("RAM");
        self.code.follow_writes(&mut self.sh.ram);
        let until = self.sh.now + 1;
        self.cpu.until = until;
        let leave = interp::execute(&mut self.cpu, &mut self.sh, &mut self.code);
        assert_ne!(leave, Leave::Debug);
        self.cpu.raised.take()
    }
}

fn undefined() -> Option<Exception> {
    Some(Exception::sync(1, ec::UNKNOWN, 0))
}

/// Instruction, level, has EL2, controls; then target, class, ISS, returns behind it, causes.
type Case = (
    &'static str,
    u32,
    u8,
    bool,
    &'static [(Reg, u64)],
    (u8, u8, u32, bool, &'static [&'static str]),
);

const NT: (Reg, u64) = (SCTLR_EL1, 1 << 16 | 1 << 18);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("SVC at EL0",          SVC, 0, true,  &[],                     (1, ec::SVC, 0x2a, true, &[])),
    ("SVC at EL1",          SVC, 1, false, &[],                     (1, ec::SVC, 0x2a, true, &[])),
    ("HVC at EL1",          HVC, 1, true,  &[],                     (2, ec::HVC, 0x2a, true, &[])),
    ("HVC at EL2",          HVC, 2, true,  &[],                     (2, ec::HVC, 0x2a, true, &[])),
    ("HVC at EL0",          HVC, 0, true,  &[],                     (1, ec::UNKNOWN, 0, false, &[])),
    ("HVC with HCD",        HVC, 1, true,  &[(HCR_EL2, 1 << 29)],   (1, ec::UNKNOWN, 0, false, &[])),
    ("SMC with TSC",        SMC, 1, true,  &[(HCR_EL2, 1 << 19)],   (2, ec::SMC, 0x2a, false, &["HCR_EL2.TSC"])),
    ("SMC at EL0",          SMC, 0, true,  &[(HCR_EL2, 1 << 19)],   (1, ec::UNKNOWN, 0, false, &[])),
    ("SMC without EL2",     SMC, 1, false, &[],                     (1, ec::UNKNOWN, 0, false, &[])),
    ("BRK at EL0",          BRK, 0, true,  &[],                     (1, ec::BRK, 0x2a, false, &[])),
    ("BRK with TDE",        BRK, 1, true,  &[(MDCR_EL2, 1 << 8)],   (2, ec::BRK, 0x2a, false, &["MDCR_EL2.TDE"])),
    ("BRK at EL2",          BRK, 2, true,  &[(MDCR_EL2, 1 << 8)],   (1, ec::BRK, 0x2a, false, &[])), // raised to EL2 when taken
    ("HLT",                 HLT, 1, true,  &[],                     (1, ec::UNKNOWN, 0, false, &[])),
    ("ERET at EL0",         ERET, 0, true, &[],                     (1, ec::UNKNOWN, 0, false, &[])),
    ("WFI, nTWI = 0",       WFI, 0, true,  &[(SCTLR_EL1, 0)],       (1, ec::WFX, 0x1e0_0000, false, &["SCTLR_EL1.nTWI"])),
    ("WFE, nTWE = 0",       WFE, 0, true,  &[(SCTLR_EL1, 0)],       (1, ec::WFX, 0x1e0_0001, false, &["SCTLR_EL1.nTWE"])),
    ("WFI, TWI",            WFI, 1, true,  &[(HCR_EL2, 1 << 13)],   (2, ec::WFX, 0x1e0_0000, false, &["HCR_EL2.TWI"])),
    ("WFE, TWE",            WFE, 1, true,  &[(HCR_EL2, 1 << 14)],   (2, ec::WFX, 0x1e0_0001, false, &["HCR_EL2.TWE"])),
    ("WFI at EL0, TWI",     WFI, 0, true,  &[NT, (HCR_EL2, 1 << 13)], (2, ec::WFX, 0x1e0_0000, false, &["HCR_EL2.TWI"])),
    ("nTWI before TWI",     WFI, 0, true,  &[(SCTLR_EL1, 0), (HCR_EL2, 1 << 13)], (1, ec::WFX, 0x1e0_0000, false, &["SCTLR_EL1.nTWI"])),
    ("DAIFSet, UMA = 0",    DAIFSET, 0, true, &[(SCTLR_EL1, 0)],    (1, ec::SYSREG, 0x0c_d3fe, false, &["SCTLR_EL1.UMA"])),
    ("SPSel at EL0",        SPSEL, 0, true, &[],                    (1, ec::UNKNOWN, 0, false, &[])),
    ("PAN at EL0",          PAN, 0, true,  &[],                     (1, ec::UNKNOWN, 0, false, &[])),
];

#[test]
fn what_is_raised() {
    for (name, insn, el, has_el2, set, (target, class, iss, next, cause)) in CASES {
        let mut p = pe(*el, *has_el2, set);
        let e = p
            .run(*insn)
            .unwrap_or_else(|| panic!("{name}: nothing raised"));
        let got = (e.target, e.ec, e.iss, e.next, e.cause);
        assert_eq!(
            got,
            (*target, *class, *iss, *next, *cause),
            "{name}: ISS {:#x}",
            e.iss
        );
        assert_eq!(p.cpu.pc, RAM, "{name}");
    }
}

#[test]
fn waiting() {
    let mut p = pe(1, true, &[]);
    assert_eq!(p.run(WFI), None);
    assert_eq!((p.cpu.power, p.cpu.pc), (Power::Wfi, RAM + 4));
    let mut p = pe(1, true, &[]);
    p.cpu.event = true;
    assert_eq!(p.run(WFE), None);
    assert_eq!((p.cpu.power, p.cpu.event), (Power::On, false));
}

#[test]
fn nothing_traps_that_does_not_wait() {
    let mut p = pe(1, true, &[(HCR_EL2, 1 << 14)]);
    p.cpu.event = true;
    assert_eq!(p.run(WFE), None);
    // A virtual IRQ is pending (HCR_EL2.VI with IMO): WFI is over at once.
    let mut p = pe(1, true, &[(HCR_EL2, 1 << 13 | 1 << 7 | 1 << 4)]);
    assert_eq!(p.run(WFI), None);
    assert_eq!(p.cpu.power, Power::On);
}

#[test]
fn el2_waits_whatever_it_traps() {
    let mut p = pe(2, true, &[(HCR_EL2, 3 << 13)]);
    assert_eq!(p.run(WFI), None);
    assert_eq!(p.cpu.power, Power::Wfi);
}

#[test]
fn a_spin_lock_gives_way() {
    let mut p = pe(1, true, &[]);
    p.cpu.monitor = Some(crate::cpu::Monitor::new(RAM, 4));
    assert_eq!(p.run(WFE), None);
    assert_eq!((p.cpu.power, p.sh.yielded), (Power::On, true));
}

#[test]
fn who_spins_on_an_exclusive_gives_way() {
    let mut p = pe(1, true, &[]);
    let mut ldaxr_gives_way = |x1| {
        (p.cpu.pc, p.cpu.x[1], p.sh.yielded) = (RAM, x1, false);
        assert_eq!(p.run(0x885f_fc20), None); // LDAXR w0, [x1]
        p.sh.yielded
    };
    assert!(!ldaxr_gives_way(RAM + 0x100), "the first look");
    assert!(ldaxr_gives_way(RAM + 0x100), "nothing stored since");
    assert!(!ldaxr_gives_way(RAM + 0x104), "another place");
}

#[test]
fn psci_is_called_by_hvc_or_smc() {
    for (insn, has_el2, el) in [(HVC, false, 1), (SMC, true, 1), (SMC, true, 2)] {
        let mut p = pe(el, has_el2, &[]);
        p.cpu.x[0] = 0x8400_0000;
        assert_eq!(p.run(insn), None);
        assert_eq!((p.cpu.x[0], p.cpu.pc), (0x1_0001, RAM + 4));
    }
}

#[test]
fn pstate_immediates() {
    let mut p = pe(1, true, &[]);
    assert_eq!(p.run(DAIFCLR), None);
    assert_eq!(p.cpu.pstate.daif, 0);
    p.cpu.pc = RAM;
    assert_eq!(p.run(DAIFSET & !0xd00), None); // #2
    assert_eq!(p.cpu.pstate.daif, 2);
    p.cpu.pc = RAM;
    p.cpu.x[31] = 0x1000;
    assert_eq!(p.run(SPSEL), None);
    assert_eq!((p.cpu.pstate.sp, p.cpu.sp_el(1)), (0, 0x1000));
}

#[test]
fn hint_space_is_nop() {
    for hint in (0..128).filter(|h| !(1..6).contains(h)) {
        let mut p = pe(0, true, &[]);
        let before = p.cpu.x;
        assert_eq!(p.run(0xd503_201f | hint << 5), None, "HINT #{hint}");
        assert_eq!((p.cpu.x, p.cpu.power), (before, Power::On));
    }
}

#[test]
fn unknown_system_instructions_are_undefined_and_told() {
    let mut p = pe(2, true, &[]);
    assert_eq!(p.run(0xd50f_7d80), undefined());
    assert_eq!(p.sh.undefined_new.len(), 1);
    // The IMPLEMENTATION DEFINED space traps first at EL1: SYS #1, C15, C0, #0.
    let mut p = pe(1, true, &[(HCR_EL2, 1 << 20)]);
    let e = p.run(0xd509_f000).expect("trapped");
    assert_eq!(
        (e.target, e.ec, e.cause),
        (2, ec::SYSREG, &["HCR_EL2.TIDCP"][..])
    );
}

const TWED: (Reg, u64) = (HCR_EL2, 1 << 14 | 1 << 59 | 1 << 60); // TWE, delayed by 2^9 cycles

#[test]
fn the_trap_of_wfe_is_delayed() {
    let mut p = pe(1, true, &[TWED]);
    assert_eq!(p.run(WFE), None);
    assert_eq!(
        (p.cpu.power, p.cpu.pc, p.cpu.twed),
        (Power::Wfe, RAM, Some(512))
    );
    // It executes again: an event in time and no trap, or none and the trap.
    p.cpu.power = Power::On;
    p.cpu.event = true;
    assert_eq!(p.run(WFE), None);
    assert_eq!((p.cpu.pc, p.cpu.twed), (RAM + 4, None));
    let mut p = pe(1, true, &[TWED]);
    assert_eq!(p.run(WFE), None);
    p.sh.now = 512;
    let e = p.run(WFE).expect("trapped");
    assert_eq!(
        (e.target, e.ec, e.cause),
        (2, ec::WFX, &["HCR_EL2.TWE"][..])
    );
    // EL0 by SCTLR_EL1; the delay is that of the register that traps.
    let mut p = pe(0, true, &[(SCTLR_EL1, 1 << 45 | 15 << 46), TWED]);
    assert_eq!(p.run(WFE), None);
    assert_eq!(p.cpu.twed, Some(1 << 23));
    // WFI does not wait.
    let mut p = pe(1, true, &[(HCR_EL2, TWED.1 | 1 << 13)]);
    assert!(p.run(WFI).is_some());
}

#[test]
fn fine_grained_traps_of_svc_and_eret() {
    let bit = |n: u32| [(HFGITR_EL2, 1 << n)];
    let mut p = pe(0, true, &bit(52));
    let e = p.run(SVC).expect("SVC");
    let got = (e.target, e.ec, e.iss, e.next, e.cause);
    assert_eq!(got, (2, ec::SVC, 0x2a, false, &["HFGITR_EL2.SVC_EL0"][..]));
    assert_eq!(pe(1, true, &bit(52)).run(SVC).expect("SVC").target, 1);
    let e = pe(1, true, &bit(53)).run(SVC).expect("SVC");
    assert_eq!((e.target, e.cause), (2, &["HFGITR_EL2.SVC_EL1"][..]));
    assert_eq!(pe(0, true, &bit(53)).run(SVC).expect("SVC").target, 1);
    let e = pe(1, true, &bit(51)).run(ERET).expect("ERET");
    let got = (e.target, e.ec, e.iss, e.next, e.cause);
    assert_eq!(got, (2, ec::ERET, 0, false, &["HFGITR_EL2.ERET"][..]));
    assert_eq!(pe(0, true, &bit(51)).run(ERET), undefined());
    // The host's EL0 is not trapped; EL0 under TGE alone is.
    let host = |hcr: u64| pe(0, true, &[(HFGITR_EL2, 1 << 52), (HCR_EL2, hcr)]);
    assert!(host(1 << 34 | 1 << 27)
        .run(SVC)
        .expect("SVC")
        .cause
        .is_empty());
    assert!(!host(1 << 27).run(SVC).expect("SVC").cause.is_empty());
}
