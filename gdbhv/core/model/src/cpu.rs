//! The architectural state of one PE, with its banking; no behaviour beyond keeping itself consistent.

pub mod counters;

use crate::pstate::{Flags, Pstate};
use crate::raise::{Exception, Trap};
use crate::reg::named::RegField;
use crate::reg::INFOS;
use crate::reg::{Reg, REG_SPACE};
use crate::save::{put, take, Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};
use counters::Pmu;
use std::num::NonZeroU64;

/// Most PEs in a machine.
pub const MAX_CPUS: usize = 8;

/// Indexes of `Cpu::x` beyond X30: 31 is the current SP; ZR reads and ZR writes have a slot each, so that no body branches on it.
pub mod slot {
    /// The stack pointer in use.
    pub const SP: u8 = 31;
    /// Reads as zero.
    pub const ZR: u8 = 32;
    /// Swallows writes.
    pub const SINK: u8 = 33;

    /// A source register where 31 means zero.
    #[inline]
    pub const fn src(n: u32) -> u8 {
        if n & 31 == 31 {
            ZR
        } else {
            (n & 31) as u8
        }
    }
    /// A destination register where 31 means none.
    #[inline]
    pub const fn dst(n: u32) -> u8 {
        if n & 31 == 31 {
            SINK
        } else {
            (n & 31) as u8
        }
    }
    /// A register where 31 means SP.
    #[inline]
    pub const fn sp(n: u32) -> u8 {
        (n & 31) as u8
    }
}

/// What LDXR marked (`MarkExclusiveLocal`): a physical range, in one number that compiled code compares at once: the address of its first byte
/// from bit 3 on, and below it log2 of its bytes (0 to 4) plus 1.
#[repr(transparent)]
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitor(NonZeroU64);

impl Monitor {
    /// Of `bytes` (a power of 2, at most 16) at `pa`.
    #[inline(always)]
    pub const fn new(pa: u64, bytes: u64) -> Monitor {
        match NonZeroU64::new(pa << 3 | (bytes.trailing_zeros() as u64 + 1)) {
            Some(n) => Monitor(n),
            None => panic!("log2 is less than 7"),
        }
    }
}

/// What a PE is doing between two instructions.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Executing.
    On,
    /// In WFI: waits for an interrupt, masked or not.
    Wfi,
    /// In WFE: waits for an event or an interrupt.
    Wfe,
    /// Off, until PSCI CPU_ON.
    Off,
    /// Hosted: the host side has nothing to run on it until a physical interrupt is pending.
    Idle,
}

/// One PE's architectural state, and where it is between two instructions or in one.
#[repr(C)]
#[derive(Clone)]
pub struct Cpu {
    /// X0-X30, the SP in use, and the two halves of ZR (see `cpu::slot`).
    pub x: [u64; 34],
    /// NZCV.
    pub flags: Flags,
    /// Address of the block that executes; between blocks, of the next instruction.
    pub pc: u64,
    /// Position in its block of the instruction that left it early.
    pub off: u16,
    /// Physical address of the block that executes.
    pub block_pa: u64,
    /// Index in the machine.
    pub id: usize,
    /// PSTATE but for NZCV.
    pub pstate: Pstate,
    /// SP_EL0, SP_EL1, SP_EL2; the one in use is stale here and current in `x[31]`.
    pub sp: [u64; 3],
    /// V0-V31.
    pub v: [u128; 32],
    /// FPCR.
    pub fpcr: u32,
    /// FPSR.
    pub fpsr: u32,
    /// System registers without a home of their own, by encoding.
    pub sys: Box<[u64; REG_SPACE]>,
    /// The local exclusive monitor.
    pub monitor: Option<Monitor>,
    /// The syndrome (ESR_ELx.ISS) of the physical SError that is pending.
    pub serror: Option<u32>,
    /// A WFE waits before it traps (FEAT_TWED): the virtual time at which it does.
    pub twed: Option<u64>,
    /// The event register (SEV, WFE).
    pub event: bool,
    /// Virtual time up to which the event streams are in `event` (`timer::stream_events`).
    pub streamed: u64,
    /// Executing, waiting or off.
    pub power: Power,
    /// Virtual time at which waiting ends by itself (WFIT, WFET); `u64::MAX` is never.
    pub timeout: u64,
    /// The exception that ended an instruction; taken by the dispatcher.
    pub raised: Option<Exception>,
    /// A software step is pending because the instruction before was stepped: whether that was a Load-Exclusive.
    pub stepped: Option<bool>,
    /// The performance monitors.
    pub pmu: Pmu,
    /// Where the last exception or return from one has led, and when (in ticks).
    pub landed: (u64, u64),
    /// A register that translation, traps or self-hosted debug depend on has been written: what is derived from them
    /// ([`crate::pe::Pe`]) follows before the PE executes again.
    pub changed: bool,
    /// The same of PSTATE alone: what was derived for its new value before may be used again.
    pub moved: bool,
    /// Which system instructions have been allowed at this Exception level with this SPSel ([`crate::sysreg::granted`]).
    pub granted: u32,
    /// The same of the others, by [`Cpu::granting`].
    pub granted_there: [u32; 6],
}

impl Cpu {
    /// A PE after reset at exception level `el`, with zeroed general registers.
    pub fn new(id: usize, el: u8) -> Cpu {
        Cpu {
            x: [0; 34],
            flags: Flags::default(),
            pc: 0,
            off: 0,
            block_pa: 0,
            id,
            pstate: Pstate::reset(el),
            sp: [0; 3],
            v: [0; 32],
            fpcr: 0,
            fpsr: 0,
            sys: vec![0u64; REG_SPACE]
                .into_boxed_slice()
                .try_into()
                .expect("length"),
            monitor: None,
            serror: None,
            twed: None,
            event: false,
            streamed: 0,
            power: Power::On,
            timeout: u64::MAX,
            landed: (u64::MAX, 0),
            raised: None,
            stepped: None,
            pmu: Pmu::default(),
            changed: true,
            moved: false,
            granted: 0,
            granted_there: [0; 6],
        }
    }

    /// A system register's stored value (no side effects; registers of devices are not stored here).
    #[inline(always)]
    pub fn get(&self, r: Reg) -> u64 {
        self.sys[r.index()]
    }
    /// A field of a system register.
    #[inline(always)]
    pub fn field(&self, f: RegField) -> u64 {
        f.of(self.get(f.reg()))
    }
    /// Whether a field of a system register is not 0.
    #[inline(always)]
    pub fn is_set(&self, f: RegField) -> bool {
        f.is_set(self.get(f.reg()))
    }
    /// Store a system register's value (no side effects).
    #[inline(always)]
    pub fn set(&mut self, r: Reg, v: u64) {
        self.sys[r.index()] = v;
    }

    /// Index in `sp` of the stack pointer in use.
    #[inline]
    pub fn sp_index(&self) -> usize {
        if self.pstate.sp == 0 {
            0
        } else {
            self.pstate.el as usize
        }
    }
    /// SP_ELn.
    pub fn sp_el(&self, el: usize) -> u64 {
        if el == self.sp_index() {
            self.x[slot::SP as usize]
        } else {
            self.sp[el]
        }
    }
    /// Write SP_ELn.
    pub fn set_sp_el(&mut self, el: usize, v: u64) {
        if el == self.sp_index() {
            self.x[slot::SP as usize] = v;
        }
        self.sp[el] = v;
    }
    /// Replace PSTATE, switching the stack pointer. Inline, so that fields are stored as they are made and not copied by words, for which
    /// the host would have to wait.
    #[inline]
    pub fn set_pstate(&mut self, p: Pstate) {
        self.moved = true;
        self.granted_there[self.granting()] = self.granted;
        let old = self.sp_index();
        self.sp[old] = self.x[slot::SP as usize];
        self.pstate = p;
        self.granted = self.granted_there[self.granting()]; // an instruction of the same block may be the next
        self.x[slot::SP as usize] = self.sp[self.sp_index()];
    }
    /// What of PSTATE decides on system instructions that are granted: the index in `granted_there`.
    fn granting(&self) -> usize {
        (self.pstate.el << 1 | self.pstate.sp) as usize
    }
    /// Forget which system instructions have been allowed.
    pub fn grant_nothing(&mut self) {
        (self.granted, self.granted_there) = (0, [0; 6]);
    }
    /// PSTATE in the layout of SPSR_ELx.
    pub fn spsr(&self) -> u64 {
        self.pstate.to_spsr(self.flags)
    }

    /// Address of the instruction that executes (in a helper row or on the slow path).
    #[inline]
    pub fn here(&self) -> u64 {
        self.pc.wrapping_add(self.off as u64 * 4)
    }

    /// Physical address of the instruction that executes.
    #[inline]
    pub fn here_pa(&self) -> u64 {
        self.block_pa + self.off as u64 * 4
    }

    /// End the instruction with an exception.
    #[cold]
    pub fn raise(&mut self, e: Exception) -> Trap {
        self.raised = Some(e);
        Trap
    }
}

/// What tells where in a block the CPU is (`off`, `block_pa`) means nothing between two instructions: it is another one where a run was stopped
/// on the way. So does what is in [`slot::SINK`], which compiled code does not write.
impl Save for Cpu {
    fn save(&self, to: &mut Vec<u8>) {
        debug_assert!(self.raised.is_none(), "between two instructions");
        let mut x = self.x;
        x[slot::SINK as usize] = 0;
        put(to, &(x, self.flags, self.pc));
        put(to, &(self.pstate, self.sp, self.v, self.fpcr, self.fpsr));
        // Only those of the table: nothing else is ever written, and looking at all encodings would cost more than all the rest.
        let registers = INFOS.iter().map(|i| i.reg.index());
        let set: Vec<(u16, u64)> = registers
            .filter(|r| self.sys[*r] != 0)
            .map(|r| (r as u16, self.sys[r]))
            .collect();
        debug_assert_eq!(set.len(), self.sys.iter().filter(|v| **v != 0).count());
        put(to, &set);
        put(
            to,
            &(
                self.monitor,
                self.serror,
                self.twed,
                self.event,
                self.streamed,
            ),
        );
        put(to, &(self.power, self.timeout, self.stepped));
        put(to, &self.pmu);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        (self.x, self.flags, self.pc) = take(from)?;
        (self.off, self.block_pa) = (0, 0);
        (self.pstate, self.sp, self.v, self.fpcr, self.fpsr) = take(from)?;
        self.sys.fill(0);
        for (r, v) in take::<Vec<(u16, u64)>>(from)? {
            let register = self.sys.get_mut(r as usize);
            *register.ok_or(Unfit(format!("no system register is number {r}")))? = v;
        }
        (
            self.monitor,
            self.serror,
            self.twed,
            self.event,
            self.streamed,
        ) = take(from)?;
        (self.power, self.timeout, self.stepped) = take(from)?;
        self.pmu = take(from)?;
        self.raised = None;
        (self.changed, self.moved) = (true, false);
        (self.granted, self.granted_there) = (0, [0; 6]);
        Ok(())
    }
}
