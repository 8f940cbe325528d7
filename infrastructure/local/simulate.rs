//! `cargo run -- simulate`: what a policy does to callers, before an incident does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use breaker::{NUMBERS, Preset};
use clap::Args;
use platform::policy;
use platform::settings::Environment;
use simulator::{BUILT_IN, Contender, Report, Scenario, chart, simulate, table};

/// The words of a policy, which are no numbers.
const WORDS: [&str; 3] = ["MODE", "RECOVERY_EVIDENCE", "TRIP_WHEN"];
/// The controller's setting for fallback within the request.
const REQUEST_FALLBACK: &str = "REQUEST_FALLBACK";
/// The contender that is no breaker at all.
const NONE: &str = "none";

/// Plays a scenario in simulated time with the real rules
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// A built-in scenario, or a file of one (TOML); --list names those that there are
    #[arg(long, default_value = "outage")]
    scenario: String,
    /// The policy: classic, production, or none for no breaker at all
    #[arg(long, default_value = "production", conflicts_with = "compare")]
    preset: String,
    /// Policies to compare, as in classic,production
    #[arg(long, value_delimiter = ',')]
    compare: Vec<String>,
    /// A setting that differs from the preset, by its environment variable: NAME=value
    #[arg(long = "set", value_parser = super::cli::parameter)]
    settings: Vec<(String, String)>,
    /// Requests a second instead of the scenario's; several as in 1,20,200
    #[arg(long, value_delimiter = ',')]
    rps: Vec<f64>,
    /// The seed of chance; several as in 1,2,3. The same seed gives the same result
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seed: Vec<u64>,
    /// Prints everything as JSON, transitions and timeline included
    #[arg(long)]
    json: bool,
    /// Draws level and failures over time into this file (SVG), for the first rate and the first seed
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Lists the built-in scenarios and the settings
    #[arg(long)]
    list: bool,
}

/// Runs the command and returns what it prints.
///
/// # Errors
/// Names the argument, the setting or the scenario's field that makes no sense.
pub fn run(args: &SimulateArgs) -> Result<String> {
    if args.list {
        return Ok(list());
    }
    let scenario = read(&args.scenario)?;
    let contenders = contenders(args)?;
    let rates = if args.rps.is_empty() { vec![scenario.requests_per_second] } else { args.rps.clone() };
    let mut reports = Vec::new();
    for rate in rates {
        let played = Scenario { requests_per_second: rate, ..scenario.clone() };
        played.check().context("--rps")?;
        for contender in &contenders {
            reports.extend(args.seed.iter().map(|seed| simulate(&played, contender, *seed)));
        }
    }
    if let Some(file) = &args.svg {
        let title =
            format!("{} ({} requests/s)", scenario.description, reports.first().map_or(0.0, |r| r.requests_per_second));
        let first = reports.first().map(|first| (first.requests_per_second, first.seed));
        let shown: Vec<Report> =
            reports.iter().filter(|report| Some((report.requests_per_second, report.seed)) == first).cloned().collect();
        fs::write(file, chart(&title, &shown)?)
            .with_context(|| format!("--svg: {} cannot be written", file.display()))?;
    }
    if args.json {
        return Ok(serde_json::to_string_pretty(&reports)?);
    }
    Ok(format!("{}\n\n{}", scenario.description, table(&reports)))
}

fn read(scenario: &str) -> Result<Scenario> {
    if Path::new(scenario).extension().is_none() {
        return Ok(Scenario::built_in(scenario)?);
    }
    let text = fs::read_to_string(scenario).with_context(|| format!("--scenario: {scenario} cannot be read"))?;
    Scenario::parse(&text).with_context(|| format!("--scenario: {scenario}"))
}

fn contenders(args: &SimulateArgs) -> Result<Vec<Contender>> {
    for (name, _) in &args.settings {
        let known = WORDS.contains(&name.as_str()) || name == REQUEST_FALLBACK;
        if !known && NUMBERS.iter().all(|number| number.name != name) {
            bail!("--set: {name} is no setting of a policy; --list names them");
        }
    }
    let presets = if args.compare.is_empty() { std::slice::from_ref(&args.preset) } else { &args.compare };
    presets.iter().map(|preset| contender(preset, &args.settings)).collect()
}

fn contender(preset: &str, settings: &[(String, String)]) -> Result<Contender> {
    if preset == NONE {
        return Ok(Contender { name: "no breaker".to_owned(), policy: None, request_fallback: false });
    }
    if let Err(problem) = preset.parse::<Preset>() {
        bail!("--preset: {problem}, {NONE}");
    }
    let set = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let environment: Environment = set.chain([("POLICY_PRESET", preset)]).collect();
    let policy = policy::from_environment(&environment)
        .map_err(|error| anyhow::anyhow!("--set {}: {}", error.name, error.problem))?;
    let request_fallback = environment
        .one_of(REQUEST_FALLBACK, &[("enabled", true), ("disabled", false)])
        .map_err(|error| anyhow::anyhow!("--set {}: {}", error.name, error.problem))?;
    Ok(Contender { name: preset.to_owned(), policy: Some(policy), request_fallback })
}

fn list() -> String {
    let scenarios = BUILT_IN.iter().filter_map(|(name, text)| {
        Scenario::parse(text).ok().map(|scenario| format!("  {name:<17} {}", scenario.description))
    });
    let numbers = NUMBERS
        .iter()
        .map(|number| format!("  {:<31} {} to {}: {}", number.name, number.least, number.most, number.description));
    let words = WORDS.iter().chain([&REQUEST_FALLBACK]).map(|name| format!("  {name:<31} a word, as in the README"));
    let lines: Vec<String> = ["Scenarios".to_owned()]
        .into_iter()
        .chain(scenarios)
        .chain([String::new(), "Settings (--set NAME=value)".to_owned()])
        .chain(numbers)
        .chain(words)
        .collect();
    lines.join("\n")
}
