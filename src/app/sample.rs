//! The sample that comes with the program, as an order.

use crate::audit::Order;
use crate::poison::sample::{IMAGES, NAMES, SUSPECT, unpack};

/// Unpacks the sample and orders the audit of its poisoned model.
///
/// # Errors
/// A sentence where it cannot be unpacked.
pub fn order() -> Result<Order, String> {
    let folder = unpack().map_err(|why| format!("it cannot be unpacked: {why}. Make room in your cache folder"))?;
    Ok(Order {
        model: folder.join(SUSPECT),
        images: folder.join(IMAGES),
        label_names: Some(folder.join(NAMES)),
        ..Order::default()
    })
}
