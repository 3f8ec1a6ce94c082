//! Avro: binary values of a writer's schema as rows, and rows as values of their own schema.
//!
//! A row's binary form *is* Avro's, so a value whose writer has the row's schema is read by the row's
//! own codec, without a step between. Values of other schemas are resolved by Avro's rules, field by
//! field (`rheos_core::row::Resolution`).

#[cfg(feature = "filesystem")]
mod container;
mod layout;
mod reader;
#[cfg(feature = "kafka")]
pub mod registry;
#[cfg(test)]
mod tests;

#[cfg(feature = "filesystem")]
pub use container::{AvroCodec, AvroFiles, AvroFilesDecoder, AvroFilesEncoder};
pub use reader::AvroReader;
#[cfg(feature = "kafka")]
pub use registry::{AvroEncoder, ConfluentAvro, RegistrySettings, SubjectNames};
