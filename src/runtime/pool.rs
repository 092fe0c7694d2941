//! Threads: one pool for the whole program, on the board's fast cores.

use std::ops::Range;
use std::sync::Mutex;

/// The threads that nets run on.
#[derive(Debug)]
pub struct Pool {
    /// None: the process's own.
    threads: Option<rayon::ThreadPool>,
}

impl Pool {
    /// A pool of so many threads, for measuring.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let threads = builder(threads, &[]).build()?;
        Ok(Self { threads: Some(threads) })
    }

    /// The pool that pictures are worked on with, too.
    pub fn global() -> Self {
        Self { threads: None }
    }

    /// Makes the process's pool: so many threads (0 is one for each core), the first on the first of `cores` and so on; no cores, no preference.
    ///
    /// # Errors
    /// Where the system gives no threads, or there is a pool already.
    pub fn build_global(
        threads: usize,
        cores: &[usize],
    ) -> Result<(), rayon::ThreadPoolBuildError> {
        builder(threads, cores).build_global()
    }

    /// How many threads.
    pub fn threads(&self) -> usize {
        self.threads
            .as_ref()
            .map_or_else(rayon::current_num_threads, |threads| threads.current_num_threads())
    }

    /// Runs on a thread of the pool, so that no other thread of the process works on nets.
    pub(super) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.threads {
            Some(threads) => threads.install(work),
            None => rayon::scope(|_| work()),
        }
    }

    /// Runs `work` on each task; every thread takes the next task as soon as it is done with one, and has a scratch of its own.
    /// One task, or one thread, runs where the caller is.
    pub(super) fn for_each<T: Send>(
        &self,
        tasks: Vec<T>,
        scratch: &mut [&mut [u8]],
        work: impl Fn(T, &mut [u8]) + Sync,
    ) {
        if tasks.len() <= 1 || scratch.len() <= 1 {
            tasks.into_iter().for_each(|task| work(task, scratch[0]));
            return;
        }
        let wanted = tasks.len().min(scratch.len());
        let tasks = Mutex::new(tasks.into_iter());
        // The lock is held for as long as it takes to move a task out.
        let next = || tasks.lock().expect("no task panics while it is taken").next();
        // Of the pool that this thread belongs to: `install` saw to it.
        rayon::in_place_scope(|scope| {
            let (own, others) = scratch.split_first_mut().expect("a scratch for each thread");
            for scratch in &mut others[..wanted - 1] {
                scope.spawn(|_| {
                    while let Some(task) = next() {
                        work(task, scratch);
                    }
                });
            }
            while let Some(task) = next() {
                work(task, own);
            }
        });
    }
}

fn builder(threads: usize, cores: &[usize]) -> rayon::ThreadPoolBuilder {
    let cores = cores.to_vec();
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("vitrine-{index}"))
        .start_handler(move |index| {
            // A system that refuses leaves the thread where the scheduler wants it.
            if let Some(&id) = cores.get(index) {
                core_affinity::set_for_current(core_affinity::CoreId { id });
            }
        })
}

/// Shares rows out: ranges from row 0 on that are multiples of `multiple`, each of `least` rows or more, about three for each thread so that
/// none waits long for the last.
pub(super) fn shares(
    rows: usize,
    multiple: usize,
    least: usize,
    threads: usize,
) -> Vec<Range<usize>> {
    const SHARES: usize = 3;
    if rows == 0 {
        return Vec::new();
    }
    let wanted = if threads == 1 { 1 } else { threads * SHARES };
    let (multiple, units) = (multiple.max(1), rows.div_ceil(multiple.max(1)));
    let shares = wanted.min(rows / least.max(1)).clamp(1, units);
    // As even as whole units allow.
    let edge = |share: usize| (share * units / shares * multiple).min(rows);
    (0..shares).map(|share| edge(share)..edge(share + 1)).collect()
}
