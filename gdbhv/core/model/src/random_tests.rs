//! Random numbers for tests, the same in each run.

/// Numbers below what is asked for, from a seed (the linear congruential generator MMIX, its upper half).
pub fn random(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    }
}
