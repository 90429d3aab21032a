//! A function with a gradient of our own, put together from tensor operations.
//!
//! candle computes the gradient of every operand of a product, fixed weights included, and of every mask.
//! Here the value is computed outside the gradient's sight, and the one gradient that is wanted is given.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, MetalStorage, Result, Shape, Storage, Tensor, bail};
use std::sync::{Mutex, PoisonError};

type Backward = dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync;

struct Graft {
    value: Mutex<Option<Tensor>>,
    backward: Box<Backward>,
}

/// `value`, as a function of `x` whose gradient `backward` computes from the gradient of the value.
/// `value` must have been computed from `x.detach()`; where `x` is not tracked it is returned as it is.
pub(crate) fn with_gradient(
    x: &Tensor,
    value: Tensor,
    backward: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !x.track_op() {
        return Ok(value);
    }
    x.apply_op1(Graft { value: Mutex::new(Some(value)), backward: Box::new(backward) })
}

impl Graft {
    fn take(&self) -> Result<Tensor> {
        match self.value.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A clone of the storage starts at its first number.
            Some(value) if value.is_contiguous() && value.layout().start_offset() == 0 => Ok(value),
            Some(value) => value.force_contiguous(),
            None => bail!("a grafted value can be used once"),
        }
    }
}

impl CustomOp1 for Graft {
    fn name(&self) -> &'static str {
        "graft"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { bail!("value and argument are on different devices") };
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else { bail!("value and argument are on different devices") };
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> Result<(MetalStorage, Shape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        let Storage::Metal(storage) = &*storage else { bail!("value and argument are on different devices") };
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(gradient).map(Some)
    }
}
