//! The main job: departures in, counts and sums of every carrier and five minutes out.

fn main() {}
