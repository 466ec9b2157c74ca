//! The supervision trees: which actors there are, in which order they start, what restarts with what. Wiring only.

mod root;
mod shared;
mod v1_direct;

pub use root::{Branches, root};
pub use shared::{Shared, shared};
pub use v1_direct::{DEFAULT_CREDIT_ORDERS, V1Direct, v1_direct};
