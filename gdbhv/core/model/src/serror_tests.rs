//! Oracle: the Arm ARM (D1.3.6 interrupt masking, D17.2, `AArch64.ESBOperation`, `AArch64.vESBOperation`, DISR_EL1).

use super::*;
use crate::config::Config;
use crate::exception;
use crate::exit;
use crate::feature::Features;
use crate::raise::Lines;
use crate::shared::Shared;

const ERR: u32 = 3 << 10 | 0x11; // UER
const E2H: u64 = 1 << 34;
const AMO: u32 = 5;
const VSE: u32 = 8;
const TGE: u32 = 27;
const HOST: u64 = E2H | 1 << TGE;
const A: u8 = 4;

struct Bench {
    cpu: crate::pe::Pe,
    sh: Shared,
}

fn pe(el: u8, hcr: u64, daif: u8) -> Bench {
    let config = Config {
        has_el2: true,
        hosted: false,
        features: Features::ALL,
        core: &crate::cores::MAX,
    };
    let mut cpu = crate::pe::Pe::new(0, el);
    let sh = Shared::new(config, 0x4000_0000, 0x1_0000);
    sh.registers.reset(&mut cpu);
    cpu.pstate.daif = daif;
    cpu.set(HCR_EL2, hcr);
    Bench { cpu, sh }
}

impl Bench {
    fn pending(&self) -> Option<Exception> {
        exception::pending(&self.cpu, Lines::default(), true)
    }
    fn esb(&mut self) {
        assert_eq!(esb(&mut self.cpu, &mut self.sh, 0), Ok(Flow::Next));
    }
    /// MRS or MSR of DISR_EL1 by X0.
    fn disr(&mut self, write: bool) -> u64 {
        let word = 0xd500_0000 | (!write as u32) << 21 | (DISR_EL1.0 as u32) << 5;
        let body = if write {
            crate::isa::system::msr
        } else {
            crate::isa::system::mrs
        };
        body(&mut self.cpu, &mut self.sh, word).expect("allowed");
        self.cpu.x[0]
    }
}

/// EL, HCR_EL2, PSTATE.A; the level that takes a physical SError, 0 if it stays pending.
#[rustfmt::skip]
const PHYSICAL: &[(u8, u64, u8, u8)] = &[
    (0, 0, 0, 1),        (0, 0, A, 0),        (1, 0, 0, 1),        (1, 0, A, 0),        (2, 0, 0, 0),   (2, 0, A, 0),
    (0, 1 << AMO, 0, 2), (0, 1 << AMO, A, 2), (1, 1 << AMO, A, 2), (2, 1 << AMO, 0, 2), (2, 1 << AMO, A, 0),
    (0, 1 << TGE, A, 2), (2, 1 << TGE, 0, 2), (0, HOST, 0, 2),     (0, HOST, A, 0),     (2, HOST, A, 0),
];

#[test]
fn routing_and_masking_of_a_physical_one() {
    for &(el, hcr, daif, target) in PHYSICAL {
        let mut p = pe(el, hcr, daif);
        p.cpu.serror = Some(ERR);
        let e = p.pending();
        let got = e.as_ref().map_or(0, |e| e.target);
        assert_eq!(got, target, "EL{el}, HCR_EL2 {hcr:#x}, A {daif}");
        assert!(exception::wakes(&p.cpu, Lines::default(), true));
        if let Some(e) = e {
            assert_eq!(
                (e.kind, e.ec, e.iss),
                (ExceptionKind::SError, ec::SERROR, ERR)
            );
            assert_eq!(exception::take(&mut p.cpu, &mut p.sh, &e), target);
            let esr = p.cpu.get(if target == 2 { ESR_EL2 } else { ESR_EL1 });
            assert_eq!(esr, 0x2f << 26 | 1 << 25 | ERR as u64);
            assert_eq!(p.cpu.serror, None);
            assert_eq!(
                p.cpu.pc & 0x780,
                0x180 + if target > el { 0x400 } else { 0x200 }
            );
        }
    }
}

#[test]
fn esb_defers_what_is_masked() {
    for &(el, hcr, daif, target) in PHYSICAL {
        let mut p = pe(el, hcr, daif);
        p.cpu.serror = Some(ERR);
        p.esb();
        let deferred = target == 0;
        assert_eq!(p.cpu.serror.is_none(), deferred);
        let want = if deferred { 1 << 31 | ERR as u64 } else { 0 };
        assert_eq!(
            p.cpu.get(DISR_EL1),
            want,
            "EL{el}, HCR_EL2 {hcr:#x}, A {daif}"
        );
    }
}

#[test]
fn a_virtual_one_has_the_hypervisors_syndrome_and_is_over_when_taken() {
    let both = 1 << VSE | 1 << AMO;
    for (el, hcr, daif, taken) in [
        (1, both, 0, true),
        (0, both, 0, true),
        (1, both, A, false),
        (2, both, 0, false),
        (1, 1 << VSE, 0, false),
        (0, both | 1 << TGE, 0, false),
    ] {
        let mut p = pe(el, hcr, daif);
        p.cpu.set(VSESR_EL2, 1 << 24 | 0x123);
        let e = p.pending();
        assert_eq!(e.is_some(), taken, "EL{el}, HCR_EL2 {hcr:#x}, A {daif}");
        if let Some(e) = e {
            assert_eq!(exception::take(&mut p.cpu, &mut p.sh, &e), 1);
            assert_eq!(p.cpu.get(ESR_EL1), 0x2f << 26 | 1 << 25 | 1 << 24 | 0x123);
            assert_eq!(p.cpu.get(HCR_EL2), 1 << AMO);
        }
    }
}

#[test]
fn esb_defers_a_masked_virtual_one_to_vdisr_which_el1_reads_as_disr() {
    let mut p = pe(1, 1 << VSE | 1 << AMO, A);
    p.cpu.set(VSESR_EL2, 0x411);
    p.cpu.set(DISR_EL1, 0x77);
    p.esb();
    assert_eq!(
        (p.cpu.get(VDISR_EL2), p.cpu.get(HCR_EL2)),
        (1 << 31 | 0x411, 1 << AMO)
    );
    assert_eq!(p.disr(false), 1 << 31 | 0x411);
    p.cpu.x[0] = 0;
    p.disr(true);
    assert_eq!((p.cpu.get(VDISR_EL2), p.cpu.get(DISR_EL1)), (0, 0x77));
    p.cpu.pstate.el = 2;
    assert_eq!(p.disr(false), 0x77);
    // Unmasked, it is taken and not deferred.
    let mut p = pe(1, 1 << VSE | 1 << AMO, 0);
    p.esb();
    assert_eq!(p.cpu.get(HCR_EL2), 1 << VSE | 1 << AMO);
}

#[test]
fn isr_shows_what_the_level_sees() {
    let mut p = pe(1, 1 << VSE | 1 << AMO, A);
    assert!(is_pending(&p.cpu, true, 1) && !is_pending(&p.cpu, true, 2));
    p.cpu.set(HCR_EL2, 1 << AMO);
    p.cpu.serror = Some(ERR);
    assert!(!is_pending(&p.cpu, true, 1) && is_pending(&p.cpu, true, 2));
    p.cpu.set(HCR_EL2, 0);
    assert!(is_pending(&p.cpu, true, 1));
}

#[test]
fn without_ras_esb_is_a_nop_and_disr_is_not_there() {
    let mut p = pe(1, 0, A);
    p.sh.config.features = Features::of(&[]);
    p.cpu.serror = Some(ERR);
    p.esb();
    assert_eq!((p.cpu.serror, p.cpu.get(DISR_EL1)), (Some(ERR), 0));
}

#[test]
fn names_of_exits() {
    for (iss, name) in [
        (0x11, "serror.uc"),
        (ERR, "serror.uer"),
        (6 << 10 | 1 << 9 | 0x11, "serror.ce"),
        (1 << 24 | 0xabcdef, "serror.impdef"),
        (0, "serror.uncategorized"),
    ] {
        let mut p = pe(1, 1 << AMO, 0);
        p.cpu.serror = Some(iss);
        let e = p.pending().expect("taken");
        exception::take(&mut p.cpu, &mut p.sh, &e);
        let r = exit::record(&p.cpu, None, 0, &e, 1);
        assert_eq!(exit::name(r.class, r.key()), name);
    }
}
