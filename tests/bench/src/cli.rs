//! The options of the benchmark.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the release Lambdas of this project beside an SDK-less floor: start-up, first request,
/// warm requests, memory, package, calls to AWS. Prints Markdown tables.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub struct Options {
    /// Starts of each Lambda.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub starts: u32,
    /// Warm requests of each Lambda.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub requests: u32,
    /// Only these Lambdas, by name; as often as needed.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Another bootstrap to compare with: a shell command that starts a Lambda runtime. As often as needed. It gets the
    /// environment and the events of `--against-as`.
    #[arg(long, value_name = "COMMAND")]
    pub against: Vec<String>,
    /// The Lambda whose environment and events the other bootstraps get.
    #[arg(long, value_name = "NAME", default_value = "controller")]
    pub against_as: String,
    /// Measures the binaries in this folder, such as those of another commit, and builds nothing.
    #[arg(long, value_name = "FOLDER")]
    pub binaries: Option<PathBuf>,
    /// Measures only what several requests at once in one environment of the controller do, as on Lambda Managed
    /// Instances.
    #[arg(long, conflicts_with_all = ["check", "only", "against"])]
    pub at_once: bool,
    /// Fails if a goal is missed.
    #[arg(long)]
    pub check: bool,
    /// The certificates in `SSL_CERT_FILE` beside the test's own authority: those that are compiled into the Lambdas,
    /// or all of the machine's, as if a bank keeps its own list.
    #[arg(long, value_enum, default_value_t)]
    pub trust: Trust,
}

/// A list of certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Trust {
    /// Amazon's authorities.
    #[default]
    Amazon,
    /// The authorities that this machine trusts.
    Machine,
}
