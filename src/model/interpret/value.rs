//! What flows along the edges of a running graph: tensors, and small arrays of integers on the host.

use candle_core::{DType, Device, Result, Tensor, bail};

/// The most numbers one value may hold (512 MiB of `f32`): a step may need twice of that for a moment. A file cannot ask for
/// more, by accident or on purpose.
const MOST_NUMBERS: usize = 1 << 27;

/// A value may grow by this factor in one step, and to [`MOST_GROWN`] numbers (64 MiB) by any.
const GROWTH: usize = 64;
const MOST_GROWN: usize = 1 << 24;

/// The most integers one value may hold: they are shapes and indices, never pictures.
pub(in crate::model) const MOST_INTEGERS: usize = 1 << 20;

/// A small row-major array of integers: a shape, axes, indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Integers {
    pub values: Vec<i64>,
    /// Empty for a single integer.
    pub shape: Vec<usize>,
}

impl Integers {
    /// A list of integers.
    pub fn list(values: Vec<i64>) -> Self {
        let shape = vec![values.len()];
        Self { values, shape }
    }

    /// The same numbers as a tensor.
    pub fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        let values: Vec<f32> = self.values.iter().map(|&v| v as f32).collect();
        Tensor::from_vec(values, self.shape.as_slice(), device)
    }
}

/// One value while a graph runs.
#[derive(Debug, Clone)]
pub(super) enum Live {
    /// `f32`, on the device the picture is on.
    Tensor(Tensor),
    /// On the host, whatever the device.
    Integers(Integers),
}

/// Number of elements of a shape, refused where it is beyond [`MOST_NUMBERS`].
pub(super) fn checked_size(shape: &[usize]) -> Result<usize> {
    let size = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    match size {
        Some(n) if n <= MOST_NUMBERS => Ok(n),
        _ => bail!("it asks for a value of shape {shape:?}, which is too large"),
    }
}

/// [`checked_size`] for what is made of `numbers` by padding, repeating or enlarging: no classifier needs many times more.
pub(super) fn checked_growth(numbers: usize, shape: &[usize]) -> Result<usize> {
    let size = checked_size(shape)?;
    if size > MOST_GROWN.max(numbers.saturating_mul(GROWTH)) {
        bail!("it makes {size} numbers of {numbers}, more than any classifier needs")
    }
    Ok(size)
}

/// Dimensions read from integers, each at least 0, together within [`MOST_NUMBERS`].
pub(super) fn dimensions(values: &[i64]) -> Result<Vec<usize>> {
    let Ok(shape) = values.iter().map(|&v| usize::try_from(v)).collect::<std::result::Result<Vec<_>, _>>() else {
        bail!("{values:?} is not a shape")
    };
    checked_size(&shape)?;
    Ok(shape)
}

/// Position of an axis that may count from the end, in `0..rank`.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let position = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(position) {
        Ok(p) if p < rank => Ok(p),
        _ => bail!("axis {axis} does not exist in a value of {rank} dimensions"),
    }
}

/// Positions of several axes, ascending, each once.
pub(super) fn axes_of(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut positions = axes.iter().map(|&a| axis_of(a, rank)).collect::<Result<Vec<_>>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

/// What a node reads: its inputs by position.
pub(super) struct Operands<'a> {
    pub values: Vec<Option<&'a Live>>,
    pub device: &'a Device,
}

impl Operands<'_> {
    /// Input `i`, which must be there.
    pub fn get(&self, i: usize) -> Result<&Live> {
        match self.optional(i) {
            Some(value) => Ok(value),
            None => bail!("input {} is missing", i + 1),
        }
    }

    /// Input `i`, where it is given.
    pub fn optional(&self, i: usize) -> Option<&Live> {
        self.values.get(i).copied().flatten()
    }

    /// Input `i` as a tensor.
    pub fn tensor(&self, i: usize) -> Result<Tensor> {
        match self.get(i)? {
            Live::Tensor(t) => Ok(t.clone()),
            Live::Integers(v) => v.to_tensor(self.device),
        }
    }

    /// Input `i` as a tensor, where it is given.
    pub fn optional_tensor(&self, i: usize) -> Result<Option<Tensor>> {
        self.optional(i).map(|_| self.tensor(i)).transpose()
    }

    /// Input `i` as integers; numbers are cut off at the point.
    pub fn integers(&self, i: usize) -> Result<Integers> {
        match self.get(i)? {
            Live::Integers(v) => Ok(v.clone()),
            Live::Tensor(t) => to_integers(t),
        }
    }

    /// Input `i` as integers, where it is given.
    pub fn optional_integers(&self, i: usize) -> Result<Option<Integers>> {
        self.optional(i).map(|_| self.integers(i)).transpose()
    }

    /// Every input that is given, where all of them are integers.
    pub fn all_integers(&self) -> Option<Vec<&Integers>> {
        let mut all = Vec::with_capacity(self.values.len());
        for value in self.values.iter().flatten() {
            let Live::Integers(v) = value else { return None };
            all.push(v);
        }
        Some(all)
    }

    /// The single number that input `i` holds, where it is given and known to hold one.
    pub fn number(&self, i: usize) -> Result<Option<f64>> {
        match self.optional(i) {
            None => Ok(None),
            Some(Live::Integers(v)) => Ok(v.values.first().map(|&v| v as f64)),
            Some(Live::Tensor(t)) if t.elem_count() == 1 && !t.track_op() => {
                Ok(Some(f64::from(t.flatten_all()?.to_vec1::<f32>()?[0])))
            }
            Some(Live::Tensor(_)) => Ok(None),
        }
    }
}

/// The numbers of a small tensor, cut off at the point.
pub(super) fn to_integers(t: &Tensor) -> Result<Integers> {
    if t.elem_count() > MOST_INTEGERS {
        bail!("{} numbers are used as integers, which is too many for a shape or an index", t.elem_count())
    }
    let values = t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(Integers { values: values.into_iter().map(|v| v as i64).collect(), shape: t.dims().to_vec() })
}
