//! Two environments of one process, joined over loopback: what goes through, and what breaks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::clock::SystemClock;
use rheos_core::element::{Batch, Control, Element, LatencyMarker, StreamStatus};
use rheos_core::id::{CheckpointId, Generation, JobId, OperatorId};
use rheos_core::row::Row;
use tokio::runtime::Runtime;

use super::frame::{self, FULL, Kind, VERSION};
use super::hello::{Hello, JobIncarnation, Judgement, judge};
use super::job_network::RemoteEnd;
use super::rows::{self, Compression, EncodedBatch};
use super::security::Security;
use super::{DataEndpoint, JobNetwork, PeerAddress, control};
use crate::exchange::channel::{ChannelReceiver, ChannelSender};
use crate::exchange::in_flight::{InFlight, InFlightRows, Item};
use crate::exchange::tests::{Joins, Row2, op, run_local, run_world, shape};
use crate::task::mailbox::{Mail, MailSender, Mailbox, mailbox};
use crate::task::signal::Signal;

#[cfg(feature = "tls")]
mod tls;

fn io() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn loopback() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn incarnation(generation: u64) -> JobIncarnation {
    JobIncarnation {
        job: JobId(7),
        generation,
        graph: 99,
    }
}

/// Two TaskManagers in this process.
struct Pair {
    endpoints: [DataEndpoint; 2],
    networks: [JobNetwork; 2],
    mails: [MailSender; 2],
    mailboxes: [Mailbox; 2],
    channels: u32,
    signal: Arc<Signal>,
}

impl Pair {
    fn new(io: &Runtime, of: [JobIncarnation; 2]) -> Self {
        Self::with(io, of, Default::default(), Compression::None)
    }

    fn with(
        io: &Runtime,
        of: [JobIncarnation; 2],
        security: [Security; 2],
        compression: Compression,
    ) -> Self {
        let clock = SystemClock::shared();
        let endpoints = security.map(|security| {
            DataEndpoint::bind(loopback(), io.handle(), security, clock.clone()).unwrap()
        });
        let addresses: Vec<PeerAddress> = endpoints
            .iter()
            .zip(["tm-a", "tm-b"])
            .map(|(endpoint, name)| PeerAddress {
                name: name.to_owned(),
                address: endpoint.address().to_string(),
            })
            .collect();
        let network = |own| {
            let network = JobNetwork::new(of[own as usize], own, &addresses, clock.clone());
            network.compressed(compression)
        };
        let networks = [network(0), network(1)];
        let signal = Arc::new(Signal::new());
        signal.attach();
        let (mail0, mailbox0) = mailbox(signal.clone());
        let (mail1, mailbox1) = mailbox(signal.clone());
        Self {
            endpoints,
            networks,
            mails: [mail0, mail1],
            mailboxes: [mailbox0, mailbox1],
            channels: 0,
            signal,
        }
    }

    /// A channel from one of them to the other.
    fn between<T: Row>(
        &mut self,
        from: u32,
        window: usize,
    ) -> (ChannelSender<T>, ChannelReceiver<T>) {
        let to = 1 - from;
        let channel = self.channels;
        self.channels += 1;
        let end = |own: u32, peer: u32| RemoteEnd {
            peer,
            channel,
            task: own as usize,
            mail: &self.mails[own as usize],
            window,
        };
        let sender = self.networks[from as usize].sender(end(from, to)).unwrap();
        let receiver = self.networks[to as usize].receiver(end(to, from)).unwrap();
        (sender, receiver)
    }

    fn join(&self) {
        for (network, endpoint) in self.networks.iter().zip(&self.endpoints) {
            network.join(endpoint);
        }
    }

    /// Waits for the failure of a task.
    fn failure(&self, task: usize) -> String {
        for _ in 0..400 {
            if let Some(mail) = self.mailboxes[task].take() {
                let Mail::Fail(error) = mail else {
                    panic!("{mail:?}");
                };
                return error.to_string();
            }
            self.signal.wait(Some(Duration::from_millis(50)));
        }
        panic!("task {task} was told nothing");
    }
}

impl Joins for Pair {
    fn channel(&mut self, window: usize) -> (ChannelSender<Row2>, ChannelReceiver<Row2>) {
        self.between(self.channels % 2, window)
    }

    fn wait(&mut self) {
        self.signal.wait(Some(Duration::from_millis(1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_comes_over_sockets_is_what_comes_within_the_process(
        shape in shape(),
        ops in prop::collection::vec(op(), 0..150),
        eager in any::<bool>(),
        packed in any::<bool>(),
    ) {
        let io = io();
        let compression = if packed { Compression::Lz4 } else { Compression::None };
        let mut pair = Pair::with(&io, [incarnation(3); 2], Default::default(), compression);
        let wanted = shape.senders * shape.receivers;
        let mut joined = Joined { pair: &mut pair, wanted };
        let seen = run_world(&shape, &ops, &mut joined, eager)?;
        prop_assert!(pair.mailboxes.iter().all(|mailbox| mailbox.take().is_none()));
        let alone = run_local(&shape, &ops, eager)?;
        // How much a sender makes otherwise depends on when credit comes.
        if eager {
            prop_assert_eq!(seen, alone);
        }
    }

    #[test]
    fn a_connection_that_is_cut_anywhere_leaves_a_beginning_and_a_failure(
        lengths in prop::collection::vec(0..30_000usize, 1..20),
        cut in 0..20usize,
        by_sender in any::<bool>(),
    ) {
        let io = io();
        let mut pair = Pair::new(&io, [incarnation(1); 2]);
        let (sender, receiver) = pair.between::<String>(0, 1 << 20);
        pair.join();
        // The connection is there.
        sender.send(strings(&["first".to_owned()]), 1);
        let mut seen = match take(&pair, &receiver) {
            Element::Batch(batch) => batch.rows,
            Element::Control(_) => Vec::new(),
        };
        let rows: Vec<String> = (0..).zip(&lengths).map(|(n, len)| format!("{n}{}", "x".repeat(*len))).collect();
        for (at, row) in rows.iter().enumerate() {
            if at == cut {
                pair.networks[usize::from(!by_sender)].end();
            }
            sender.send(strings(std::slice::from_ref(row)), row.len());
        }
        if cut >= rows.len() {
            pair.networks[usize::from(!by_sender)].end();
        }
        // Whoever did not end it is told.
        let error = pair.failure(usize::from(by_sender));
        prop_assert!(error.contains("is lost"), "{}", error);
        while let Some((element, _)) = receiver.poll() {
            if let Element::Batch(batch) = element {
                seen.extend(batch.rows);
            }
        }
        let sent = std::iter::once("first".to_owned()).chain(rows);
        prop_assert_eq!(&seen, &sent.take(seen.len()).collect::<Vec<_>>());
    }
}

/// Joins the networks once all channels are made.
struct Joined<'a> {
    pair: &'a mut Pair,
    wanted: usize,
}

impl Joins for Joined<'_> {
    fn channel(&mut self, window: usize) -> (ChannelSender<Row2>, ChannelReceiver<Row2>) {
        let made = self.pair.channel(window);
        if self.pair.channels as usize == self.wanted {
            self.pair.join();
        }
        made
    }

    fn wait(&mut self) {
        self.pair.wait();
    }
}

fn strings(rows: &[String]) -> Batch<String> {
    let mut batch = Batch::default();
    for (at, row) in (0i64..).zip(rows) {
        batch.push_hashed(row.clone(), at * 7 - 3, row.key_hash());
    }
    batch
}

fn take<T: Row>(pair: &Pair, receiver: &ChannelReceiver<T>) -> Element<T> {
    for _ in 0..400 {
        if let Some((element, _)) = receiver.poll() {
            return element;
        }
        pair.signal.wait(Some(Duration::from_millis(50)));
    }
    panic!("nothing comes");
}

#[test]
fn a_row_larger_than_a_frame_arrives_whole() {
    let io = io();
    let mut pair = Pair::new(&io, [incarnation(1); 2]);
    let (sender, receiver) = pair.between::<String>(0, 1 << 20);
    pair.join();
    let rows = ["a".repeat(10), "b".repeat(3 << 20), "c".to_owned()];
    sender.send(strings(&rows), 3 << 20);
    sender.send_control(Control::EndOfPartition);
    let mut seen = Vec::new();
    while let Element::Batch(batch) = take(&pair, &receiver) {
        assert_eq!(batch.hashes.len(), batch.rows.len());
        seen.extend(batch.rows.into_iter().zip(batch.timestamps));
    }
    let wanted = rows.iter().cloned().zip([-3, 4, 11]);
    assert_eq!(seen, wanted.collect::<Vec<_>>());
    assert!(pair.mailboxes[0].take().is_none());
}

#[test]
fn a_row_that_no_frame_holds_fails_its_task_by_name() {
    let io = io();
    let mut pair = Pair::new(&io, [incarnation(1); 2]);
    let (sender, _receiver) = pair.between::<String>(0, 1 << 20);
    pair.join();
    sender.send(strings(&["x".repeat(frame::MAX_PAYLOAD + 1)]), 1);
    let error = pair.failure(0);
    assert!(error.contains("can't go to another TaskManager"), "{error}");
    assert!(pair.mailboxes[1].take().is_none(), "the other end is well");
}

#[test]
fn a_sender_stops_at_its_credit_and_goes_on_when_rows_are_taken() {
    let io = io();
    let mut pair = Pair::new(&io, [incarnation(1); 2]);
    let (sender, receiver) = pair.between::<String>(1, 1_000);
    pair.join();
    let mut sent = 0;
    while sender.ready() {
        sender.send(strings(&[sent.to_string()]), 100);
        sent += 1;
    }
    assert_eq!(sent, 10);
    for row in 0..sent {
        let Element::Batch(batch) = take(&pair, &receiver) else {
            panic!("a control element");
        };
        assert_eq!(batch.rows, [row.to_string()]);
    }
    for _ in 0..400 {
        if sender.ready() {
            break;
        }
        pair.signal.wait(Some(Duration::from_millis(50)));
    }
    assert!(sender.ready());
    receiver.grant(5_000);
    for _ in 0..400 {
        if sender.window() == 5_000 {
            return;
        }
        pair.signal.wait(Some(Duration::from_millis(10)));
    }
    panic!("the window stays {}", sender.window());
}

#[test]
fn a_connection_that_is_cut_fails_the_tasks_on_it() {
    let io = io();
    let mut pair = Pair::new(&io, [incarnation(1); 2]);
    let (sender, receiver) = pair.between::<String>(0, 1 << 20);
    pair.join();
    sender.send(strings(&["a".to_owned()]), 10);
    take(&pair, &receiver);
    // The process of the other side is gone.
    let address = pair.endpoints[1].address();
    pair.networks[1].end();
    let error = pair.failure(0);
    let wanted = format!("the connection to tm-b at {address} is lost");
    assert!(error.starts_with(&wanted), "{error}");
    // What is sent afterwards goes nowhere, and nobody waits for it.
    sender.send(strings(&["b".to_owned()]), 10);
}

#[test]
fn who_is_of_another_generation_or_graph_is_refused_by_name() {
    let io = io();
    let later = JobIncarnation {
        graph: 98,
        ..incarnation(1)
    };
    for (theirs, said) in [
        (incarnation(0), "in generation 1, and 0 is past"),
        (later, "run the same binary"),
        (
            JobIncarnation {
                job: JobId(8),
                ..incarnation(1)
            },
            "runs job 00000000000000000000000000000007",
        ),
    ] {
        let mut pair = Pair::new(&io, [theirs, incarnation(1)]);
        let (_sender, _receiver) = pair.between::<String>(0, 100);
        pair.networks[1].join(&pair.endpoints[1]);
        pair.networks[0].join(&pair.endpoints[0]);
        let error = pair.failure(0);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_peer_that_is_told_of_the_generation_later_is_waited_for() {
    let io = io();
    let mut pair = Pair::new(&io, [incarnation(2); 2]);
    let (sender, receiver) = pair.between::<String>(0, 1_000);
    pair.networks[0].join(&pair.endpoints[0]);
    sender.send(strings(&["a".to_owned()]), 10);
    pair.signal.wait(Some(Duration::from_millis(100)));
    assert!(receiver.is_empty());
    pair.networks[1].join(&pair.endpoints[1]);
    assert!(matches!(take(&pair, &receiver), Element::Batch(_)));
}

#[test]
fn a_barrier_overtakes_what_came_from_another_process() {
    let io = io();
    let mut pair = Pair::new(&io, [incarnation(1); 2]);
    let (sender, receiver) = pair.between::<String>(0, 100);
    pair.join();
    // The second batch lies beyond the credit: the barrier took it along.
    sender.send(strings(&["a".to_owned(), "b".to_owned()]), 200);
    sender.send(strings(&["c".to_owned()]), 100);
    let barrier = Barrier {
        checkpoint: CheckpointId(4),
        generation: Generation(1),
        triggered_at: 5,
        kind: SnapshotKind::Checkpoint,
        alignment: Alignment::Unaligned { after_millis: 0 },
    };
    sender.send_control(Control::Barrier(barrier));
    for _ in 0..400 {
        if receiver.announced() == 4 {
            break;
        }
        pair.signal.wait(Some(Duration::from_millis(50)));
    }
    assert_eq!(receiver.barrier_behind(CheckpointId(4)), Some(barrier));
    let mut items: Vec<Item<String>> = Vec::new();
    receiver.overtake(CheckpointId(4), &mut items);
    let lane = crate::exchange::lane::LaneId {
        edge: 1,
        sender: 0,
        senders: 1,
    };
    let header = crate::exchange::in_flight::ChannelHeader::new(lane, 0, 0);
    let flight = InFlight {
        input: 0,
        channels: vec![(header, items)],
    };
    let list = flight.encode().unwrap();
    let (_, elements) = crate::exchange::in_flight::decode::<String>(&list.entries[0]).unwrap();
    let kept: Vec<String> = elements
        .into_iter()
        .flat_map(|element| match element {
            Element::Batch(batch) => batch.rows,
            Element::Control(_) => Vec::new(),
        })
        .collect();
    assert_eq!(kept, ["a", "b", "c"]);
    // The task goes on with the same rows, and the barrier is gone.
    let rows = |element| match element {
        Element::Batch(batch) => batch.rows,
        Element::Control(control) => panic!("{control:?}"),
    };
    assert_eq!(rows(take(&pair, &receiver)), ["a", "b"]);
    assert_eq!(rows(take(&pair, &receiver)), ["c"]);
    assert!(receiver.poll().is_none());
}

#[test]
fn control_elements_are_read_as_they_are_written() {
    let clock = SystemClock::shared();
    let barrier = |kind, alignment| {
        Control::Barrier(Barrier {
            checkpoint: CheckpointId(u64::MAX),
            generation: Generation(3),
            triggered_at: i64::MIN,
            kind,
            alignment,
        })
    };
    for control in [
        Control::Watermark(i64::MAX),
        Control::Watermark(i64::MIN),
        Control::Status(StreamStatus::Idle),
        Control::Status(StreamStatus::Active),
        barrier(SnapshotKind::Savepoint, Alignment::Aligned),
        barrier(
            SnapshotKind::Checkpoint,
            Alignment::Unaligned { after_millis: 30 },
        ),
        Control::EndOfData { drain: true },
        Control::EndOfData { drain: false },
        Control::EndOfPartition,
    ] {
        let bytes = control::encode(control, &clock);
        assert_eq!(control::decode(&bytes, &clock).unwrap(), control);
    }
    let marker = LatencyMarker {
        emitted_at_micros: clock.monotonic_micros() - 500_000,
        source: OperatorId(u64::MAX),
        subtask: 3,
    };
    let bytes = control::encode(Control::LatencyMarker(marker), &clock);
    let Control::LatencyMarker(read) = control::decode(&bytes, &clock).unwrap() else {
        panic!("no marker");
    };
    let drift = (read.emitted_at_micros - marker.emitted_at_micros).abs();
    assert!(drift < 100_000, "{drift} µs");
    assert_eq!((read.source, read.subtask), (marker.source, 3));
}

#[test]
fn who_connects_is_judged() {
    let hello = Hello {
        incarnation: incarnation(4),
        from: 0,
        to: 1,
    };
    let payload = hello.to_frame().split_off(frame::HEADER);
    assert_eq!(Hello::parse(&Bytes::from(payload)).unwrap(), hello);
    assert_eq!(judge(&hello, 1, None), Judgement::Later);
    assert_eq!(judge(&hello, 1, Some(&incarnation(3))), Judgement::Later);
    assert_eq!(judge(&hello, 1, Some(&incarnation(4))), Judgement::Welcome);
    for (own, current) in [(1, incarnation(5)), (2, incarnation(4))] {
        let judged = judge(&hello, own, Some(&current));
        assert!(matches!(judged, Judgement::Refused(_)), "{judged:?}");
    }
}

fn frames(batch: &Batch<String>, compression: Compression) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut sequence = u32::MAX;
    rows::encode(
        batch,
        1_000,
        (5, &mut sequence),
        compression,
        &mut Vec::new,
        &mut |frame, _| {
            frames.push(frame);
        },
    )
    .unwrap();
    assert_eq!(sequence as usize + 1, frames.len(), "it wraps");
    frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rows_are_cut_into_whole_frames_and_read_back(
        lengths in prop::collection::vec(prop_oneof![8 => 0..200usize, 1 => 20_000..70_000usize], 1..80),
        pieces in prop::collection::vec(1..9_000usize, 1..40),
        hashed in any::<bool>(),
        packed in any::<bool>(),
    ) {
        let compression = if packed { Compression::Lz4 } else { Compression::None };
        let rows: Vec<String> = lengths.iter().map(|len| "x".repeat(*len)).collect();
        let mut batch = strings(&rows);
        if !hashed {
            batch.hashes.clear();
        }
        let frames = frames(&batch, compression);
        // As a socket brings them: in pieces of any size.
        let bytes: Vec<u8> = frames.concat();
        let mut read = BytesMut::new();
        let mut back: Batch<String> = Batch::default();
        let (mut at, mut piece) = (0, 0);
        while at < bytes.len() {
            let to = (at + pieces[piece % pieces.len()]).min(bytes.len());
            read.extend_from_slice(&bytes[at..to]);
            (at, piece) = (to, piece + 1);
            while let Some(frame) = frame::take(&mut read).unwrap() {
                prop_assert_eq!(frame.header.kind, Kind::Rows);
                prop_assert_eq!(frame.header.channel, 5);
                let (batch, _) = EncodedBatch::parse(frame.payload.clone()).unwrap();
                prop_assert!(frame.payload.len() <= FULL || batch.len() == 1);
                batch.decode_into(&mut back).unwrap();
            }
        }
        prop_assert!(read.is_empty());
        let plain: usize = lengths.iter().sum();
        prop_assert!(!packed || plain < 2_000 || bytes.len() < plain / 2, "{} of {plain}", bytes.len());
        prop_assert_eq!(&back.rows, &batch.rows);
        prop_assert_eq!(&back.timestamps, &batch.timestamps);
        prop_assert_eq!(&back.hashes, &batch.hashes);
    }

    #[test]
    fn garbage_is_refused_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        whole in any::<bool>(),
        packed in any::<bool>(),
        flips in prop::collection::vec((0..4_000usize, any::<u8>()), 0..4),
    ) {
        if whole {
            let compression = if packed { Compression::Lz4 } else { Compression::None };
            let rows = ["some".to_owned(), "rows".repeat(40)];
            bytes = frames(&strings(&rows), compression).concat();
            for (at, byte) in flips {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
        } else if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        super::fuzz(&bytes);
    }
}
