//! Files, overrides and answers, through the public API.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rheos_core::config::options::{
    EXPONENTIAL_DELAY_JITTER_FACTOR, EXPONENTIAL_DELAY_MAX_BACKOFF, PARALLELISM_DEFAULT,
    PIPELINE_AUTO_WATERMARK_INTERVAL, PIPELINE_NAME, PIPELINE_OPERATOR_CHAINING, RESTART_STRATEGY,
    TASKMANAGER_MEMORY_PROCESS_SIZE,
};
use rheos_core::config::{ConfigError, Configuration, Level, MemoryBudget, MemorySize};

const PRODUCTION: &str = include_str!("../fixtures/flink-conf.yaml");

fn yaml(text: &str) -> Configuration {
    Configuration::parse("config.yaml", text).unwrap()
}

fn legacy(text: &str) -> Configuration {
    Configuration::parse("conf/flink-conf.yaml", text).unwrap()
}

fn pairs(conf: &Configuration) -> Vec<(&str, &str)> {
    conf.iter().collect()
}

#[test]
fn every_key_of_a_production_file_is_answered_once() {
    let conf = legacy(PRODUCTION);
    assert_eq!(conf.notes(), &[] as &[String]);
    let written: Vec<&str> = PRODUCTION
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(conf.iter().count(), written.len());
    let review = conf.check().unwrap();
    let lines: Vec<String> = review.lines().into_iter().map(|(_, line)| line).collect();
    for key in &written {
        let naming = lines
            .iter()
            .filter(|line| line.split([' ', ',', ':']).any(|word| word == *key));
        assert!(naming.count() >= 1, "{key} is not answered:\n{review}");
    }
    let answered = review.honoured.len()
        + review
            .later
            .iter()
            .map(|later| later.keys.len())
            .sum::<usize>()
        + review
            .no_meaning
            .iter()
            .map(|explained| explained.keys.len())
            .sum::<usize>();
    assert_eq!(answered, written.len(), "{review}");
    assert!(
        review.foreign.is_empty() && review.warnings.is_empty(),
        "{review}"
    );

    assert!(
        review
            .honoured
            .contains(&"taskmanager.numberOfTaskSlots: 8".to_owned())
    );
    assert!(
        review
            .honoured
            .contains(&"restart-strategy: exponential-delay".to_owned())
    );
    assert!(
        review
            .honoured
            .contains(&"state.backend.rocksdb.write-buffer-size: 256mb".to_owned())
    );
    let jvm = review
        .no_meaning
        .iter()
        .find(|why| why.keys.contains(&"env.java.opts".to_owned()));
    assert_eq!(jvm.unwrap().reason, "there is no JVM to tune");
}

#[test]
fn a_production_files_values_have_their_types() {
    let conf = legacy(PRODUCTION);
    assert_eq!(conf.get(&RESTART_STRATEGY).unwrap(), "exponential-delay");
    assert_eq!(
        conf.get(&EXPONENTIAL_DELAY_MAX_BACKOFF).unwrap(),
        Duration::from_secs(120)
    );
    assert_eq!(conf.get(&EXPONENTIAL_DELAY_JITTER_FACTOR).unwrap(), 0.1);
    assert_eq!(
        conf.get(&TASKMANAGER_MEMORY_PROCESS_SIZE).unwrap(),
        MemorySize(72 << 30)
    );
    assert_eq!(conf.task_slots().unwrap(), 8);
    // On a machine of 4 GB the proportions are kept: 24 and 8 of 72.
    let budget = MemoryBudget::divide(&conf, 4 << 30).unwrap();
    assert_eq!(budget.total, 4 << 30);
    assert_eq!(budget.managed, (4 << 30) / 3);
    assert_eq!(budget.network, (4 << 30) / 9);
}

#[test]
fn the_old_format_is_lines_and_says_what_it_skips() {
    let conf = legacy(
        "a.b: 1 # comment\n\n# c: 2\nno colon\npassword:hunter2\n  d: x: y\nempty: \nurl: http://h#f\n",
    );
    assert_eq!(
        pairs(&conf),
        [("a.b", "1"), ("d", "x: y"), ("url", "http://h")]
    );
    let notes = conf.notes().join("\n");
    assert_eq!(conf.notes().len(), 4, "{notes}");
    assert!(notes.contains("conf/flink-conf.yaml:5: `password` is skipped: a space is missing"));
    assert!(
        notes.contains(":8: the value of `url` ends at a `#`"),
        "{notes}"
    );
    assert!(!notes.contains("hunter2"));
}

#[test]
fn yaml_may_be_nested_flat_or_both() {
    let conf = yaml(
        "taskmanager:\n  numberOfTaskSlots: 8\n  memory:\n    process:\n      size: 72g\n\
         restart-strategy.type: off\nparallelism.default: '4'\nexecution:\n  checkpointing:\n    \
         incremental: true\n    interval:\npipeline:\n  jars: [a.jar, 'b;c.jar']\n  \
         cached-files:\n    - {name: f, path: /x}\n  auto-watermark-interval: 0050\n\
         table.exec.local-hash-agg.adaptive.distinct-value-rate-threshold: 2.0\n",
    );
    assert_eq!(conf.raw("taskmanager.numberOfTaskSlots"), Some("8"));
    assert_eq!(conf.raw("taskmanager.memory.process.size"), Some("72g"));
    assert_eq!(conf.raw("restart-strategy.type"), Some("off"));
    assert_eq!(
        conf.raw("execution.checkpointing.incremental"),
        Some("true")
    );
    assert_eq!(conf.raw("execution.checkpointing.interval"), None);
    assert_eq!(conf.raw("pipeline.jars"), Some("a.jar;'b;c.jar'"));
    assert_eq!(conf.raw("pipeline.cached-files"), Some("'name:f,path:/x'"));
    assert_eq!(conf.raw("pipeline.auto-watermark-interval"), Some("0050"));
    let float = "table.exec.local-hash-agg.adaptive.distinct-value-rate-threshold";
    assert_eq!(conf.raw(float), Some("2.0"));
    assert!(conf.check().is_ok(), "{}", conf.review());
    assert_eq!(
        yaml("").iter().count() + yaml("# nothing\n").iter().count(),
        0
    );
}

#[test]
fn a_nested_file_under_the_old_name_is_read_as_yaml() {
    let conf = legacy("parallelism:\n  default: 4\n");
    assert_eq!(pairs(&conf), [("parallelism.default", "4")]);
}

#[test]
fn what_is_not_yaml_is_refused_with_file_and_place() {
    for text in [
        "a: [1, 2",
        "- a\n- b\n",
        "just text",
        "a: 1\n b: 2\n: :\n",
        "a: 1\na: 2\n",
    ] {
        let error = Configuration::parse("config.yaml", text).unwrap_err();
        assert!(
            matches!(error, ConfigError::Syntax { .. }),
            "{text}: {error}"
        );
        assert!(
            error.to_string().starts_with("config.yaml cannot be read"),
            "{error}"
        );
    }
}

#[test]
fn a_later_source_wins_whatever_the_spelling() {
    let mut conf = yaml("restart-strategy.type: fixed-delay\nparallelism.default: 4\n");
    let arguments = [
        "restart-strategy=none",
        "parallelism.default=8",
        "pipeline.operator-chaining",
    ];
    conf.override_with(Configuration::from_arguments(arguments).unwrap());
    assert_eq!(conf.get(&RESTART_STRATEGY).unwrap(), "none");
    assert_eq!(conf.get(&PARALLELISM_DEFAULT).unwrap(), 8);
    assert!(conf.get(&PIPELINE_OPERATOR_CHAINING).unwrap());
    assert!(conf.check().unwrap().warnings.is_empty());
    conf.set(RESTART_STRATEGY.key, "failure-rate");
    assert_eq!(conf.raw("restart-strategy"), None);
    assert!(Configuration::from_arguments(["=x"]).is_err());
}

#[test]
fn the_new_spelling_wins_within_a_source_and_the_old_is_named() {
    let conf = yaml("restart-strategy: none\nrestart-strategy.type: fixed-delay\n");
    assert_eq!(conf.get(&RESTART_STRATEGY).unwrap(), "fixed-delay");
    let review = conf.check().unwrap();
    assert_eq!(review.warnings.len(), 1, "{review}");
    assert!(review.warnings[0].contains("`restart-strategy.type`, which is set too and wins"));
}

#[test]
fn an_unknown_key_of_flinks_families_is_an_error_with_the_nearest() {
    let cases = [
        (
            "taskmanager.numberOfTaskSlot",
            "taskmanager.numberOfTaskSlots",
        ),
        (
            "execution.checkpointing.intervall",
            "execution.checkpointing.interval",
        ),
        (
            "state.backend.rocksdb.blok.cache-size",
            "state.backend.rocksdb.block.cache-size",
        ),
        (
            "jobmanager.memory.process-size",
            "jobmanager.memory.process.size",
        ),
        ("scheduler-mod", "scheduler-mode"),
        ("paralelism.default", "parallelism.default"),
    ];
    for (wrong, right) in cases {
        let conf = legacy(&format!("{wrong}: 1\n"));
        let errors = conf.check().unwrap_err();
        let shown = errors.to_string();
        assert_eq!(
            shown,
            format!(
                "unknown configuration key `{wrong}` (conf/flink-conf.yaml:1): did you mean \
                 `{right}`?"
            )
        );
    }
}

#[test]
fn a_bad_value_is_an_error_that_says_what_would_do() {
    let conf = legacy(
        "execution.checkpointing.interval: 10 parsecs\npipeline.object-reuse: perhaps\n\
         execution.checkpointing.mode: twice\nsecurity.ssl.verify-hostname: secretly\n",
    );
    let errors = conf.check().unwrap_err().to_string();
    assert!(
        errors.contains("`execution.checkpointing.interval: 10 parsecs`"),
        "{errors}"
    );
    assert!(
        errors.contains("is not a duration such as `10 s`"),
        "{errors}"
    );
    assert!(
        errors.contains("is not one of EXACTLY_ONCE, AT_LEAST_ONCE"),
        "{errors}"
    );
    // It sets nothing here, so its value cannot be wrong.
    assert!(!errors.contains("object-reuse"), "{errors}");
}

#[test]
fn a_secret_is_never_shown() {
    let conf = yaml(
        "s3.secret-key: hunter2\ns3.access-key: hunter2\nmy.password: hunter2\nparallelism.default: 2\n",
    );
    let shown = format!("{conf:?} {}", conf.review());
    assert!(
        !shown.contains("hunter2") && shown.contains("******"),
        "{shown}"
    );
}

#[test]
fn foreign_keys_are_listed_in_one_line() {
    let conf = yaml("s3:\n  connection.maximum: 5\nkubernetes.cluster-id: c\nmy.own.key: 1\n");
    let review = conf.check().unwrap();
    let lines = review.lines();
    assert_eq!(lines.len(), 1, "{review}");
    let line = "not Flink's, handed on as they are: kubernetes.cluster-id, my.own.key, \
                s3.connection.maximum";
    assert_eq!(lines[0], (Level::Info, line.to_owned()));
}

#[test]
fn values_of_their_type_can_still_be_out_of_range_or_at_odds() {
    let cases = [
        ("parallelism.default: 0", "at least 1"),
        (
            "parallelism.default: 9\npipeline.max-parallelism: 8",
            "is above `pipeline.max-para",
        ),
        ("pipeline.max-parallelism: 0", "-1 or from 1 to 32768"),
        ("taskmanager.numberOfTaskSlots: 0", "at least 1"),
        (
            "taskmanager.memory.process.size: 1g\ntaskmanager.memory.managed.size: 2g",
            "exceeds the process's 1 gb",
        ),
    ];
    for (text, expected) in cases {
        let errors = legacy(text).check().unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert!(errors.to_string().contains(expected), "{errors}");
    }
}

#[test]
fn timeouts_read_as_flink_reads_them() {
    let millis = |text: &str| {
        legacy(text)
            .buffer_timeout()
            .unwrap()
            .map(|timeout| timeout.as_millis())
    };
    assert_eq!(millis(""), Some(5));
    assert_eq!(millis("execution.buffer-timeout: 100"), Some(100));
    assert_eq!(millis("execution.buffer-timeout: 0"), Some(0));
    assert_eq!(millis("execution.buffer-timeout: -1"), None);
    assert_eq!(millis("execution.buffer-timeout.enabled: false"), None);
    assert!(legacy("execution.buffer-timeout: -1").check().is_ok());
    let conf = yaml("pipeline.auto-watermark-interval: 0\n");
    assert_eq!(conf.auto_watermark_interval().unwrap(), None);
    assert_eq!(Configuration::new().latency_interval().unwrap(), None);
    let every = Configuration::new()
        .get(&PIPELINE_AUTO_WATERMARK_INTERVAL)
        .unwrap();
    assert_eq!(every, Duration::from_millis(200));
    let missing = Configuration::new().get(&PIPELINE_NAME).unwrap_err();
    assert_eq!(
        missing,
        ConfigError::Missing {
            key: "pipeline.name"
        }
    );
}

#[test]
fn memory_without_a_configured_whole_is_what_there_is() {
    let budget = MemoryBudget::divide(&Configuration::new(), 1 << 30).unwrap();
    assert_eq!(budget.total, 1 << 30);
    assert_eq!(budget.managed, ((1u64 << 30) as f64 * 0.4) as u64);
    assert_eq!(budget.network, ((1u64 << 30) as f64 * 0.1) as u64);
    // Small processes start too: the least share is a default, not a demand.
    let small = MemoryBudget::divide(&Configuration::new(), 32 << 20).unwrap();
    assert!(small.managed + small.network <= small.total);
}

/// What `deploy/kubernetes/` configures is all in effect: nothing of it is for later, or unknown.
#[test]
fn what_a_deployment_configures_is_honoured() {
    let manifest = include_str!("../../../../deploy/kubernetes/application.yaml");
    let (_, rest) = manifest.split_once("  config.yaml: |\n").unwrap();
    let (file, rest) = rest.split_once("\n---").unwrap();
    let file: String = file
        .lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect();
    let mut conf = yaml(&file);
    for line in rest.lines() {
        if let Some((key, value)) = line
            .trim()
            .strip_prefix("- -D")
            .and_then(|d| d.split_once('='))
        {
            conf.set(key, value);
        }
    }
    let review = conf.check().unwrap();
    assert!(review.later.is_empty(), "{review}");
    assert!(review.no_meaning.is_empty(), "{review}");
    assert!(review.warnings.is_empty(), "{review}");
    // Keys of our own are not Flink's.
    let ours = |key: &String| key.starts_with("rheos.");
    assert!(review.foreign.iter().all(ours), "{review}");
}
