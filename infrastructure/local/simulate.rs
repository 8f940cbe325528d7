//! `cargo run -- simulate`: shows how a policy affects callers in a simulated incident.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use breaker::{NUMBERS, Preset};
use clap::Args;
use deployment_file::{Effective, Override};
use simulator::{BUILT_IN, Contender, Report, Scenario, chart, simulate, table};

use crate::file::Chosen;

/// Keys of the policy's settings whose values are words, not numbers.
const WORDS: [&str; 3] = ["policy.mode", "policy.recovery_evidence", "policy.trip_when"];
/// Key of the controller's setting for a fallback within the request.
const REQUEST_FALLBACK: &str = "request_path.fallback";
/// The key of the time budget of a GET or HEAD.
const READ_TIMEOUT: &str = "request_path.read_timeout_milliseconds";
/// Name that replaces a policy to simulate a bank without a breaker.
const NONE: &str = "none";

/// Plays a scenario in simulated time with the real rules
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Name of a built-in scenario, or path of a scenario file (TOML). --list names the built-in ones
    #[arg(long, default_value = "outage")]
    scenario: String,
    /// The policy: classic, production, or none (without a breaker)
    #[arg(long, default_value = "production", conflicts_with_all = ["compare", "environment", "file"])]
    preset: String,
    /// Environment whose file has the policy: infrastructure/environments/NAME.toml. Timeouts, fallback, cache and the
    /// period of the alarms are the file's, too
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    environment: Option<String>,
    /// File of a deployment that has the policy
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Policies to compare, for example classic,production; with a file, its policy comes first
    #[arg(long, value_delimiter = ',')]
    compare: Vec<String>,
    /// Value that replaces the preset's or the file's, by its key in the file of a deployment: policy.probes.calls=40
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Override>,
    /// Requests per second instead of the scenario's. Several are compared, for example 1,20,200
    #[arg(long, value_delimiter = ',')]
    rps: Vec<f64>,
    /// Seed of the random numbers: an equal seed gives an equal result
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of runs, each with the next seed. The table shows the means and, in brackets, the maxima
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    runs: u64,
    /// Evaluations per minute while probes or a ramp test a level, instead of the scenario's (4, as deployed)
    #[arg(long)]
    looks: Option<u8>,
    /// Prints everything as JSON, transitions and timeline included
    #[arg(long)]
    json: bool,
    /// Writes a chart (SVG) of level, failures and declined requests over time, for the first rate and seed
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
    let deployment = Chosen::new(args.environment.as_deref(), args.file.as_deref());
    let contenders = match &deployment {
        Some(chosen) => contenders_of(chosen, args, &mut scenario)?,
        None => contenders(args)?,
    };
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

/// Returns the chart of each policy with the first rate and the first seed.
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

/// The policy of a deployment's file, then those to compare it with. The scenario takes what else the file sets.
fn contenders_of(chosen: &Chosen, args: &SimulateArgs, scenario: &mut Scenario) -> Result<Vec<Contender>> {
    let (_, effective) = chosen.read(&args.settings)?;
    let (path, alerts) = (&effective.file.request_path, &effective.file.alerts);
    let timeouts =
        [path.full_timeout_milliseconds, path.degraded_timeout_milliseconds, path.maintenance_timeout_milliseconds];
    let levels = [&mut scenario.level1, &mut scenario.level2, &mut scenario.level3];
    for (level, timeout) in levels.into_iter().zip(timeouts) {
        level.timeout_milliseconds = f64::from(timeout.unwrap_or(path.service_timeout_milliseconds));
    }
    scenario.control_plane.alarm_period_seconds = alerts.level_alarm_period_seconds;
    scenario.control_plane.cache_seconds = f64::from(path.state_cache_milliseconds) / 1_000.0;
    let request_fallback = path.fallback;
    let read_timeout = effective.read_timeout();
    let of_file =
        Contender { name: chosen.environment(), policy: Some(effective.policy), request_fallback, read_timeout };
    let compared = args.compare.iter().map(|preset| {
        let compared = contender(preset, &[])?;
        Ok(Contender { request_fallback: request_fallback && compared.policy.is_some(), ..compared })
    });
    std::iter::once(Ok(of_file)).chain(compared).collect()
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
    fn a_setting_overrides_its_preset_and_is_reported() {
        let text = simulated("--rps 1 --set policy.probes.calls=40 --set policy.mode=observe-only --json").unwrap();
        let reports: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(reports[0]["overrides"], serde_json::json!(["mode=observe-only", "probes.calls=40"]));
        assert_eq!(reports[0]["transitions"], 0);
    }

    #[test]
    fn the_policy_of_a_file_is_played_and_compared() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        fs::write(
            &file,
            "[policy]\npreset = 'production'\n[policy.probes]\ncalls = 40\n[request_path]\nfallback = false",
        )
        .unwrap();
        let line = format!("--rps 1 --file {} --compare none,production --json", file.display());
        let reports: Vec<serde_json::Value> = serde_json::from_str(&simulated(&line).unwrap()).unwrap();
        let names: Vec<_> = reports.iter().map(|report| report["policy"].as_str().unwrap()).collect();
        assert_eq!(names, ["mine", "no breaker", "production"]);
        assert_eq!(reports[0]["overrides"], serde_json::json!(["probes.calls=40"]));
        assert_eq!(reports[2]["overrides"], serde_json::json!([]));
        let line = format!("--rps 1 --file {} --set policy.mode=observe-only --json", file.display());
        let reports: Vec<serde_json::Value> = serde_json::from_str(&simulated(&line).unwrap()).unwrap();
        assert_eq!((reports.len(), &reports[0]["transitions"]), (1, &0.into()));
    }

    #[test]
    fn a_file_sets_timeouts_cache_and_alarm_period() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let text = "[request_path]\nservice_timeout_milliseconds = 900\ndegraded_timeout_milliseconds = 300\n\
                    state_cache_milliseconds = 2500\n[alerts]\nlevel_alarm_period_seconds = 30";
        fs::write(&file, text).unwrap();
        let mut scenario = Scenario::built_in("outage").unwrap();
        let words =
            ["simulate".to_owned(), "--set".to_owned(), "request_path.full_timeout_milliseconds=400".to_owned()];
        contenders_of(&Chosen::File(file), &Line::try_parse_from(words).unwrap().args, &mut scenario).unwrap();
        let timeouts =
            [scenario.level1, scenario.level2, scenario.level3].map(|level| level.timeout_milliseconds.to_string());
        assert_eq!(timeouts, ["400", "300", "900"]);
        let plane = scenario.control_plane;
        assert_eq!((plane.alarm_period_seconds, plane.cache_seconds.to_string()), (30, "2.5".to_owned()));
    }

    #[test]
    fn a_scenario_file_is_played_and_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let (scenario, svg) = (folder.path().join("mine.toml"), folder.path().join("mine.svg"));
        fs::write(&scenario, "description = 'Mine'\nminutes = 2\nrequestsPerSecond = 5").unwrap();
        let text = simulated(&format!("--scenario {} --svg {}", scenario.display(), svg.display())).unwrap();
        assert!(text.starts_with("Mine\n"), "{text}");
        assert!(fs::read_to_string(svg).unwrap().contains("Mine (5 requests/s)"));
    }

    #[test]
    fn errors_name_the_invalid_argument() {
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
            ("--environment prd", "environments/prd.toml cannot be read; there are files for dev, prod"),
            ("--environment prod --set policy.rates.failure_percent=300", "--set: policy.rates.failure_percent is 300"),
            ("--environment prod --preset classic", "--preset"),
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
