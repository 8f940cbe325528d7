//! `cargo run -- simulate`: what a policy does to callers, before an incident does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use breaker::{NUMBERS, Preset};
use clap::Args;
use deployment_file::{Effective, Override};
use simulator::{BUILT_IN, Contender, Report, Scenario, chart, simulate, table};

/// The words of a policy, which are no numbers.
const WORDS: [&str; 3] = ["policy.mode", "policy.recovery_evidence", "policy.trip_when"];
/// The controller's setting for fallback within the request.
const REQUEST_FALLBACK: &str = "request_path.fallback";
/// The key of the time budget of a GET or HEAD.
const READ_TIMEOUT: &str = "request_path.read_timeout_milliseconds";
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
    /// Setting that differs from the preset's, by its key in the file of a deployment: policy.probes.calls=40
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Override>,
    /// Requests a second instead of the scenario's; several as in 1,20,200
    #[arg(long, value_delimiter = ',')]
    rps: Vec<f64>,
    /// The seed of chance: the same seed gives the same result
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plays it so many times, each with the next seed; the table has the means and, in brackets, the highest
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    runs: u64,
    /// Looks of the schedule in a minute while probes or a ramp are to prove a level, instead of the scenario's (4, as deployed)
    #[arg(long)]
    looks: Option<u8>,
    /// Prints everything as JSON, transitions and timeline included
    #[arg(long)]
    json: bool,
    /// Draws level, failures and declined requests over time into this file (SVG), for the first rate and seed
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Lists the built-in scenarios and the settings
    #[arg(long)]
    list: bool,
}

/// Runs the command and returns what it prints.
///
/// # Errors
/// Names the argument, the setting or the scenario's field that is invalid.
pub fn run(args: &SimulateArgs) -> Result<String> {
    if args.list {
        return Ok(list());
    }
    let mut scenario = read(&args.scenario)?;
    if let Some(looks) = args.looks {
        scenario.control_plane.looks = looks;
        scenario.check().context("--looks")?;
    }
    let contenders = contenders(args)?;
    let rates = if args.rps.is_empty() { vec![scenario.requests_per_second] } else { args.rps.clone() };
    let mut reports = Vec::new();
    for rate in rates {
        let played = Scenario { requests_per_second: rate, ..scenario.clone() };
        played.check().context("--rps")?;
        for contender in &contenders {
            let seeds = (0..args.runs).map(|run| args.seed.wrapping_add(run));
            reports.extend(seeds.map(|seed| simulate(&played, contender, seed)));
        }
    }
    if let Some(file) = &args.svg {
        fs::write(file, drawn(&scenario, &reports)?)
            .with_context(|| format!("--svg: {} cannot be written", file.display()))?;
    }
    if args.json {
        return Ok(serde_json::to_string_pretty(&reports)?);
    }
    Ok(format!("{}\n\n{}", scenario.description, table(&reports)))
}

/// The first rate with the first seed, of each policy.
fn drawn(scenario: &Scenario, reports: &[Report]) -> Result<String> {
    let Some(first) = reports.first() else { bail!("--compare: there is no policy to draw") };
    let shown = |report: &&Report| (report.requests_per_second, report.seed) == (first.requests_per_second, first.seed);
    let shown: Vec<_> = reports.iter().filter(shown).cloned().collect();
    Ok(chart(&format!("{} ({} requests/s)", scenario.description, first.requests_per_second), &shown)?)
}

fn read(scenario: &str) -> Result<Scenario> {
    if Path::new(scenario).extension().is_none() {
        return Ok(Scenario::built_in(scenario)?);
    }
    let text = fs::read_to_string(scenario).with_context(|| format!("--scenario: {scenario} cannot be read"))?;
    Scenario::parse(&text).with_context(|| format!("--scenario: {scenario}"))
}

fn contenders(args: &SimulateArgs) -> Result<Vec<Contender>> {
    let is_played = |key: &str| {
        key.starts_with("policy.") && key != "policy.preset" || [REQUEST_FALLBACK, READ_TIMEOUT].contains(&key)
    };
    if let Some(one) = args.settings.iter().find(|one| !is_played(&one.key)) {
        bail!("--set: {} is no setting of a policy; --list names them", one.key);
    }
    let presets = if args.compare.is_empty() { std::slice::from_ref(&args.preset) } else { &args.compare };
    presets.iter().map(|preset| contender(preset, &args.settings)).collect()
}

fn contender(preset: &str, settings: &[Override]) -> Result<Contender> {
    if preset == NONE {
        return Ok(Contender {
            name: "no breaker".to_owned(),
            policy: None,
            request_fallback: false,
            read_timeout: None,
        });
    }
    let known: Preset = match preset.parse() {
        Ok(known) => known,
        Err(problem) => bail!("--preset: {problem}, {NONE}"),
    };
    let text = format!("policy.preset = \"{}\"", known.word());
    let effective = Effective::read(&format!("preset {preset}"), &text, settings)?;
    let request_fallback = effective.file.request_path.fallback;
    Ok(Contender {
        name: preset.to_owned(),
        policy: Some(effective.policy),
        request_fallback,
        read_timeout: effective.read_timeout(),
    })
}

fn list() -> String {
    let scenarios = BUILT_IN.iter().filter_map(|(name, text)| {
        Scenario::parse(text).ok().map(|scenario| format!("  {name:<17} {}", scenario.description))
    });
    let numbers = NUMBERS.iter().map(|number| {
        let key = format!("policy.{}", number.key);
        format!("  {key:<41} {} to {}: {}", number.minimum, number.maximum, number.description)
    });
    let words = WORDS.iter().map(|key| format!("  {key:<41} a word, as in docs/configuration.md"));
    let words = words.chain([format!("  {REQUEST_FALLBACK:<41} true or false")]);
    let lines: Vec<String> = ["Scenarios".to_owned()]
        .into_iter()
        .chain(scenarios)
        .chain([String::new(), "Settings (--set KEY=VALUE)".to_owned()])
        .chain(numbers)
        .chain(words)
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn simulated(line: &str) -> Result<String> {
        let words = std::iter::once("simulate").chain(line.split_whitespace());
        run(&Line::try_parse_from(words)?.args)
    }

    #[test]
    fn policies_are_compared_at_each_rate_with_each_seed() {
        let text = simulated("--compare none,classic,production --rps 0.5,1 --runs 2 --json").unwrap();
        let reports: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(reports.len(), 12);
        assert_eq!((&reports[0]["policy"], &reports[11]["policy"]), (&"no breaker".into(), &"production".into()));
        assert_eq!((&reports[11]["requestsPerSecond"], &reports[11]["seed"]), (&1.0.into(), &2.into()));
        assert_eq!(reports[0]["requests"], reports[2]["requests"], "the same requests meet each policy");
        let table = simulated("--compare none,classic,production --rps 0.5,1 --runs 2").unwrap();
        assert_eq!(table.lines().filter(|line| line.contains("production")).count(), 2, "{table}");
    }

    #[test]
    fn a_setting_overrides_its_preset_and_is_told() {
        let text = simulated("--rps 1 --set policy.probes.calls=40 --set policy.mode=observe-only --json").unwrap();
        let reports: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(reports[0]["overrides"], serde_json::json!(["mode=observe-only", "probes.calls=40"]));
        assert_eq!(reports[0]["transitions"], 0);
    }

    #[test]
    fn a_scenario_of_ones_own_is_played_and_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let (scenario, svg) = (folder.path().join("mine.toml"), folder.path().join("mine.svg"));
        fs::write(&scenario, "description = 'Mine'\nminutes = 2\nrequestsPerSecond = 5").unwrap();
        let text = simulated(&format!("--scenario {} --svg {}", scenario.display(), svg.display())).unwrap();
        assert!(text.starts_with("Mine\n"), "{text}");
        assert!(fs::read_to_string(svg).unwrap().contains("Mine (5 requests/s)"));
    }

    #[test]
    fn what_is_invalid_is_named() {
        for (line, named) in [
            ("--scenario outrage", "\"outrage\" is not one of: outage"),
            ("--scenario missing.toml", "--scenario: missing.toml cannot be read"),
            ("--preset modern", "--preset: \"modern\" is not one of: classic, production, none"),
            ("--compare classic,modern", "\"modern\""),
            ("--set policy.probes.calls=many", "--set: policy.probes.calls is \"many\""),
            ("--set policy.probes.call=1", "the nearest is policy.probes.calls"),
            ("--set api.burst=1", "--set: api.burst is no setting of a policy"),
            ("--set policy.preset=classic", "--set: policy.preset is no setting of a policy"),
            ("--set policy.probes.calls", "is not KEY=VALUE"),
            ("--set policy.rates.failure_percent=0", "policy.rates.failure_percent"),
            ("--set request_path.fallback=off", "--set: request_path.fallback is \"off\""),
            ("--rps 0", "--rps: requestsPerSecond: 0 is not a number from 0.001"),
            ("--looks 0", "--looks: controlPlane.looks: 0 is not a number from 1 to 4"),
            ("--runs 0", "--runs"),
        ] {
            let error = format!("{:#}", simulated(line).unwrap_err());
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn the_list_has_every_scenario_and_every_number() {
        let list = simulated("--list").unwrap();
        assert!(BUILT_IN.iter().all(|(name, _)| list.contains(name)));
        assert!(NUMBERS.iter().all(|number| list.contains(number.key)));
    }
}
