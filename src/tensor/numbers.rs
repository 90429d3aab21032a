//! Tensors in JSON, every number to the bit: shape, and the little-endian bytes in base64.
//!
//! For `#[serde(with = "numbers")]` on a tensor of `f32`, and `#[serde(with = "numbers::pair")]` on two of them that may not be there
//! yet. What is read lies on the processor.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

#[derive(Serialize, Deserialize)]
struct Written {
    shape: Vec<usize>,
    bytes: String,
}

impl Written {
    fn of(tensor: &Tensor) -> Result<Self> {
        let values = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(Self { shape: tensor.dims().to_vec(), bytes: STANDARD.encode(bytes) })
    }

    fn tensor(self) -> std::result::Result<Tensor, String> {
        let bytes = STANDARD.decode(&self.bytes).map_err(|_| "not base64".to_owned())?;
        let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let count = self.shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
        if count != Some(values.len()) {
            return Err("the numbers do not fill their shape".into());
        }
        Tensor::from_vec(values, self.shape, &Device::Cpu).map_err(|e| e.to_string())
    }
}

/// # Errors
/// Where it is no tensor of `f32`, or the writer fails.
pub fn serialize<S: Serializer>(tensor: &Tensor, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    Written::of(tensor).map_err(ser::Error::custom)?.serialize(serializer)
}

/// # Errors
/// Where the bytes are damaged or do not fill the shape.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Tensor, D::Error> {
    Written::deserialize(deserializer)?.tensor().map_err(de::Error::custom)
}

/// Two tensors, or none yet.
pub mod pair {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Tensor, Written, de, ser};

    /// # Errors
    /// As of one tensor.
    pub fn serialize<S: Serializer>(
        both: &Option<(Tensor, Tensor)>,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        let write = |(a, b): &(Tensor, Tensor)| Ok((Written::of(a)?, Written::of(b)?));
        let written: candle_core::Result<_> = both.as_ref().map(write).transpose();
        written.map_err(ser::Error::custom)?.serialize(serializer)
    }

    /// # Errors
    /// As of one tensor.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Option<(Tensor, Tensor)>, D::Error> {
        let written = Option::<(Written, Written)>::deserialize(deserializer)?;
        let read = |(a, b): (Written, Written)| Ok((a.tensor()?, b.tensor()?));
        written.map(read).transpose().map_err(de::Error::custom::<String>)
    }
}

/// A tensor that is written so, for maps and lists of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Numbers(#[serde(with = "crate::tensor::numbers")] pub Tensor);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_survive_to_the_bit_and_damage_is_noticed() {
        let values = [0.1_f32, f32::MIN_POSITIVE, -1.0 / 3.0, f32::NAN];
        let tensor = Tensor::new(&values, &Device::Cpu).unwrap().reshape((2, 2)).unwrap();
        let text = serde_json::to_string(&Numbers(tensor)).unwrap();
        let read: Numbers = serde_json::from_str(&text).unwrap();
        let bits: Vec<u32> =
            read.0.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect();
        assert_eq!((bits, read.0.dims()), (values.map(f32::to_bits).to_vec(), &[2, 2][..]));
        let meddled = text.replace("[2,2]", "[2,3]");
        assert!(meddled != text && serde_json::from_str::<Numbers>(&meddled).is_err());
        assert!(serde_json::from_str::<Numbers>(&text.replace("[2,2]", "[9223372036854775807,9]")).is_err());
    }

    #[test]
    fn two_that_are_not_there_yet_stay_so() {
        #[derive(Serialize, Deserialize)]
        struct Moments(#[serde(with = "pair")] Option<(Tensor, Tensor)>);
        let round = |m: Moments| serde_json::from_str::<Moments>(&serde_json::to_string(&m).unwrap()).unwrap().0;
        assert!(round(Moments(None)).is_none());
        let one = Tensor::new(&[1_f32, 2.0], &Device::Cpu).unwrap();
        let (a, b) = round(Moments(Some((one.clone(), (one * 2.0).unwrap())))).unwrap();
        assert_eq!((a.to_vec1::<f32>().unwrap(), b.to_vec1::<f32>().unwrap()), (vec![1.0, 2.0], vec![2.0, 4.0]));
    }
}
