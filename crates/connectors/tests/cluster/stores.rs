//! State in RocksDB over several TaskManagers: each writes what its tasks have changed to the files that
//! checkpoints share, and reads what they need of them, whatever becomes of it, of the others, of the
//! JobManager and of the parallelism.

use std::collections::BTreeSet;

use rheos::cluster::checkpoint::manifest::Manifest;
use rheos::state::store::settings::BackendKind;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};

use super::*;
use crate::shown::lines_shown;

/// Rows of as many keys come first, then rows of a few, and then of the first ones again.
const KEPT: u64 = 20_000;
const FEW: u64 = 97;
/// Bytes that are kept of each key, which no compression makes less of.
const FILLER: usize = 1_000;

fn key_of(row: u64, count: u64, keys: u64) -> u64 {
    // Those that have been in the store alone for the whole run.
    let again = count - keys / 2;
    match row {
        _ if row < keys => row,
        _ if row >= again => row - again,
        _ => row % FEW,
    }
}

/// A row, and which of its key it is.
#[derive(Row, Clone, Debug)]
struct Nth {
    row: u64,
    nth: u64,
}

#[derive(Row, Clone, Debug)]
struct Kept {
    rows: u64,
    filler: Vec<u8>,
}

fn filler(key: u64) -> Vec<u8> {
    let mut random = rheos::core::rng::Rng::new(key);
    let words = (0..FILLER / 8).flat_map(|_| random.next_u64().to_le_bytes());
    words.collect()
}

struct Counting {
    kept: ValueState<Kept>,
    count: u64,
    keys: u64,
}

impl KeyedProcessFunction<u64, u64, Nth> for Counting {
    fn process(
        &mut self,
        row: u64,
        _context: &KeyedContext<'_, u64>,
        out: &mut Collector<'_, Nth>,
    ) -> Result<(), BoxError> {
        let key = key_of(row, self.count, self.keys);
        let kept = match self.kept.get() {
            Some(kept) if kept.filler != filler(key) => {
                return Err(format!("key {key} has the state of another").into());
            }
            Some(kept) => Kept {
                rows: kept.rows + 1,
                ..kept
            },
            None => Kept {
                rows: 1,
                filler: filler(key),
            },
        };
        let nth = kept.rows;
        self.kept.update(kept);
        out.collect(Nth { row, nth });
        Ok(())
    }
}

pub(super) fn describe(env: &StreamEnv, arguments: &Arguments, keys: u64) {
    let count = arguments.count;
    let source = DataGeneratorSource::new(|k| k, count).strided();
    let strategy = WatermarkStrategy::no_watermarks();
    env.from_source_with_rate(source, strategy, "numbers", arguments.rate)
        .key_by(move |row: &u64| key_of(*row, count, keys))
        .process(move |open| {
            Ok(Counting {
                kept: open.value_state("kept")?,
                count,
                keys,
            })
        })
        .sink_to(FileSink::new(JsonLines, arguments.out.clone()));
}

/// Every row once, and each key's in one line of counting.
fn check(out: &Path, count: u64, keys: u64) {
    let mut rows = BTreeSet::new();
    let mut counted: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (name, line) in lines_shown(out) {
        let (row, nth) = (line["row"].as_u64().unwrap(), line["nth"].as_u64());
        assert!(
            rows.insert(row),
            "row {row} twice, the second time in {name}"
        );
        let counted = counted.entry(key_of(row, count, keys)).or_default();
        assert!(
            counted.insert(nth.unwrap()),
            "{line} in {name}: counted so before"
        );
    }
    assert_eq!(rows.len() as u64, count);
    for (key, counted) in counted {
        let all = (1..=counted.len() as u64).collect();
        assert_eq!(counted, all, "key {key}");
    }
}

/// Whether this build has RocksDB.
fn is_built_in() -> bool {
    let mut conf = Configuration::default();
    conf.set("state.backend.type", "rocksdb");
    let built = BackendKind::from_configuration(&conf).is_ok();
    if !built {
        println!("skipped test cluster: built without the feature `rocksdb` of rheos");
    }
    built
}

/// A cluster in a folder.
struct Cluster<'a> {
    folder: &'a Path,
    flow: (u64, u64, u32),
    keys: u64,
    more: &'a [&'a str],
}

impl Cluster<'_> {
    fn start(&self, name: &'static str, arguments: &[&str]) -> Process {
        let local = format!(
            "state.backend.rocksdb.localdir={}",
            self.folder.join("local").display()
        );
        let keys = self.keys.to_string();
        let mut all = arguments.to_vec();
        all.extend([
            "--keys",
            &keys,
            "-D",
            "state.backend.type=rocksdb",
            "-D",
            &local,
        ]);
        all.extend(self.more.iter().flat_map(|key| ["-D", *key]));
        Process::start_with(name, self.folder, self.flow, &all)
    }

    fn jobmanager(&self, more: &[&str]) -> (Process, String) {
        let ports = ["jobmanager.rpc.port=0", "rest.port=0"];
        let keys = ports.iter().chain(more).flat_map(|key| ["-D", *key]);
        let arguments: Vec<&str> = ["jobmanager"].into_iter().chain(keys).collect();
        let process = self.start("the JobManager", &arguments);
        let port = port_of(&process);
        (process, port)
    }

    fn taskmanager(&self, name: &'static str, port: &str) -> Process {
        self.start(name, &["taskmanager", "-D", port])
    }

    fn job(&self) -> PathBuf {
        self.folder.join("checkpoints/sums")
    }

    /// The manifests that there are, the oldest first.
    fn manifests(&self) -> Vec<Manifest> {
        let mut found = Vec::new();
        for generation in std::fs::read_dir(self.job()).unwrap().flatten() {
            let checkpoints = std::fs::read_dir(generation.path());
            for checkpoint in checkpoints.into_iter().flatten().flatten() {
                let text = std::fs::read(checkpoint.path().join("manifest.json"));
                let text = text.unwrap_or_default();
                found.extend(serde_json::from_slice::<Manifest>(&text));
            }
        }
        found.sort_by_key(|manifest| manifest.checkpoint);
        found
    }

    /// Files in `shared/` are those that checkpoints name; nothing is left on the local disk.
    fn is_clean(&self) {
        let mut named = BTreeSet::new();
        for manifest in self.manifests() {
            named.extend(shared(&manifest).into_keys());
        }
        let there = std::fs::read_dir(self.job().join("shared")).unwrap();
        let there: BTreeSet<String> = there
            .map(|file| format!("shared/{}", file.unwrap().file_name().to_str().unwrap()))
            .collect();
        assert!(!named.is_empty());
        assert_eq!(there, named);
        let local = std::fs::read_dir(self.folder.join("local")).unwrap();
        let local: Vec<PathBuf> = local.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(local, Vec::<PathBuf>::new());
    }
}

/// The shared files of a checkpoint, and their bytes.
fn shared(manifest: &Manifest) -> BTreeMap<String, u64> {
    let stores = manifest.operators.iter().flat_map(|o| &o.stores).flatten();
    let files = stores.flat_map(|store| store.shared());
    files
        .map(|file| (file.part.file.clone(), file.part.length))
        .collect()
}

/// Rows, rows a second, parallelism.
const FLOW: (u64, u64, u32) = (COUNT, RATE, 4);
/// Most keys are in the store alone.
const COLD: [&str; 2] = [
    "rheos.state.resident-keys=500",
    "execution.checkpointing.num-retained=10",
];

pub(super) fn outlive_a_task_manager_that_is_killed() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster {
        folder: folder.path(),
        flow: FLOW,
        keys: KEPT,
        more: &COLD,
    };
    let (mut jobmanager, port) = cluster.jobmanager(&[]);
    let first = cluster.taskmanager("the first", &port);
    let mut second = cluster.taskmanager("the second", &port);
    wait_for_checkpoints(folder.path(), 9, &jobmanager);
    first.signal("-KILL");
    let killed = Instant::now();
    jobmanager.wait_for("the job starts again");
    let mut third = cluster.taskmanager("the third", &port);
    let (again, _) = jobmanager.wait_for("all tasks run again");
    println!(
        "from kill -9 to all tasks running, with a new process: {:?}",
        again - killed
    );
    let after = cluster.manifests().last().unwrap().checkpoint as usize;
    wait_for_checkpoints(folder.path(), after + 3, &jobmanager);
    // Files of the generation before are named on, and most checkpoints write little.
    let manifests = cluster.manifests();
    let (old, whole) = inherited(&manifests);
    assert!(whole > KEPT * FILLER as u64 / 2, "{whole}");
    assert!(old * 2 > whole, "{old} of {whole}");
    let written = manifests.iter();
    let written = written.map(|m| m.tasks.iter().map(|task| task.bytes).sum::<u64>());
    let least = written.min().unwrap();
    println!("the least that a checkpoint wrote: {least} bytes");
    assert!(least * 10 < whole, "{least} of {whole}");
    jobmanager.end(Duration::from_secs(90));
    for taskmanager in [&mut second, &mut third] {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"), COUNT, KEPT);
    cluster.is_clean();
}

/// Of the first checkpoint of the newest generation: bytes of stores that are in files of the generations
/// before, and all of them. Later ones have files that RocksDB has made of those.
fn inherited(manifests: &[Manifest]) -> (u64, u64) {
    let generation = manifests.last().unwrap().generation;
    assert!(manifests[0].generation < generation);
    let mut of_newest = manifests.iter().filter(|m| m.generation == generation);
    let first = of_newest.next().unwrap();
    let files = shared(first);
    let own = format!("shared/g{generation}-");
    let old = files.iter().filter(|(name, _)| !name.starts_with(&own));
    let old = old.map(|(_, bytes)| bytes).sum();
    let written: u64 = first.tasks.iter().map(|task| task.bytes).sum();
    let whole = files.values().sum();
    println!("of {whole} bytes of stores {old} are of generations before; {written} were written");
    (old, whole)
}

/// Asks for each of these, one after the other; the pauses in milliseconds.
fn rescale(jobmanager: &Process, widths_asked: &[u32]) -> Vec<u64> {
    let (address, id) = job_of(jobmanager);
    let mut pauses = Vec::new();
    for (number, parallelism) in (1..).zip(widths_asked) {
        std::thread::sleep(Duration::from_millis(700));
        let request = format!("PATCH /jobs/{id}/rescaling?parallelism={parallelism}");
        ask(&address, &request, "");
        let line = wait_for_rescale(jobmanager, number);
        let all = widths(jobmanager);
        assert!(all.iter().all(|width| *width == u64::from(*parallelism)));
        let pause = line.split("pause_millis=").nth(1).unwrap();
        pauses.push(pause.split_whitespace().next().unwrap().parse().unwrap());
    }
    pauses
}

pub(super) fn are_rescaled_while_the_job_runs() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster {
        folder: folder.path(),
        flow: (COUNT, RATE, 2),
        keys: KEPT,
        more: &COLD,
    };
    let (mut jobmanager, port) = cluster.jobmanager(&[]);
    let mut first = cluster.taskmanager("the first", &port);
    let mut second = cluster.taskmanager("the second", &port);
    jobmanager.wait_for_times(HAS_COME, 2);
    wait_for_checkpoints(folder.path(), 4, &jobmanager);
    rescale(&jobmanager, &[3, 2, 4]);
    jobmanager.end(Duration::from_secs(90));
    for taskmanager in [&mut first, &mut second] {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"), COUNT, KEPT);
    cluster.is_clean();
}

/// Who takes over knows by the checkpoint which files are whose, and goes on without writing them again.
pub(super) fn outlive_the_leader() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "high-availability.type=storage",
        "jobmanager.rpc.port=0",
        "execution.checkpointing.data-inline-threshold=1kb",
    ];
    let cluster = Cluster {
        folder: folder.path(),
        flow: FLOW,
        keys: KEPT,
        more: &[&more[..], &COLD].concat(),
    };
    let leader = cluster.start("the first JobManager", &["jobmanager"]);
    leader.wait_for(standby::LEADS);
    let mut next = cluster.start("the second JobManager", &["jobmanager"]);
    next.wait_for("stands by: the JobManager at ");
    let names = ["the first", "the second"];
    let mut taskmanagers = names.map(|name| cluster.start(name, &["taskmanager"]));
    wait_for_checkpoints(folder.path(), 7, &leader);
    leader.signal("-KILL");
    let killed = Instant::now();
    let (runs, _) = next.wait_for("all tasks run");
    println!(
        "from kill -9 of the leader to all tasks running: {:?}",
        runs - killed
    );
    let newest = cluster.manifests().pop().unwrap().checkpoint as usize;
    wait_for_checkpoints(folder.path(), newest + 2, &next);
    let manifests = cluster.manifests();
    let (old, whole) = inherited(&manifests);
    assert!(old * 2 > whole, "{old} of {whole}");
    // However small, files are written once.
    let stores = manifests.iter().flat_map(|m| &m.operators);
    let stores = stores.flat_map(|o| o.stores.iter().flatten());
    for file in stores.flat_map(|store| &store.files) {
        let once = file.name.ends_with(".sst") && file.part.length >= 1_024;
        assert_eq!(file.shared, once, "{file:?}");
    }
    next.end(Duration::from_secs(90));
    for taskmanager in &mut taskmanagers {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"), COUNT, KEPT);
    cluster.is_clean();
}

pub(super) fn go_with_the_slots_of_a_reactive_job() {
    if !is_built_in() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let reactive = [
        "scheduler-mode=reactive",
        "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling=300ms",
        "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout=200ms",
    ];
    let cluster = Cluster {
        folder: folder.path(),
        flow: FLOW,
        keys: KEPT,
        more: &[&reactive[..], &COLD].concat(),
    };
    let (mut jobmanager, port) = cluster.jobmanager(&[]);
    let mut first = cluster.taskmanager("the first", &port);
    wait_for_checkpoints(folder.path(), 4, &jobmanager);
    assert!(widths(&jobmanager).iter().all(|width| *width == 2));
    let second = cluster.taskmanager("the second", &port);
    wait_for_rescale(&jobmanager, 1);
    assert!(widths(&jobmanager).iter().all(|width| *width == 4));
    std::thread::sleep(Duration::from_millis(900));
    second.signal("-KILL");
    jobmanager.wait_for("the job goes on as wide as the slots allow");
    jobmanager.wait_for("all tasks run again");
    assert!(widths(&jobmanager).iter().all(|width| *width == 2));
    jobmanager.end(Duration::from_secs(90));
    first.end(Duration::from_secs(20));
    check(&folder.path().join("out"), COUNT, KEPT);
}

/// With a state of some 100 MB. For measuring, by name:
/// `cargo test --release -p rheos-connectors --features rheos/rocksdb --test cluster -- how_long_a_cluster_stands_still`
pub(super) fn how_long_a_cluster_stands_still() {
    const KEYS: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "execution.checkpointing.interval=1s",
        "taskmanager.memory.managed.size=64mb",
    ];
    let flow = (1_000_000, 20_000, 2);
    let cluster = Cluster {
        folder: folder.path(),
        flow,
        keys: KEYS,
        more: &more,
    };
    let (mut jobmanager, port) = cluster.jobmanager(&[]);
    let names = ["the first", "the second", "the third"];
    let mut taskmanagers = names.map(|name| cluster.taskmanager(name, &port));
    jobmanager.wait_for_times(HAS_COME, 3);
    let bytes = || {
        let newest = cluster.manifests().pop();
        newest.map_or(0, |newest| shared(&newest).values().sum())
    };
    while bytes() < KEYS * FILLER as u64 * 9 / 10 {
        std::thread::sleep(Duration::from_millis(300));
    }
    println!("{} bytes of stores", bytes());
    let mut pauses = rescale(&jobmanager, &[6, 3, 6, 2, 6, 3, 2]);
    println!("{} bytes of stores, pauses {pauses:?} ms", bytes());
    pauses.sort_unstable();
    println!("median {} ms", pauses[pauses.len() / 2]);
    jobmanager.end(Duration::from_secs(120));
    for taskmanager in &mut taskmanagers {
        taskmanager.end(Duration::from_secs(20));
    }
    check(&folder.path().join("out"), flow.0, KEYS);
    cluster.is_clean();
}
