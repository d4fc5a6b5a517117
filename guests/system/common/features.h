/* Features by what the ID registers say (Arm ARM, D19.2): a row is a name, the register, the field's lowest bit, the least value. */
#pragma once
#include "../../common/types.h"

/*        FEAT_     ID register          bit  least */
#define FEATURES(X)                                                                                                    \
    X(RAS,          S3_0_C0_C4_0,        28,  1) /* ID_AA64PFR0_EL1 */                                                 \
    X(GICv3,        S3_0_C0_C4_0,        24,  1)                                                                       \
    X(FP16,         S3_0_C0_C4_0,        16,  1)                                                                       \
    X(SVE,          S3_0_C0_C4_0,        32,  1)                                                                       \
    X(DIT,          S3_0_C0_C4_0,        48,  1)                                                                       \
    X(SSBS,         S3_0_C0_C4_1,         4,  1) /* ID_AA64PFR1_EL1 */                                                 \
    X(MTE2,         S3_0_C0_C4_1,         8,  2)                                                                       \
    X(NMI,          S3_0_C0_C4_1,        36,  1)                                                                       \
    X(PMUv3,        S3_0_C0_C5_0,         8,  1) /* ID_AA64DFR0_EL1 */                                                 \
    X(PMUv3p1,      S3_0_C0_C5_0,         8,  4)                                                                       \
    X(PMUv3p4,      S3_0_C0_C5_0,         8,  5)                                                                       \
    X(PMUv3p5,      S3_0_C0_C5_0,         8,  6)                                                                       \
    X(PMUv3p7,      S3_0_C0_C5_0,         8,  7)                                                                       \
    X(Debugv8p2,    S3_0_C0_C5_0,         0,  8)                                                                       \
    X(Debugv8p4,    S3_0_C0_C5_0,         0,  9)                                                                       \
    X(LSE,          S3_0_C0_C6_0,        20,  2) /* ID_AA64ISAR0_EL1 */                                                \
    X(TLBIOS,       S3_0_C0_C6_0,        56,  1)                                                                       \
    X(TLBIRANGE,    S3_0_C0_C6_0,        56,  2)                                                                       \
    X(LRCPC,        S3_0_C0_C6_1,        20,  1) /* ID_AA64ISAR1_EL1 */                                                \
    X(LRCPC2,       S3_0_C0_C6_1,        20,  2)                                                                       \
    X(DPB,          S3_0_C0_C6_1,         0,  1)                                                                       \
    X(DPB2,         S3_0_C0_C6_1,         0,  2)                                                                       \
    X(WFxT,         S3_0_C0_C6_2,         0,  2) /* ID_AA64ISAR2_EL1 */                                                \
    X(LPA,          S3_0_C0_C7_0,         0,  6) /* ID_AA64MMFR0_EL1 */                                                \
    X(FGT,          S3_0_C0_C7_0,        56,  1)                                                                       \
    X(ECV,          S3_0_C0_C7_0,        60,  1)                                                                       \
    X(ECV_POFF,     S3_0_C0_C7_0,        60,  2)                                                                       \
    X(HAFDBS_AF,    S3_0_C0_C7_1,         0,  1) /* ID_AA64MMFR1_EL1 */                                                \
    X(HAFDBS,       S3_0_C0_C7_1,         0,  2)                                                                       \
    X(VMID16,       S3_0_C0_C7_1,         4,  2)                                                                       \
    X(VHE,          S3_0_C0_C7_1,         8,  1)                                                                       \
    X(HPDS,         S3_0_C0_C7_1,        12,  1)                                                                       \
    X(HPDS2,        S3_0_C0_C7_1,        12,  2)                                                                       \
    X(LOR,          S3_0_C0_C7_1,        16,  1)                                                                       \
    X(PAN,          S3_0_C0_C7_1,        20,  1)                                                                       \
    X(PAN2,         S3_0_C0_C7_1,        20,  2)                                                                       \
    X(PAN3,         S3_0_C0_C7_1,        20,  3)                                                                       \
    X(XNX,          S3_0_C0_C7_1,        28,  1)                                                                       \
    X(TWED,         S3_0_C0_C7_1,        32,  1)                                                                       \
    X(ETS,          S3_0_C0_C7_1,        36,  1)                                                                       \
    X(HCX,          S3_0_C0_C7_1,        40,  1)                                                                       \
    X(AFP,          S3_0_C0_C7_1,        44,  1)                                                                       \
    X(nTLBPA,       S3_0_C0_C7_1,        48,  1)                                                                       \
    X(TIDCP1,       S3_0_C0_C7_1,        52,  1)                                                                       \
    X(CMOW,         S3_0_C0_C7_1,        56,  1)                                                                       \
    X(TTCNP,        S3_0_C0_C7_2,         0,  1) /* ID_AA64MMFR2_EL1 */                                                \
    X(UAO,          S3_0_C0_C7_2,         4,  1)                                                                       \
    X(IESB,         S3_0_C0_C7_2,        12,  1)                                                                       \
    X(LVA,          S3_0_C0_C7_2,        16,  1)                                                                       \
    X(CCIDX,        S3_0_C0_C7_2,        20,  1)                                                                       \
    X(NV,           S3_0_C0_C7_2,        24,  1)                                                                       \
    X(NV2,          S3_0_C0_C7_2,        24,  2)                                                                       \
    X(TTST,         S3_0_C0_C7_2,        28,  1)                                                                       \
    X(LSE2,         S3_0_C0_C7_2,        32,  1)                                                                       \
    X(IDST,         S3_0_C0_C7_2,        36,  1)                                                                       \
    X(S2FWB,        S3_0_C0_C7_2,        40,  1)                                                                       \
    X(TTL,          S3_0_C0_C7_2,        48,  1)                                                                       \
    X(BBM,          S3_0_C0_C7_2,        52,  1)                                                                       \
    X(EVT_TICAB,    S3_0_C0_C7_2,        56,  1)                                                                       \
    X(EVT,          S3_0_C0_C7_2,        56,  2)                                                                       \
    X(E0PD,         S3_0_C0_C7_2,        60,  1)

enum feature {
#define X(name, id, bit, least) FEAT_##name,
    FEATURES(X)
#undef X
    /* Granules say it in fields of their own kind (see features.c). */
    FEAT_4K, FEAT_16K, FEAT_64K, FEAT_LPA2_4K, FEAT_LPA2_16K,
};

int have(enum feature feature);
int have_granule(unsigned shift);
