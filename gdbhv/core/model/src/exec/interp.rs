//! The interpreter, one of the back ends of instruction rows. It executes predecoded blocks of [`Op`]s. Each op calls the next one as
//! a tail call, so that the host's indirect branch predictor sees one branch for each guest instruction.
//!
//! Each pure row is compiled twice. [`Fast`] handles only what needs no call: registers, flags, and memory that hits the TLB; for
//! anything else the instruction starts again in [`Slow`], which handles everything. Bodies change nothing before they are sure to
//! complete, so starting again is safe (a store repeated is the same store).
//!
//! Time is exact: [`Platform::now`](crate::platform::Platform::now) counts instructions and is settled whenever a block is left;
//! inside a block the
//! instruction at `off` is number `now + off`. An instruction that ends in an exception counts too.

mod backends;
mod common;

pub use backends::{Fast, Miss, Slow};

use super::block::{Block, Exit, Op, Run};
use super::code::Code;
use super::jumps::{self, Jump};
use super::native;
use crate::exception;
use crate::isa::ops::Args;
use crate::isa::{self, Backend, Concrete, Pure, SPECS};
use crate::pe::Pe;
use crate::pmu::classes::Span;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;
use std::sync::OnceLock;

/// Executes exactly one instruction, whatever it needs. The caller advances time, and `Cpu::pc` except after [`Flow::Jump`].
pub type One = fn(&mut Pe, &Args, &mut Shared) -> Result<Flow, Trap>;

/// How the interpreter executes an instance of a row.
#[derive(Clone, Copy)]
pub struct Entry {
    /// As an op of a block.
    pub run: Run,
    /// By itself.
    pub one: One,
}

/// Execute the op after `op`.
#[inline(always)]
fn next(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    // SAFETY: ops live in a block's slice, and the last op of every block is of a kind that does not call `next`
    // (`code::decode_block`, `Code::partial`).
    let op = unsafe { &*std::ptr::from_ref(op).add(1) };
    (op.run)(cpu, op, sh)
}

/// Leave the block after an instruction that needs the dispatcher.
fn leave_after(cpu: &mut Pe, op: &Op) -> Exit {
    cpu.off = op.args.off;
    cpu.pc = cpu.pc.wrapping_add((op.args.off as u64 + 1) * 4);
    Exit::Early
}

/// The interpreter as a back end.
struct Interpreter;

impl Backend for Interpreter {
    type Entry = Entry;
    fn pure<R: Pure, const I: u32>() -> Entry {
        Entry {
            run: pure::<R, I>,
            one: one::<R, I>,
        }
    }
    fn helper<R: Concrete>() -> Entry {
        Entry {
            run: helper::<R>,
            one: call::<R>,
        }
    }
    fn undefined() -> Entry {
        Entry {
            run: undefined,
            one: undefined_one,
        }
    }
}

/// How a row is executed, by its number and the value of its specialised bits.
pub fn entry(row: usize, spec: u32) -> Entry {
    static ENTRIES: OnceLock<Vec<[Entry; SPECS]>> = OnceLock::new();
    ENTRIES.get_or_init(isa::entries::<Interpreter>)[row][spec as usize]
}

/// Execute an instance of a pure row.
fn pure<R: Pure, const I: u32>(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    if R::FP && cpu.fp_traps {
        return fp_trap(cpu, op, sh);
    }
    match R::body::<Fast, I>(&mut Fast { cpu }, &op.args) {
        Ok(()) if R::BRANCH => Exit::Block,
        Ok(()) => next(cpu, op, sh),
        Err(_) => slow::<R, I>(cpu, op, sh),
    }
}

/// Execute an instance of a pure row from its start with [`Slow`], because it needs something that [`Fast`] does not handle.
#[cold]
fn slow<R: Pure, const I: u32>(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    match one::<R, I>(cpu, &op.args, sh) {
        Ok(_) if R::BRANCH => Exit::Block,
        Ok(_) if !sh.leave => next(cpu, op, sh),
        Ok(_) => leave_after(cpu, op),
        Err(Trap) => Exit::Trap,
    }
}

/// Execute an instance of a pure row by itself.
fn one<R: Pure, const I: u32>(cpu: &mut Pe, args: &Args, sh: &mut Shared) -> Result<Flow, Trap> {
    cpu.off = args.off;
    if R::FP && cpu.fp_traps {
        return Err(exception::fp_access(cpu, sh));
    }
    R::body::<Slow, I>(&mut Slow { cpu, sh }, args)?;
    Ok(if R::BRANCH { Flow::Jump } else { Flow::Next })
}

/// Execute a helper row.
fn helper<R: Concrete>(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    if R::FP && cpu.fp_traps {
        return fp_trap(cpu, op, sh);
    }
    cpu.off = op.args.off;
    match R::call(cpu, sh, op.args.imm as u32) {
        Ok(Flow::Next) if !sh.leave => next(cpu, op, sh),
        Ok(Flow::Next | Flow::Sync) => leave_after(cpu, op),
        Ok(Flow::Jump) => Exit::Early,
        Err(Trap) => Exit::Trap,
    }
}

/// Execute a helper row by itself.
fn call<R: Concrete>(cpu: &mut Pe, args: &Args, sh: &mut Shared) -> Result<Flow, Trap> {
    cpu.off = args.off;
    if R::FP && cpu.fp_traps {
        return Err(exception::fp_access(cpu, sh));
    }
    R::call(cpu, sh, args.imm as u32)
}

/// Trap an FP or SIMD instruction instead of executing it.
#[cold]
fn fp_trap(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    cpu.off = op.args.off;
    exception::fp_access(cpu, sh);
    Exit::Trap
}

/// Execute a word that is UNDEFINED or has no row.
pub fn undefined(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    let _ = undefined_one(cpu, &op.args, sh);
    Exit::Trap
}

/// As [`undefined`], by itself.
pub fn undefined_one(cpu: &mut Pe, args: &Args, sh: &mut Shared) -> Result<Flow, Trap> {
    cpu.off = args.off;
    sh.note_undefined(cpu, args.imm as u32);
    Err(exception::undefined(cpu))
}

/// Execute a DSB or an ISB, and report it to the TLB checker.
pub fn barrier(cpu: &mut Pe, op: &Op, sh: &mut Shared) -> Exit {
    if let Some(check) = &mut sh.check {
        check.barrier(cpu.id, op.args.imm as u32);
    }
    next(cpu, op, sh)
}

/// Continue after a block that does not end with a branch: its last op, which is not an instruction.
pub fn end_of_block(cpu: &mut Pe, op: &Op, _: &mut Shared) -> Exit {
    cpu.pc = cpu.pc.wrapping_add(op.args.off as u64 * 4);
    Exit::Block
}

// ------------------------------------------------------------------------------------------------ dispatch

/// Why [`execute`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// `Shared::now` has reached `Pe::until`.
    Time,
    /// An instruction needs the machine's attention (interrupts, waiting, a changed context).
    Early,
    /// `Cpu::raised` holds an exception, not taken yet. The instruction has been counted.
    Raised,
    /// The debugger stops before the instruction at `Cpu::pc` (`Shared::debug` has why). It has not been counted.
    Debug,
}

/// Execute instructions of `cpu` until `Shared::now == Pe::until` or something needs the machine.
pub fn execute(cpu: &mut Pe, sh: &mut Shared, code: &mut Code) -> Leave {
    if cpu.pmu.classes {
        return counted(cpu, sh, code);
    }
    run::<false>(cpu, sh, code)
}

/// As [`execute`], while the performance monitors count classes of instructions.
#[cold]
fn counted(cpu: &mut Pe, sh: &mut Shared, code: &mut Code) -> Leave {
    run::<true>(cpu, sh, code)
}

#[inline(always)]
fn run<const COUNTED: bool>(cpu: &mut Pe, sh: &mut Shared, code: &mut Code) -> Leave {
    let mut site = None;
    let cache = &raw const *code.jumps[cpu.id];
    loop {
        let pc = cpu.pc;
        // SAFETY: `ctx` points to a box of `cpu.tlb`.
        let uid = unsafe { (*cpu.ctx).uid };
        // SAFETY: jump caches are not moved or freed while a PE executes.
        let jump = unsafe { &(*cache)[jumps::slot(pc)] };
        // SAFETY: blocks are freed only by `Code::collect`, which empties the jump caches.
        let mut block = if jump.pc == pc && jump.uid == uid && unsafe { (*jump.block).alive() } {
            jump.block
        } else {
            match find(cpu, sh, code, pc, uid) {
                Ok(b) => b,
                Err(leave) => return leave,
            }
        };
        // SAFETY: as above; nothing collects while a block executes.
        let mut len = unsafe { (*block).len() } as u64;
        let mut left = cpu.until - sh.now;
        if !COUNTED && len <= left && code.tiering.is_some() {
            // SAFETY: as above.
            match native(cpu, sh, code, unsafe { &*block }, left, &mut site) {
                None => {}
                Some(native::EARLY) => {
                    sh.now += cpu.off as u64 + 1;
                    sh.leave = false;
                    return Leave::Early;
                }
                Some(native::TRAP) => return trapped(cpu, sh),
                Some(_) => continue,
            }
        }
        let mut span = None;
        if COUNTED {
            // SAFETY: as above.
            let s = Span::of(&sh.ram, unsafe { (*block).pa() }, len);
            left = left.min(s.len);
            span = Some(s);
        }
        if len > left {
            if left == 0 {
                return Leave::Time;
            }
            // SAFETY: as above.
            block = code.partial(unsafe { &*block }, left as u16);
            len = left;
        }
        // SAFETY: as above; a block has at least one op.
        let first = unsafe { (*block).first() };
        // SAFETY: as above.
        cpu.block_pa = unsafe { (*block).pa() };
        let exit = (first.run)(cpu, first, sh);
        if let Some(s) = span {
            let done = match exit {
                Exit::Block => len,
                Exit::Early => cpu.off as u64 + 1,
                Exit::Trap => cpu.off as u64,
            };
            s.add(&mut cpu.pmu, done);
        }
        match exit {
            Exit::Block => sh.now += len,
            Exit::Early => {
                sh.now += cpu.off as u64 + 1;
                sh.leave = false;
                return Leave::Early;
            }
            Exit::Trap => return trapped(cpu, sh),
        }
    }
}

/// Leave the block before the instruction at `Cpu::off`, which has not executed.
fn trapped(cpu: &mut Pe, sh: &mut Shared) -> Leave {
    cpu.pc = cpu.pc.wrapping_add(cpu.off as u64 * 4);
    sh.now += cpu.off as u64;
    if cpu.raised.is_none() {
        return Leave::Debug;
    }
    sh.now += 1;
    Leave::Raised
}

/// Execute native code from `block` on, if it has any. Returns what the code left with. `site` is the jump by which native code
/// reached the block.
#[inline(always)]
fn native(
    cpu: &mut Pe,
    sh: &mut Shared,
    code: &mut Code,
    block: &Block,
    left: u64,
    site: &mut Option<u64>,
) -> Option<u64> {
    let cache = code.jumps[cpu.id].as_ptr();
    let unbroken = site.is_some() && code.unbroken(cpu.pc);
    let t = code.tiering.as_mut()?;
    let came_from = site.take();
    let mut entry = block.tier.get().native;
    if entry.is_null() {
        t.entered(block, sh, cpu.pc);
        entry = block.tier.get().native;
        if entry.is_null() {
            return None;
        }
    }
    if let Some(site) = came_from.filter(|_| unbroken) {
        t.compiler.link(site, block);
    }
    let begin = sh.now;
    // SAFETY: the entry is that of a live block, and at least as many instructions are left as it has.
    let left_with = unsafe { (t.enter)(cpu, sh, entry, left, cache) };
    t.stats.executed += sh.now - begin
        + match left_with & native::LINK {
            native::EARLY => cpu.off as u64 + 1,
            native::TRAP => cpu.off as u64,
            _ => 0,
        };
    if left_with == native::PANIC {
        t.compiler.go_on_panicking();
    }
    if left_with & native::LINK == native::LINK {
        *site = Some(left_with >> 2);
    }
    Some(left_with & native::LINK)
}

/// Find or decode the block at `pc` and enter it in the jump cache.
#[cold]
#[inline(never)]
fn find(
    cpu: &mut Pe,
    sh: &mut Shared,
    code: &mut Code,
    pc: u64,
    uid: u64,
) -> Result<*const Block, Leave> {
    if crate::halt::stops_at(cpu, sh, pc) {
        return Err(Leave::Debug);
    }
    if sh.now == cpu.until {
        return Err(Leave::Time); // a fetch that faults is the next turn's
    }
    let pa = match crate::access::fetch(cpu, sh, pc) {
        Ok(pa) => pa,
        Err(Trap) => {
            sh.now += 1;
            return Err(Leave::Raised);
        }
    };
    let pc = cpu.pc; // without its tag now
    if crate::debug_events::break_at(cpu, pc, pa).is_err() {
        sh.now += 1;
        return Err(Leave::Raised);
    }
    code.follow_writes(&mut sh.ram); // the walk may have updated a descriptor
    let block = code.block_at(cpu, sh, pa);
    if sh.debug.watches_pc(pc) || cpu.armed.breaks(pc) {
        return Ok(block);
    }
    code.jumps[cpu.id][jumps::slot(pc)] = Jump { pc, uid, block };
    Ok(block)
}
