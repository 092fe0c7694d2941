//! How long each stage took: the tracing spans of this crate, added up by name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Times by stage, in the order in which the stages began.
#[derive(Clone, Default)]
pub struct Timings(Arc<Mutex<Vec<(&'static str, Duration)>>>);

impl Timings {
    /// Stages that have begun so far, each with its time in finished spans.
    pub fn stages(&self) -> Vec<(&'static str, Duration)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The layer that fills these timings.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> {
        Recorder(self.clone())
    }

    fn add(&self, stage: &'static str, time: Duration) {
        let mut stages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match stages.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total)) => *total += time,
            None => stages.push((stage, time)),
        }
    }
}

struct Recorder(Timings);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.add(attributes.metadata().name(), Duration::ZERO);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Instant::now());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let begun = span.extensions().get::<Instant>().copied();
        if let Some(begun) = begun {
            self.0.add(span.name(), begun.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn spans_of_one_name_are_one_stage_in_the_order_of_their_beginning() {
        let timings = Timings::default();
        let registry = tracing_subscriber::registry().with(timings.layer());
        tracing::subscriber::with_default(registry, || {
            let outer = tracing::info_span!("outer").entered();
            for _ in 0..2 {
                let _inner = tracing::info_span!("inner").entered();
                std::thread::sleep(Duration::from_millis(2));
            }
            drop(outer);
        });
        let stages = timings.stages();
        assert_eq!(stages.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["outer", "inner"]);
        assert!(stages[1].1 >= Duration::from_millis(4) && stages[0].1 >= stages[1].1);
    }
}
