//! Oracle: the Arm ARM's rules (D13, D24.5), and counting by hand.

use super::*;
use crate::bits::bit;
use crate::bits::bits;
use crate::config::Config;
use crate::cores::profile;
use crate::feature::Features;
use crate::machine::{Machine, Stop};
use crate::reg::names;
use crate::shared::Shared;

const RAM: u64 = 0x4000_0000;
const NOP: u32 = 0xd503_201f;

fn msr(r: Reg, x: u32) -> u32 {
    0xd500_0000 | (r.0 as u32) << 5 | x
}
fn mrs(x: u32, r: Reg) -> u32 {
    0xd520_0000 | (r.0 as u32) << 5 | x
}
fn mov(x: u32, v: u32) -> u32 {
    0xd280_0000 | v << 5 | x
}

/// A machine of one CPU at EL2 with a program; and its interrupt controller set up so that PPI 23 is signalled.
fn machine(features: Features, program: &[u32]) -> Machine {
    let config = Config {
        has_el2: true,
        hosted: false,
        features,
        core: &crate::cores::MAX,
    };
    let mut m = Machine::new(Shared::new(config, RAM, 0x1_0000), 1);
    for (n, w) in program.iter().enumerate() {
        m.sh.ram
            .write(RAM + 4 * n as u64, 4, *w as u64)
            .expect("RAM");
    }
    m.cpus[0].pc = RAM;
    m
}

fn a57() -> Features {
    profile("cortex-a57").expect("profile").features
}

impl Machine {
    fn set(&mut self, r: Reg, v: u64) {
        let (cpu, sh) = (&mut self.cpus[0], &mut self.sh);
        crate::sysreg::access::el2_write(cpu, sh, r, v).expect("written");
    }
    fn get(&mut self, r: Reg) -> u64 {
        let (cpu, sh) = (&self.cpus[0], &mut self.sh);
        crate::sysreg::access::el2_read(cpu, sh, r).expect("read")
    }
    fn go(&mut self, n: u64) {
        let until = self.insns[0] + n;
        assert_eq!(self.run(u64::MAX, until, 1), Stop::Budget);
    }
    fn line(&self) -> bool {
        self.sh.gic.state().pe[0].private[INTID as usize].pending()
    }
}

const NSH: u64 = 1 << 27;

#[test]
fn cycles_are_instructions() {
    let mut m = machine(a57(), &[NOP; 64]);
    m.set(PMCCFILTR_EL0, NSH);
    m.set(PMCNTENSET_EL0, 1 << 31);
    m.go(5);
    assert_eq!(m.get(PMCCNTR_EL0), 0, "PMCR_EL0.E");
    m.set(PMCR_EL0, 1);
    m.go(7);
    assert_eq!(m.get(PMCCNTR_EL0), 7);
    m.set(PMCNTENCLR_EL0, 1 << 31);
    m.go(7);
    assert_eq!(m.get(PMCCNTR_EL0), 7);
    m.set(PMCR_EL0, 1 | 4);
    assert_eq!(m.get(PMCCNTR_EL0), 0);
    assert_eq!(m.get(PMCR_EL0), 0x3041);
}

#[test]
fn a_write_counts_with_the_controls_as_they_were() {
    let program = [
        mov(0, 1),
        msr(PMCR_EL0, 0),     // enabled: not counted
        NOP,                  // 1
        mrs(1, PMCCNTR_EL0),  // reads 1
        msr(PMCCNTR_EL0, 31), // and is not counted itself
        mrs(2, PMCCNTR_EL0),  // reads 0
        NOP,
        msr(PMCR_EL0, 31), // disabled: counted
        NOP,
    ];
    let mut m = machine(a57(), &program);
    m.set(PMCCFILTR_EL0, NSH);
    m.set(PMCNTENSET_EL0, 1 << 31);
    m.go(9);
    assert_eq!((m.cpus[0].x[1], m.cpus[0].x[2]), (1, 0));
    assert_eq!(m.get(PMCCNTR_EL0), 3);
}

#[test]
fn overflow_is_at_the_instruction() {
    for (event, features) in [(0x11, a57()), (0x08, a57()), (0x11, Features::ALL)] {
        let mut m = machine(features, &[NOP; 64]);
        m.set(PMEVTYPER2_EL0, NSH | event);
        m.set(PMEVCNTR2_EL0, 0xffff_fff0);
        m.set(PMCNTENSET_EL0, 4);
        m.set(PMINTENSET_EL1, 4);
        m.set(PMCR_EL0, 1);
        m.go(15);
        assert_eq!(
            (m.get(PMEVCNTR2_EL0), m.get(PMOVSSET_EL0)),
            (0xffff_ffff, 0)
        );
        assert!(!m.line());
        m.go(1);
        let high = if features == a57() { 0 } else { 1 << 32 };
        assert_eq!((m.get(PMEVCNTR2_EL0), m.get(PMOVSSET_EL0)), (high, 4));
        assert!(m.line());
        m.set(PMCR_EL0, 0);
        assert!(!m.line(), "PMCR_EL0.E");
        m.set(PMCR_EL0, 1);
        assert!(m.line());
        m.set(PMOVSCLR_EL0, 4);
        assert!(!m.line());
    }
}

#[test]
fn long_counters_overflow_from_bit_63() {
    let mut m = machine(Features::ALL, &[NOP; 64]);
    m.set(PMEVTYPER0_EL0, NSH | 8);
    m.set(PMEVCNTR0_EL0, 0xffff_ffff);
    m.set(PMCCFILTR_EL0, NSH);
    m.set(PMCCNTR_EL0, u64::MAX);
    m.set(PMCNTENSET_EL0, 1 << 31 | 1);
    m.set(PMCR_EL0, 1 | 1 << 7);
    m.go(1);
    assert_eq!(
        (m.get(PMEVCNTR0_EL0), m.get(PMOVSSET_EL0)),
        (1 << 32, 1 << 31)
    );
    m.set(PMEVCNTR0_EL0, u64::MAX - 2);
    m.go(4);
    assert_eq!(
        (m.get(PMEVCNTR0_EL0), m.get(PMOVSSET_EL0)),
        (1, 1 << 31 | 1)
    );
}

#[test]
fn chains_and_software_increments() {
    let mut m = machine(a57(), &[NOP; 64]);
    m.set(PMEVTYPER0_EL0, NSH); // SW_INCR
    m.set(PMEVTYPER1_EL0, NSH | CHAIN as u64);
    m.set(PMEVCNTR0_EL0, 0xffff_fffe);
    m.set(PMEVCNTR1_EL0, 0xffff_ffff);
    m.set(PMCNTENSET_EL0, 3);
    m.set(PMSWINC_EL0, 1);
    assert_eq!(m.get(PMEVCNTR0_EL0), 0xffff_fffe, "PMCR_EL0.E");
    m.set(PMCR_EL0, 1);
    m.set(PMSWINC_EL0, 3);
    assert_eq!(m.get(PMOVSSET_EL0), 0);
    m.set(PMSWINC_EL0, 1);
    let all = [PMEVCNTR0_EL0, PMEVCNTR1_EL0, PMOVSSET_EL0].map(|r| m.get(r));
    assert_eq!(all, [0, 0, 3]);
    // By cycles, and the odd counter off: it does not follow.
    m.set(PMEVTYPER2_EL0, NSH | 0x11);
    m.set(PMEVTYPER3_EL0, NSH | CHAIN as u64);
    m.set(PMEVCNTR2_EL0, 0xffff_fffe);
    m.set(PMCNTENSET_EL0, 4);
    m.go(2);
    m.set(PMCNTENSET_EL0, 8);
    assert_eq!([PMEVCNTR2_EL0, PMEVCNTR3_EL0].map(|r| m.get(r)), [0, 0]);
    m.set(PMEVCNTR2_EL0, 0xffff_fffe);
    m.go(3);
    assert_eq!([PMEVCNTR2_EL0, PMEVCNTR3_EL0].map(|r| m.get(r)), [1, 1]);
}

#[test]
fn el2_has_counters_of_its_own() {
    let mut m = machine(Features::ALL, &[NOP; 64]);
    for n in 0..COUNTERS {
        m.set(event_type(n), NSH | 8);
    }
    m.set(PMCNTENSET_EL0, 0x3f);
    m.set(MDCR_EL2, 4 | 1 << 7 | 1 << 17); // HPMN 4, HPME, HPMD
    m.set(PMCR_EL0, 1);
    m.go(3);
    let counts: Vec<u64> = (0..COUNTERS).map(|n| m.get(counter(n))).collect();
    assert_eq!(counts, [0, 0, 0, 0, 3, 3]);
    m.set(MDCR_EL2, 4);
    m.go(3);
    let counts: Vec<u64> = (0..COUNTERS).map(|n| m.get(counter(n))).collect();
    assert_eq!(counts, [3, 3, 3, 3, 3, 3]);
    // EL1 does not see them.
    let (cpu, sh) = (&*m.cpus[0], &m.sh);
    let el1 = |r| registers::read(cpu, sh, 0, r, 1);
    assert_eq!(el1(PMCNTENSET_EL0), 0xf);
    assert_eq!(bits(el1(PMCR_EL0), 15, 11), 4);
    registers::write(&mut m.cpus[0], &mut m.sh, 0, PMCR_EL0, 3, 1);
    registers::write(&mut m.cpus[0], &mut m.sh, 0, PMCNTENCLR_EL0, 0x3f, 1);
    assert_eq!(m.get(PMCNTENSET_EL0), 0x30);
    let counts: Vec<u64> = (0..COUNTERS).map(|n| m.get(counter(n))).collect();
    assert_eq!(counts, [0, 0, 0, 0, 3, 3]);
}

#[test]
fn freezing_and_prohibition() {
    let mut m = machine(Features::ALL, &[NOP; 64]);
    m.set(PMEVTYPER0_EL0, NSH | 8);
    m.set(PMEVTYPER1_EL0, NSH | 0x11);
    m.set(PMEVCNTR1_EL0, 0xffff_fffd);
    m.set(PMCCFILTR_EL0, NSH);
    m.set(PMCNTENSET_EL0, 1 << 31 | 3);
    m.set(PMCR_EL0, 1 | 1 << 9); // FZO
    m.go(9);
    assert_eq!(
        [PMEVCNTR0_EL0, PMEVCNTR1_EL0, PMCCNTR_EL0].map(|r| m.get(r)),
        [3, 1 << 32, 9]
    );
    m.set(PMCR_EL0, 1 | 1 << 9 | 1 << 5); // DP
    m.go(2);
    assert_eq!(m.get(PMCCNTR_EL0), 9);
    m.set(PMOVSCLR_EL0, 2);
    m.go(2);
    assert_eq!(m.get(PMCCNTR_EL0), 11);
    m.set(MDCR_EL2, 6 | 1 << 23); // HCCD
    m.go(2);
    assert_eq!(m.get(PMCCNTR_EL0), 11);
    assert_eq!(m.get(PMEVCNTR0_EL0), 7);
}

/// What a program counts that takes exceptions, loads, stores and branches, however its run is cut.
#[test]
fn cuts_cannot_be_seen() {
    let program = [
        0xf940_0040, // loop: ldr x0, [x2]
        0xf900_0040, // str x0, [x2]
        0xa940_0440, // ldp x0, x1, [x2]
        mrs(5, PMEVCNTR1_EL0),
        msr(PMSWINC_EL0, 4),
        0xd400_0001, // svc #0
        0x9100_0463, // add x3, x3, #1
        0x0000_0000, // udf: the handler goes on behind it
        0x17ff_fff8, // b loop
    ];
    let run = |cuts: &[u64]| {
        let mut m = machine(Features::ALL, &program);
        // VBAR_EL1: at EL1 with SP_ELx, ELR += 4 for an undefined instruction, and ERET
        let handler = [
            mrs(9, ESR_EL1),
            0xd35a_fd29, // lsr x9, x9, #26
            0xb500_0089, // cbnz x9, +16
            mrs(9, ELR_EL1),
            0x9100_1129, // add x9, x9, #4
            msr(ELR_EL1, 9),
            0xd69f_03e0, // eret
        ];
        for (n, w) in handler.iter().enumerate() {
            m.sh.ram.write(RAM + 0x1200 + 4 * n as u64, 4, *w as u64);
        }
        m.set(VBAR_EL1, RAM + 0x1000);
        m.set(names::HCR_EL2, 1 << 31);
        m.set(names::SPSR_EL2, 0x3c5);
        m.set(names::ELR_EL2, RAM);
        m.cpus[0].x[2] = RAM + 0x2000;
        m.cpus[0].x[4] = 4;
        for (n, e) in [0x13, 0x08, 0x00, 0x09, 0x0a, 0x21].iter().enumerate() {
            m.set(event_type(n), *e);
        }
        m.set(PMEVCNTR1_EL0, 0xffff_ff00);
        m.set(PMCNTENSET_EL0, 1 << 31 | 0x3f);
        m.set(PMINTENSET_EL1, 1 << 31 | 0x3f);
        m.set(PMCR_EL0, 1);
        m.eret(0);
        let mut at = 0;
        for c in cuts {
            m.go(*c.min(&(3000 - at)));
            at = m.insns[0];
        }
        m.go(3000 - at);
        let mut all: Vec<u64> = (0..COUNTERS).map(|n| m.get(counter(n))).collect();
        all.extend([PMCCNTR_EL0, PMOVSSET_EL0].map(|r| m.get(r)));
        all.extend(m.cpus[0].x);
        (all, m.line())
    };
    let whole = run(&[]);
    // A round is 9 instructions, of which one is not retired, and two handlers: 4 + 7.
    let rounds = 3000 / 20;
    assert_eq!(whole.0[0], 3 * rounds, "MEM_ACCESS");
    assert_eq!(whole.0[1], 0xffff_ff00 + 19 * rounds, "INST_RETIRED");
    assert_eq!(whole.0[2], rounds, "SW_INCR");
    assert_eq!(
        (whole.0[3], whole.0[4]),
        (2 * rounds, 2 * rounds),
        "EXC_TAKEN, EXC_RETURN"
    );
    assert_eq!(whole.0[5], 3 * rounds, "BR_RETIRED");
    assert_eq!(whole.0[6], 3000, "cycles");
    assert!(bit(whole.0[7], 1) && whole.1);
    for cuts in [
        vec![1; 2999],
        vec![7; 300],
        vec![1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144],
    ] {
        assert_eq!(run(&cuts), whole);
    }
}

#[test]
fn identification_tells_what_counts() {
    let mut m = machine(a57(), &[]);
    assert_eq!(m.get(PMCEID0_EL0), 0x400a_67c1);
    assert_eq!(m.get(PMCEID1_EL0), 2);
    let mut m = machine(Features::ALL, &[]);
    assert_eq!(m.get(PMCEID1_EL0), 1 << 28 | 1 << 4 | 1 << 3 | 1 << 1);
    assert_eq!(m.get(PMCR_EL0), 0x3040);
    m.set(PMCR_EL0, u64::MAX);
    assert_eq!(m.get(PMCR_EL0), 0x32e1);
}
