//! Translation: regimes, the one walker for both stages, combination, cached results.
//!
//! Read [`regime`] (the registers decoded), [`walk`] (the translation), [`tlb`] (its cached results); the rest serves
//! these.

pub mod access;
pub mod combine;
pub mod context;
pub mod controls;
pub mod entry;
pub mod extent;
pub mod fault;
pub mod features;
pub mod held;
pub mod kind;
pub mod op;
pub mod permission;
pub mod regime;
mod second;
pub mod select;
mod stage2;
pub mod stages;
pub mod tables;
pub mod tlb;
pub mod tlbi;
pub mod walk;
pub mod walk_cache;
