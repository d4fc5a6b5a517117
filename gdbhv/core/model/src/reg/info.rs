//! All registers, from the rows: look-up by number, by encoding and by name.

use super::row::{Info, Reg, REG_SPACE};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The constant part of the rows of one file.
macro_rules! infos {
    ($group:ident; $($name:ident $op0:literal $op1:literal $n:literal $m:literal $op2:literal $acc:ident $reset:literal
        [$($rule:ident)*] $store:ident $(($($arg:ident),*))? $(=> $e2h:ident)? $feat:ident $doc:literal $fields:expr;)*) => {
        /// The registers of this file.
        pub const INFOS: &[crate::reg::row::Info] = &[$({
            crate::reg::row::Info {
                name: stringify!($name),
                reg: names::$name,
                group: crate::reg::row::Group::$group,
                access: crate::reg::row::Access::parse(stringify!($acc)),
                reset: $reset,
                alias: infos!(@alias $store $($($arg)*)?),
                e2h: infos!(@e2h $($e2h)?),
                feature: stringify!($feat),
                doc: $doc,
                fields: $fields,
            }
        }),*];
    };
    (@alias alias $r:ident) => { Some(names::$r) };
    (@alias $($other:ident)*) => { None };
    (@e2h) => { None };
    (@e2h $r:ident) => { Some(names::$r) };
}

mod id {
    #[allow(unused_imports)]
    use crate::reg::id::*;
    use crate::reg::names;
    crate::reg::id::table!(infos);
}
mod el0 {
    #[allow(unused_imports)]
    use crate::reg::el0::*;
    use crate::reg::names;
    crate::reg::el0::table!(infos);
}
mod el1 {
    #[allow(unused_imports)]
    use crate::reg::el1::*;
    use crate::reg::names;
    crate::reg::el1::table!(infos);
}
mod el2 {
    use crate::reg::el1::{ESR, MAIR, SPSR, TTBR, VBAR};
    #[allow(unused_imports)]
    use crate::reg::el2::*;
    use crate::reg::fgt;
    use crate::reg::names;
    crate::reg::el2::table!(infos);
}
mod timer {
    use crate::reg::names;
    #[allow(unused_imports)]
    use crate::reg::timer::*;
    crate::reg::timer::table!(infos);
}
mod gic {
    #[allow(unused_imports)]
    use crate::reg::gic::*;
    use crate::reg::names;
    crate::reg::gic::table!(infos);
}
mod debug {
    #[allow(unused_imports)]
    use crate::reg::debug::*;
    use crate::reg::names;
    crate::reg::debug::table!(infos);
}
mod pmu {
    use crate::reg::names;
    #[allow(unused_imports)]
    use crate::reg::pmu::*;
    crate::reg::pmu::table!(infos);
}

pub(super) const FILES: [&[Info]; 8] = [
    id::INFOS,
    el0::INFOS,
    el1::INFOS,
    el2::INFOS,
    timer::INFOS,
    gic::INFOS,
    debug::INFOS,
    pmu::INFOS,
];

/// How many registers are known.
pub const COUNT: usize = {
    let (mut n, mut f) = (0, 0);
    while f < FILES.len() {
        n += FILES[f].len();
        f += 1;
    }
    n
};

/// Every register that is known, those of absent features included.
pub static INFOS: [Info; COUNT] = {
    let mut all = [FILES[0][0]; COUNT];
    let (mut n, mut f) = (0, 0);
    while f < FILES.len() {
        let mut i = 0;
        while i < FILES[f].len() {
            all[n] = FILES[f][i];
            n += 1;
            i += 1;
        }
        f += 1;
    }
    all
};

impl Reg {
    /// Its name in the table; `S3_0_C1_C0_0` if it has none (Arm ARM C5.1.4).
    pub fn name(self) -> String {
        match find(self) {
            Some(r) => r.name.to_string(),
            None => {
                let (op0, op1, crn, crm, op2) = self.fields();
                format!("S{op0}_{op1}_C{crn}_C{crm}_{op2}")
            }
        }
    }
}

const NONE: u16 = u16::MAX;

/// Row number by encoding; two rows with one encoding do not compile.
static INDEX: [u16; REG_SPACE] = {
    let mut index = [NONE; REG_SPACE];
    let mut i = 0;
    while i < COUNT {
        let at = INFOS[i].reg.index();
        assert!(index[at] == NONE, "two registers have the same encoding");
        index[at] = i as u16;
        i += 1;
    }
    index
};

/// The number of the row of `reg` in [`INFOS`].
#[inline]
pub fn number(reg: Reg) -> Option<usize> {
    match INDEX[reg.index()] {
        NONE => None,
        i => Some(i as usize),
    }
}

/// What `reg` is, present or not. (Encodings of SYS instructions have no row.)
#[inline]
pub fn find(reg: Reg) -> Option<&'static Info> {
    if reg.0 >> 15 == 0 {
        return None;
    }
    number(reg).map(|i| &INFOS[i])
}

/// The register of that name (as the Arm ARM spells it; case does not matter).
pub fn by_name(name: &str) -> Option<&'static Info> {
    static NAMES: OnceLock<HashMap<String, usize>> = OnceLock::new();
    let upper = |(n, row): (usize, &Info)| (row.name.to_ascii_uppercase(), n);
    let names = NAMES.get_or_init(|| INFOS.iter().enumerate().map(upper).collect());
    names.get(&name.to_ascii_uppercase()).map(|&n| &INFOS[n])
}
