//! Random code: instructions of all rows that only work on registers and memory, and between them what a kernel does.

use super::guest::{leaf, ALIAS, CODE, CODE_BYTES, DATA, DATA_PAGES, PL011, STAGE1};
use super::machine::{instances, Rng};
use gdbhv_model::feature::Features;
use gdbhv_model::ir::{decode, How};
use gdbhv_model::reg::names::*;
use gdbhv_model::reg::Reg;

/// `movz`, `movk`: an address below 4 GiB, or a number of 32 bits.
pub fn mov(rd: u32, v: u64) -> [u32; 2] {
    let (low, high) = (v as u32 & 0xffff, v as u32 >> 16);
    [0xd280_0000 | low << 5 | rd, 0xf2a0_0000 | high << 5 | rd]
}
pub fn msr(r: Reg, rt: u32) -> u32 {
    0xd500_0000 | (r.0 as u32) << 5 | rt
}
pub fn mrs(r: Reg, rt: u32) -> u32 {
    msr(r, rt) | 0x20_0000
}
pub const ERET: u32 = 0xd69f_03e0;
const DSB_ISB: [u32; 2] = [0xd503_3f9f, 0xd503_3fdf];

/// A register leads to something, mostly data.
pub fn aim(rng: &mut Rng, r: u32) -> [u32; 2] {
    let to = match rng.below(24) {
        0 => CODE + rng.below(CODE_BYTES),
        1 => ALIAS + rng.below(CODE_BYTES),
        2 => leaf(
            STAGE1[rng.below(2) as usize],
            DATA + rng.below(DATA_PAGES) * 0x1000,
        ),
        3 => PL011 + rng.below(16) * 4,
        4 => rng.below(1 << 32),
        5 => rng.below(256),
        _ => {
            let page =
                [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14][rng.below(16) as usize];
            let byte = rng.below(0x1000) & [!15, !15, !7, !0][rng.below(4) as usize];
            DATA + page * 0x1000 + byte
        }
    };
    mov(r, to)
}

/// What a kernel does to registers, with values that leave it its handlers.
fn system(rng: &mut Rng) -> Vec<u32> {
    let plain = [
        TPIDR_EL0,
        TPIDR_EL1,
        TPIDRRO_EL0,
        SP_EL0,
        CONTEXTIDR_EL1,
        FPSR,
        NZCV,
        AFSR0_EL1,
    ];
    let rt = rng.below(31) as u32;
    match rng.below(12) {
        0..3 => vec![msr(plain[rng.below(8) as usize], rt)],
        3..5 => vec![mrs(plain[rng.below(8) as usize], rt)],
        5 => vec![0xd530_0000 | rng.next() as u32 & 0xf_ffff], // MRS of anything
        6 => {
            let space = rng.below(2);
            let mut all = mov(rt, STAGE1[space as usize]).to_vec();
            all.push(0xf2e0_0000 | (space as u32 + rng.below(2) as u32) << 5 | rt); // MOVK, LSL #48: the ASID
            all.extend([msr(TTBR0_EL1, rt), DSB_ISB[1]]);
            all
        }
        7 => {
            let trapped = [0, 1, 3, 3, 3][rng.below(5) as usize];
            let mut all = mov(rt, trapped << 20).to_vec();
            all.push(msr(CPACR_EL1, rt));
            all.extend(rng.below(2).eq(&0).then_some(DSB_ISB[1]));
            all
        }
        8 => {
            let mut all = mov(
                rt,
                [0, 0, 1 << 22, 1 << 24, 1 << 25, 1 << 19][rng.below(6) as usize],
            )
            .to_vec();
            all.push(msr(FPCR, rt));
            all
        }
        9 => vec![[0xd503_40df, 0xd503_40ff, 0xd503_4ddf, 0xd503_42df][rng.below(4) as usize]], // DAIFSet, DAIFClr
        10 => vec![0xd500_40bf | (rng.below(2) as u32) << 8], // SPSel
        _ => vec![
            [
                0xd500_409f,
                0xd500_419f,
                0xd503_203f,
                0xd503_205f,
                0xd503_209f,
                0xd503_20bf,
                0xd503_207f,
            ][rng.below(7) as usize],
        ], // PAN, YIELD, WFE, SEV, SEVL
    }
}

/// Exceptions that are asked for, and returns from them.
fn calls(rng: &mut Rng) -> u32 {
    let n = (rng.below(1 << 16) as u32) << 5;
    [
        0xd400_0001 | n,
        0xd400_0001 | n,
        0xd400_0002 | n,
        0xd420_0000 | n,
        n >> 5,
        ERET,
    ][rng.below(6) as usize]
}

/// A descriptor of a page of data changes, and TLBs are told, or not.
fn remap(rng: &mut Rng) -> Vec<u32> {
    let (a, b) = (rng.below(31) as u32, rng.below(31) as u32);
    let page = rng.below(DATA_PAGES);
    let mut all = mov(a, leaf(STAGE1[rng.below(2) as usize], DATA + page * 0x1000)).to_vec();
    let flip = 64 - [7, 11, 64, 12][rng.below(4) as usize]; // read-only, not global, valid, another page
    all.extend([
        0xf940_0000 | a << 5 | b,              // LDR Xb, [Xa]
        0xd240_0000 | flip << 16 | b << 5 | b, // EOR Xb, Xb, #bit
        0xf900_0000 | a << 5 | b,              // STR Xb, [Xa]
        DSB_ISB[0],
    ]);
    all.extend(mov(a, (DATA >> 12) + page));
    all.push(invalidate(rng, a));
    all.extend(DSB_ISB);
    all
}

/// TLBI of some kind; its register has a page number.
fn invalidate(rng: &mut Rng, rt: u32) -> u32 {
    let all = [
        0x8300, 0x8700, 0x8360, 0x8760, 0x8320, 0x8720, 0x8340, 0x83a0, 0x87e0, 0x8220,
    ];
    0xd508_0000 | all[rng.below(10) as usize] | rt
}

/// A word of code goes to another place of it, and caches are told, or not.
fn rewrite(rng: &mut Rng, at: u64) -> Vec<u32> {
    let (a, b, c) = (
        rng.below(31) as u32,
        rng.below(31) as u32,
        rng.below(31) as u32,
    );
    let to = if rng.below(3) == 0 {
        at + 4 * rng.below(16)
    } else {
        CODE + rng.below(CODE_BYTES / 4) * 4
    };
    let mut all = mov(a, CODE + rng.below(CODE_BYTES / 4) * 4).to_vec();
    all.extend(mov(c, to.min(CODE + CODE_BYTES - 4)));
    all.extend([0xb940_0000 | a << 5 | b, 0xb900_0000 | c << 5 | b]); // LDR Wb, [Xa]; STR Wb, [Xc]
    if rng.below(2) == 0 {
        all.extend([
            0xd50b_7b20 | c,
            0xd503_3b9f,
            0xd50b_7520 | c,
            0xd503_3b9f,
            DSB_ISB[1],
        ]); // DC CVAU, IC IVAU
    }
    all
}

/// A branch to a place nearby, or to a register that leads into the code.
fn branch(rng: &mut Rng, at: u64) -> Vec<u32> {
    let here = (at - CODE) / 4;
    let reach = if rng.below(3) == 0 { 4096 } else { 64 };
    let far = (rng.below(CODE_BYTES / 4) as i64 - here as i64).clamp(-reach, reach) as u32;
    let r = rng.below(31) as u32;
    match rng.below(10) {
        0..2 => vec![0x1400_0000 | far & 0x3ff_ffff],
        2 => vec![0x9400_0000 | far & 0x3ff_ffff], // BL
        3..5 => vec![0x5400_0000 | (far & 0x7_ffff) << 5 | rng.below(14) as u32],
        5 => vec![0xb400_0000 | (far & 0x7_ffff) << 5 | r | (rng.below(2) as u32) << 24],
        6 => vec![0x3600_0000 | (far & 0x3fff) << 5 | r | (rng.below(2) as u32) << 24],
        7 => vec![0xd65f_03c0], // RET
        _ => {
            let base = [CODE, CODE, CODE, ALIAS][rng.below(4) as usize];
            let mut all = mov(r, base + rng.below(CODE_BYTES / 4) * 4).to_vec();
            all.push([0xd61f_0000, 0xd63f_0000][rng.below(2) as usize] | r << 5);
            all
        }
    }
}

/// Random code for all pages, from `rows` (words of rows that only work on registers and memory).
pub fn code(rng: &mut Rng, rows: &[u32]) -> Vec<u32> {
    let mut all = Vec::new();
    while all.len() < (CODE_BYTES / 4) as usize {
        let at = CODE + all.len() as u64 * 4;
        match rng.below(40) {
            0..8 => {
                let r = rng.below(31) as u32;
                all.extend(aim(rng, r));
            }
            8..12 => all.extend(branch(rng, at)),
            12 => all.extend(system(rng)),
            13 if rng.below(2) == 0 => all.push(calls(rng)),
            14 if rng.below(3) == 0 => all.extend(remap(rng)),
            15 if rng.below(3) == 0 => all.extend(rewrite(rng, at)),
            16 if rng.below(4) == 0 => {
                let r = rng.below(31) as u32;
                all.push(invalidate(rng, r));
            }
            _ => all.push(rows[rng.below(rows.len() as u64) as usize]),
        }
    }
    all.truncate((CODE_BYTES / 4) as usize);
    all
}

/// Groups of rows whose instances are not chosen at random: they would take the handlers away.
const SYSTEM: [&str; 2] = ["exception_gen", "system"];

/// Words of all other rows that a machine with `features` has.
pub fn rows(rng: &mut Rng, features: Features) -> Vec<u32> {
    let groups = gdbhv_model::isa::GROUPS.iter();
    let rows = groups.filter(|g| !SYSTEM.contains(&g.0)).flat_map(|g| g.1);
    let all = rows.flat_map(|row| instances(rng, row, 60));
    all.filter(|w| {
        !matches!(
            decode(*w, 0, features).map(|i| i.how),
            None | Some(How::Undefined)
        )
    })
    .collect()
}
