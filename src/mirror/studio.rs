//! The finished picture: made from one frame on threads of low priority while the live picture goes on.

use super::view::Look;
use crate::perception::{Perception, Person, landmark};
use crate::picture::Picture;
use crate::tryon::{Memory, Piece, dress_frame, in_drawing_order};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Niceness of the studio's threads: the live picture comes first.
const NICENESS: i32 = 10;

/// One finished picture to make.
pub struct Job {
    /// The photo, as the camera gave it, turned as the mirror shows it.
    pub photo: Picture,
    /// What to wear, with ids.
    pub pieces: Vec<(String, Arc<Piece>)>,
}

/// What the studio says.
pub enum Report {
    /// How far it is.
    Progress {
        /// Share that is done, 0..1.
        progress: f32,
        /// Until the end, as the last job took it.
        left: Option<Duration>,
    },
    /// Finished.
    Done(Arc<Look>),
    /// Not possible: why.
    Failed(String),
}

/// The studio's thread.
pub struct Studio {
    jobs: Sender<(u64, Job)>,
    reports: Receiver<(u64, Report)>,
    /// Number of the job that counts; others are given up between steps.
    current: Arc<AtomicU64>,
}

impl Studio {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no threads.
    pub fn start(nets: Arc<Perception>, threads: usize) -> anyhow::Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("studio-{index}"))
            .start_handler(|_| step_back())
            .build()?;
        let (jobs, received) = mpsc::channel::<(u64, Job)>();
        let (send, reports) = mpsc::channel();
        let current = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            nets,
            current: Arc::clone(&current),
            send: Mutex::new(send),
            usual: Mutex::default(),
        };
        std::thread::Builder::new().name("studio".to_owned()).spawn(move || {
            for (number, job) in received {
                pool.install(|| worker.run(number, job));
            }
        })?;
        Ok(Self { jobs, reports, current })
    }

    /// Starts a job; an unfinished one is given up.
    pub fn order(&self, job: Job) {
        let number = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        // A thread that is gone shows as a job without reports; the visit's limit ends it.
        let _ = self.jobs.send((number, job));
    }

    /// Gives up the job.
    pub fn cancel(&self) {
        self.current.fetch_add(1, Ordering::SeqCst);
    }

    /// What the current job has to say, oldest first; never waits.
    pub fn report(&self) -> Option<Report> {
        loop {
            match self.reports.try_recv() {
                Ok((number, report)) if number == self.current.load(Ordering::SeqCst) => {
                    return Some(report);
                }
                Ok(_) => {}
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        // It ends between two steps of its job; nobody waits for that.
        self.cancel();
    }
}

/// Lowers the priority of the calling thread; a system that refuses runs it as any other.
fn step_back() {
    let thread = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(thread), NICENESS);
}

struct Worker {
    nets: Arc<Perception>,
    current: Arc<AtomicU64>,
    send: Mutex<Sender<(u64, Report)>>,
    /// Time of the last finished job's steps: looking, and each piece.
    usual: Mutex<Option<(Duration, Duration)>>,
}

/// The middle of a person's torso across a picture, 0..1.
fn focus(person: &Person, width: usize) -> f32 {
    use landmark::{LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER};
    let torso = [LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP];
    let sum: f32 = torso.iter().map(|&index| person.landmarks[index].position.x).sum();
    (sum / torso.len() as f32 / width.max(1) as f32).clamp(0.0, 1.0)
}

impl Worker {
    fn is_wanted(&self, number: u64) -> bool {
        number == self.current.load(Ordering::SeqCst)
    }

    fn say(&self, number: u64, report: Report) {
        // Nobody listens any more when the mirror ends.
        let _ = self.send.lock().unwrap_or_else(PoisonError::into_inner).send((number, report));
    }

    fn run(&self, number: u64, job: Job) {
        if !self.is_wanted(number) {
            return;
        }
        let usual = *self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        let count = job.pieces.len() as u32;
        let (look_share, whole) = usual.map_or((0.5, None), |(look, piece)| {
            let whole = look + piece * count;
            (look.as_secs_f32() / whole.as_secs_f32().max(1e-6), Some(whole))
        });
        let begun = Instant::now();
        let say = |progress: f32| {
            let left = whole.map(|whole| whole.saturating_sub(begun.elapsed()));
            self.say(number, Report::Progress { progress, left });
        };
        say(0.0);
        let people = match self.nets.perceive(&job.photo) {
            Ok(people) => people,
            Err(error) => return self.say(number, Report::Failed(error.to_string())),
        };
        let looked = begun.elapsed();
        if !self.is_wanted(number) {
            return;
        }
        say(look_share);
        let (ids, pieces): (Vec<_>, Vec<_>) = job.pieces.into_iter().unzip();
        let worn = in_drawing_order(&pieces);
        match dress_frame(&job.photo, &people, &worn, &mut Memory::default()) {
            Ok(dressed) => {
                let piece = (begun.elapsed() - looked) / count.max(1);
                *self.usual.lock().unwrap_or_else(PoisonError::into_inner) = Some((looked, piece));
                say(1.0);
                let focus = people.first().map_or(0.5, |person| focus(person, job.photo.width));
                let (before, after) = (Arc::new(job.photo), Arc::new(dressed.picture));
                let look = Look { number, wearing: ids, before, after, focus };
                self.say(number, Report::Done(Arc::new(look)));
            }
            Err(error) => self.say(number, Report::Failed(error.to_string())),
        }
    }
}
