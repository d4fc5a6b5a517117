//! Translation: regimes, the one walker for both stages, combination, cached results.

pub mod fault;
pub mod tlb;
