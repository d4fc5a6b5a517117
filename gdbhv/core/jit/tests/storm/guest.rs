//! A guest of random code at EL1 and EL0 on two CPUs, under both stages of translation, with handlers that always come back.

use super::code::{aim, code, mov, mrs, msr, ERET};
use super::machine::Rng;
use gdbhv_model::machine::Machine;
use gdbhv_model::reg::names::*;
use gdbhv_model::reg::Reg;

const RAM: u64 = 0x4000_0000;
/// Where a CPU begins, at EL2, with what it is to set up; one page each.
const START: u64 = RAM + 0x1_0000;
const VECTORS_EL2: u64 = RAM + 0x2_0000;
const VECTORS_EL1: u64 = RAM + 0x2_1000;
/// Pages of code, which EL1 may write and EL0 only execute.
pub const CODE: u64 = RAM + 0x10_0000;
pub const CODE_BYTES: u64 = 0x1_0000;
/// Pages of data, of all sorts.
pub const DATA: u64 = RAM + 0x18_0000;
pub const DATA_PAGES: u64 = 16;
/// The pages of code again, in the other order; some are EL0's to write.
pub const ALIAS: u64 = RAM + 0x1c_0000;
pub const PL011: u64 = 0x0900_0000;

/// Tables of stage 1, twice (for two ASIDs), and of stage 2: of levels 1, 2 and 3 each.
pub const STAGE1: [u64; 2] = [RAM, RAM + 0x3000];
const STAGE2: u64 = RAM + 0x6000;

const TABLE: u64 = 3;
const PAGE: u64 = 3;
const AF: u64 = 1 << 10;
const NG: u64 = 1 << 11;
const USER: u64 = 1 << 6;
const RO: u64 = 1 << 7;
/// Attributes of Device memory in stage 1 (index 1 of MAIR), and Normal ones in stage 2.
const DEVICE: u64 = 1 << 2;
const S2: u64 = 0xf << 2 | AF;

fn words(m: &mut Machine, pa: u64, words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    assert!(m.write_pa(pa, &bytes));
}
fn descriptor(m: &mut Machine, at: u64, d: u64) {
    assert!(m.write_pa(at, &d.to_le_bytes()));
}

/// Where the leaf of a VA of RAM is, in tables that begin at `root`.
pub fn leaf(root: u64, va: u64) -> u64 {
    root + 0x2000 + (va >> 12 & 511) * 8
}

fn tables(m: &mut Machine, root: u64, device: u64) {
    descriptor(m, root, device | 1); // the first GiB
    descriptor(m, root + 8, (root + 0x1000) | TABLE);
    descriptor(m, root + 0x1000, (root + 0x2000) | TABLE);
}

/// What a page of data is like in one of the two spaces.
fn attributes(page: u64, space: u64) -> u64 {
    let other = [0, NG][(page + space) as usize % 2];
    match page {
        2 => PAGE | AF | USER | RO,
        3 => 0,
        4 => PAGE | AF | USER | DEVICE,
        5 => PAGE | USER, // the access flag is not set
        6 => PAGE | AF | other,
        _ => PAGE | AF | USER | other,
    }
}

fn map(m: &mut Machine) {
    for (space, root) in STAGE1.into_iter().enumerate() {
        tables(m, root, AF | DEVICE | USER);
        for va in (RAM..RAM + 0x20_0000).step_by(0x1000) {
            descriptor(m, leaf(root, va), va | PAGE | AF);
        }
        for page in 0..DATA_PAGES {
            // The other space has some pages in another order.
            let to = if page >= 8 { page ^ space as u64 } else { page };
            let d = DATA + to * 0x1000 | attributes(page, space as u64);
            descriptor(m, leaf(root, DATA + page * 0x1000), d);
        }
        for page in 0..CODE_BYTES >> 12 {
            let pa = CODE + CODE_BYTES - (page + 1) * 0x1000;
            let user = [0, USER][page as usize % 2];
            descriptor(
                m,
                leaf(root, ALIAS + page * 0x1000),
                pa | PAGE | AF | NG | user,
            );
        }
    }
    tables(m, STAGE2, 1 << 6 | 1 << 7 | AF); // Device
    for ipa in (RAM..RAM + 0x20_0000).step_by(0x1000) {
        let access = match (ipa.wrapping_sub(DATA)) >> 12 {
            9 => 0,
            10 => 1 << 6,
            _ => 1 << 6 | 1 << 7,
        };
        let valid = if access == 0 { 0 } else { PAGE };
        descriptor(m, leaf(STAGE2, ipa), ipa | valid | access | S2);
    }
}

/// Go on behind the instruction that raised, or somewhere else if it was an interrupt, in the pages of code; at EL1 or EL0, as the address has it.
fn handler(elr: Reg, spsr: Reg, by: u32) -> Vec<u32> {
    let [low, high] = mov(17, CODE);
    vec![
        mrs(elr, 16),
        0x9100_0210 | by << 10, // ADD X16, X16, #by
        0x927e_3610,            // AND X16, X16, #0xfffc
        low,
        high,
        0xaa11_0210, // ORR X16, X16, X17
        msr(elr, 16),
        mrs(spsr, 17),
        0x9264_0e31, // AND X17, X17, #0xf0000000
        0x3638_0050, // TBZ X16, #7, over one
        0x9100_1631, // ADD X17, X17, #5: EL1h
        msr(spsr, 17),
    ]
}

fn vectors(m: &mut Machine) {
    for entry in 0..16 {
        let interrupt = entry % 4 != 0;
        let mut one = handler(ELR_EL1, SPSR_EL1, 4);
        if interrupt {
            one = handler(ELR_EL1, SPSR_EL1, 0xc54);
            one.extend([mrs(ICC_IAR1_EL1, 17), msr(ICC_EOIR1_EL1, 17)]);
            one.extend(mov(17, 701));
            one.push(msr(CNTV_TVAL_EL0, 17));
        }
        one.push(ERET);
        words(m, VECTORS_EL1 + entry * 0x80, &one);
        let mut two = handler(ELR_EL2, SPSR_EL2, 4);
        two.push(ERET);
        words(m, VECTORS_EL2 + entry * 0x80, &two);
    }
}

/// From EL2 to random code at EL1.
fn start(m: &mut Machine, cpu: u64, rng: &mut Rng) {
    let entry = CODE + rng.below(CODE_BYTES / 4) * 4;
    let set = [
        (HCR_EL2, 1 | 1 << 31),
        (VTCR_EL2, 25 | 1 << 6 | 1 << 31 | 2 << 16),
        (VTTBR_EL2, STAGE2),
        (VBAR_EL2, VECTORS_EL2),
        (VBAR_EL1, VECTORS_EL1),
        (MAIR_EL1, 0x04ff),
        (TCR_EL1, 25 | 25 << 16 | 2 << 30 | 1 << 23),
        (TTBR0_EL1, STAGE1[0]),
        (
            SCTLR_EL1,
            1 | 1 << 2
                | 1 << 12
                | [0, 1 << 3][rng.below(2) as usize]
                | 1 << 14
                | 1 << 15
                | 1 << 16
                | 1 << 18
                | 1 << 26,
        ),
        (CPACR_EL1, 3 << 20),
        (CPTR_EL2, 0x33ff),
        (CNTHCTL_EL2, 3),
        (ICC_PMR_EL1, 0xff),
        (ICC_IGRPEN1_EL1, 1),
        (CNTV_TVAL_EL0, 2500 + cpu * 700),
        (CNTV_CTL_EL0, 1),
        (SPSR_EL2, 5),
        (ELR_EL2, entry),
    ];
    let mut code = Vec::new();
    for (r, v) in set {
        code.extend(mov(0, v));
        code.push(msr(r, 0));
    }
    for r in 0..31 {
        code.extend(aim(rng, r));
    }
    code.extend(mov(1, DATA + 0x800));
    code.push(msr(SP_EL0, 1));
    code.push(0x9100_003f); // MOV SP, X1: EL2's
    code.push(msr(SP_EL1, 1));
    code.push(ERET);
    words(m, START + cpu * 0x1000, &code);
}

/// Put a guest that begins with `seed` into a machine that was just switched on.
pub fn load(m: &mut Machine, seed: u64, rows: &[u32]) {
    let mut rng = Rng(seed);
    map(m);
    vectors(m);
    let code = code(&mut rng, rows);
    words(m, CODE, &code);
    let data: Vec<u32> = (0..DATA_PAGES << 10).map(|_| rng.next() as u32).collect();
    words(m, DATA, &data);
    // Distributor and redistributors: affinity routing, group 1, the virtual timer's interrupt enabled, awake.
    for (at, v) in [
        (0x0800_0000, 0x37),
        (0x080a_0014, 0),
        (0x080b_0080, !0),
        (0x080b_0100, 1 << 27),
        (0x080c_0014, 0),
        (0x080d_0080, !0),
        (0x080d_0100, 1 << 27),
    ] {
        assert!(m.bus_write(0, at, 4, v & 0xffff_ffff).is_some());
    }
    for cpu in 0..m.cpus.len() {
        start(m, cpu as u64, &mut rng);
        m.cpu_on(cpu, START + cpu as u64 * 0x1000, 0, 2);
    }
}
