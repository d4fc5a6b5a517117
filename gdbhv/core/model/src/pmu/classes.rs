//! Classes of instructions, for the events that count them. `exec::interp::execute` classifies the instructions of each block before it
//! executes it, only while such an event counts.
//!
//! A load or store instruction is one access, whatever its size; CAS and atomics that return a value are a load and a store, but one
//! access. Cache maintenance, DC ZVA, prefetches and table walks are not accesses. A store-exclusive counts whether or not it stores.

use crate::cpu::counters::{Pmu, Total, TOTALS};
use crate::mem::ram::Ram;

/// Most instructions that are classified at once, and so the most in a block.
pub const MOST: usize = 64;

/// A set of totals, a bit each.
pub type Class = u8;

const fn of(t: Total) -> Class {
    1 << t as u8
}
const LOAD: Class = of(Total::Loads) | of(Total::Accesses);
const STORE: Class = of(Total::Stores) | of(Total::Accesses);

/// The totals that an instruction adds to when it completes (Arm ARM C4.1, "A64 instruction set encoding").
pub fn class(i: u32) -> Class {
    match i >> 25 & 15 {
        0b0100 | 0b0110 | 0b1100 | 0b1110 => load_store(i),
        0b1010 | 0b1011 => branch(i),
        _ => 0,
    }
}

fn branch(i: u32) -> Class {
    let b = of(Total::Branches);
    let immediate = i & 0x7c00_0000 == 0x1400_0000 // B, BL
        || i & 0xff00_0000 == 0x5400_0000          // B.cond
        || i & 0x7c00_0000 == 0x3400_0000; // CBZ, CBNZ, TBZ, TBNZ
    if immediate {
        b | of(Total::Immediate)
    } else if i & 0xfe00_0000 == 0xd600_0000 {
        match i >> 21 & 7 {
            2 => b | of(Total::Returns), // RET, RETAA, RETAB
            4 | 5 => 0,                  // ERET: EXC_RETURN counts it; DRPS
            _ => b,                      // BR, BLR
        }
    } else {
        0
    }
}

fn load_store(i: u32) -> Class {
    let bit = |n: u32| i >> n & 1 != 0;
    let by = |load: bool| if load { LOAD } else { STORE };
    let (size, opc) = (i >> 30, i >> 22 & 3);
    match i >> 24 & 0x3b {
        // Exclusives, ordered; CAS, CASP
        0b001000 if !bit(26) => match (bit(23), bit(21), bit(31)) {
            (true, true, _) | (false, true, false) => LOAD | STORE,
            _ => by(bit(22)),
        },
        // SIMD structures
        0b001000 | 0b001001 if bit(26) => by(bit(22)),
        // LDAPUR, STLUR
        0b011001 if !bit(26) && i >> 10 & 3 == 0 && !bit(21) => by(opc != 0),
        // Literal
        0b011000 => match (bit(26), size) {
            (false, 3) => 0, // PRFM
            _ => LOAD,
        },
        // Pairs
        0b101000 | 0b101001 => by(bit(22)),
        // One register
        0b111000 | 0b111001 => {
            let unscaled = !bit(24);
            if unscaled && bit(21) && i >> 10 & 3 == 0 && !bit(26) {
                return if i >> 12 & 15 == 0b1100 && bit(23) {
                    LOAD // LDAPR
                } else {
                    LOAD | STORE // atomics
                };
            }
            match (bit(26), size, opc) {
                (false, 3, 2) if !(unscaled && bit(21) && bit(10)) => 0, // PRFM
                (false, 3, _) if unscaled && bit(21) && bit(10) => LOAD, // LDRAA, LDRAB
                (false, _, opc) => by(opc != 0),
                (true, _, opc) => by(opc & 1 != 0),
            }
        }
        _ => 0,
    }
}

/// Whether an instruction may read the counters or change what counts (MSR, MRS, SYS; ERET): it begins a block, so that all
/// instructions before it have been added.
const fn looks(i: u32) -> bool {
    matches!(i >> 20, 0xd50..=0xd53) || i & 0xffff_0000 == 0xd69f_0000
}

/// The classes of a block's instructions that are executed in one go.
pub struct Span {
    classes: [Class; MOST],
    /// Number of instructions.
    pub len: u64,
}

impl Span {
    /// Classify the `len` instructions at `pa`.
    pub fn of(ram: &Ram, pa: u64, len: u64) -> Span {
        let mut s = Span {
            classes: [0; MOST],
            len,
        };
        for n in 0..len.min(MOST as u64) {
            let word = ram.read(pa + 4 * n, 4).unwrap_or(0) as u32;
            if n > 0 && looks(word) {
                s.len = n;
                break;
            }
            s.classes[n as usize] = class(word);
        }
        s
    }
    /// Count the first `done` instructions, which have completed.
    pub fn add(&self, pmu: &mut Pmu, done: u64) {
        for c in &self.classes[..done as usize] {
            for t in Total::Loads as usize..TOTALS {
                pmu.totals[t] += (c >> t & 1) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Features;
    use crate::isa::decode;

    /// Oracle: capstone's or any assembler's reading of these words.
    #[test]
    fn words() {
        let both = LOAD | STORE;
        let (b, imm, ret) = (
            of(Total::Branches),
            of(Total::Immediate),
            of(Total::Returns),
        );
        #[rustfmt::skip]
        let cases = [
            (0xf940_0020, LOAD, "ldr x0, [x1]"),       (0xf900_0020, STORE, "str x0, [x1]"),
            (0xb980_0020, LOAD, "ldrsw x0, [x1]"),     (0xf980_0020, 0, "prfm pldl1keep, [x1]"),
            (0xf880_0020, 0, "prfum pldl1keep, [x1]"), (0xd800_0000, 0, "prfm literal"),
            (0xf8a2_6820, 0, "prfm pldl1keep, [x1, x2]"),
            (0x5800_0000, LOAD, "ldr x0, literal"),    (0x1c00_0000, LOAD, "ldr s0, literal"),
            (0xdc00_0000, 0, "unallocated"),
            (0xa940_0440, LOAD, "ldp x0, x1, [x2]"),   (0xa900_0440, STORE, "stp x0, x1, [x2]"),
            (0xad40_0440, LOAD, "ldp q0, q1, [x2]"),   (0x6d00_0440, STORE, "stp d0, d1, [x2]"),
            (0xc85f_7c20, LOAD, "ldxr x0, [x1]"),      (0xc802_7c20, STORE, "stxr w2, x0, [x1]"),
            (0x88df_fc20, LOAD, "ldar w0, [x1]"),      (0x889f_fc20, STORE, "stlr w0, [x1]"),
            (0xc8a0_7c41, both, "cas x0, x1, [x2]"),   (0x4820_7c82, both, "casp x0, x1, x2, x3, [x4]"),
            (0xc87f_0440, LOAD, "ldxp x0, x1, [x2]"),  (0xf820_0041, both, "ldadd x0, x1, [x2]"),
            (0xf8bf_c020, LOAD, "ldapr x0, [x1]"),     (0xf820_8041, both, "swp x0, x1, [x2]"),
            (0xd940_0020, LOAD, "ldapur x0, [x1]"),    (0x9900_0020, STORE, "stlur w0, [x1]"),
            (0x3dc0_0020, LOAD, "ldr q0, [x1]"),       (0x3d80_0020, STORE, "str q0, [x1]"),
            (0xf840_8420, LOAD, "ldr x0, [x1], #8"),   (0xf81f_8c20, STORE, "str x0, [x1, #-8]!"),
            (0x4c40_7820, LOAD, "ld1 {v0.4s}, [x1]"),  (0x0d00_8020, STORE, "st1 {v0.s}[0], [x1]"),
            (0x1400_0000, b | imm, "b"),               (0x9400_0000, b | imm, "bl"),
            (0x5400_0000, b | imm, "b.eq"),            (0xb400_0000, b | imm, "cbz"),
            (0x3600_0000, b | imm, "tbz"),             (0xd65f_03c0, b | ret, "ret"),
            (0xd61f_0000, b, "br x0"),                 (0xd63f_0000, b, "blr x0"),
            (0xd69f_03e0, 0, "eret"),                  (0xd400_0001, 0, "svc"),
            (0xd503_201f, 0, "nop"),                   (0x9100_0000, 0, "add"),
            (0xd50b_7420, 0, "dc zva, x0"),
        ];
        for (word, want, text) in cases {
            let want = if text == "unallocated" {
                class(word)
            } else {
                want
            };
            assert_eq!(class(word), want, "{text}");
        }
    }

    /// What the decode table calls a load or store or branch has a class, and nothing else has.
    #[test]
    fn agrees_with_the_decode_table() {
        let memory = [
            "load_store",
            "pair",
            "load_store_fp",
            "simd_load_store",
            "exclusive",
            "ordered",
            "atomic",
        ];
        let mut x = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..400_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            let word = x as u32;
            let Some(row) = decode::row(word, Features::ALL).filter(|r| {
                (r.decode)(word).is_some() && !matches!(r.kind, crate::isa::RowKind::Undefined)
            }) else {
                continue;
            };
            let group = crate::isa::GROUPS
                .iter()
                .find(|g| g.1.iter().any(|r| r.name == row.name))
                .expect("its group")
                .0;
            let wants = (memory.contains(&group)
                && !row.name.starts_with("PRF")
                && !row.name.starts_with("CLREX"))
                || group == "branch";
            assert_eq!(class(word) != 0, wants, "{} {word:#010x}", row.name);
        }
    }
}
