//! How native code is entered and left, and what host registers mean in it.
//!
//! | register | holds |
//! |---|---|
//! | rbx | the PE |
//! | r12 | what PEs share |
//! | r13 | the translation context |
//! | r14 | instructions left, those of the block that executes taken off |
//! | r15 | virtual address of the block that executes |
//! | rax, rcx, rdx, xmm0 to xmm2 | nothing between two nodes |
//! | rsi, rdi, rbp, r8 to r11, xmm3 to xmm15 | values ([`super::values`]) |
//! | \[rsp\] | the PE's jump cache |
//! | \[rsp + 8\] | the MXCSR of the process, while native code has its own |
//!
//! Loading MXCSR costs more than all else of an entry, and most entries execute no floating point: native code keeps that of the process
//! until a block asks for it ([`Frame::float`]), which `Pe::host_mxcsr` tells.

use super::memory::Memory;
use super::one::execute_one;
use dynasmrt::{dynasm, x64::X64Relocation, DynasmApi, DynasmLabelApi, VecAssembler};
use gdbhv_model::cpu::{Cpu, Monitor};
use gdbhv_model::exec::native::{Enter, DISPATCH};
use gdbhv_model::pe::Pe;
use gdbhv_model::platform::Platform;
use gdbhv_model::shared::Shared;
use std::mem::{offset_of, size_of, size_of_val};

/// An assembler of code without relocations: all that leaves a block is patched by hand.
pub type Asm = VecAssembler<X64Relocation>;

/// Of `Cpu::pc`, from the PE.
pub const PC: i32 = offset_of!(Cpu, pc) as i32;
/// Of `Cpu::v`.
pub const V: i32 = offset_of!(Cpu, v) as i32;
/// Of `Cpu::monitor`, 0 if it marks nothing.
pub const MONITOR: i32 = offset_of!(Cpu, monitor) as i32;
const _: () = assert!(size_of::<Option<Monitor>>() == 8);
/// Of `Cpu::flags`.
pub const FLAGS: i32 = offset_of!(Cpu, flags) as i32;
/// Of `Cpu::block_pa`.
pub const BLOCK_PA: i32 = offset_of!(Cpu, block_pa) as i32;
/// Of `Cpu::sys`, a pointer to the system registers.
pub const SYS: i32 = offset_of!(Cpu, sys) as i32;
/// Of SP_EL0 while another stack pointer is in use.
pub const SP_EL0_AT: i32 = offset_of!(Cpu, sp) as i32;
/// Of `Cpu::granted`.
pub const GRANTED: i32 = offset_of!(Cpu, granted) as i32;
/// Of `Cpu::fpcr`.
pub const FPCR: i32 = offset_of!(Cpu, fpcr) as i32;
const FPSR: i32 = offset_of!(Cpu, fpsr) as i32;
/// Of `Pe::fp_traps`, behind which `Pe::host_mxcsr` is: 16 bits are 0 if FP may go on.
pub const FP_TRAPS: i32 = offset_of!(Pe, fp_traps) as i32;
const HOST_MXCSR: i32 = offset_of!(Pe, host_mxcsr) as i32;
const _: () = assert!(HOST_MXCSR == FP_TRAPS + 1);
/// Of `Pe::until`.
pub const UNTIL: i32 = offset_of!(Pe, until) as i32;
const CTX: i32 = offset_of!(Pe, ctx) as i32;
/// Of `Platform::now`, from what PEs share.
pub const NOW: i32 = (offset_of!(Shared, platform) + offset_of!(Platform, now)) as i32;
const _: () = assert!(offset_of!(Pe, cpu) == 0);

/// MXCSR of native code: round to nearest, nothing flushed, nothing traps, nothing has been raised.
const MXCSR: u32 = 0x1f80;
/// Exceptions in MXCSR that FPSR has too: all but the one for denormal operands.
pub const RAISED: i8 = 0x3d;

/// What results are compared with, four or two lanes each: the magnitude's mask, and the least normal number.
const EDGES: [[u32; 4]; 4] = [
    [0x7fff_ffff; 4],
    [0x0080_0000; 4],
    [0xffff_ffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff],
    [0, 0x0010_0000, 0, 0x0010_0000],
];

/// Where the common pieces of code are.
#[derive(Clone, Copy)]
pub struct Frame {
    /// [`EDGES`].
    edges: u32,
    /// A function: MXCSR becomes that of native code ([`MXCSR`]). It keeps all registers.
    pub float: u32,
    /// [`Enter`].
    enter: u32,
    /// Leave between two blocks: r15 is the address of the next.
    pub dispatch: u32,
    /// The same with the number in eax.
    pub settle: u32,
    /// Leave with the number in eax, PC and time being written.
    pub leave: u32,
    /// A function: an instruction is executed by the interpreter ([`execute_one`]), which rcx and rdx are for; rax is the physical address of the
    /// block, r8 its length. It leaves if the block is left.
    pub call: u32,
    /// Bytes of all of them.
    pub end: u32,
}

impl Frame {
    /// Write them to the beginning of the memory.
    pub fn new(memory: &mut Memory) -> Frame {
        let mut at = [0; 6];
        let mut loads = Vec::new(); // where instructions end that load MXCSR
        let mut a = Asm::new(0);
        for word in EDGES.iter().flatten().chain([&MXCSR]) {
            a.push_u32(*word);
        }
        let mxcsr = size_of_val(&EDGES) as u32;
        dynasm!(a
            ; .arch x64
            ; raise: // MXCSR's exceptions, which are in [rsp - 8], are added to FPSR, and cleared; rcx and rdx are kept
            ; mov eax, [rsp - 8]
            ; mov r8d, eax
            ; and eax, 1 // IE is IOC
            ; shr r8d, 1
            ; and r8d, 0x1e // ZE, OE, UE and PE are DZC, OFC, UFC and IXC
            ; or eax, r8d
            ; or [rbx + FPSR], eax
            ; ldmxcsr [rip + 0]
        );
        loads.push(a.offset().0);
        dynasm!(a ; .arch x64 ; ret);
        at[0] = a.offset().0 as u32;
        dynasm!(a
            ; .arch x64
            ; push rbx
            ; push rbp
            ; push r12
            ; push r13
            ; push r14
            ; push r15
            ; sub rsp, 24
            ; mov rbx, rdi
            ; mov r12, rsi
            ; mov r14, rcx
            ; mov [rsp], r8
            ; mov r13, [rbx + CTX]
            ; mov r15, [rbx + PC]
            ; jmp rdx
        );
        at[1] = a.offset().0 as u32;
        dynasm!(a ; .arch x64 ; mov eax, DISPATCH as i32);
        at[2] = a.offset().0 as u32;
        dynasm!(a
            ; .arch x64
            ; mov [rbx + PC], r15
            ; mov rcx, [rbx + UNTIL]
            ; sub rcx, r14
            ; mov [r12 + NOW], rcx
        );
        at[3] = a.offset().0 as u32;
        dynasm!(a
            ; .arch x64
            ; leave:
            ; cmp BYTE [rbx + HOST_MXCSR], 0
            ; jne >process
            ; stmxcsr [rsp - 16]
            ; test BYTE [rsp - 16], RAISED
            ; jz >nothing
            ; mov rcx, rax
            ; call <raise
            ; mov rax, rcx
            ; nothing:
            ; ldmxcsr [rsp + 8]
            ; mov BYTE [rbx + HOST_MXCSR], 1
            ; process:
            ; add rsp, 24
            ; pop r15
            ; pop r14
            ; pop r13
            ; pop r12
            ; pop rbp
            ; pop rbx
            ; ret
        );
        at[4] = a.offset().0 as u32;
        let function = execute_one as *const () as i64;
        dynasm!(a
            ; .arch x64
            ; mov [rbx + PC], r15
            ; mov [rbx + BLOCK_PA], rax
            ; mov r9, [rbx + UNTIL]
            ; sub r9, r8
            ; sub r9, r14
            ; mov [r12 + NOW], r9
            ; cmp BYTE [rbx + HOST_MXCSR], 0
            ; jne >nothing
            ; stmxcsr [rsp - 16]
            ; test BYTE [rsp - 16], RAISED
            ; jz >nothing
            ; call <raise
            ; nothing:
            ; mov rdi, rbx
            ; mov rsi, r12
            ; mov rax, QWORD function
            ; sub rsp, 8
            ; call rax
            ; add rsp, 8
            ; cmp BYTE [rbx + HOST_MXCSR], 0
            ; jne >process
            ; ldmxcsr [rip + 0] // what the interpreter has raised means nothing
        );
        loads.push(a.offset().0);
        dynasm!(a
            ; .arch x64
            ; process:
            ; test eax, eax
            ; jnz >left
            ; ret
            ; left:
            ; add rsp, 8
            ; jmp <leave
        );
        at[5] = a.offset().0 as u32;
        dynasm!(a
            ; .arch x64
            ; stmxcsr [rsp + 16] // behind the return address: this process may have set it to anything
            ; ldmxcsr [rip + 0]
        );
        loads.push(a.offset().0);
        dynasm!(a ; .arch x64 ; mov BYTE [rbx + HOST_MXCSR], 0 ; ret);
        let mut code = a.finalize().expect("all labels are there");
        for end in loads {
            let rel = mxcsr.wrapping_sub(end as u32);
            code[end - 4..end].copy_from_slice(&rel.to_le_bytes());
        }
        let base = memory.put(&code).expect("the memory is empty");
        let [enter, dispatch, settle, leave, call, float] = at.map(|at| base + at);
        Frame {
            edges: base,
            float,
            enter,
            dispatch,
            settle,
            leave,
            call,
            end: base + code.len() as u32,
        }
    }
    /// Where the mask of a magnitude is, and the least normal number.
    pub fn edges(&self, single: bool) -> (u32, u32) {
        let at = self.edges + if single { 0 } else { 32 };
        (at, at + 16)
    }
    /// How code in `memory` is entered.
    pub fn enter(&self, memory: &Memory) -> Enter {
        // SAFETY: what `new` has written there is a function of this type.
        unsafe { std::mem::transmute::<*const u8, Enter>(memory.address(self.enter)) }
    }
}
