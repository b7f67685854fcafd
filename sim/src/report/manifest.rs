//! `manifest.json`: what a results folder holds and what it came from (schema `sim.manifest/1`).
//!
//! Equal inputs give equal manifests: no time, no machine, no folder. `timings.json` is not listed, since it differs
//! between runs.

use serde::Serialize;

use crate::summary::{Provenance, Summary};

/// The schema's name and version.
pub const SCHEMA: &str = "sim.manifest/1";

/// What a results folder holds and what it came from.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest<'a> {
    schema: &'static str,
    complete: bool,
    digest: &'a str,
    policy: &'a str,
    provenance: &'a Provenance,
    files: Vec<Listed>,
}

/// One file of the folder.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Name in the folder.
    pub name: &'static str,
    /// Length.
    pub bytes: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

impl<'a> Manifest<'a> {
    /// The manifest of a run.
    #[must_use]
    pub fn new(summary: &'a Summary, files: Vec<Listed>) -> Self {
        Self {
            schema: SCHEMA,
            complete: !summary.incomplete,
            digest: &summary.digest,
            policy: &summary.policy,
            provenance: &summary.provenance,
            files,
        }
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
