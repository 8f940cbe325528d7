//! Runs the benchmark and prints the results as Markdown.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stacks::FUNCTIONS;

use crate::artifacts;
use crate::at_once;
use crate::aws::Aws;
use crate::candidate::{Bootstrap, Candidate, FLOOR, ROUTER};
use crate::cli::Options;
use crate::environment::Surroundings;
use crate::goals::{INVOCATIONS, MEMORY, Missed, OWN_TIME, PACKAGE_MEGABYTES, READS_A_SECOND, START};
use crate::machine::Machine;
use crate::measure::{self, PAUSE, Starts, Warm};
use crate::statistics::{Sample, quotient, rate, ratio};
use crate::tls::TestAuthority;

/// Builds the Lambdas, measures them and prints the tables.
///
/// # Errors
/// A Lambda does not build, start or answer; or a goal is missed, if `--check` is given.
pub async fn run(options: &Options) -> Result<()> {
    let ours = wanted(options)?;
    let binaries = artifacts::binaries(options.binaries.as_deref(), &[ours.as_slice(), &[FLOOR]].concat())?;
    let (floor, candidates) = candidates(options, &ours, &binaries)?;
    let authority = TestAuthority::new(options.trust)?;
    let bundle = tempfile::NamedTempFile::new().context("no room for the certificates")?;
    std::fs::write(bundle.path(), &authority.bundle)?;
    let aws = Aws::start(&authority).await?;
    let endpoint = aws.url();
    let around = Surroundings { endpoint: &endpoint, bundle: bundle.path() };

    if let Some(router) = candidates.iter().find(|candidate| options.at_once && candidate.name == ROUTER) {
        println!("{}\n\n{}", Machine::here(), at_once::table(router, around, &aws).await?);
        return Ok(());
    }
    let mut all = vec![floor.clone()];
    all.extend(candidates.iter().cloned());
    eprintln!("{} starts of each of {} bootstraps ...", options.starts, all.len());
    let starts = measure::starts(&all, options.starts, around, &aws).await?;

    // Each candidate is measured beside the floor, which echoes the same event.
    let mut pairs = Vec::new();
    for candidate in &candidates {
        eprintln!("{} warm requests of {} and of the floor ...", options.requests, candidate.name);
        let pair = [candidate.echoed_by(&floor), candidate.clone()];
        pairs.push(measure::warm(&pair, options.requests, around, &aws).await?);
    }
    println!("{}; {} trusted certificates\n", Machine::here(), authority.certificates());
    let mut missed = Missed::default();
    print!("{}", start_table(&all, &starts, &mut missed)?);
    println!();
    print!("{}", warm_table(&candidates, &pairs, &mut missed)?);
    if let Some(router) = candidates.iter().find(|candidate| candidate.name == ROUTER) {
        reads(router, around, &aws, &mut missed).await?;
    }
    println!("\n{missed}");
    if options.check && missed.any() {
        bail!("goals were missed");
    }
    Ok(())
}

fn wanted(options: &Options) -> Result<Vec<&'static str>> {
    if let Some(unknown) = options.only.iter().find(|only| !FUNCTIONS.contains(&only.as_str())) {
        bail!("--only {unknown}: there is no such Lambda; there are: {}", FUNCTIONS.join(", "));
    }
    let all = options.only.is_empty();
    Ok(FUNCTIONS.into_iter().filter(|name| all || options.only.iter().any(|only| only == name)).collect())
}

fn candidates(options: &Options, ours: &[&str], binaries: &Path) -> Result<(Candidate, Vec<Candidate>)> {
    let binary = |name: &str| Candidate::new(name, name, Bootstrap::Binary(binaries.join(name)));
    let mut all: Vec<_> = ours.iter().map(|name| binary(name)).collect::<Result<_>>()?;
    for command in &options.against {
        let other = Candidate::new(&options.against_as, command, Bootstrap::Command(command.clone()));
        all.push(other.context("--against-as")?);
    }
    Ok((binary(FLOOR)?, all))
}

fn start_table(candidates: &[Candidate], starts: &[Starts], missed: &mut Missed) -> Result<String> {
    let floor = starts.first().context("there is no floor")?;
    let pause = PAUSE.as_millis();
    let mut text = format!(
        "| start | p50 ms | × floor | p99 ms | × floor | first request p50 ms, waiting | after {pause} ms frozen | \
         start + first request p50 ms | × floor | memory MB | × floor | handshakes | binary MB | zip MB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for (candidate, of) in candidates.iter().zip(starts) {
        let times = |sample: &Sample, of_floor: &Sample, percent| {
            ratio(sample.percentile(percent), of_floor.percentile(percent))
        };
        let start = times(&of.start, &floor.start, 50);
        let memory = quotient(of.memory_kib, floor.memory_kib);
        let mut sizes = "– | –".to_owned();
        if let Bootstrap::Binary(path) = &candidate.bootstrap {
            let (binary, zip) = artifacts::sizes(path)?;
            sizes = format!("{:.2} | {:.2}", megabytes(binary), megabytes(zip));
            let name = &candidate.name;
            missed.unless_at_most(START, name, "start × floor", start);
            missed.unless_at_most(MEMORY, name, "memory after the first request × floor", Some(memory));
            missed.unless_at_most(PACKAGE_MEGABYTES, name, "zip MB", Some(megabytes(zip)));
        }
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {memory:.2} | {} | {sizes} |",
            candidate.name,
            milliseconds(of.start.percentile(50)),
            digits(start),
            milliseconds(of.start.percentile(99)),
            digits(times(&of.start, &floor.start, 99)),
            milliseconds(of.first_at_once.percentile(50)),
            milliseconds(of.first_later.percentile(50)),
            milliseconds(of.cold.percentile(50)),
            digits(times(&of.cold, &floor.cold, 50)),
            kib(of.memory_kib),
            of.handshakes,
        )?;
    }
    Ok(text)
}

fn warm_table(candidates: &[Candidate], pairs: &[Vec<Warm>], missed: &mut Missed) -> Result<String> {
    let mut text = String::from(
        "| warm | p50 µs | × floor | p99 µs | × floor | own p50 µs | × floor | own p99 µs | × floor | requests/s | \
         floor's | memory MB | × floor | calls to AWS a request |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (candidate, pair) in candidates.iter().zip(pairs) {
        let [floor, of] = pair.as_slice() else { bail!("a candidate was not measured") };
        // If the Lambda invokes no service, all of the time is its own.
        let own = if of.own.is_empty() { &of.request } else { &of.own };
        let percentile = |sample: &Sample, percent| {
            let (of, floor) = (sample.percentile(percent), floor.request.percentile(percent));
            format!("{} | {}", microseconds(of), digits(ratio(of, floor)))
        };
        let memory = quotient(of.memory_kib, floor.memory_kib);
        let calls: Vec<_> = of
            .calls
            .iter()
            .map(|(operation, calls)| format!("{operation} {:.3}", quotient(*calls, of.request.len())))
            .collect();
        if matches!(candidate.bootstrap, Bootstrap::Binary(_)) {
            missed.unless_at_most(MEMORY, &candidate.name, "memory after warm requests × floor", Some(memory));
            if candidate.name == ROUTER {
                check_routing(of, floor, missed);
            }
        }
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.0} | {:.0} | {} | {memory:.2} | {} |",
            candidate.name,
            percentile(&of.request, 50),
            percentile(&of.request, 99),
            percentile(own, 50),
            percentile(own, 99),
            rate(of.request.len(), of.elapsed),
            rate(floor.request.len(), floor.elapsed),
            kib(of.memory_kib),
            if calls.is_empty() { "none".to_owned() } else { calls.join(", ") },
        )?;
    }
    Ok(text)
}

/// Checks the goals of the Lambda that routes.
fn check_routing(of: &Warm, floor: &Warm, missed: &mut Missed) {
    let each_was_measured = of.own.len() == of.request.len();
    for percent in [50, 99] {
        let own = ratio(of.own.percentile(percent), floor.request.percentile(percent)).filter(|_| each_was_measured);
        missed.unless_at_most(OWN_TIME, ROUTER, &format!("own time p{percent} × floor"), own);
    }
    let calls = |operation| of.calls.get(operation).copied().unwrap_or_default();
    // 0 would mean that nothing was routed.
    let invocations = Some(quotient(calls("Invoke"), of.request.len())).filter(|invocations| *invocations > 0.0);
    missed.unless_at_most(INVOCATIONS, ROUTER, "invocations a request", invocations);
}

/// Measures and prints how often the Lambda that routes reads the state.
async fn reads(router: &Candidate, around: Surroundings<'_>, aws: &Aws, missed: &mut Missed) -> Result<()> {
    let reads = measure::calls_a_second(router, "GetItem", around, aws).await?;
    println!("\n{ROUTER}: {reads:.2} reads of the state a second");
    // 0 would mean that a change of the level is never seen.
    let measured = Some(reads).filter(|reads| *reads > 0.0);
    missed.unless_at_most(READS_A_SECOND, ROUTER, "reads of the state a second", measured);
    Ok(())
}

fn milliseconds(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), |duration| format!("{:.2}", duration.as_secs_f64() * 1e3))
}

fn microseconds(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), |duration| format!("{:.0}", duration.as_secs_f64() * 1e6))
}

fn digits(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}"))
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn kib(kib: u64) -> String {
    format!("{:.1}", kib as f64 * 1024.0 / 1e6)
}
