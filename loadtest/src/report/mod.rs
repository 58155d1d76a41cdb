//! What people and machines read of a run: everything here is made of [`crate::results::Results`] alone, so that a report
//! can be made again from the JSON that was kept.

mod beside;
mod command;
mod compare;
mod figures;
mod html;
mod json;
mod junit;
mod plots;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
mod svg;
mod text;
mod timeline;
mod verdict;

pub(crate) use beside::Beside;
pub(crate) use command::{
    Files, Print, Told, close, compare_command, report_command, run_compare, run_report,
};
pub(crate) use figures::{count, micros, rate, share};
pub(crate) use html::html;
pub(crate) use json::write;
#[cfg(test)]
pub(crate) use sample::golden;
pub(crate) use text::{Table, printable};
pub(crate) use verdict::Verdict;
