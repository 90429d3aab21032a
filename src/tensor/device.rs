//! Where tensors are computed: on the processor, or on a graphics card that this build knows.
//!
//! In: the name of a device. Out: the device, or the processor and why it stands in. Cards need a build with the feature `cuda`
//! or `metal`; on them everything runs through candle's own operations.

use candle_core::Device;
use std::panic::catch_unwind;

/// The processor's name.
pub const CPU: &str = "cpu";

/// Names that a user is offered in this build.
pub const OFFERED: &[&str] = if cfg!(feature = "cuda") {
    &[CPU, "cuda"]
} else if cfg!(feature = "metal") {
    &[CPU, "metal"]
} else {
    &[CPU]
};

/// No device has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no device \"{0}\"; there are \"cpu\", \"cuda\", \"cuda:1\" for a second card, and \"metal\"")]
pub struct UnknownDevice(pub String);

/// A device that can be computed on.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The device.
    pub device: Device,
    /// Its name.
    pub name: String,
    /// Where it is the processor though a card was wanted: why.
    pub instead: Option<String>,
}

impl Opened {
    /// The processor, in place of the card `name`.
    pub fn processor_instead_of(name: &str, why: &str) -> Self {
        let instead = format!("The device \"{name}\" could not be used ({why}); the processor computed instead");
        Self { device: Device::Cpu, name: CPU.into(), instead: Some(instead) }
    }
}

/// Kinds of devices, with their number among those of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Processor,
    Cuda(usize),
    Metal(usize),
}

fn kind(name: &str) -> Result<Kind, UnknownDevice> {
    let unknown = || UnknownDevice(name.to_owned());
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => (kind, Some(number.parse().map_err(|_| unknown())?)),
        None => (name, None),
    };
    match (kind, number) {
        ("" | CPU, None) => Ok(Kind::Processor),
        ("cuda", number) => Ok(Kind::Cuda(number.unwrap_or(0))),
        ("metal", number) => Ok(Kind::Metal(number.unwrap_or(0))),
        _ => Err(unknown()),
    }
}

/// Whether there could be a device of this name.
///
/// # Errors
/// As [`open`].
pub fn check(name: &str) -> Result<(), UnknownDevice> {
    kind(name).map(|_| ())
}

/// A device by its name: `cpu`, `cuda`, `cuda:N` or `metal`; empty is the processor. A card that is not there, or that this build does not
/// know, is replaced by the processor, and it is said why.
///
/// # Errors
/// A name that is none of these.
pub fn open(name: &str) -> Result<Opened, UnknownDevice> {
    let kind = kind(name)?;
    let device = catch_unwind(|| match kind {
        Kind::Processor => Ok(Device::Cpu),
        Kind::Cuda(number) => Device::new_cuda(number),
        Kind::Metal(number) => Device::new_metal(number),
    });
    Ok(match device {
        Ok(Ok(Device::Cpu)) => Opened { device: Device::Cpu, name: CPU.into(), instead: None },
        Ok(Ok(device)) => Opened { device, name: name.into(), instead: None },
        Ok(Err(why)) => Opened::processor_instead_of(name, &first_line(&why.to_string())),
        // Without a driver the library panics.
        Err(_) => Opened::processor_instead_of(name, "its driver is missing"),
    })
}

/// Errors of cards come with a trace of many lines.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_processor_is_there_and_a_card_that_is_not_is_replaced_aloud() {
        for name in ["", "cpu"] {
            let opened = open(name).unwrap();
            assert!(opened.device.is_cpu() && opened.name == "cpu" && opened.instead.is_none());
        }
        // No machine has so many cards.
        for name in ["cuda:99", "metal:99"] {
            let opened = open(name).unwrap();
            assert!(opened.device.is_cpu() && opened.name == "cpu");
            assert!(opened.instead.unwrap().starts_with(&format!("The device \"{name}\" could not be used (")));
        }
    }

    #[test]
    fn a_name_of_no_device_is_refused_with_those_there_are() {
        for name in ["gpu", "cuda:", "cuda:x", "cpu:0", "CUDA"] {
            assert_eq!(open(name).unwrap_err(), UnknownDevice(name.into()));
            assert!(check(name).is_err());
        }
        assert!(open("gpu").unwrap_err().to_string().contains("\"cuda:1\""));
    }
}
