//! The same work for many labels on all cores, each label with its own seed, so that the result does
//! not depend on how many cores there are.
//!
//! Every worker computes on a pool of its own: kernels of two labels that share one pool hand their pieces back and
//! forth, and a third of two cores stood idle (measured).

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Mutex;

/// Calls `work` for every item on up to `workers` threads; results in the order of the items. After
/// the first error no new item is begun and the error is returned beside what was done.
pub(super) fn each<I: Send, T: Send, E: Send>(
    items: impl IntoIterator<Item = I>,
    workers: usize,
    work: impl Fn(I) -> Result<T, E> + Sync,
) -> (Vec<Option<T>>, Option<E>) {
    let items: Vec<I> = items.into_iter().collect();
    let count = items.len();
    let waiting = Mutex::new(items.into_iter().enumerate());
    let results: Mutex<Vec<Option<T>>> = Mutex::new((0..count).map(|_| None).collect());
    let failure: Mutex<Option<E>> = Mutex::new(None);
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    let workers = workers.clamp(1, count.max(1));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let pool = pool(cores() / workers);
                while let Some((i, item)) = next() {
                    let done = match &pool {
                        Some(pool) => pool.install(|| work(item)),
                        None => work(item),
                    };
                    match done {
                        Ok(value) => {
                            if let Ok(mut results) = results.lock() {
                                results[i] = Some(value);
                            }
                        }
                        Err(error) => {
                            while next().is_some() {}
                            if let Ok(mut failure) = failure.lock() {
                                failure.get_or_insert(error);
                            }
                        }
                    }
                }
            });
        }
    });
    // A worker that panicked has ended the scope with its panic; the locks cannot be poisoned here.
    (results.into_inner().unwrap_or_default(), failure.into_inner().unwrap_or_default())
}

/// Threads for one worker; `None` where the system gives none, then those of all are shared.
fn pool(threads: usize) -> Option<ThreadPool> {
    ThreadPoolBuilder::new().num_threads(threads.max(1)).build().ok()
}

/// Threads worth using.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_an_error_ends_the_work() {
        let (done, error) = each(0..50, 4, |i| Ok::<_, ()>(i * 2));
        assert_eq!(done, (0..50).map(|i| Some(i * 2)).collect::<Vec<_>>());
        assert_eq!(error, None);
        let (done, error) = each(0..50, 1, |i| if i < 3 { Ok(i) } else { Err(i) });
        assert_eq!(error, Some(3));
        assert_eq!(done.iter().flatten().count(), 3);
    }
}
