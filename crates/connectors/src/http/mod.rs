//! A client for HTTP, and look-ups through it.

mod client;
mod lookup;

pub use lookup::{HttpAnswer, HttpLookup};

pub(crate) use client::{Answer, Ask, HttpClient, Unanswered};
