//! The sample that comes with the program, as an order.

use crate::audit::Order;

/// Unpacks the sample and orders its audit.
///
/// # Errors
/// A sentence where it cannot be unpacked.
pub fn order() -> Result<Order, String> {
    Err("The sample is not part of this build".into())
}
