//! The generic timers of each PE, over virtual time: the counter, four timers, the event stream (Arm ARM, D12).
//!
//! State lives in the PE's system registers (CTL's ENABLE and IMASK, CVAL, the offsets and controls); everything else here is a
//! function of it and of the time, so that nothing ticks. The caller handles traps and redirection by E2H (CNTP_* at EL2 is CNTHP_*,
//! and so on): the registers named here are the real ones.

use crate::bits::sext;
use crate::cpu::Cpu;
use crate::dev::gic::Gic;
use crate::hcr;
use crate::reg::field;
use crate::reg::names::*;
use crate::reg::Reg;

/// CNTFRQ_EL0 of the board: 62.5 MHz.
pub const FREQUENCY: u64 = 62_500_000;
/// Nanoseconds of virtual time for each count.
pub const NS_PER_COUNT: u64 = 1_000_000_000 / FREQUENCY;

/// The offset that is subtracted from the physical count.
#[derive(Clone, Copy)]
enum Offset {
    None,
    /// CNTPOFF_EL2, if CNTHCTL_EL2.ECV enables it.
    Physical,
    /// CNTVOFF_EL2.
    Virtual,
}

/// One timer: its registers, its interrupt, its offset.
struct Timer {
    tval: Reg,
    ctl: Reg,
    cval: Reg,
    ppi: u32,
    offset: Offset,
}

#[rustfmt::skip]
const TIMERS: [Timer; 4] = [
    Timer { tval: CNTP_TVAL_EL0,  ctl: CNTP_CTL_EL0,  cval: CNTP_CVAL_EL0,  ppi: 30, offset: Offset::Physical },
    Timer { tval: CNTV_TVAL_EL0,  ctl: CNTV_CTL_EL0,  cval: CNTV_CVAL_EL0,  ppi: 27, offset: Offset::Virtual },
    Timer { tval: CNTHP_TVAL_EL2, ctl: CNTHP_CTL_EL2, cval: CNTHP_CVAL_EL2, ppi: 26, offset: Offset::None },
    Timer { tval: CNTHV_TVAL_EL2, ctl: CNTHV_CTL_EL2, cval: CNTHV_CVAL_EL2, ppi: 28, offset: Offset::None },
];

const ENABLE: u64 = field!(CNTV_CTL_EL0.ENABLE).mask();
const IMASK: u64 = field!(CNTV_CTL_EL0.IMASK).mask();
const ISTATUS: u64 = field!(CNTV_CTL_EL0.ISTATUS).mask();

impl Timer {
    /// The count that the timer compares.
    fn count(&self, cpu: &Cpu, now: u64) -> u64 {
        physical(now).wrapping_sub(match self.offset {
            Offset::None => 0,
            Offset::Physical => physical_offset(cpu),
            Offset::Virtual => cpu.get(CNTVOFF_EL2),
        })
    }
    /// The count that TVAL is relative to, for an access from exception level `el`: EL2 sees EL1's physical timer without
    /// CNTPOFF_EL2 (D24.10, CNTP_TVAL_EL0), but its virtual timer with CNTVOFF_EL2.
    fn view(&self, cpu: &Cpu, now: u64, el: u8) -> u64 {
        match self.offset {
            Offset::Physical if el == 2 => physical(now),
            _ => self.count(cpu, now),
        }
    }
    /// Whether the timer condition is met: ISTATUS, regardless of ENABLE.
    fn met(&self, cpu: &Cpu, now: u64) -> bool {
        self.count(cpu, now) >= cpu.get(self.cval)
    }
    fn level(&self, cpu: &Cpu, now: u64) -> bool {
        cpu.get(self.ctl) & (ENABLE | IMASK) == ENABLE && self.met(cpu, now)
    }
    /// When the timer condition next changes: it becomes true when the count reaches CVAL, and false when the count wraps.
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
/// The offset of EL1's physical counter and timer (FEAT_ECV_POFF; CNTHCTL_EL2.ECV is RES0 without it, and treated as 0 with TGE).
fn physical_offset(cpu: &Cpu) -> u64 {
    if cpu.is_set(field!(CNTHCTL_EL2.ECV)) && !cpu.is_set(field!(HCR_EL2.TGE)) {
        cpu.get(CNTPOFF_EL2)
    } else {
        0
    }
}
/// Whether a change of HCR_EL2.TGE moves EL1's physical timer.
pub fn follows_tge(cpu: &Cpu) -> bool {
    cpu.is_set(field!(CNTHCTL_EL2.ECV)) && cpu.get(CNTPOFF_EL2) != 0
}
/// CNTVCT_EL0 as read now: without the offset for a host (E2H at EL2, E2H and TGE at EL0).
fn virtual_count(cpu: &Cpu, now: u64, el: u8) -> u64 {
    let hcr = cpu.get(HCR_EL2);
    let host = field!(HCR_EL2.E2H).is_set(hcr)
        && match el {
            2 => true,
            0 => field!(HCR_EL2.TGE).is_set(hcr),
            _ => false,
        };
    let offset = if host { 0 } else { cpu.get(CNTVOFF_EL2) };
    physical(now).wrapping_sub(offset)
}

/// The first nanosecond at which CNTVCT_EL0, as the PE reads it now, is `count` or more (the timeout of WFET and WFIT:
/// `LocalTimeoutEvent`): `now` if it is already, None if never.
pub fn timeout(cpu: &Cpu, now: u64, count: u64) -> Option<u64> {
    let is = virtual_count(cpu, now, cpu.pstate.el);
    if is >= count {
        return Some(now);
    }
    at(physical(now).checked_add(count - is)?)
}

/// Read a timer register as a permitted MRS at exception level `el` would, without side effects. Other registers read as
/// stored.
pub fn read(cpu: &Cpu, now: u64, r: Reg, el: u8) -> u64 {
    match r {
        CNTPCT_EL0 | CNTPCTSS_EL0 if el == 2 => return physical(now),
        CNTPCT_EL0 | CNTPCTSS_EL0 => return physical(now).wrapping_sub(physical_offset(cpu)),
        CNTVCT_EL0 | CNTVCTSS_EL0 => return virtual_count(cpu, now, el),
        _ => {}
    }
    for t in &TIMERS {
        if r == t.ctl {
            let ctl = cpu.get(t.ctl) & (ENABLE | IMASK);
            // ISTATUS is UNKNOWN while ENABLE is 0: here 0.
            return ctl | ISTATUS * (ctl & ENABLE != 0 && t.met(cpu, now)) as u64;
        }
        if r == t.tval {
            let left = cpu.get(t.cval).wrapping_sub(t.view(cpu, now, el));
            return left as u32 as u64;
        }
    }
    cpu.get(r)
}

/// Write a timer register as a permitted MSR at exception level `el` would. The caller then calls [`update`].
pub fn write(cpu: &mut Cpu, now: u64, r: Reg, v: u64, el: u8) {
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
            let cval = t.view(cpu, now, el).wrapping_add(sext(v, 32));
            return cpu.set(t.cval, cval);
        }
    }
    cpu.set(r, v);
}

/// Set the levels of the timers' interrupts for time `now`.
pub fn update(cpu: &Cpu, now: u64, gic: &mut Gic) {
    for t in &TIMERS {
        gic.set_level(t.ppi, Some(cpu.id), t.level(cpu, now));
    }
}

/// The first nanosecond after `now` at which [`update`] would change something, if only time passes.
pub fn deadline(cpu: &Cpu, now: u64) -> Option<u64> {
    TIMERS.iter().filter_map(|t| t.next(cpu, now)).min()
}

/// A periodic event for WFE: a bit of a count, which rises or falls.
struct Stream {
    /// The offset that is added to the physical count.
    offset: u64,
    bit: u32,
    falls: bool,
}

/// The event streams that are on (CNTKCTL_EL1 over the virtual count, CNTHCTL_EL2 over the physical).
fn streams(cpu: &Cpu) -> [Option<Stream>; 2] {
    let stream = |control: u64, offset: u64| {
        field!(CNTHCTL_EL2.EVNTEN).is_set(control).then(|| Stream {
            offset,
            // EVNTIS (FEAT_ECV; RES0 without): the field picks one of bits 23:8 and not of 15:0.
            bit: field!(CNTHCTL_EL2.EVNTI).of(control) as u32
                + 8 * field!(CNTHCTL_EL2.EVNTIS).is_set(control) as u32,
            falls: field!(CNTHCTL_EL2.EVNTDIR).is_set(control),
        })
    };
    let hcr = cpu.get(HCR_EL2);
    let host = hcr::is_host(hcr);
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

/// Bring the event register up to date with the event streams. To be called before the register is read; further calls make no
/// difference.
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
        write(&mut c, 1600, CNTV_TVAL_EL0, 50, 1);
        assert_eq!(c.get(CNTV_CVAL_EL0), 150);
        assert_eq!(read(&c, 1600, CNTV_TVAL_EL0, 1), 50);
        assert_eq!(read(&c, 16 * 160, CNTV_TVAL_EL0, 1), 0xffff_fff6);
        write(&mut c, 1600, CNTV_TVAL_EL0, 0xffff_ffff, 1);
        assert_eq!(c.get(CNTV_CVAL_EL0), 99);
    }

    #[test]
    fn deadline_is_the_first_nanosecond() {
        let mut c = cpu();
        for now in [0, 1, 15, 16, 17, 1599] {
            write(&mut c, now, CNTP_CVAL_EL0, 100, 1);
            write(&mut c, now, CNTP_CTL_EL0, 1, 1);
            let t = deadline(&c, now).expect("enabled");
            assert_eq!(t, 1600);
            assert_eq!(read(&c, t - 1, CNTP_CTL_EL0, 1), 1);
            assert_eq!(read(&c, t, CNTP_CTL_EL0, 1), 5);
        }
        write(&mut c, 0, CNTP_CTL_EL0, 3, 1);
        assert_eq!(deadline(&c, 0), None, "masked");
        assert_eq!(read(&c, 1600, CNTP_CTL_EL0, 1), 7, "ISTATUS is not masked");
        write(&mut c, 0, CNTP_CTL_EL0, 0, 1);
        assert_eq!(read(&c, 1600, CNTP_CTL_EL0, 1), 0);
    }

    #[test]
    fn offset_delays_the_virtual_timer_only() {
        let mut c = cpu();
        write(&mut c, 0, CNTVOFF_EL2, 1000, 1);
        assert_eq!(read(&c, 16000, CNTVCT_EL0, 1), 0);
        assert_eq!(read(&c, 16000, CNTPCT_EL0, 1), 1000);
        write(&mut c, 16000, CNTV_CVAL_EL0, 10, 1);
        write(&mut c, 16000, CNTV_CTL_EL0, 1, 1);
        assert_eq!(deadline(&c, 16000), Some(16160));
        // Before the offset the count is huge and the condition met, until it wraps to 0.
        assert_eq!(read(&c, 0, CNTV_CTL_EL0, 1), 5);
        assert_eq!(deadline(&c, 0), Some(16000));
        assert_eq!(read(&c, 16000, CNTV_CTL_EL0, 1), 1);
    }

    #[test]
    fn far_deadlines_are_none() {
        let mut c = cpu();
        write(&mut c, 0, CNTV_CTL_EL0, 1, 1);
        write(&mut c, 0, CNTV_CVAL_EL0, u64::MAX, 1);
        assert_eq!(deadline(&c, 12345), None);
        write(&mut c, 0, CNTV_CVAL_EL0, 0, 1);
        assert_eq!(deadline(&c, 12345), None, "met for ever");
    }

    #[test]
    fn levels_reach_the_gic() {
        let mut c = cpu();
        let mut gic = Gic::new(1);
        for (n, t) in TIMERS.iter().enumerate() {
            write(&mut c, 0, t.cval, 10 * (n as u64 + 1), 1);
            write(&mut c, 0, t.ctl, 1, 1);
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
        write(&mut c, 0, CNTKCTL_EL1, 1 << 2 | 3 << 4, 1);
        // Bit 3 of the count rises at 8, 24, 40 ...
        assert_eq!(event_deadline(&c, 0), Some(8 * 16));
        assert_eq!(event_deadline(&c, 8 * 16), Some(24 * 16));
        write(&mut c, 0, CNTKCTL_EL1, 1 << 2 | 1 << 3 | 3 << 4, 1);
        assert_eq!(event_deadline(&c, 8 * 16), Some(16 * 16));
        assert_eq!(event_deadline(&c, 16 * 16), Some(32 * 16));
        for (from, to, event) in [(200, 255, false), (200, 256, true), (256, 511, false)] {
            (c.streamed, c.event) = (from, false);
            stream_events(&mut c, to);
            assert_eq!((c.event, c.streamed), (event, to));
        }
        write(&mut c, 0, CNTVOFF_EL2, 1, 1);
        assert_eq!(event_deadline(&c, 0), Some(16), "-1 to 0 is a fall");
    }

    #[test]
    fn physical_offset_is_for_el1_and_below() {
        let mut c = cpu();
        write(&mut c, 0, CNTPOFF_EL2, 1000, 2);
        write(&mut c, 0, CNTP_CVAL_EL0, 10, 1);
        write(&mut c, 0, CNTP_CTL_EL0, 1, 1);
        assert_eq!(read(&c, 16000, CNTPCT_EL0, 1), 1000, "CNTHCTL_EL2.ECV");
        assert_eq!(deadline(&c, 0), Some(160));
        write(&mut c, 0, CNTHCTL_EL2, 1 << 12, 2);
        let el = |el| [CNTPCT_EL0, CNTPCTSS_EL0, CNTP_TVAL_EL0].map(|r| read(&c, 16000, r, el));
        assert_eq!(el(0), [0, 0, 10]);
        assert_eq!(el(1), [0, 0, 10]);
        assert_eq!(el(2), [1000, 1000, (10u32.wrapping_sub(1000)) as u64]);
        assert_eq!(deadline(&c, 16000), Some(16160));
        write(&mut c, 16000, CNTP_TVAL_EL0, 20, 1);
        assert_eq!(c.get(CNTP_CVAL_EL0), 20);
        write(&mut c, 16000, CNTP_TVAL_EL0, 20, 2);
        assert_eq!(c.get(CNTP_CVAL_EL0), 1020);
        c.set(HCR_EL2, 1 << 27);
        assert_eq!(read(&c, 16000, CNTPCT_EL0, 0), 1000, "TGE");
    }

    #[test]
    fn timeouts_follow_the_count_as_read() {
        let mut c = cpu();
        write(&mut c, 0, CNTVOFF_EL2, 100, 2);
        assert_eq!(timeout(&c, 1600, 0), Some(1600));
        assert_eq!(timeout(&c, 1605, 7), Some(1712));
        assert_eq!(timeout(&c, 1605, u64::MAX), None);
        assert_eq!(
            timeout(&c, 0, 7),
            Some(0),
            "the count is below the offset: huge"
        );
        c.pstate.el = 2;
        c.set(HCR_EL2, 1 << 34);
        assert_eq!(timeout(&c, 0, 7), Some(112), "the host has no offset");
    }
}
