//! Ways in for fuzzing (`fuzz/`) to decoders that nobody else calls from outside. Part of the crate
//! only where it is being fuzzed, and of its tests, so that it keeps compiling.
#![allow(missing_docs, reason = "for `fuzz/` alone")]

#[cfg(feature = "kafka")]
use rheos_core::Row;
#[cfg(feature = "kafka")]
use rheos_core::row::{Reader, Schema};

/// A value in a registry's framing, by the row's own codec and resolved from a schema of another order.
#[cfg(feature = "kafka")]
pub fn registry_value<T: Row>(bytes: &[u8]) {
    use crate::avro::AvroReader;
    use crate::avro::registry::WriterReaders;

    let mut writer = T::schema();
    if let Schema::Record(record) = &mut writer {
        let mut reversed = (**record).clone();
        reversed.fields.reverse();
        *record = std::sync::Arc::new(reversed);
    }
    for schema in [T::schema(), writer] {
        let Ok(reader) = AvroReader::<T>::new(&schema) else {
            continue;
        };
        let mut readers = WriterReaders::fixed(AvroReader::<T>::new, reader);
        if let Ok(Some((reader, value))) = readers.of(bytes) {
            let _ = reader.next(&mut Reader::new(value));
        }
    }
}

/// An envelope in Avro, as PostgreSQL's connector writes it.
#[cfg(feature = "kafka")]
pub fn debezium_avro(bytes: &[u8]) {
    crate::debezium::fuzz_avro(bytes);
}

/// A server's reply.
#[cfg(feature = "redis")]
pub fn redis_reply(bytes: &[u8]) {
    crate::redis::fuzz_reply(bytes);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What fuzzing has come upon is tried again with each run of the tests.
    fn corpus(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let mut inputs = 0;
        for entry in std::fs::read_dir(folder.join(target)).unwrap() {
            run(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{target}");
    }

    #[cfg(feature = "redis")]
    #[test]
    fn the_corpus_of_replies() {
        corpus("redis_reply", super::redis_reply);
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn the_corpora_of_avro() {
        corpus("debezium_avro", super::debezium_avro);
        corpus(
            "avro_registry",
            super::registry_value::<(i64, Option<String>)>,
        );
    }
}
