//! Memory types, and how those of stage 1 and stage 2 combine (Arm ARM D8.6; `S2CombineS1MemAttrs`).
//!
//! A type is a byte in MAIR's encoding: the high nibble is the outer cacheability, the low nibble the inner; 0b0000dd00 is Device.

/// Device-nGnRnE.
pub const DEVICE_NGNRNE: u8 = 0x00;
/// Normal, non-cacheable.
pub const NORMAL_NC: u8 = 0x44;
/// Normal, write-through, read-allocating: fetches with stage 1 off and SCTLR.I.
pub const NORMAL_WT: u8 = 0xaa;
/// Normal, write-back, allocating.
pub const NORMAL_WB: u8 = 0xff;

/// Shareability as descriptors and PAR_EL1 encode it.
pub mod share {
    /// Non-shareable.
    pub const NON: u8 = 0;
    /// Outer shareable.
    pub const OUTER: u8 = 2;
    /// Inner shareable.
    pub const INNER: u8 = 3;
}

/// Memory type and shareability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemAttr {
    /// MAIR encoding.
    pub attr: u8,
    /// Shareability, the effective one.
    pub sh: u8,
}

impl MemAttr {
    /// What stage 1 says, shareability as the descriptor gives it where stage 2 is still to come (`AArch64.S1Translate`: an
    /// IMPLEMENTATION DEFINED choice), else the effective one. The reserved shareability 1 acts as outer.
    pub const fn of_stage1(attr: u8, sh: u8, then_stage2: bool) -> MemAttr {
        let sh = if sh == 1 { share::OUTER } else { sh };
        if then_stage2 {
            let attr = normalize(attr);
            MemAttr { attr, sh }
        } else {
            MemAttr::new(attr, sh)
        }
    }
    /// With the shareability that the type allows: Device and non-cacheable memory is outer shareable.
    pub const fn new(attr: u8, sh: u8) -> MemAttr {
        let attr = normalize(attr);
        let sh = if is_device(attr) || attr == NORMAL_NC {
            share::OUTER
        } else {
            sh
        };
        MemAttr { attr, sh }
    }
    /// Device of some kind.
    #[inline]
    pub const fn device(self) -> bool {
        is_device(self.attr)
    }
}

/// Whether a MAIR attribute is Device memory.
#[inline]
pub const fn is_device(attr: u8) -> bool {
    attr & 0xf0 == 0
}

/// Fold encodings that mean the same here: FEAT_XS and FEAT_MTE variants, reserved values.
const fn normalize(attr: u8) -> u8 {
    match attr {
        0x40 => NORMAL_NC,
        0xa0 => 0xbb,
        0xf0 => NORMAL_WB,
        a if is_device(a) => a & 0x0c,
        a => a,
    }
}

/// Stage 2's own type from MemAttr\[3:0\] without FEAT_S2FWB (Table D8-98).
const fn stage2(memattr: u8) -> u8 {
    const fn nibble(v: u8) -> u8 {
        match v {
            2 => 0xb,
            3 => 0xf,
            _ => 0x4,
        }
    }
    match memattr >> 2 {
        0 => (memattr & 3) << 2,
        outer => nibble(outer) << 4 | nibble(memattr & 3),
    }
}

/// The weaker of two cacheabilities, with the hints of the first.
const fn cacheability(a: u8, b: u8) -> u8 {
    const NC: u8 = 4;
    const fn through(n: u8) -> bool {
        n & 0xc == 0 || n & 0xc == 8
    }
    if a == NC || b == NC {
        NC
    } else if through(b) && !through(a) {
        // write-back becomes write-through, allocation hints and transience stay
        a & !4
    } else {
        a
    }
}

/// A cacheability made write-back, with its own hints if it has any (`AArch64.S2ApplyFWBMemAttrs`).
const fn written_back(nibble: u8) -> u8 {
    if nibble == 4 {
        0xf
    } else {
        nibble | 4
    }
}

/// The type of an access through both stages; `memattr` and `sh` are of the stage 2 descriptor.
pub const fn combine(s1: MemAttr, memattr: u8, sh: u8, fwb: bool, nc: bool) -> MemAttr {
    let attr = if fwb {
        match memattr & 7 {
            6 if is_device(s1.attr) => NORMAL_WB,
            6 => written_back(s1.attr >> 4) << 4 | written_back(s1.attr & 15),
            7 => s1.attr,
            5 if is_device(s1.attr) => s1.attr,
            5 => NORMAL_NC,
            dd => merge(s1.attr, (dd & 3) << 2),
        }
    } else {
        merge(s1.attr, stage2(memattr))
    };
    let attr = if nc && !is_device(attr) {
        NORMAL_NC
    } else {
        attr
    };
    // Shareability: the wider one.
    let sh = if sh == 1 { share::OUTER } else { sh };
    let wider = if s1.sh == share::OUTER || sh == share::OUTER {
        share::OUTER
    } else if s1.sh == share::INNER || sh == share::INNER {
        share::INNER
    } else {
        share::NON
    };
    MemAttr::new(attr, wider)
}

const fn merge(a: u8, b: u8) -> u8 {
    match (is_device(a), is_device(b)) {
        (true, true) => {
            if a < b {
                a
            } else {
                b
            }
        }
        (true, false) => a,
        (false, true) => b,
        (false, false) => cacheability(a >> 4, b >> 4) << 4 | cacheability(a & 15, b & 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table D8-100 and its neighbours: rows are stage 1, columns stage 2.
    #[test]
    fn types_combine() {
        let c = |a, m| combine(MemAttr::new(a, share::INNER), m, share::INNER, false, false).attr;
        assert_eq!(c(0xff, 0b1111), 0xff);
        assert_eq!(c(0xff, 0b0101), NORMAL_NC);
        assert_eq!(c(0xff, 0b1010), 0xbb);
        assert_eq!(c(0xbb, 0b1111), 0xbb);
        assert_eq!(c(0x44, 0b1111), NORMAL_NC);
        assert_eq!(c(0xff, 0b0000), DEVICE_NGNRNE);
        assert_eq!(c(0x04, 0b1111), 0x04);
        assert_eq!(c(0x0c, 0b0001), 0x04);
        assert_eq!(c(0x04, 0b0011), 0x04);
        // hints and transience are stage 1's
        assert_eq!(c(0x77, 0b1010), 0x33);
        assert_eq!(c(0xee, 0b1010), 0xaa);
    }

    /// Table D8-102: stage 2 forced write-back.
    #[test]
    fn forced_write_back() {
        let c = |a, m| combine(MemAttr::new(a, 0), m, 0, true, false).attr;
        assert_eq!(c(0x00, 6), 0xff);
        assert_eq!(c(0x44, 6), 0xff);
        assert_eq!(c(0xae, 6), 0xee);
        assert_eq!(c(0xbb, 7), 0xbb);
        assert_eq!(c(0x04, 7), 0x04);
        assert_eq!(c(0xff, 5), NORMAL_NC);
        assert_eq!(c(0x04, 5), 0x04);
        assert_eq!(c(0xff, 1), 0x04);
    }

    #[test]
    fn shareability() {
        let sh = |a, b| combine(MemAttr::new(0xff, a), 0xf, b, false, false).sh;
        assert_eq!(sh(share::NON, share::NON), share::NON);
        assert_eq!(sh(share::NON, share::INNER), share::INNER);
        assert_eq!(sh(share::OUTER, share::INNER), share::OUTER);
        assert_eq!(MemAttr::new(NORMAL_NC, 0).sh, share::OUTER);
    }
}
