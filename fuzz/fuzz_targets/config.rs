//! Configuration files of both of Flink's forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rheos_core::config::Configuration;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for file in ["config.yaml", "flink-conf.yaml"] {
        if let Ok(configuration) = Configuration::parse(file, text) {
            let _ = configuration.review();
            let _ = configuration.check();
        }
    }
});
