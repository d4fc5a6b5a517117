//! Oracle: what a hypervisor may do with VTTBR_EL2 and VMPIDR_EL2.

use super::*;
use crate::reg::field;

const ON: u64 = field!(HCR_EL2.VM).mask();

/// CPU `id` with these in force for EL1.
fn cpu(id: usize, hcr: u64, vmid: u64, root: u64, mpidr: u64) -> Cpu {
    let mut c = Cpu::new(id, 2);
    c.set(HCR_EL2, hcr);
    c.set(VTTBR_EL2, vmid << 48 | root);
    c.set(VMPIDR_EL2, mpidr);
    c
}

fn at(vm: u16, vcpu: u16) -> Option<At> {
    Some(At { vm, vcpu })
}

#[test]
fn a_vcpu_that_moves_is_known_again() {
    let mut vms = Vms::default();
    vms.entered(&cpu(0, ON, 1, 0x4000, 0), 10);
    assert_eq!(vms.exited(0, 20), at(0, 0));
    vms.entered(&cpu(0, ON, 2, 0x8000, 0), 30); // another VM's
    vms.entered(&cpu(1, ON, 1, 0x4001, 0), 40); // CnP is no part of the address
    assert_eq!((vms.here(0), vms.here(1)), (at(1, 0), at(0, 0)));
    let v = vms.vcpu(At { vm: 0, vcpu: 0 }).expect("it ran");
    assert_eq!(
        (v.cpu, v.inside, v.entries, v.exits, v.insns),
        (1, true, 2, 1, 40)
    );
    assert_eq!(vms.list().len(), 2);
    assert_eq!(vms.get(3).expect("vm 3").key.vmid, 2);
    assert!(vms.get(1).is_none() && vms.get(4).is_none());
}

#[test]
fn one_that_leaves_its_cpu_by_moving_is_no_longer_there() {
    let mut vms = Vms::default();
    vms.entered(&cpu(0, ON, 1, 0x4000, 0), 0);
    vms.exited(0, 1);
    vms.entered(&cpu(1, ON, 1, 0x4000, 0), 2);
    assert_eq!((vms.here(0), vms.exited(0, 3)), (None, None));
    assert_eq!(vms.exited(1, 4), at(0, 0));
    assert_eq!(vms.exited(1, 5), None, "it has not been entered again");
}

#[test]
fn what_has_no_stage_2_is_no_vm() {
    let mut vms = Vms::default();
    vms.entered(&cpu(0, 0, 0, 0x4000, 0), 0);
    assert!(vms.list().is_empty() && vms.host[0]);
    vms.entered(&cpu(0, ON, 0, 0x4000, 0), 1); // VMID 0 is one like others
    assert_eq!((vms.here(0), vms.host[0]), (at(0, 0), false));
    vms.exited(0, 2);
    vms.entered(&cpu(0, 0, 0, 0x4000, 0), 3);
    assert_eq!((vms.here(0), vms.exited(0, 4)), (None, None));
}

#[test]
fn tables_or_a_vmid_that_are_used_again_are_another_vm() {
    let mut vms = Vms::default();
    vms.entered(&cpu(0, ON, 1, 0x4000, 0), 0);
    vms.entered(&cpu(0, ON, 1, 0x8000, 0), 1);
    vms.entered(&cpu(0, ON, 2, 0x8000, 0), 2);
    vms.entered(&cpu(0, ON, 3, 0xc000, 0), 3);
    let replaced: Vec<_> = vms.list().iter().map(|vm| vms.replaced(vm)).collect();
    assert_eq!(replaced, [Some(3), Some(4), None, None]);
    vms.entered(&cpu(0, ON, 1, 0x4000, 0), 4); // and it is back
    assert_eq!(vms.replaced(&vms.list()[0]), None);
}

#[test]
fn one_number_on_two_cpus_at_once_is_two_vcpus() {
    let mut vms = Vms::default();
    vms.entered(&cpu(0, ON, 1, 0x4000, 7), 0);
    vms.entered(&cpu(1, ON, 1, 0x4000, 7), 1);
    assert_eq!((vms.here(0), vms.here(1)), (at(0, 0), at(0, 1)));
}

#[test]
fn there_is_room_for_so_many() {
    let mut vms = Vms::default();
    for n in 0..MOST_VMS as u64 + 3 {
        vms.entered(&cpu(0, ON, n, n << 12, 0), n);
    }
    assert_eq!((vms.list().len(), vms.further), (MOST_VMS, 3));
    assert_eq!(vms.here(0), None);
    for n in 1..MOST_VCPUS as u64 + 2 {
        vms.entered(&cpu(0, ON, 0, 0, n), n);
    }
    assert_eq!((vms.list()[0].vcpus.len(), vms.further), (MOST_VCPUS, 5));
}

#[test]
fn saved_is_the_same_and_damage_is_seen() {
    let mut vms = Vms::default();
    vms.entered(&cpu(0, ON, 1, 0x4000, 0), 0);
    let bytes = borsh::to_vec(&vms).expect("plain");
    let again = Vms::try_from_slice(&bytes).expect("plain");
    assert!(again.sound() && again.here(0) == at(0, 0));
    vms.here[0] = at(0, 1);
    assert!(!vms.sound());
}
