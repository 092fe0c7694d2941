//! A published net, quantized and run on the kernels.

use super::PerceptionError;
use crate::runtime::choices::Choices;
use crate::runtime::engine::{Array, Engine, Session, Settings};
use crate::runtime::lower::{Target, lower};
use crate::runtime::pool::Pool;
use kernels::features::Features;
use models::published::PublishedFile;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A net ready to run; shared freely between threads.
pub(super) struct Net {
    engine: Arc<Engine>,
    input: (String, Vec<usize>),
    /// Those that no thread uses at the moment.
    sessions: Mutex<Vec<Session>>,
}

impl Net {
    /// Loads a published net from a folder, checks that its input and outputs are as published, and lowers it as `choices` says, a TOML text
    /// of [`Choices`].
    pub fn load(
        published: &'static PublishedFile,
        directory: &Path,
        choices: &str,
    ) -> Result<Self, PerceptionError> {
        let path = directory.join(published.name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(PerceptionError::Missing { path });
            }
            Err(source) => return Err(PerceptionError::Unreadable { path, source }),
        };
        let mut imported = match models::tflite::import(&bytes) {
            Ok(imported) => imported,
            Err(source) => return Err(PerceptionError::Unusable { path, source }),
        };
        let found_input = imported.inputs[0].1.clone();
        let found_outputs: Vec<_> =
            imported.outputs.iter().map(|(_, shape)| shape.clone()).collect();
        if found_input != published.input || found_outputs != published.outputs {
            return Err(PerceptionError::OtherNet {
                path,
                expected_input: published.input.to_vec(),
                expected_outputs: published.outputs.iter().map(|shape| shape.to_vec()).collect(),
                found_input,
                found_outputs,
            });
        }
        imported.model = models::rewrite::simplify(&imported.model).map_err(|error| {
            let source = models::ModelError::Compile { reason: format!("{error:#}") };
            PerceptionError::Unusable { path: path.clone(), source }
        })?;
        let choices: Choices =
            toml::from_str(choices).expect("the choices of published nets are tested");
        let features = Features::from_environment().unwrap_or_else(|_| Features::detect());
        let target = Target::of(features);
        let name = published.name.trim_end_matches(".tflite");
        let lowered = lower(name, &imported, &choices, &target)?;
        let settings = Settings { features, pool: Arc::new(Pool::global()), memory_limit: None };
        let engine = Arc::new(Engine::new(lowered.program, lowered.weights, settings)?);
        let input = imported.inputs[0].clone();
        Ok(Self { engine, input, sessions: Mutex::default() })
    }

    /// Drops the memory of every session that no thread uses.
    pub fn wipe(&self) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs the net on row-major values of the published shape.
    pub fn run(&self, input: &[f32]) -> Result<Vec<Array>, PerceptionError> {
        let waiting = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = waiting.unwrap_or_else(|| self.engine.session());
        let (name, shape) = &self.input;
        let array = Array { shape: shape.clone(), values: input.to_vec() };
        let outputs = session.run(&[(name, &array)])?;
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Ok(outputs)
    }
}
