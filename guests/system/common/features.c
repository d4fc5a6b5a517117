/* See features.h. */
#include "features.h"

/* ID_AA64MMFR0_EL1: TGran4 31:28 and TGran64 27:24 are signed (15 = none), TGran16 23:20 is not (0 = none). */
static u64 granule_field(unsigned bit) { return sysreg_read(id_aa64mmfr0_el1) >> bit & 15; }

int have(enum feature feature)
{
    switch (feature) {
#define X(name, id, bit, least)                                                                                        \
    case FEAT_##name: {                                                                                                \
        const u64 value = sysreg_read(id) >> (bit) & 15;                                                               \
        return value >= (least) && !((bit) == 8 && FEAT_##name >= FEAT_PMUv3 && FEAT_##name <= FEAT_PMUv3p7 && value == 15); \
    }
        FEATURES(X)
#undef X
    case FEAT_4K: return granule_field(28) != 15;
    case FEAT_64K: return granule_field(24) != 15;
    case FEAT_16K: return granule_field(20) != 0;
    case FEAT_LPA2_4K: return granule_field(28) == 1;
    case FEAT_LPA2_16K: return granule_field(20) == 2;
    }
    return 0;
}

int have_granule(unsigned shift) { return have(shift == 12 ? FEAT_4K : shift == 14 ? FEAT_16K : FEAT_64K); }
