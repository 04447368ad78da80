//! Makes decisions, with their reasons. Pure: what is known goes in, what to do
//! comes out.

pub mod blocked;
pub mod choose_release;
pub mod launch_wait;
pub mod staged_origin;
pub mod update_plan;
pub mod vouch;
pub mod wanted;
