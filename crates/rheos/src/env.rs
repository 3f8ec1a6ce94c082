//! The environment: where a job begins.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rheos_cluster::checkpoint::{CheckpointSettings, Location, folder_of};
use rheos_core::Row;
use rheos_core::config::{Configuration, options};
use rheos_runtime::BoxError;
use rheos_runtime::deploy::operator_builder::BuildContext;
use rheos_runtime::deploy::program::{BuiltCoordinator, Enumeration, Program};
use rheos_runtime::source::coordinator::SourceCoordinator;
use rheos_runtime::source::reader::Source;
use rheos_runtime::source::settings::SourceSettings;
use rheos_runtime::time::WatermarkStrategy;

use crate::error::ApiError;
use crate::graph_builder::{GraphBuilder, SharedBuilder, Upstream};
use crate::stream::data_stream::DataStream;

/// Describes a job: its sources, and through the streams they give, everything else.
///
/// Nothing runs while a job is described. An environment belongs to one job and one thread.
pub struct StreamEnv {
    builder: SharedBuilder,
    preparations: RefCell<Vec<Preparation>>,
}

type Preparation = Box<dyn FnOnce() -> Result<(), BoxError>>;

impl Default for StreamEnv {
    fn default() -> Self {
        Self::new(Configuration::default())
    }
}

impl StreamEnv {
    /// An environment with this configuration.
    pub fn new(configuration: Configuration) -> Self {
        Self {
            builder: Rc::new(RefCell::new(GraphBuilder::new(configuration))),
            preparations: RefCell::default(),
        }
    }

    /// The configuration that the job runs with.
    pub fn configuration(&self) -> Configuration {
        self.builder.borrow().configuration.clone()
    }

    /// Names the job; `pipeline.name` goes before it.
    pub fn name(&self, name: impl Into<String>) -> &Self {
        self.builder.borrow_mut().name = Some(name.into());
        self
    }

    /// Parallelism of the operators that say nothing else; the command line goes before it.
    pub fn parallelism(&self, parallelism: u32) -> &Self {
        self.builder
            .borrow_mut()
            .parallelism
            .get_or_insert(parallelism);
        self
    }

    /// Gives another parallelism to the operators that were given this one.
    pub(crate) fn rescale(&self, from: u32, to: u32) {
        self.builder.borrow_mut().rescale(from, to);
    }

    /// The folder that this job's checkpoints go to, none if they are in memory or in an object store:
    /// for what a job keeps beside them. Name the job before.
    ///
    /// # Errors
    /// If the configuration of checkpoints makes no sense.
    pub fn checkpoint_folder(&self) -> Result<Option<PathBuf>, BoxError> {
        let settings = CheckpointSettings::from_configuration(&self.configuration())?;
        let location = settings.and_then(|settings| settings.location);
        let folder = location.as_ref().and_then(Location::folder);
        let name = self.builder.borrow().job_name()?;
        Ok(folder.map(|folder| folder.join(folder_of(&name))))
    }

    /// How often latency markers leave the sources; `metrics.latency.interval` goes before it.
    pub fn latency_tracking_interval(&self, interval: Duration) -> &Self {
        let configuration = &mut self.builder.borrow_mut().configuration;
        let key = options::METRICS_LATENCY_INTERVAL.key;
        if configuration.raw(key).is_none() {
            configuration.set(key, format!("{} ms", interval.as_millis()));
        }
        self
    }

    /// Does something when the job is run as a command from its beginning, before anything of it runs:
    /// clears a folder, makes a table. Not done when it goes on from a checkpoint. What describes a job is called for its plan too, and had better change
    /// nothing.
    pub fn before_run(&self, prepare: impl FnOnce() -> Result<(), BoxError> + 'static) -> &Self {
        self.preparations.borrow_mut().push(Box::new(prepare));
        self
    }

    pub(crate) fn preparation(&self) -> crate::execute::Preparation {
        let preparations = std::mem::take(&mut *self.preparations.borrow_mut());
        Box::new(|| {
            preparations
                .into_iter()
                .try_for_each(|prepare| prepare())
                .map_err(ApiError::Preparation)
        })
    }

    /// A stream of the rows of a source.
    pub fn from_source<T: Row, S: Source<T>>(
        &self,
        source: S,
        strategy: WatermarkStrategy<T>,
        name: &str,
    ) -> DataStream<T> {
        self.source(source, strategy, name, None)
    }

    /// As [`StreamEnv::from_source`], at most `rate` rows a second over all subtasks.
    pub fn from_source_with_rate<T: Row, S: Source<T>>(
        &self,
        source: S,
        strategy: WatermarkStrategy<T>,
        name: &str,
        rate: f64,
    ) -> DataStream<T> {
        self.source(source, strategy, name, Some(rate))
    }

    fn source<T: Row, S: Source<T>>(
        &self,
        source: S,
        strategy: WatermarkStrategy<T>,
        name: &str,
        rate: Option<f64>,
    ) -> DataStream<T> {
        let mut builder = self.builder.borrow_mut();
        if let Err(error) = strategy.validate() {
            builder.problem(name, error.to_string());
        }
        if rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            builder.problem(
                name,
                "has a rate that is not a positive number of rows a second",
            );
        }
        let interval = builder.configuration.auto_watermark_interval();
        let latency = builder.configuration.latency_interval();
        let (interval, latency) = match (interval, latency) {
            (Ok(interval), Ok(latency)) => (interval, latency),
            (Err(error), _) | (_, Err(error)) => {
                builder.problem(name, format!("can't be configured: {error}"));
                (None, None)
            }
        };
        let alignment = strategy.alignment().cloned().map(|alignment| {
            (
                builder.alignment_group(&alignment.group),
                millis(alignment.max_drift),
                millis(alignment.update_interval),
            )
        });
        let source = Arc::new(source);
        let read = source.clone();
        let stage = Arc::new(move |context: &mut BuildContext| {
            let subtasks = f64::from(context.place.parallelism);
            let settings = SourceSettings {
                strategy: strategy.clone(),
                watermark_interval_millis: interval.map_or(i64::MAX / 4, millis),
                latency_interval_millis: latency.map_or(0, millis),
                final_checkpoint: context.checkpointing.is_some(),
                rate: rate.map(|rate| rate / subtasks),
                alignment: alignment.clone(),
            };
            context.source::<T, S>(&read, settings)
        });
        let node = builder.add("Source", stage);
        builder.modify_node(node, |node| node.name = format!("Source: {name}"));
        builder.set_coordinator(
            node,
            Arc::new(move |enumeration| {
                let coordinator = Arc::new(match enumeration {
                    Enumeration::Here(parallelism) => {
                        SourceCoordinator::new(source.enumerator(parallelism)?)
                    }
                    Enumeration::There(requests) => SourceCoordinator::elsewhere(requests),
                });
                Ok(BuiltCoordinator {
                    coordinator: coordinator.clone(),
                    shared: coordinator,
                })
            }),
        );
        drop(builder);
        DataStream::new(
            self.builder.clone(),
            vec![Upstream {
                node,
                side_output: None,
                partitioning: None,
            }],
        )
    }

    /// The program that the job comes to.
    ///
    /// # Errors
    /// Everything that is wrong with the job, by operator.
    pub fn program(&self) -> Result<Program, ApiError> {
        let builder = self.builder.borrow();
        let configured = builder
            .configuration
            .get_set(&rheos_core::config::options::PARALLELISM_DEFAULT)
            .map_err(|error| ApiError::Configuration(error.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        builder.finish(configured.unwrap_or(cores))
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
