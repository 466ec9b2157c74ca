//! What the business is about: orders, money, the menu and time. Pure values and plain functions.

mod batch;
mod cents;
mod instant;
mod menu;
mod order;
mod position;
mod trace;

pub use batch::OrderBatch;
pub use cents::{Cents, MAX_PRICE, PriceError};
pub use instant::{Instant, InstantError, MAX_AHEAD_SECONDS};
pub use menu::{Item, MAX_ITEM_BYTES, MAX_MENU_ITEMS, Menu, MenuError};
pub use order::{FieldError, Order, OrderError, RECORD_BYTES, StoredOrder};
pub use position::{Advance, Position};
pub use trace::{TraceId, TraceParent};
