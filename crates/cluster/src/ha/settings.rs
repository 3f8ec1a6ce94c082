//! What the configuration says of high availability, under Flink's keys where there are such.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::config::options::{HA_LEASE_DURATION, HA_LEASE_RENEW_INTERVAL, HA_TYPE};
use rheos_core::config::{ConfigError, Configuration};

use super::records::LeaseRecords;
use crate::checkpoint::CheckpointSettings;
use crate::checkpoint::folder::FolderStorage;
use crate::checkpoint::job_store::folder_of;
use crate::checkpoint::location::Location;
use crate::checkpoint::storage::CheckpointStorage;
use crate::error::JobError;

/// See the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HaSettings {
    /// After how long without a renewal the lease is anybody's.
    pub lease: Duration,
    /// How often it is renewed.
    pub renew: Duration,
}

impl HaSettings {
    /// What a configuration asks for; none without high availability.
    ///
    /// # Errors
    /// If a value can't be used, or is of what is not there.
    pub fn of(configuration: &Configuration) -> Result<Option<Self>, ConfigError> {
        let kind = configuration.get(&HA_TYPE)?;
        match kind.trim().to_ascii_lowercase().as_str() {
            "none" => return Ok(None),
            "storage" => {}
            "zookeeper" | "kubernetes" => {
                let expected = "storage: the checkpoint storage itself picks the leader, without \
                                ZooKeeper or Kubernetes; or NONE";
                return Err(configuration.bad_value(HA_TYPE.key, expected));
            }
            _ => return Err(configuration.bad_value(HA_TYPE.key, "NONE or storage")),
        }
        let lease = configuration.get(&HA_LEASE_DURATION)?;
        if lease < Duration::from_millis(100) {
            return Err(configuration.bad_value(HA_LEASE_DURATION.key, "at least 100 ms"));
        }
        let renew = configuration.get_set(&HA_LEASE_RENEW_INTERVAL)?;
        let renew = renew.unwrap_or(lease / 3);
        if renew.is_zero() || renew * 2 > lease {
            let expected = format!(
                "more than 0 and at most half of {}, which is {} ms",
                HA_LEASE_DURATION.key,
                lease.as_millis()
            );
            return Err(configuration.bad_value(HA_LEASE_RENEW_INTERVAL.key, &expected));
        }
        Ok(Some(Self { lease, renew }))
    }

    /// The lease of a job, beside its checkpoints.
    ///
    /// # Errors
    /// If the job takes no checkpoints that other processes see, or their storage can't be opened.
    pub fn records(
        &self,
        job: &str,
        configuration: &Configuration,
    ) -> Result<LeaseRecords, JobError> {
        let checkpoints = CheckpointSettings::from_configuration(configuration)?;
        let place = checkpoints.and_then(|settings| Some((settings.location?, settings.s3)));
        let Some((location, s3)) = place else {
            return Err(JobError::Configuration(format!(
                "{} is storage: that of the job's checkpoints, which are not taken, or not where other \
                 processes see them: name a folder that all of them share, or a bucket, with \
                 --checkpoints or execution.checkpointing.dir",
                HA_TYPE.key
            )));
        };
        let location = location.below(&folder_of(job));
        // A renewal that takes long is given up, not waited for: the next one may be quick.
        let storage: Arc<dyn CheckpointStorage> = match &location {
            Location::Folder(path) => Arc::new(FolderStorage::fleeting(path)),
            s3_location @ Location::S3 { .. } => s3_location.open_within(&s3, self.renew)?,
        };
        Ok(LeaseRecords::new(storage))
    }

    pub(super) fn micros(&self) -> (i64, i64) {
        let micros =
            |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4);
        (micros(self.lease), micros(self.renew))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Option<HaSettings>, ConfigError> {
        let mut configuration = Configuration::new();
        for (key, value) in pairs {
            configuration.set(key, *value);
        }
        HaSettings::of(&configuration)
    }

    #[test]
    fn it_is_off_unless_asked_for() {
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&[("high-availability", "none")]).unwrap(), None);
        let on = of(&[("high-availability.type", "storage")]).unwrap();
        let (lease, renew) = (Duration::from_secs(3), Duration::from_secs(1));
        assert_eq!(on, Some(HaSettings { lease, renew }));
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for kind in ["zookeeper", "KUBERNETES", "org.example.Factory"] {
            let error = of(&[("high-availability.type", kind)]).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(kind) && error.contains("storage"), "{error}");
        }
        let short = [
            ("high-availability.type", "storage"),
            ("rheos.high-availability.lease.renew-interval", "2 s"),
        ];
        let error = of(&short).unwrap_err().to_string();
        assert!(error.contains("at most half of"), "{error}");
    }

    #[test]
    fn it_needs_checkpoints_that_others_see() {
        let mut configuration = Configuration::new();
        configuration.set("high-availability.type", "storage");
        let settings = HaSettings::of(&configuration).unwrap().unwrap();
        for key in ["nothing", "execution.checkpointing.interval"] {
            configuration.set(key, "1 s");
            let Err(error) = settings.records("job", &configuration) else {
                panic!("{key}: nowhere");
            };
            assert!(error.to_string().contains("--checkpoints"), "{error}");
        }
        configuration.set("execution.checkpointing.dir", "/shared");
        let records = settings.records("my job", &configuration).unwrap();
        assert_eq!(records.location(), "/shared/my-job/lease");
    }
}
