"""What hypercalls are called: function identifiers by SMCCC (Arm DEN 0028), and Xen's numbers.

Names that gdbhv's own hypervisor serves are in :mod:`gdbhv.hv.hypercall`; here are all that a guest may call elsewhere.
"""

from __future__ import annotations

XEN = 0xEA1  # the immediate of HVC by which Xen is called, with the number in x16 (Xen's public/arch-arm.h)

# Arm DEN 0028 (SMCCC), DEN 0022 (PSCI), DEN 0054 (SDEI), DEN 0077 (FF-A), DEN 0098 (TRNG), DEN 0057 (paravirtualized time);
# Linux's include/linux/arm-smccc.h for KVM. A function that has a 64-bit form (bit 30) is here once.
NAMES = {
    0x80000000: "SMCCC_VERSION",
    0x80000001: "SMCCC_ARCH_FEATURES",
    0x80000002: "SMCCC_ARCH_SOC_ID",
    0x80000003: "SMCCC_ARCH_FEATURE_AVAILABILITY",
    0x80000004: "SMCCC_ARCH_WORKAROUND_4",
    0x80003FFF: "SMCCC_ARCH_WORKAROUND_3",
    0x80007FFF: "SMCCC_ARCH_WORKAROUND_2",
    0x80008000: "SMCCC_ARCH_WORKAROUND_1",
    0x84000000: "PSCI_VERSION",
    0x84000001: "CPU_SUSPEND",
    0x84000002: "CPU_OFF",
    0x84000003: "CPU_ON",
    0x84000004: "AFFINITY_INFO",
    0x84000005: "MIGRATE",
    0x84000006: "MIGRATE_INFO_TYPE",
    0x84000007: "MIGRATE_INFO_UP_CPU",
    0x84000008: "SYSTEM_OFF",
    0x84000009: "SYSTEM_RESET",
    0x8400000A: "PSCI_FEATURES",
    0x8400000B: "CPU_FREEZE",
    0x8400000C: "CPU_DEFAULT_SUSPEND",
    0x8400000D: "NODE_HW_STATE",
    0x8400000E: "SYSTEM_SUSPEND",
    0x8400000F: "PSCI_SET_SUSPEND_MODE",
    0x84000010: "PSCI_STAT_RESIDENCY",
    0x84000011: "PSCI_STAT_COUNT",
    0x84000012: "SYSTEM_RESET2",
    0x84000013: "MEM_PROTECT",
    0x84000014: "MEM_PROTECT_CHECK_RANGE",
    0x84000015: "SYSTEM_OFF2",
    0x84000050: "TRNG_VERSION",
    0x84000051: "TRNG_FEATURES",
    0x84000052: "TRNG_GET_UUID",
    0x84000053: "TRNG_RND",
    **{
        0x84000020 + n: f"SDEI_{what}"
        for n, what in enumerate(
            "VERSION EVENT_REGISTER EVENT_ENABLE EVENT_DISABLE EVENT_CONTEXT EVENT_COMPLETE EVENT_COMPLETE_AND_RESUME "
            "EVENT_UNREGISTER EVENT_STATUS EVENT_GET_INFO EVENT_ROUTING_SET PE_MASK PE_UNMASK INTERRUPT_BIND "
            "INTERRUPT_RELEASE EVENT_SIGNAL FEATURES PRIVATE_RESET SHARED_RESET".split()
        )
    },
    **{
        0x84000060 + n: f"FFA_{what}"
        for n, what in enumerate(
            "ERROR SUCCESS INTERRUPT VERSION FEATURES RX_RELEASE RXTX_MAP RXTX_UNMAP PARTITION_INFO_GET ID_GET MSG_POLL "
            "MSG_WAIT YIELD RUN MSG_SEND MSG_SEND_DIRECT_REQ MSG_SEND_DIRECT_RESP MEM_DONATE MEM_LEND MEM_SHARE "
            "MEM_RETRIEVE_REQ MEM_RETRIEVE_RESP MEM_RELINQUISH MEM_RECLAIM".split()
        )
    },
    0x85000020: "PV_TIME_FEATURES",
    0x85000021: "PV_TIME_ST",
    0x8600FF01: "VENDOR_HYP_CALL_UID",
    0x86000000: "KVM_FEATURES",
    0x86000001: "KVM_PTP",
    0x86000002: "KVM_HYP_MEMINFO",
    0x86000003: "KVM_MEM_SHARE",
    0x86000004: "KVM_MEM_UNSHARE",
    0x86000007: "KVM_MMIO_GUARD",
    0x86000040: "KVM_DISCOVER_IMPL_VER",
    0x86000041: "KVM_DISCOVER_IMPL_CPUS",
}
WIDE = 1 << 30  # the 64-bit form

# Arm DEN 0028, 2.5 "Function Identifiers": the owner is in bits 29:24.
OWNERS = {0: "arch", 1: "cpu", 2: "sip", 3: "oem", 4: "std", 5: "std-hyp", 6: "vendor-hyp"}

# Of each owner (DEN 0028, 6.2 "General service queries")
GENERAL = {0xFF00: "CALL_COUNT", 0xFF01: "CALL_UID", 0xFF03: "REVISION"}

# Xen's public/xen.h, as far as Arm guests use them
XEN_NAMES = {
    7: "platform_op",
    12: "memory_op",
    13: "multicall",
    17: "xen_version",
    18: "console_io",
    20: "grant_table_op",
    21: "vm_assist",
    24: "vcpu_op",
    27: "xsm_op",
    29: "sched_op",
    32: "event_channel_op",
    33: "physdev_op",
    34: "hvm_op",
    35: "sysctl",
    36: "domctl",
    38: "tmem_op",
    39: "argo_op",
    40: "xenpmu_op",
    41: "dm_op",
    42: "hypfs_op",
}


def name(function: int, immediate: int = 0) -> str:
    """Return the name of a hypercall.

    :param function: W0; for Xen's immediate W16.
    :param immediate: of HVC or SMC.
    """
    if immediate == XEN:
        return f"xen.{XEN_NAMES.get(function, function)}"
    known = NAMES.get(function) or NAMES.get(function & ~WIDE)
    if known is not None:
        return known
    if function >> 31 and function & 0xFFFF in GENERAL and (owner := OWNERS.get(function >> 24 & 0x3F)):
        return f"{owner}:{GENERAL[function & 0xFFFF]}"
    if not function >> 31:
        return f"{function:#x}"  # no fast call: SMCCC says nothing of it
    return f"{OWNERS.get(function >> 24 & 0x3F, 'owner')}:{function:#x}"
