//! The job is to be wider or narrower while it runs.
//!
//! Life of a rescale: asked for, or slots have come → a checkpoint is complete, that was under way or begun for it → the tasks
//! are told to end, which is no failure → the next generation begins from it, with other parallelism →
//! all tasks run. Until the tasks are told to end the job goes on as it was, whatever fails; and if
//! the next attempt can't begin, it goes on with the parallelism before.

use rheos_core::job_graph::JobGraph;

use super::JobMaster;
use crate::checkpoint::savepoint::draw_id;
use crate::remote::supply::Needs;
use crate::schedule::Requirements;
use crate::schedule::kept_width::KeptWidth;
use crate::schedule::scaling::{ScalingSettings, SlotWait, SlotWatch};
use crate::submit::JobStatus;
use crate::submit::rescales::{Rescale, RescaleCause, RescaleEnd};

/// What a rescale is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It waits for a checkpoint.
    Checkpoint,
    /// The tasks end, or have ended, and the next attempt has its parallelism.
    Launch,
    /// It is deployed.
    Deployed,
}

struct UnderWay {
    id: String,
    /// What the job goes on with if this comes to nothing.
    former: Requirements,
    step: Step,
    /// When the tasks were told to end, in monotonic microseconds.
    paused_micros: Option<i64>,
}

/// How wide the job is to be.
pub(in super::super) struct Scaling {
    /// What the job was started with, and how wide it may be by that.
    declared: (JobGraph, Requirements),
    requirements: Requirements,
    settings: ScalingSettings,
    watch: SlotWatch,
    under_way: Option<UnderWay>,
    /// One that waits for slots that are on their way.
    awaiting: Option<Awaiting>,
}

/// A rescale that is asked for, and has not begun.
struct Awaiting {
    requirements: Requirements,
    id: String,
    /// When it goes on with the slots there are, in monotonic microseconds.
    until: i64,
}

/// How long a rescale waits for slots that are on their way, in microseconds: as long as a process may
/// take to start, and to fetch its program before.
const SLOTS_COME: i64 = 30_000_000;

impl Scaling {
    /// As wide as this says, of a job that begins now, in monotonic microseconds.
    pub(in super::super) fn new(
        declared: (JobGraph, Requirements),
        requirements: Requirements,
        settings: ScalingSettings,
        now: i64,
    ) -> Self {
        Self {
            declared,
            requirements,
            watch: SlotWatch::new(&settings, now),
            settings,
            under_way: None,
            awaiting: None,
        }
    }

    /// What checkpoints keep of it: what somebody has asked for.
    pub(in super::super) fn kept(&self) -> Option<KeptWidth> {
        let (graph, requirements) = &self.declared;
        let asked = self.requirements != *requirements;
        asked.then(|| KeptWidth::new(graph, &self.requirements))
    }

    /// A job that waits for slots from now on.
    pub(super) fn wait(&self, now: i64) -> SlotWait {
        SlotWait::new(&self.settings, now)
    }

    /// What is asked for.
    pub(super) fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether not all tasks run yet of what was deployed.
    pub(super) fn is_deployed(&self) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|under_way| under_way.step == Step::Deployed)
    }
}

impl JobMaster {
    fn end_rescale(&self, id: &str, end: RescaleEnd) {
        match &end {
            RescaleEnd::Failed(cause) => {
                tracing::warn!("the job is not rescaled, and goes on as it was: {cause}");
            }
            RescaleEnd::Unchanged => tracing::info!("the job has that parallelism already"),
            RescaleEnd::Completed | RescaleEnd::JobEnded(_) => {}
        }
        let now = self.clock.wall_millis();
        let requirements = self.scaling.requirements.clone();
        self.shared.update(|view| {
            view.rescales.end(id, end, now);
            view.requirements = requirements;
        });
    }

    /// It does not begin, and the job needs what it needed before.
    fn refuse_rescale(&mut self, id: &str, cause: String) {
        let (requirements, graph) = (&self.scaling.requirements, &self.metrics.graph);
        self.launcher.ask(Needs::of(requirements, graph));
        self.end_rescale(id, RescaleEnd::Failed(cause));
    }

    /// Another parallelism is asked for.
    pub(super) fn rescale(&mut self, requirements: &Requirements, id: &str) {
        self.launcher
            .ask(Needs::of(requirements, &self.metrics.graph));
        if self.launcher.are_slots_on_their_way() {
            self.scaling.awaiting = Some(Awaiting {
                requirements: requirements.clone(),
                id: id.to_owned(),
                until: self.clock.monotonic_micros() + SLOTS_COME,
            });
            return;
        }
        self.begin_rescale(requirements, id);
    }

    /// A rescale begins whose slots have come.
    pub(super) fn await_slots(&mut self) {
        let (now, come) = (
            self.clock.monotonic_micros(),
            !self.launcher.are_slots_on_their_way(),
        );
        let due = |awaiting: &mut Awaiting| come || now >= awaiting.until;
        if let Some(awaited) = self.scaling.awaiting.take_if(due) {
            self.begin_rescale(&awaited.requirements, &awaited.id);
        }
    }

    /// The job is to be so wide, on the slots there are.
    fn begin_rescale(&mut self, requirements: &Requirements, id: &str) {
        let (status, stops) = (self.lifecycle.status(), self.lifecycle.stop_asked());
        if status.has_ended() || status == JobStatus::Cancelling || stops.is_some() {
            let what = stops.map_or_else(|| status.to_string(), |_| "stopping".to_owned());
            return self.refuse_rescale(id, format!("the job is {what}"));
        }
        let graph = &self.metrics.graph;
        let wanted = match requirements.fit(graph, self.launcher.slots()) {
            Ok(wanted) => wanted,
            Err(error) => return self.refuse_rescale(id, error.to_string()),
        };
        let before = graph.parallelism();
        let former = std::mem::replace(&mut self.scaling.requirements, requirements.clone());
        let kept = self.scaling.kept();
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.keep(kept);
        }
        if wanted == before {
            return self.end_rescale(id, RescaleEnd::Unchanged);
        }
        tracing::info!(?before, ?wanted, "the job is to be rescaled");
        let step = match &mut self.checkpoints {
            Some(checkpoints) if status == JobStatus::Running => {
                checkpoints.hurry_rescale();
                Step::Checkpoint
            }
            _ => Step::Launch,
        };
        self.scaling.under_way = Some(UnderWay {
            id: id.to_owned(),
            former,
            step,
            paused_micros: None,
        });
    }

    /// Slots that have come make the job wider, once they have settled.
    pub(super) fn look_at_slots(&mut self) {
        if !self.lifecycle.is_running()
            || self.checkpoints.is_none()
            || self.lifecycle.stop_asked().is_some()
            || self.scaling.under_way.is_some()
            || self.scaling.awaiting.is_some()
            || self.scaling.requirements.is_fixed()
        {
            return;
        }
        let graph = self.metrics.graph.clone();
        let requirements = self.scaling.requirements.clone();
        let Some(fit) = requirements.fitting(&graph, self.launcher.slots()) else {
            return;
        };
        let now = self.now();
        let watch = &mut self.scaling.watch;
        if !watch.is_due(now.monotonic_micros, &graph.parallelism(), &fit) {
            return;
        }
        // One that fails is tried again after as long a time.
        watch.began(now.monotonic_micros);
        let wall = now.wall_millis;
        let rescale = Rescale::new(draw_id(), RescaleCause::Slots, &requirements, &graph, wall);
        let id = rescale.id.clone();
        let mut begun = false;
        self.shared.update(|view| {
            // One that somebody asks for at this moment goes first.
            if view.rescales.under_way().is_none() {
                view.rescales.begin(rescale);
                begun = true;
            }
        });
        if begun {
            self.rescale(&requirements, &id);
        }
    }

    /// Goes on once the checkpoint is complete that a rescale waits for, or has failed.
    pub(super) fn go_on_rescaling(&mut self) {
        let checkpoints = self.checkpoints.as_mut();
        let Some(outcome) = checkpoints.and_then(super::Checkpoints::take_rescale) else {
            return;
        };
        let checkpoint = match outcome {
            Ok(checkpoint) => checkpoint,
            Err(cause) => return self.rescale_failed(&cause),
        };
        if self.lifecycle.stop_asked().is_some() {
            // Its last checkpoint, or savepoint, is on its way.
            return self.rescale_failed("the job is stopping");
        }
        let now = self.now();
        let Some(under_way) = &mut self.scaling.under_way else {
            return;
        };
        // A job that has failed meanwhile is launched anew anyway.
        under_way.step = Step::Launch;
        if !self.lifecycle.rescale(now) {
            return;
        }
        under_way.paused_micros = Some(now.monotonic_micros);
        let id = under_way.id.clone();
        tracing::info!(checkpoint, "the tasks end, to go on with other parallelism");
        self.shared.update(|view| {
            view.rescales.change(&id, |rescale| {
                rescale.checkpoint = Some(checkpoint);
                rescale.paused_at = Some(now.wall_millis);
            });
        });
        self.cancel_tasks();
    }

    /// The rescale under way, if there is one, comes to nothing.
    pub(super) fn rescale_failed(&mut self, cause: &str) {
        if let Some(under_way) = self.scaling.under_way.take() {
            let former = Needs::of(&under_way.former, &self.metrics.graph);
            self.launcher.ask(former);
            self.scaling.requirements = under_way.former;
            let kept = self.scaling.kept();
            if let Some(checkpoints) = &mut self.checkpoints {
                checkpoints.keep(kept);
            }
            self.end_rescale(&under_way.id, RescaleEnd::Failed(cause.to_owned()));
        }
    }

    /// The next attempt is deployed, with this parallelism.
    pub(super) fn rescale_deployed(&mut self, parallelism: Vec<u32>) {
        self.scaling.watch.began(self.clock.monotonic_micros());
        let Some(under_way) = &mut self.scaling.under_way else {
            return;
        };
        under_way.step = Step::Deployed;
        let id = under_way.id.clone();
        self.shared.update(|view| {
            view.rescales
                .change(&id, |rescale| rescale.after = Some(parallelism));
        });
    }

    /// All tasks run; whether that ends a rescale.
    pub(super) fn rescale_completed(&mut self) -> bool {
        let Some(under_way) = self.scaling.under_way.take_if(|u| u.step == Step::Deployed) else {
            return false;
        };
        let now = self.clock.monotonic_micros();
        let pause = under_way
            .paused_micros
            .map(|at| (now - at).div_euclid(1000));
        let parallelism = self.metrics.graph.parallelism();
        tracing::info!(
            ?parallelism,
            pause_millis = pause,
            "the job is rescaled: all tasks run"
        );
        self.shared.update(|view| {
            view.rescales
                .change(&under_way.id, |rescale| rescale.pause_millis = pause);
        });
        self.end_rescale(&under_way.id, RescaleEnd::Completed);
        true
    }
}
