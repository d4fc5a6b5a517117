//! The generic timers of each PE, over virtual time: the counter, four timers, the event stream (Arm ARM, D11).
//!
//! State lives in the PE's system registers (CTL's ENABLE and IMASK, CVAL, the offsets and controls); everything else here is a
//! function of it and of the time, so that nothing ticks. Redirection by E2H (CNTP_* at EL2 is CNTHP_*, and so on) and
//! traps are the caller's: the registers named here are the real ones.

use super::gic::Gic;
use crate::bits::{bit, bits, sext};
use crate::cpu::Cpu;
use crate::sysreg::names::*;
use crate::sysreg::Reg;

/// CNTFRQ_EL0 of the board: 62.5 MHz.
pub const FREQUENCY: u64 = 62_500_000;
/// Nanoseconds of virtual time for each count.
pub const NS_PER_COUNT: u64 = 1_000_000_000 / FREQUENCY;

/// One timer: its registers, its interrupt, whether it counts with CNTVOFF_EL2.
struct Timer {
    tval: Reg,
    ctl: Reg,
    cval: Reg,
    ppi: u32,
    offset: bool,
}

#[rustfmt::skip]
const TIMERS: [Timer; 4] = [
    Timer { tval: CNTP_TVAL_EL0,  ctl: CNTP_CTL_EL0,  cval: CNTP_CVAL_EL0,  ppi: 30, offset: false },
    Timer { tval: CNTV_TVAL_EL0,  ctl: CNTV_CTL_EL0,  cval: CNTV_CVAL_EL0,  ppi: 27, offset: true },
    Timer { tval: CNTHP_TVAL_EL2, ctl: CNTHP_CTL_EL2, cval: CNTHP_CVAL_EL2, ppi: 26, offset: false },
    Timer { tval: CNTHV_TVAL_EL2, ctl: CNTHV_CTL_EL2, cval: CNTHV_CVAL_EL2, ppi: 28, offset: false },
];

const ENABLE: u64 = 1;
const IMASK: u64 = 2;
const ISTATUS: u64 = 4;

impl Timer {
    /// The count that the timer compares.
    fn count(&self, cpu: &Cpu, now: u64) -> u64 {
        let offset = if self.offset { cpu.get(CNTVOFF_EL2) } else { 0 };
        physical(now).wrapping_sub(offset)
    }
    /// ISTATUS, but for ENABLE.
    fn met(&self, cpu: &Cpu, now: u64) -> bool {
        self.count(cpu, now) >= cpu.get(self.cval)
    }
    fn level(&self, cpu: &Cpu, now: u64) -> bool {
        cpu.get(self.ctl) & (ENABLE | IMASK) == ENABLE && self.met(cpu, now)
    }
    /// When the output next changes: it rises when the count reaches CVAL, and falls when the count wraps.
    fn next(&self, cpu: &Cpu, now: u64) -> Option<u64> {
        if cpu.get(self.ctl) & (ENABLE | IMASK) != ENABLE {
            return None;
        }
        let count = self.count(cpu, now);
        let counts = if self.met(cpu, now) {
            // A CVAL of 0 is met after the wrap too.
            (cpu.get(self.cval) != 0)
                .then(|| count.wrapping_neg())
                .filter(|&c| c != 0)?
        } else {
            cpu.get(self.cval) - count
        };
        at(physical(now).checked_add(counts)?)
    }
}

/// The physical count at `now` nanoseconds.
pub fn physical(now: u64) -> u64 {
    now / NS_PER_COUNT
}
/// The first nanosecond at which the physical count is `count`.
fn at(count: u64) -> Option<u64> {
    count.checked_mul(NS_PER_COUNT)
}
/// CNTVCT_EL0 as read now: without the offset for a host (E2H at EL2, E2H and TGE at EL0).
fn virtual_count(cpu: &Cpu, now: u64) -> u64 {
    let hcr = cpu.get(HCR_EL2);
    let host = bit(hcr, 34)
        && match cpu.pstate.el {
            2 => true,
            0 => bit(hcr, 27),
            _ => false,
        };
    let offset = if host { 0 } else { cpu.get(CNTVOFF_EL2) };
    physical(now).wrapping_sub(offset)
}

/// Read a timer register, as an MRS that is allowed to. No side effects. Other registers read as stored.
pub fn read(cpu: &Cpu, now: u64, r: Reg) -> u64 {
    match r {
        CNTPCT_EL0 => return physical(now),
        CNTVCT_EL0 => return virtual_count(cpu, now),
        _ => {}
    }
    for t in &TIMERS {
        if r == t.ctl {
            let ctl = cpu.get(t.ctl) & (ENABLE | IMASK);
            // ISTATUS is UNKNOWN while ENABLE is 0: here 0.
            return ctl | ISTATUS * (ctl & ENABLE != 0 && t.met(cpu, now)) as u64;
        }
        if r == t.tval {
            let left = cpu.get(t.cval).wrapping_sub(t.count(cpu, now));
            return left as u32 as u64;
        }
    }
    cpu.get(r)
}

/// Write a timer register, as an MSR that is allowed to. The caller then calls [`update`].
pub fn write(cpu: &mut Cpu, now: u64, r: Reg, v: u64) {
    match r {
        CNTPCT_EL0 | CNTVCT_EL0 => return,
        CNTKCTL_EL1 | CNTHCTL_EL2 | CNTVOFF_EL2 => stream_events(cpu, now),
        _ => {}
    }
    for t in &TIMERS {
        if r == t.ctl {
            return cpu.set(r, v & (ENABLE | IMASK));
        }
        if r == t.tval {
            let cval = t.count(cpu, now).wrapping_add(sext(v, 32));
            return cpu.set(t.cval, cval);
        }
    }
    cpu.set(r, v);
}

/// Drive the timers' interrupts as they are at `now`.
pub fn update(cpu: &Cpu, now: u64, gic: &mut Gic) {
    for t in &TIMERS {
        gic.set_level(t.ppi, Some(cpu.id), t.level(cpu, now));
    }
}

/// The first nanosecond after `now` at which [`update`] would change something, if time alone passes.
pub fn deadline(cpu: &Cpu, now: u64) -> Option<u64> {
    TIMERS.iter().filter_map(|t| t.next(cpu, now)).min()
}

/// A periodic event for WFE: a bit of a count, which rises or falls.
struct Stream {
    /// What is added to the physical count.
    offset: u64,
    bit: u32,
    falls: bool,
}

/// The event streams that are on (CNTKCTL_EL1 over the virtual count, CNTHCTL_EL2 over the physical).
fn streams(cpu: &Cpu) -> [Option<Stream>; 2] {
    let stream = |control: u64, offset: u64| {
        bit(control, 2).then(|| Stream {
            offset,
            bit: bits(control, 7, 4) as u32,
            falls: bit(control, 3),
        })
    };
    let hcr = cpu.get(HCR_EL2);
    let host = bit(hcr, 34) && bit(hcr, 27);
    let virt = stream(cpu.get(CNTKCTL_EL1), cpu.get(CNTVOFF_EL2).wrapping_neg());
    [virt.filter(|_| !host), stream(cpu.get(CNTHCTL_EL2), 0)]
}

impl Stream {
    /// The first nanosecond after `now` at which the event is generated.
    fn next(&self, now: u64) -> Option<u64> {
        let period = 2u64 << self.bit;
        let edge = if self.falls { 0 } else { period / 2 };
        let phase = physical(now).wrapping_add(self.offset) % period;
        let counts = match (edge + period - phase) % period {
            0 => period,
            c => c,
        };
        at(physical(now).checked_add(counts)?)
    }
}

/// The first nanosecond after `now` at which an event stream generates an event for WFE.
pub fn event_deadline(cpu: &Cpu, now: u64) -> Option<u64> {
    streams(cpu)
        .iter()
        .flatten()
        .filter_map(|s| s.next(now))
        .min()
}

/// Bring the event register up to date with the event streams. To be called before it is looked at; how often besides makes
/// no difference.
pub fn stream_events(cpu: &mut Cpu, now: u64) {
    cpu.event |= event_deadline(cpu, cpu.streamed).is_some_and(|t| t <= now);
    cpu.streamed = now;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu() -> Cpu {
        Cpu::new(0, 1)
    }

    #[test]
    fn tval_is_a_signed_view_of_cval() {
        let mut c = cpu();
        write(&mut c, 1600, CNTV_TVAL_EL0, 50);
        assert_eq!(c.get(CNTV_CVAL_EL0), 150);
        assert_eq!(read(&c, 1600, CNTV_TVAL_EL0), 50);
        assert_eq!(read(&c, 16 * 160, CNTV_TVAL_EL0), 0xffff_fff6);
        write(&mut c, 1600, CNTV_TVAL_EL0, 0xffff_ffff);
        assert_eq!(c.get(CNTV_CVAL_EL0), 99);
    }

    #[test]
    fn deadline_is_the_first_nanosecond() {
        let mut c = cpu();
        for now in [0, 1, 15, 16, 17, 1599] {
            write(&mut c, now, CNTP_CVAL_EL0, 100);
            write(&mut c, now, CNTP_CTL_EL0, 1);
            let t = deadline(&c, now).expect("enabled");
            assert_eq!(t, 1600);
            assert_eq!(read(&c, t - 1, CNTP_CTL_EL0), 1);
            assert_eq!(read(&c, t, CNTP_CTL_EL0), 5);
        }
        write(&mut c, 0, CNTP_CTL_EL0, 3);
        assert_eq!(deadline(&c, 0), None, "masked");
        assert_eq!(read(&c, 1600, CNTP_CTL_EL0), 7, "ISTATUS is not masked");
        write(&mut c, 0, CNTP_CTL_EL0, 0);
        assert_eq!(read(&c, 1600, CNTP_CTL_EL0), 0);
    }

    #[test]
    fn offset_delays_the_virtual_timer_only() {
        let mut c = cpu();
        write(&mut c, 0, CNTVOFF_EL2, 1000);
        assert_eq!(read(&c, 16000, CNTVCT_EL0), 0);
        assert_eq!(read(&c, 16000, CNTPCT_EL0), 1000);
        write(&mut c, 16000, CNTV_CVAL_EL0, 10);
        write(&mut c, 16000, CNTV_CTL_EL0, 1);
        assert_eq!(deadline(&c, 16000), Some(16160));
        // Before the offset the count is huge and the condition met, until it wraps to 0.
        assert_eq!(read(&c, 0, CNTV_CTL_EL0), 5);
        assert_eq!(deadline(&c, 0), Some(16000));
        assert_eq!(read(&c, 16000, CNTV_CTL_EL0), 1);
    }

    #[test]
    fn far_deadlines_are_none() {
        let mut c = cpu();
        write(&mut c, 0, CNTV_CTL_EL0, 1);
        write(&mut c, 0, CNTV_CVAL_EL0, u64::MAX);
        assert_eq!(deadline(&c, 12345), None);
        write(&mut c, 0, CNTV_CVAL_EL0, 0);
        assert_eq!(deadline(&c, 12345), None, "met for ever");
    }

    #[test]
    fn levels_reach_the_gic() {
        let mut c = cpu();
        let mut gic = Gic::new(1);
        for (n, t) in TIMERS.iter().enumerate() {
            write(&mut c, 0, t.cval, 10 * (n as u64 + 1));
            write(&mut c, 0, t.ctl, 1);
        }
        let mut now = 0;
        for ppi in [30, 27, 26, 28] {
            let pending = |g: &Gic| g.state().pe[0].private[ppi].pending();
            assert!(!pending(&gic));
            now = deadline(&c, now).expect("one left");
            update(&c, now, &mut gic);
            assert!(pending(&gic));
        }
        assert_eq!((deadline(&c, now), now), (None, 640));
    }

    #[test]
    fn event_stream() {
        let mut c = cpu();
        assert_eq!(event_deadline(&c, 0), None);
        write(&mut c, 0, CNTKCTL_EL1, 1 << 2 | 3 << 4);
        // Bit 3 of the count rises at 8, 24, 40 ...
        assert_eq!(event_deadline(&c, 0), Some(8 * 16));
        assert_eq!(event_deadline(&c, 8 * 16), Some(24 * 16));
        write(&mut c, 0, CNTKCTL_EL1, 1 << 2 | 1 << 3 | 3 << 4);
        assert_eq!(event_deadline(&c, 8 * 16), Some(16 * 16));
        assert_eq!(event_deadline(&c, 16 * 16), Some(32 * 16));
        for (from, to, event) in [(200, 255, false), (200, 256, true), (256, 511, false)] {
            (c.streamed, c.event) = (from, false);
            stream_events(&mut c, to);
            assert_eq!((c.event, c.streamed), (event, to));
        }
        write(&mut c, 0, CNTVOFF_EL2, 1);
        assert_eq!(event_deadline(&c, 0), Some(16), "-1 to 0 is a fall");
    }
}
