//! A window operator as a job describes it, and what is made of it on a subtask.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{KeyedBackend, ListStateDescriptor, TimeDomain, ValueStateDescriptor};

use super::assigner::{DefaultTrigger, WindowAssigner};
use super::contents::{CONTENTS_STATE, Contents, Evicted, FoldRows, Folded, Listed};
use super::evictor::Evictor;
use super::fold::Fold;
use super::function::{ProcessWindowFunction, WindowFunction};
use super::late::LateRows;
use super::live::LiveWindows;
use super::open::WindowOpenContext;
use super::operator::{WindowOperator, Windows};
use super::slice_operator::{SliceParts, SliceWindowOperator};
use super::trigger::{AnyTrigger, OpenTrigger};
use super::triggers::{EndOfStreamTrigger, EventTimeTrigger, NeverTrigger, ProcessingTimeTrigger};
use super::window::Window;
use crate::chain::side_output::OutputTag;
use crate::deploy::operator_builder::{BuildContext, BuiltStage};
use crate::error::BoxError;
use crate::keyed::context::KeyedTimers;
use crate::keyed::keys::Keys;

/// Windows over a stream, but for what is made of them.
pub struct WindowSpec<K, T, W> {
    /// The keys of rows.
    pub keys: Keys<K, T>,
    /// Which windows a row has.
    pub assigner: Arc<dyn WindowAssigner<T, Window = W>>,
    /// When they fire, if not by the assigner's default.
    pub trigger: Option<Arc<dyn AnyTrigger<K, T, W>>>,
    /// What is left out of them.
    pub evictor: Option<Arc<dyn Evictor<T, W>>>,
    /// How long a window is kept after its end, in milliseconds.
    pub lateness: Millis,
    /// Where late rows go.
    pub late: Option<OutputTag<T>>,
    /// Gathers by pane where that gives the same.
    pub slicing: bool,
}

impl<K, T, W> Clone for WindowSpec<K, T, W> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            assigner: self.assigner.clone(),
            trigger: self.trigger.clone(),
            evictor: self.evictor.clone(),
            lateness: self.lateness,
            late: self.late.clone(),
            slicing: self.slicing,
        }
    }
}

impl<K: Row, T: Row, W: Window> WindowSpec<K, T, W> {
    /// Everything about the windows that makes no sense.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.assigner.validate().err().into_iter().collect();
        if let Some(trigger) = &self.trigger {
            problems.extend(trigger.validate().err());
            if self.assigner.is_merging() && !trigger.can_merge() {
                problems.push(format!(
                    "has {}, which merge, and a trigger that can't; use another trigger, or give \
                     it can_merge() and on_merge()",
                    self.assigner.name()
                ));
            }
        }
        if self.lateness > 0 && !self.assigner.is_event_time() {
            problems.push(format!(
                "has an allowed lateness, but {} do not end by event time, so nothing is late; \
                 leave it out",
                self.assigner.name()
            ));
        }
        if self.late.is_some() && !self.assigner.is_event_time() {
            problems.push(format!(
                "has a side output for late rows, but {} do not end by event time, so nothing is \
                 late; leave it out",
                self.assigner.name()
            ));
        }
        problems
    }

    fn open_trigger(
        &self,
        backend: &mut KeyedBackend<K>,
    ) -> Result<Box<dyn OpenTrigger<T, W>>, BoxError> {
        let trigger: &dyn AnyTrigger<K, T, W> = match &self.trigger {
            Some(trigger) => trigger.as_ref(),
            None => match self.assigner.default_trigger() {
                DefaultTrigger::EventTime => &EventTimeTrigger,
                DefaultTrigger::ProcessingTime => &ProcessingTimeTrigger,
                DefaultTrigger::EndOfStream => &EndOfStreamTrigger,
                DefaultTrigger::Never => &NeverTrigger,
            },
        };
        Ok(trigger.open(backend)?)
    }

    fn open_function<F>(
        &self,
        build: &mut BuildContext,
        backend: &mut KeyedBackend<K>,
        open: impl FnOnce(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<(F, bool), BoxError> {
        let mut opening = WindowOpenContext::new(build, backend);
        let function = open(&mut opening)?;
        let has_window_state = opening.has_window_state();
        if has_window_state && self.assigner.is_merging() {
            return Err(format!(
                "the window function asks for state a window, but {} merge; use state a key",
                self.assigner.name()
            )
            .into());
        }
        Ok((function, has_window_state))
    }

    fn general<Out: Row>(
        &self,
        build: &mut BuildContext,
        mut backend: KeyedBackend<K>,
        contents: Box<dyn Contents<K, T, W, Out>>,
    ) -> Result<WindowOperator<K, T, W, Out>, BoxError> {
        let windows = Windows {
            assigner: self.assigner.clone(),
            trigger: self.open_trigger(&mut backend)?,
            contents,
            live: LiveWindows::open(self.assigner.clone(), &mut backend)?,
            timers: KeyedTimers {
                event: backend.timers("window-timers", TimeDomain::EventTime)?,
                processing: backend
                    .timers("window-processing-timers", TimeDomain::ProcessingTime)?,
            },
            lateness: self.lateness,
            late: LateRows::open(self.late.as_ref(), build)?,
            event_time: self.assigner.is_event_time(),
            merging: self.assigner.is_merging(),
        };
        build.attach_store(&mut backend)?;
        Ok(WindowOperator::new(backend, self.keys.clone(), windows))
    }

    /// The stage of windows whose rows become one value.
    ///
    /// # Errors
    /// If the function can't be opened.
    pub fn fold<Out, A, F>(
        &self,
        build: &mut BuildContext,
        fold: A,
        open: impl FnOnce(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<BuiltStage, BoxError>
    where
        Out: Row,
        A: Fold<T>,
        F: WindowFunction<K, W, A::Out, Out>,
    {
        let mut backend = KeyedBackend::new();
        let (function, has_window_state) = self.open_function(build, &mut backend, open)?;
        if let Some(evictor) = self.evictor.clone() {
            let state = backend.window_list(&ListStateDescriptor::new(CONTENTS_STATE))?;
            let function = FoldRows { fold, function };
            let contents = Box::new(Evicted {
                state,
                evictor,
                function,
            });
            let operator = self.general(build, backend, contents)?;
            return build.one_input(operator);
        }
        let plain = self.slicing && self.trigger.is_none();
        if plain
            && !has_window_state
            && !function.clears()
            && let Some(slices) = self.assigner.slices()
            && (fold.in_parts() || slices.size == slices.slide)
        {
            let late = LateRows::open(self.late.as_ref(), build)?;
            return build.one_input(SliceWindowOperator::new(SliceParts {
                backend,
                keys: self.keys.clone(),
                slices,
                lateness: self.lateness,
                fold,
                function,
                late,
            }));
        }
        let state = backend.window_value(&ValueStateDescriptor::new(CONTENTS_STATE))?;
        let contents = Box::new(Folded {
            fold,
            state,
            function,
        });
        let operator = self.general(build, backend, contents)?;
        build.one_input(operator)
    }

    /// The stage of windows whose rows are kept until they fire.
    ///
    /// # Errors
    /// If the function can't be opened.
    pub fn process<Out, F>(
        &self,
        build: &mut BuildContext,
        open: impl FnOnce(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<BuiltStage, BoxError>
    where
        Out: Row,
        F: ProcessWindowFunction<K, W, T, Out>,
    {
        let operator = self.process_operator(build, open)?;
        build.one_input(operator)
    }

    /// The operator of windows whose rows are kept until they fire, for stages of another kind.
    pub(crate) fn process_operator<Out, F>(
        &self,
        build: &mut BuildContext,
        open: impl FnOnce(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<WindowOperator<K, T, W, Out>, BoxError>
    where
        Out: Row,
        F: ProcessWindowFunction<K, W, T, Out>,
    {
        let mut backend = KeyedBackend::new();
        let (function, _) = self.open_function(build, &mut backend, open)?;
        let contents: Box<dyn Contents<K, T, W, Out>> = match self.evictor.clone() {
            Some(evictor) => {
                let state = backend.window_list(&ListStateDescriptor::new(CONTENTS_STATE))?;
                Box::new(Evicted {
                    state,
                    evictor,
                    function,
                })
            }
            None => {
                let state = backend.window_list(&ListStateDescriptor::new(CONTENTS_STATE))?;
                Box::new(Listed { state, function })
            }
        };
        self.general(build, backend, contents)
    }
}
