//! Guest memory accesses off the fast path.
use crate::cpu::{Cpu, Trap};
use crate::mem::access::{Acc, Size};
use crate::mmu::tlb::{Entry, PAGE};
use crate::shared::Shared;
pub fn fetch(_cpu: &mut Cpu, _sh: &mut Shared, pc: u64) -> Result<u64, Trap> {
    Ok(pc)
}
fn fill(cpu: &mut Cpu, sh: &mut Shared, va: u64) {
    let host = sh.ram.host(va & PAGE, va & PAGE);
    unsafe {
        *(*cpu.ctx).entry(va) = Entry {
            tag_r: va & PAGE,
            tag_w: va & PAGE,
            host,
            pa: va & PAGE,
        };
    }
}
pub fn load(cpu: &mut Cpu, sh: &mut Shared, va: u64, size: Size, _acc: Acc) -> Result<u64, Trap> {
    fill(cpu, sh, va);
    Ok(sh.ram.read(va, size.bytes()).unwrap())
}
pub fn store(
    cpu: &mut Cpu,
    sh: &mut Shared,
    va: u64,
    size: Size,
    v: u64,
    _acc: Acc,
) -> Result<(), Trap> {
    fill(cpu, sh, va);
    sh.ram.write(va, size.bytes(), v).unwrap();
    Ok(())
}
/// The physical address of a data access that is about to be made, with the faults that it would have.
pub fn translate_data(
    _cpu: &mut Cpu,
    _sh: &mut Shared,
    va: u64,
    _bytes: u64,
    _write: bool,
    _acc: Acc,
) -> Result<u64, Trap> {
    Ok(va)
}
