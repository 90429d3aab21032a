//! Memory that is used again: a step of a search needs the same large buffers a thousand times, and fresh pages cost
//! as much as the numbers that are written into them.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Numbers that may lie idle (256 MiB).
const MOST_IDLE: usize = 1 << 26;

static IDLE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Numbers on loan; they go back when dropped.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// At least `len` numbers.
    held: Vec<f32>,
    len: usize,
}

impl Buffer {
    /// `len` numbers of any value.
    pub fn of(len: usize) -> Self {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |v: &Vec<f32>| v.len() >= len && v.len() / 4 <= len;
        let best = idle.iter().enumerate().filter(|(_, v)| fits(v)).min_by_key(|(_, v)| v.len()).map(|(i, _)| i);
        let found = best.map(|i| idle.swap_remove(i));
        drop(idle);
        Self { held: found.unwrap_or_else(|| vec![0.0; len]), len }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::of(len);
        buffer.fill(0.0);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let v = std::mem::take(&mut self.held);
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if !v.is_empty() && idle.iter().map(Vec::len).sum::<usize>() + v.len() <= MOST_IDLE {
            idle.push(v);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.held[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.held[..self.len]
    }
}
