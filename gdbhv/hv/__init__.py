"""The hypervisor: what KVM does for a guest, written in Python to be read.

Reading order: :mod:`~gdbhv.hv.stage2` (tables in the machine's memory), :mod:`~gdbhv.hv.vm` (memory slots, devices, vCPUs),
:mod:`~gdbhv.hv.vcpu` (the context that is switched), :mod:`~gdbhv.hv.exits` (one small handler for each class of exit),
:mod:`~gdbhv.hv.vgic` and :mod:`~gdbhv.hv.vgic_mmio` (the virtual interrupt controller), :mod:`~gdbhv.hv.sched` (who runs
where), :mod:`~gdbhv.hv.host` (the hypervisor of a machine), :mod:`~gdbhv.hv.hosttarget`
(the loop, for debuggers) and :mod:`~gdbhv.hv.inspection` (what they see).
"""
