//! The numbers of a contiguous `f32` tensor on the processor, as a slice.
//! Never copies, never changes a tensor.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The numbers inside an operation.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else {
        bail!("this operation takes f32 numbers, but was given {:?}", storage_name(storage))
    };
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("this operation takes a contiguous tensor") };
    Ok(&values[start..end])
}

fn storage_name(storage: &CpuStorage) -> candle_core::DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// Hands the numbers of one tensor to `f`.
pub(super) fn read<R>(a: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = a.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("this operation takes a tensor on the processor") };
    Ok(f(slice(storage, layout)?))
}

/// Hands the numbers of two tensors to `f`.
pub(super) fn read2<R>(a: &Tensor, b: &Tensor, f: impl FnOnce(&[f32], &[f32]) -> R) -> Result<R> {
    read(a, |a| read(b, |b| f(a, b)))?
}

/// Hands the numbers of three tensors to `f`.
pub(super) fn read3<R>(a: &Tensor, b: &Tensor, c: &Tensor, f: impl FnOnce(&[f32], &[f32], &[f32]) -> R) -> Result<R> {
    read2(a, b, |a, b| read(c, |c| f(a, b, c)))?
}
