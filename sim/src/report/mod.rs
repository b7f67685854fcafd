//! Report: results as bytes. The only files that format.

mod axes;
mod bill;
mod blocked;
mod by_job;
pub mod chart;
pub mod comparison;
pub mod cost;
pub mod csv;
pub mod decision;
pub mod files;
pub mod folders;
pub mod html;
pub mod json;
mod lives;
pub mod manifest;
pub mod openmetrics;
mod over_time;
#[cfg(feature = "parquet")]
mod parquet;
pub mod picture;
pub mod series;
pub mod shares;
pub mod text;
pub mod versus;
