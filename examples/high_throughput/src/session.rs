//! `session-aggregation`: what a user did since the last pause of half an hour.

use rheos::prelude::*;

use crate::event::EnrichedEvent;

/// A session ends so long after its last event, in milliseconds.
const TIMEOUT: i64 = 30 * 60 * 1000;
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The state of a session.
#[derive(Row, Clone, Debug, Default)]
struct SessionState {
    events: i64,
    first_event: i64,
    last_event: i64,
    value_sum: f64,
}

/// Keeps a session a user, and passes every event on.
///
/// One timer a key: set for the session's first event, and when it is due and later events have come,
/// set anew behind the last of them.
pub struct SessionAggregation {
    session: ValueState<SessionState>,
    counts: MapState<Str, i64>,
}

impl SessionAggregation {
    /// Makes the function on its subtask.
    pub fn open(open: &mut OpenContext<'_, Str>) -> Result<Self, BoxError> {
        let ttl = StateTtlConfig::new(TTL)
            .update_type(UpdateType::OnCreateAndWrite)
            .visibility(StateVisibility::NeverReturnExpired);
        Ok(Self {
            session: open
                .value_state(ValueStateDescriptor::new("session-state").ttl(ttl.clone()))?,
            counts: open.map_state(MapStateDescriptor::new("event-counts").ttl(ttl))?,
        })
    }
}

impl KeyedProcessFunction<Str, EnrichedEvent, EnrichedEvent> for SessionAggregation {
    fn process(
        &mut self,
        row: EnrichedEvent,
        context: &KeyedContext<'_, Str>,
        out: &mut Collector<'_, EnrichedEvent>,
    ) -> Result<(), BoxError> {
        let at = row.event.event_time;
        self.session.modify(|session| {
            let session = session.get_or_insert_with(|| {
                context.register_event_time_timer(at.saturating_add(TIMEOUT));
                SessionState {
                    first_event: at,
                    last_event: at,
                    ..SessionState::default()
                }
            });
            session.events += 1;
            session.first_event = session.first_event.min(at);
            session.last_event = session.last_event.max(at);
            session.value_sum += row.event.value.unwrap_or(0.0);
        });
        self.counts
            .upsert(row.event.event_type.clone(), 0, |count| *count += 1);
        out.collect(row);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: i64,
        _domain: TimeDomain,
        context: &KeyedContext<'_, Str>,
        _out: &mut Collector<'_, EnrichedEvent>,
    ) -> Result<(), BoxError> {
        let ends = self.session.with(|session| {
            session.map_or(timestamp, |session| {
                session.last_event.saturating_add(TIMEOUT)
            })
        });
        if ends > timestamp {
            context.register_event_time_timer(ends);
            return Ok(());
        }
        self.session.clear();
        self.counts.clear();
        Ok(())
    }
}
