//! Rows, their format and their schemas, and configuration, as other crates see them.

mod configuration;
mod configuration_docs;
mod row_derive;
mod row_format;
mod row_properties;
mod row_schema;
