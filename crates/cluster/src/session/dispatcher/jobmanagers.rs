//! The JobManagers of a session's jobs, each a process of its own: started, heard, and what follows from its
//! end.

use std::process::ExitStatus;
use std::sync::Arc;

use rheos_core::config::options;
use rheos_core::id::JobId;

use super::super::child::{Child, ChildSpec, News};
use super::super::job::{Alive, Job, Phase, obituary};
use super::super::journal::{Ended, Submission};
use super::super::message::Ordered;
use super::super::tether::{Mandate, ToChild, ToParent};
use super::{Shared, State, log_end};
use crate::remote::supply::Needs;

impl Shared {
    pub(super) fn start_jobmanager(self: &Arc<Self>, state: &mut State, id: JobId) {
        let number = state.number();
        let Some(job) = state.jobs.get_mut(&id) else {
            return;
        };
        let (now, at) = (self.clock.monotonic_micros(), self.clock.wall_millis());
        match self.spawn(id, &job.submission, number) {
            Ok((child, token)) => {
                job.phase = Phase::Alive(Box::new(Alive {
                    number,
                    child,
                    token,
                    rest: None,
                    rpc: None,
                    needs: None,
                    told: None,
                    history: None,
                    runs: false,
                    ended: None,
                    refused: None,
                    cancelled: false,
                    since: now,
                }));
            }
            Err(error) => {
                let cause = format!("its JobManager can't be started: {error}");
                let archive = obituary(&job.name, "FAILED", Some(&cause), at);
                self.end(id, job, archive);
            }
        }
    }

    /// Starts the process of a job's JobManager; what its REST wants to know.
    fn spawn(
        self: &Arc<Self>,
        id: JobId,
        submission: &Submission,
        number: u64,
    ) -> std::io::Result<(Child, String)> {
        let program = self.artifacts.find(&submission.artifact);
        let program = program.ok_or_else(|| {
            let what = format!("its program {} is not there any more", submission.artifact);
            std::io::Error::new(std::io::ErrorKind::NotFound, what)
        })?;
        let token: String = self
            .draw()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let overrides = [
            (
                options::JOBMANAGER_RPC_ADDRESS.key,
                self.settings.remote.jobmanager.as_str(),
            ),
            (options::JOBMANAGER_RPC_PORT.key, "0"),
            (options::REST_BIND_ADDRESS.key, "127.0.0.1"),
            (options::REST_BIND_PORT.key, "0"),
            (options::REST_PORT.key, "0"),
            (options::REST_TOKEN.key, &token),
            // The session alone asks there, over loopback.
            (options::SSL_REST_ENABLED.key, "false"),
            (options::SSL_REST_AUTHENTICATION_ENABLED.key, "false"),
            (options::HA_TYPE.key, "NONE"),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut arguments = vec!["jobmanager".to_owned()];
        arguments.extend(submission.arguments.iter().cloned());
        let spec = ChildSpec {
            name: "rheos-job".to_owned(),
            program,
            arguments,
            log: self.journal.log_of(id),
            mandate: Mandate {
                job: id.to_string(),
                goes_on: submission.begun,
                defaults: self.settings.defaults.clone(),
                overrides: overrides.into(),
            },
        };
        let shared = self.clone();
        let told = Box::new(move |news| shared.heard(id, number, news));
        let child = Child::start(&spec, self.groups.as_ref(), &self.spawner, told)?;
        tracing::info!(job = %id, process = child.process(), "its JobManager is started");
        Ok((child, token))
    }

    /// The process of a job's JobManager says something, or has ended.
    fn heard(self: &Arc<Self>, id: JobId, number: u64, news: News) {
        let mut state = self.lock();
        let state = &mut *state;
        let job = state.jobs.get(&id).and_then(Job::alive);
        if job.is_none_or(|alive| alive.number != number) {
            return;
        }
        match news {
            News::Said(said) => self.told(state, id, said),
            News::Ended(status, how) => {
                self.jobmanager_ended(state, id, status, &how);
                self.changed.notify_all();
            }
        }
        self.arrange(state);
    }

    fn told(&self, state: &mut State, id: JobId, said: ToParent) {
        if let ToParent::MayBegin { name, history } = said {
            return self.judge(state, id, name, history);
        }
        let at = self.clock.wall_millis();
        let Some(job) = state.jobs.get_mut(&id) else {
            return;
        };
        if matches!(said, ToParent::Begun) && !job.submission.begun {
            job.submission.begun = true;
            // Else it would begin as its command line says, and not go on, once it is lost.
            if let Err(error) = self.journal.keep(id, &job.submission) {
                tracing::error!(job = %id, "that it has begun can't be kept: {error}");
            }
        }
        job.ran |= matches!(said, ToParent::Runs);
        let Some(alive) = job.alive_mut() else {
            return;
        };
        match said {
            ToParent::Serves { rest, rpc } => {
                alive.rest = Some(rest);
                alive.rpc = Some(rpc);
            }
            ToParent::Needs { asked, least, most } => {
                alive.needs = Some((asked, Needs { least, most }));
            }
            ToParent::Runs => alive.runs = true,
            ToParent::Ended(archive) => alive.ended = Some(Ended { at, archive }),
            ToParent::Begun | ToParent::MayBegin { .. } | ToParent::Memory(_) => {}
        }
    }

    /// Whether a job may begin: two that write the same checkpoints would fence each other.
    fn judge(&self, state: &mut State, id: JobId, name: String, history: Option<String>) {
        let other = state.jobs.iter().find(|(other, job)| {
            let same = |alive: &Alive| history.is_some() && alive.history == history;
            **other != id && job.alive().is_some_and(same)
        });
        let refused = other.map(|(other, _)| {
            format!(
                "job {other} runs already and keeps its checkpoints in {}: give this one another \
                 --job-name, or other --checkpoints",
                history.as_deref().unwrap_or_default()
            )
        });
        let Some(job) = state.jobs.get_mut(&id) else {
            return;
        };
        job.name = name;
        if let Some(alive) = job.alive_mut() {
            alive.refused.clone_from(&refused);
            if refused.is_none() {
                alive.history = history;
            }
            alive.child.tell(&match refused {
                Some(why) => ToChild::Refuse(why),
                None => ToChild::Begin,
            });
        }
    }

    /// The process of a job's JobManager has ended: the job has, or it starts again.
    fn jobmanager_ended(&self, state: &mut State, id: JobId, status: ExitStatus, how: &str) {
        for (number, worker) in state.slots.release(id) {
            if let Some(manager) = state.managers.get(&worker.manager) {
                manager.order(Ordered::End(number));
            }
        }
        let Some(job) = state.jobs.get_mut(&id) else {
            return;
        };
        let (now, at) = (self.clock.monotonic_micros(), self.clock.wall_millis());
        let Some(alive) = job.alive_mut() else {
            return;
        };
        let (archive, since) = (alive.ended.take(), alive.since);
        let archive = archive.map(|ended| ended.archive);
        let (cancelled, refused) = (alive.cancelled, alive.refused.take());
        let goes_on = alive.history.is_some();
        if state.closing {
            job.phase = Phase::Pending(now);
            return;
        }
        let failed = |cause: &str| obituary(&job.name, "FAILED", Some(cause), at);
        let archive = match (archive, status.code()) {
            (Some(archive), _) => archive,
            (None, _) if cancelled => obituary(&job.name, "CANCELED", None, at),
            (None, Some(0)) => obituary(&job.name, "FINISHED", None, at),
            (None, Some(_)) => {
                let said = refused.or_else(|| log_end::error(&self.journal.log_of(id)));
                failed(&said.unwrap_or_else(|| how.to_owned()))
            }
            (None, None) if goes_on && job.submission.begun => {
                let pause = job.pauses.after(now - since);
                tracing::warn!(job = %id, "its JobManager is lost: {}; another is started in {} ms",
                    how, pause / 1000);
                job.phase = Phase::Pending(now + pause);
                return;
            }
            (None, None) => failed(&format!(
                "its JobManager is lost: {}; the job takes no checkpoints that it could go on from",
                how
            )),
        };
        self.end(id, job, archive);
    }
}
