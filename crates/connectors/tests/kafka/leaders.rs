//! Partitions whose leaders change: three brokers, of which one is killed under a source and two sinks,
//! and leadership that is given back to it. What the group is told meanwhile is read by Kafka's own tool.

use crate::common;
use crate::kafka;

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use common::endless::Endless;
use common::own::Own;
use common::{unique, wait_until};
use kafka::Broker;
use rheos::cluster::embedded::JobControl;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::kafka::{KafkaReader, KafkaSink, KafkaSource, Offsets, OutRecord, Values};
use rheos_connectors::{CollectSink, DeliveryGuarantee, RawLines};

const PARTITIONS: i32 = 6;

fn lines(reader: KafkaReader, address: &str, topic: &str) -> KafkaSource<Values<RawLines>> {
    KafkaSource::new(Values(RawLines))
        .reader(reader)
        .bootstrap_servers(address)
        .topics([topic])
        .property("isolation.level", "read_committed")
}

fn sink_of<T: 'static>(
    address: &str,
    topic: &str,
    text: fn(&T) -> String,
) -> KafkaSink<impl Fn(&T) -> OutRecord + Clone + Send + Sync + 'static> {
    let topic = topic.to_owned();
    KafkaSink::new(move |row: &T| {
        let text = text(row);
        OutRecord {
            topic: topic.clone(),
            key: Some(text.clone().into_bytes()),
            value: Some(text.into_bytes()),
            ..OutRecord::default()
        }
    })
    .bootstrap_servers(address)
}

/// A job that copies a topic until it is stopped.
struct Copy {
    control: JobControl,
    ending: JoinHandle<Result<(), String>>,
    _checkpoints: tempfile::TempDir,
}

impl Copy {
    fn start(
        reader: KafkaReader,
        address: &str,
        (from, to, group): (&str, &str, &str),
        delivery: DeliveryGuarantee,
    ) -> Self {
        let checkpoints = tempfile::tempdir().unwrap();
        let mut conf = Configuration::default();
        conf.set("execution.checkpointing.interval", "200 ms");
        conf.set(
            "execution.checkpointing.dir",
            checkpoints.path().to_str().unwrap(),
        );
        // A restart would hide what a leader's change must not cost.
        conf.set("restart-strategy.type", "none");
        let env = StreamEnv::new(conf.clone());
        env.parallelism(2);
        let rows: DataStream<String> = env.from_source(
            lines(reader, address, from).group_id(group),
            WatermarkStrategy::no_watermarks(),
            "kafka",
        );
        rows.sink_to(sink_of(address, to, String::clone).delivery_guarantee(delivery));
        let job = start(&env.program().unwrap(), conf).unwrap();
        let control = job.handle.control();
        let ending = std::thread::spawn(move || {
            let ended = job.wait().map(drop);
            ended.map_err(|error| error.to_string())
        });
        Self {
            control,
            ending,
            _checkpoints: checkpoints,
        }
    }

    fn stop(self) {
        self.control.stop(true);
        self.ending.join().unwrap().unwrap();
    }
}

fn all(address: &str, topic: &str) -> Vec<String> {
    let env = StreamEnv::default();
    let rows: DataStream<String> = env.from_source(
        lines(KafkaReader::Own, address, topic).bounded(Offsets::Latest),
        WatermarkStrategy::no_watermarks(),
        "kafka",
    );
    let sink = CollectSink::new();
    rows.sink_to(sink.clone());
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    job.wait().unwrap();
    let mut rows = sink.take();
    rows.sort();
    rows
}

/// What Kafka's own tool shows of a group: by partition where it is, and where the log ends.
fn progress(own: &Own, group: &str) -> BTreeMap<i32, (i64, i64)> {
    let class = "consumer.group.ConsumerGroupCommand";
    let text = own.services(&["kafka-tool", class, "--describe", "--group", group]);
    let lines = text.lines().map(|line| line.split_whitespace());
    lines
        .filter_map(|line| {
            let line: Vec<_> = line.collect();
            let number = |at: usize| line.get(at)?.parse().ok();
            Some((i32::try_from(number(2)?).ok()?, (number(3)?, number(4)?)))
        })
        .collect()
}

#[test]
fn leaders_that_are_killed_and_given_their_partitions_back_cost_no_record_and_double_none() {
    let three = [("RHEOS_KAFKA_NODES", "3")];
    let Some(own) = Own::up("RHEOS_KAFKA", &["kafka"], &three) else {
        return;
    };
    let address = own.variable("RHEOS_KAFKA");
    assert_eq!(address.split(',').count(), 3);
    let input = unique("in");
    let outputs = [
        DeliveryGuarantee::AtLeastOnce,
        DeliveryGuarantee::ExactlyOnce,
    ]
    .map(|delivery| (delivery, unique("out"), unique("group")));
    // By each of the readers, if there are two.
    let readers = [kafka::READERS[0], kafka::READERS[kafka::READERS.len() - 1]];
    let mut broker = Broker::new(&address);
    broker.create(&input, PARTITIONS);
    for (_, output, _) in &outputs {
        broker.create(output, PARTITIONS);
    }
    let make = sink_of(&address, &input, |n: &u64| format!("{n:07}"));
    let writer = Endless::start(|n| n, 1_000.0, make, "writer");
    let copies = readers.into_iter().zip(&outputs);
    let copies = copies.map(|(reader, (delivery, output, group))| {
        Copy::start(reader, &address, (&input, output, group), *delivery)
    });
    let copies: Vec<_> = copies.collect();
    let mut all_go_on = |what: &str| {
        let topics = [&input, &outputs[0].1, &outputs[1].1];
        let mut written = |topic: &str| broker.ends(topic, PARTITIONS).iter().sum::<i64>();
        let before = topics.map(|topic| written(topic));
        for (topic, before) in topics.into_iter().zip(before) {
            wait_until(&format!("{what}: {topic}"), || {
                written(topic) > before + 300
            });
        }
    };
    all_go_on("at first");

    let mut looks = Broker::new(&address);
    let leader = looks.leader(&input, 0);
    own.services(&["kill", &format!("kafka-{leader}")]);
    wait_until("another broker leads", || looks.leader(&input, 0) != leader);
    all_go_on("with a broker gone");
    own.services(&["up", "kafka"]);
    // It leads again what it is the first choice for, once it has caught up.
    wait_until("its partitions are given back", || {
        own.services(&[
            "kafka-tool",
            "LeaderElectionCommand",
            "--election-type",
            "preferred",
            "--all-topic-partitions",
        ]);
        looks.leader(&input, 0) == leader
    });
    all_go_on("with leadership given back");

    let count = writer.stop();
    // Each checkpoint tells the groups; the last came after the last record.
    for (_, _, group) in &outputs {
        wait_until("the group is told of the end", || {
            let progress = progress(&own, group);
            progress.len() == PARTITIONS as usize && progress.values().all(|(at, end)| at == end)
        });
    }
    copies.into_iter().for_each(Copy::stop);
    let expected: Vec<_> = (0..count).map(|n| format!("{n:07}")).collect();
    assert_eq!(all(&address, &input), expected, "what was written");
    for (delivery, output, _) in &outputs {
        assert_eq!(all(&address, output), expected, "{delivery:?}");
    }
}

/// Between checkpoints the group is told nothing, so what it has is never ahead of what the job would go
/// on from.
#[test]
fn a_group_is_told_of_checkpoints_that_are_complete_and_of_nothing_else() {
    let Some(own) = Own::up("RHEOS_KAFKA", &["kafka"], &[]) else {
        return;
    };
    let address = own.variable("RHEOS_KAFKA");
    let (topic, group) = (unique("in"), unique("group"));
    let mut broker = Broker::new(&address);
    broker.create(&topic, 2);
    let mut produce = |partition: i32, count: usize| {
        let records: Vec<_> = (0..count).map(kafka::value).collect();
        let codec = rheos_connectors::kafka::batch::Compression::None;
        broker.produce(&topic, partition, codec, &records);
    };
    produce(0, 7);
    produce(1, 3);
    let checkpoints = tempfile::tempdir().unwrap();
    let mut conf = Configuration::default();
    conf.set("execution.checkpointing.interval", "5 s");
    conf.set(
        "execution.checkpointing.dir",
        checkpoints.path().to_str().unwrap(),
    );
    let env = StreamEnv::new(conf.clone());
    env.parallelism(1);
    let rows: DataStream<String> = env.from_source(
        lines(KafkaReader::Own, &address, &topic).group_id(&group),
        WatermarkStrategy::no_watermarks(),
        "kafka",
    );
    let sink = CollectSink::new();
    rows.sink_to(sink.clone());
    let job = start(&env.program().unwrap(), conf).unwrap();
    let completed = || job.handle.metrics().checkpoints.counts().unwrap().completed;
    let at = |progress: BTreeMap<i32, (i64, i64)>| -> Vec<i64> {
        progress.values().map(|(at, _)| *at).collect()
    };
    wait_until("the group is told", || at(progress(&own, &group)) == [7, 3]);
    let known = completed();
    assert!(known > 0);
    let mut read = 0;
    wait_until("the first records are read", || {
        read += sink.take().len();
        read >= 10
    });
    produce(1, 4);
    wait_until("the others are read", || {
        read += sink.take().len();
        read >= 14
    });
    let told = at(progress(&own, &group));
    // A checkpoint may have come in between on a slow machine; then nothing is shown here.
    if completed() == known {
        assert_eq!(told, [7, 3]);
    }
    wait_until("the group is told of the rest", || {
        at(progress(&own, &group)) == [7, 7]
    });
    assert!(completed() > known);
    job.handle.control().cancel();
    drop(job.wait());
}
