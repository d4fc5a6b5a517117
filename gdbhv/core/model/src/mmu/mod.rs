//! Translation: regimes, the one walker for both stages, combination, cached results.

pub mod at;
pub mod combine;
pub mod fault;
pub mod regime;
pub mod tlb;
pub mod tlbi;
pub mod walk;
