//! Matrix product on slices, on the calling thread; the one door to the `gemm` crate.
#![allow(unsafe_code)]

/// A matrix that looks at numbers it does not own.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// All of `values`, row after row.
    pub fn rows(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::window(values, 0, rows, columns, columns)
    }

    /// `columns` numbers from `start` on, again every `row_step`.
    pub fn window(values: &'a [f32], start: usize, rows: usize, columns: usize, row_step: usize) -> Self {
        let values = &values[start..];
        assert!(
            rows == 0 || columns == 0 || (rows - 1) * row_step + columns <= values.len(),
            "matrix outside its slice"
        );
        Self { values, rows, columns, row_step, column_step: 1 }
    }

    /// Rows become columns.
    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

/// Adds the product `a b` to the matrix in `out` whose first row begins at `start` and whose rows are
/// `row_step` apart.
pub(super) fn product(out: &mut [f32], start: usize, row_step: usize, a: Matrix, b: Matrix) {
    assert_eq!(a.columns, b.rows, "matrices that do not fit each other");
    if a.rows == 0 || b.columns == 0 || a.columns == 0 {
        return;
    }
    let out = &mut out[start..];
    assert!(b.columns <= row_step && (a.rows - 1) * row_step + b.columns <= out.len(), "product outside its slice");
    // SAFETY: the three assertions above (and the one in `Matrix::window`, which `transposed` keeps)
    // say that every cell the product touches lies inside its slice; `out` is borrowed mutably, so
    // nothing else sees it.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            row_step as isize,
            true,
            a.values.as_ptr(),
            a.column_step as isize,
            a.row_step as isize,
            b.values.as_ptr(),
            b.column_step as isize,
            b.row_step as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
