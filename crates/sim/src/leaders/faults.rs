//! What happens to JobManagers and their ways, beside what happens to single requests.

use super::scenario::Scenario;
use super::world::{Cut, State, address};

/// Lets something happen. More often than not it happens to who leads.
pub(super) fn happen(state: &mut State) {
    let scenario = state.scenario.clone();
    let alive = state.lives.iter().enumerate();
    let alive: Vec<usize> = alive.filter(|(_, l)| l.alive).map(|(l, _)| l).collect();
    let leading = alive.iter().copied().find(|life| {
        let life = state.lives.get(*life);
        life.is_some_and(|life| life.leads.is_some())
    });
    let of = match state.rng.below(2) {
        0 => scenario.managers,
        _ => usize::MAX,
    };
    let machine = |life: &usize| state.lives.get(*life).map(|life| life.machine);
    let some: Vec<&usize> = alive.iter().filter(|l| machine(l) < Some(of)).collect();
    let any = some.get(state.rng.below(some.len() as u64) as usize);
    let whom = match (leading, state.rng.below(2)) {
        (Some(leading), 0) => leading,
        _ => match any {
            Some(any) => **any,
            None => return,
        },
    };
    let long = drawn(state, &scenario);
    let Some(machine) = state.lives.get(whom).map(|life| life.machine) else {
        return;
    };
    let what = state.rng.below(8);
    state.note(what << 8 | whom as u64);
    match what {
        0 if scenario.kills => kill(state, (whom, machine), long),
        1 if scenario.kills => {
            if let Some(life) = state.lives.get_mut(whom) {
                life.told_to_end = true;
            }
        }
        2 | 3 if scenario.pauses => state.stop(whom, long),
        4 if scenario.cuts => {
            let how = match state.rng.below(2) {
                0 => Cut::Both,
                _ => Cut::Answers,
            };
            let until = state.now + long;
            if let Some(machine) = state.machines.get_mut(machine) {
                machine.cut = Some((how, until));
            }
        }
        5 if scenario.cuts => {
            let other = state.rng.below(scenario.managers as u64) as usize;
            let pair = (machine.min(other), machine.max(other));
            state.apart.insert(pair, state.now + long);
        }
        6 if scenario.restarts => {
            if let Some(life) = state.lives.get_mut(whom) {
                life.task_failed = true;
            }
        }
        7 if scenario.skew > 0 => {
            let far = state.rng.below(2 * scenario.skew * 1_000) as i64;
            if let Some(machine) = state.machines.get_mut(machine) {
                machine.set = far - scenario.skew as i64 * 1_000;
            }
        }
        _ => {}
    }
}

/// For how long: about a lease as often as much less or more.
fn drawn(state: &mut State, scenario: &Scenario) -> i64 {
    let lease = scenario.lease * 1_000;
    let most = match state.rng.below(3) {
        0 => lease / 4,
        1 => 2 * lease,
        _ => 8 * lease,
    };
    1 + state.rng.below(most) as i64
}

/// Kills a JobManager. Another is started in its place, at its address or at another.
fn kill(state: &mut State, (life, machine): (usize, usize), again: i64) {
    state.counts.deaths += 1;
    state.die(life, again);
    if state.rng.below(3) == 0 {
        let nth = 1 + state.rng.below(90);
        let moved = address(&state.scenario, machine, nth);
        if let Some(machine) = state.machines.get_mut(machine) {
            machine.address = moved;
        }
    }
}
