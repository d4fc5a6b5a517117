//! The VMs that a hypervisor in the image runs, recognized by the system registers at each entry from EL2.
//!
//! A VM is a pair of stage 2 tables and VMID that has run; the pairs are numbered in the order of first entry, from [`FIRST`]. The vCPUs
//! of a VM are distinguished by VMPIDR_EL2, which a guest reads as its own MPIDR_EL1, so that a vCPU is recognized on another CPU. Code
//! that runs below EL2 without stage 2 (a host at EL1) is not a VM. A VM that is entered on two CPUs at once has two vCPUs, whatever
//! VMPIDR_EL2 says.
//!
//! Only entries and exits are observed; what EL2 does to a vCPU's registers in between is not.

use crate::cpu::{Cpu, MAX_CPUS};
use crate::mmu::select;
use crate::reg::names::*;
use borsh::{BorshDeserialize, BorshSerialize};

/// The number of the first VM: 1 is the machine itself.
pub const FIRST: u16 = 2;
/// Most VMs that are distinguished.
pub const MOST_VMS: usize = 64;
/// Most vCPUs of a VM.
pub const MOST_VCPUS: usize = 64;

/// VTTBR_EL2 without VMID and CnP: BADDR, and SKL or the upper bits of a large address.
const ROOT: u64 = 0x0000_ffff_ffff_fffe;

/// What identifies a VM.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The address of its stage 2 tables, as in VTTBR_EL2.
    pub root: u64,
    /// Its VMID.
    pub vmid: u16,
}

impl Key {
    /// The VM that EL1 and EL0 belong to, by the present registers of EL2; None: stage 2 is off.
    #[inline]
    pub fn of(cpu: &Cpu) -> Option<Key> {
        let vttbr = cpu.get(VTTBR_EL2);
        select::has_stage2(cpu.get(HCR_EL2)).then(|| Key {
            root: vttbr & ROOT,
            vmid: select::vmid_of(vttbr, cpu.get(VTCR_EL2)),
        })
    }
}

/// A vCPU, by its indices in the list of VMs and in the VM's list of vCPUs.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Index of the VM; its number is [`At::number`].
    pub vm: u16,
    /// Index of the vCPU.
    pub vcpu: u16,
}

impl At {
    /// The number of the VM.
    pub fn number(self) -> u16 {
        self.vm + FIRST
    }
}

/// A vCPU.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct Vcpu {
    /// VMPIDR_EL2.
    pub mpidr: u64,
    /// The CPU that it was entered on last.
    pub cpu: usize,
    /// It is executing: it has been entered and has not exited since.
    pub inside: bool,
    /// Number of entries.
    pub entries: u64,
    /// Number of exits.
    pub exits: u64,
    /// Instructions that the machine had executed at its last entry or exit.
    pub insns: u64,
}

/// A VM.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct Vm {
    /// What identifies it.
    pub key: Key,
    /// Its vCPUs, in the order of first entry.
    pub vcpus: Vec<Vcpu>,
    /// The vCPU that exited last.
    pub last: Option<u16>,
    /// The number of its last entry, counted over all VMs.
    pub entry: u64,
}

/// All VMs.
#[derive(BorshSerialize, BorshDeserialize, Default)]
pub struct Vms {
    list: Vec<Vm>,
    /// By CPU: the vCPU entered last, unless the CPU has entered something else since or another CPU has entered the vCPU.
    here: [Option<At>; MAX_CPUS],
    /// Number of entries of VMs.
    entries: u64,
    /// Number of entries of VMs and vCPUs that did not fit in the lists.
    pub further: u64,
    /// By CPU: the last entry was to EL1 or EL0 without stage 2.
    pub host: [bool; MAX_CPUS],
}

impl Vms {
    /// Note an entry from EL2 on `cpu`, after `insns` instructions of the machine. Returns a vCPU that has moved, with the CPU that it
    /// ran on
    /// before.
    pub fn entered(&mut self, cpu: &Cpu, insns: u64) -> Option<(At, usize)> {
        let id = cpu.id;
        let key = Key::of(cpu);
        self.host[id] = key.is_none();
        let Some(key) = key else {
            self.here[id] = None;
            return None;
        };
        let mpidr = cpu.get(VMPIDR_EL2);
        let same = |at: &At| {
            let vm = &self.list[at.vm as usize];
            vm.key == key && vm.vcpus[at.vcpu as usize].mpidr == mpidr
        };
        let at = match self.here[id].filter(same) {
            Some(at) => at,
            None => match self.find(key, mpidr) {
                Some(at) => at,
                None => {
                    self.here[id] = None;
                    self.further += 1;
                    return None;
                }
            },
        };
        self.entries += 1;
        let vm = &mut self.list[at.vm as usize];
        vm.entry = self.entries;
        let v = &mut vm.vcpus[at.vcpu as usize];
        let moved = (v.cpu != id && v.entries > 0).then_some((at, v.cpu));
        if moved.is_some() && self.here[v.cpu] == Some(at) {
            self.here[v.cpu] = None;
        }
        (v.cpu, v.inside, v.insns) = (id, true, insns);
        v.entries += 1;
        self.here[id] = Some(at);
        moved
    }

    /// Find a vCPU that is not executing, or add one. None: the list is full.
    #[cold]
    fn find(&mut self, key: Key, mpidr: u64) -> Option<At> {
        let vm = match self.list.iter().position(|vm| vm.key == key) {
            Some(n) => n,
            None if self.list.len() == MOST_VMS => return None,
            None => {
                self.list.push(Vm {
                    key,
                    vcpus: Vec::new(),
                    last: None,
                    entry: 0,
                });
                self.list.len() - 1
            }
        };
        let vcpus = &mut self.list[vm].vcpus;
        let free = |v: &Vcpu| v.mpidr == mpidr && !v.inside;
        let vcpu = match vcpus.iter().position(free) {
            Some(n) => n,
            None if vcpus.len() == MOST_VCPUS => return None,
            None => {
                vcpus.push(Vcpu {
                    mpidr,
                    cpu: 0,
                    inside: false,
                    entries: 0,
                    exits: 0,
                    insns: 0,
                });
                vcpus.len() - 1
            }
        };
        Some(At {
            vm: vm as u16,
            vcpu: vcpu as u16,
        })
    }

    /// Note that `cpu` has just taken an exception to EL2. Returns the vCPU that exited; None: it is not known.
    pub fn exited(&mut self, cpu: usize, insns: u64) -> Option<At> {
        let at = self.here[cpu]?;
        let vm = &mut self.list[at.vm as usize];
        let v = &mut vm.vcpus[at.vcpu as usize];
        if !v.inside {
            return None; // an exit of what was entered without an exception return
        }
        v.inside = false;
        v.insns = insns;
        v.exits += 1;
        vm.last = Some(at.vcpu);
        Some(at)
    }

    /// All VMs, in the order of their numbers.
    pub fn list(&self) -> &[Vm] {
        &self.list
    }
    /// A VM by its number.
    pub fn get(&self, number: u16) -> Option<&Vm> {
        self.list.get(number.checked_sub(FIRST)? as usize)
    }
    /// A vCPU.
    pub fn vcpu(&self, at: At) -> Option<&Vcpu> {
        self.list.get(at.vm as usize)?.vcpus.get(at.vcpu as usize)
    }
    /// The vCPU that `cpu` is executing or whose exit it is handling.
    pub fn here(&self, cpu: usize) -> Option<At> {
        self.here[cpu]
    }
    /// The number of a VM that has run later with the same VMID and other tables, or the same tables and another VMID.
    pub fn replaced(&self, vm: &Vm) -> Option<u16> {
        let other = |o: &&Vm| {
            o.entry > vm.entry && (o.key.vmid == vm.key.vmid) != (o.key.root == vm.key.root)
        };
        let later = self.list.iter().filter(other).max_by_key(|o| o.entry)?;
        let n = self.list.iter().position(|o| o.key == later.key)?;
        Some(n as u16 + FIRST)
    }
    /// Whether all indices are valid: a snapshot's bytes may be damaged.
    pub fn sound(&self) -> bool {
        let here = self.here.iter().flatten();
        let last = |vm: &Vm| vm.last.is_none_or(|n| (n as usize) < vm.vcpus.len());
        let cpus = |vm: &Vm| vm.vcpus.iter().all(|v| v.cpu < MAX_CPUS);
        self.list.len() <= MOST_VMS
            && here.copied().all(|at| self.vcpu(at).is_some())
            && self.list.iter().all(|vm| last(vm) && cpus(vm))
    }
}

#[cfg(test)]
#[path = "vms_tests.rs"]
mod tests;
