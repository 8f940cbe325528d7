//! `cargo run -- traffic`: steady load on a bank that is already running.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::running;
use crate::traffic::{Answer, Traffic};

/// Maximum number of requests that wait for an answer; further requests are sent later.
const MAX_WAITING: usize = 200;

/// The requests to send.
#[derive(Debug, Args)]
pub struct Options {
    /// Requests a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// The share of requests that fails on purpose at whichever level serves them, from 0% to 100%
    #[arg(long, default_value = "0%", value_parser = percent)]
    fail: f64,
    /// The share of requests that fails on purpose at one level only, such as 1=30%. If another level serves them, they
    /// succeed. May be given once for each level
    #[arg(long, value_name = "LEVEL=SHARE", value_parser = fail_level)]
    fail_level: Vec<(u8, f64)>,
    /// Duration in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Address of the bank. Default: the bank that this folder runs
    #[arg(long)]
    url: Option<String>,
    /// Seed that chooses the requests that fail: an equal seed chooses equal requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Reads a share such as `30%`. The sign is required: `0.3` alone means 30 % to one reader and 0.3 % to another.
fn percent(text: &str) -> Result<f64, String> {
    const WANTED: &str = "is not a percentage from 0% to 100%: use one such as 30%";
    let (number, has_sign) = text.trim().strip_suffix('%').map_or((text.trim(), false), |number| (number.trim(), true));
    let number: f64 = number.parse().map_err(|_| WANTED.to_owned())?;
    if !has_sign && number > 0.0 && number <= 1.0 {
        return Err(format!(
            "has no % sign: use {}% for that share of the requests, or {number}%",
            tidy(number * 100.0)
        ));
    }
    if !(0.0..=100.0).contains(&number) {
        return Err(WANTED.to_owned());
    }
    if has_sign { Ok(number / 100.0) } else { Err(format!("has no % sign: use {number}%")) }
}

/// Reads the share of one level, such as `1=30%`.
fn fail_level(text: &str) -> Result<(u8, f64), String> {
    let (level, share) = text.split_once('=').ok_or("is not LEVEL=SHARE: use one such as 1=30%")?;
    match level.trim() {
        "1" => Ok((1, percent(share)?)),
        "2" => Ok((2, percent(share)?)),
        "3" => Ok((3, percent(share)?)),
        other => Err(format!("has the level {other:?}: use 1, 2 or 3")),
    }
}

/// Value of the header that makes a request fail at every level.
const EVERY_LEVEL: &str = "true";

/// Header values that make requests fail, each with its share of all requests.
#[derive(Debug)]
struct Marks(Vec<(String, f64)>);

impl Marks {
    fn new(options: &Options) -> Result<Self> {
        let of_level = options.fail_level.iter().map(|(level, share)| (level.to_string(), *share));
        let mut marks = vec![(EVERY_LEVEL.to_owned(), options.fail)];
        for (level, share) in of_level {
            ensure!(marks.iter().all(|(known, _)| *known != level), "--fail-level has level {level} twice");
            marks.push((level, share));
        }
        let sum: f64 = marks.iter().map(|(_, share)| share).sum();
        ensure!(sum <= 1.0 + 1e-9, "--fail and --fail-level have {}% together: use 100% at most", tidy(sum * 100.0));
        Ok(Self(marks))
    }

    /// Returns the mark of one request, or `None` if it must not fail. `draw` is a random number from 0 to 1; each mark
    /// has a separate part of that range.
    fn of(&self, mut draw: f64) -> Option<String> {
        for (mark, share) in &self.0 {
            if draw < *share {
                return Some(mark.clone());
            }
            draw -= share;
        }
        None
    }
}

/// Drops the digits that binary fractions add: 0.07 × 100 is 7.000000000000001.
fn tidy(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

/// How the sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every request was sent.
    Done,
    /// The sending was interrupted.
    Interrupted,
}

/// Sends the requests at their times, whether or not earlier ones were answered, until all are sent or
/// `interrupted` ends, and prints a summary of those that were answered.
///
/// # Errors
/// No bank answers at the address, or some requests were never answered.
pub async fn run(options: &Options, interrupted: impl Future) -> Result<End> {
    let marks = Marks::new(options)?;
    let url = options.url.clone().map_or_else(running::address, Ok)?;
    let traffic = Traffic::new(url.trim_end_matches('/'))?;
    traffic.status().await.map_err(|error| {
        anyhow!("no bank answers at {url}: start one with `cargo run`, or give its address with --url ({error:#})")
    })?;
    let total = u64::from(options.rate) * u64::from(options.seconds);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta} left")?);
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut summary = Summary::default();
    let mut waiting = JoinSet::new();
    let mut times = interval(Duration::from_secs(1) / options.rate);
    // Late requests are sent at once, so that the rate is kept.
    times.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let mut interrupted = pin!(interrupted);
    let (mut end, mut marked) = (End::Done, 0);
    for _ in 0..total {
        let turn = async {
            times.tick().await;
            while waiting.len() >= MAX_WAITING {
                summary.take(waiting.join_next().await);
            }
        };
        tokio::select! {
            () = turn => {}
            _ = &mut interrupted => {
                end = End::Interrupted;
                break;
            }
        }
        let (traffic, mark) = (traffic.clone(), marks.of(random.random()));
        // If only one level fails a GET, another level answers it. So only requests that every level fails must fail.
        marked += u64::from(mark.as_deref() == Some(EVERY_LEVEL));
        waiting.spawn(async move {
            let sent = Instant::now();
            (traffic.account(mark.as_deref()).await, sent.elapsed())
        });
        while let Some(answered) = waiting.try_join_next() {
            summary.take(Some(answered));
        }
        bar.set_position(summary.requests());
        bar.set_message(summary.level.clone());
    }
    // A user who interrupts does not want to wait for the rest.
    while end == End::Done && !waiting.is_empty() {
        summary.take(waiting.join_next().await);
    }
    bar.finish_and_clear();
    write!(std::io::stdout(), "{}", summary.table(begun.elapsed())?)?;
    if let Some(hint) = summary.hint(marked) {
        eprintln!("{hint}");
    }
    if summary.lost > 0 {
        bail!("{} of {} requests were not answered: has the bank ended?", summary.lost, summary.requests());
    }
    Ok(end)
}

type Answered = Option<Result<(Result<Answer>, Duration), tokio::task::JoinError>>;

/// The answers, counted.
#[derive(Debug, Default)]
struct Summary {
    answers: BTreeMap<Answer, u64>,
    lost: u64,
    waits: Vec<Duration>,
    /// The level of the newest answer.
    level: String,
}

impl Summary {
    fn take(&mut self, answered: Answered) {
        match answered {
            Some(Ok((Ok(answer), wait))) => {
                self.level = format!("level {}", answer.level);
                *self.answers.entry(answer).or_default() += 1;
                self.waits.push(wait);
            }
            Some(_) => self.lost += 1,
            None => {}
        }
    }

    fn requests(&self) -> u64 {
        self.answers.values().sum::<u64>() + self.lost
    }

    /// Returns the reason why no request failed although some were marked to fail.
    fn hint(&self, marked: u64) -> Option<String> {
        let failed = self.answers.keys().any(|answer| answer.status >= 500);
        (marked > 0 && !failed && !self.answers.is_empty()).then(|| {
            format!("none of the {marked} marked requests failed: the bank has samples.fault_injection = false")
        })
    }

    fn table(&mut self, elapsed: Duration) -> Result<String> {
        self.waits.sort_unstable();
        let wait = |percent: usize| {
            let index = (self.waits.len() * percent).div_ceil(100).saturating_sub(1);
            self.waits.get(index).map_or(0, Duration::as_millis)
        };
        let mut text = String::from("answers  level  status  routed to\n");
        for (Answer { level, status, routed_to }, count) in &self.answers {
            writeln!(text, "{count:>7}  {level:>5}  {status:>6}  {routed_to}").context("a line of the summary")?;
        }
        let (requests, seconds) = (self.requests(), elapsed.as_secs_f64());
        writeln!(text, "{requests} requests in {seconds:.1} s; {} without an answer", self.lost)?;
        writeln!(text, "waited: median {} ms, p99 {} ms", wait(50), wait(99))?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::routing::get;
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        for (text, expected) in [("30%", 0.3), ("0.5 %", 0.005), ("0%", 0.0), (" 100% ", 1.0), ("1e1%", 0.1)] {
            assert!((percent(text).unwrap() - expected).abs() < 1e-12, "{text}");
        }
        for bad in ["", "%", "-1%", "101%", "a third", "NaN", "NaN%", "inf%", "-1", "101", "30%%", "0,3%"] {
            assert!(percent(bad).unwrap_err().starts_with("is not"), "{bad}");
        }
    }

    #[test]
    fn a_share_without_its_sign_is_refused_with_both_meanings() {
        for (text, meanings) in [
            ("0.3", "use 30% for that share of the requests, or 0.3%"),
            ("0.07", "use 7% for that share of the requests, or 0.07%"),
            ("1", "use 100% for that share of the requests, or 1%"),
            ("0", "use 0%"),
            ("30", "use 30%"),
            ("1.5", "use 1.5%"),
            ("100", "use 100%"),
        ] {
            assert_eq!(percent(text), Err(format!("has no % sign: {meanings}")), "{text}");
        }
    }

    #[test]
    fn a_share_of_one_level_has_a_level_and_a_percentage() {
        assert_eq!(fail_level("1=30%"), Ok((1, 0.3)));
        assert_eq!(fail_level(" 3 = 5 %"), Ok((3, 0.05)));
        assert_eq!(fail_level("4=30%"), Err("has the level \"4\": use 1, 2 or 3".to_owned()));
        assert!(fail_level("30%").unwrap_err().starts_with("is not LEVEL=SHARE"));
        assert!(fail_level("1=0.3").unwrap_err().starts_with("has no % sign"));
    }

    fn options(fail: f64, fail_level: &[(u8, f64)]) -> Options {
        Options { rate: 20, fail, fail_level: fail_level.to_vec(), seconds: 60, url: None, seed: 1 }
    }

    #[test]
    fn each_mark_has_its_share_of_the_requests() {
        let marks = Marks::new(&options(0.1, &[(1, 0.3), (2, 0.2)])).unwrap();
        let of = |draw| marks.of(draw);
        let expected = [(0.0, Some("true")), (0.09, Some("true")), (0.11, Some("1")), (0.39, Some("1"))];
        for (draw, mark) in expected.into_iter().chain([(0.41, Some("2")), (0.59, Some("2")), (0.61, None)]) {
            assert_eq!(of(draw).as_deref(), mark, "{draw}");
        }
    }

    #[test]
    fn invalid_shares_of_the_requests_are_refused() {
        let refused = |fail, levels: &[(u8, f64)]| Marks::new(&options(fail, levels)).unwrap_err().to_string();
        assert_eq!(refused(0.0, &[(1, 0.3), (1, 0.4)]), "--fail-level has level 1 twice");
        assert!(refused(0.5, &[(1, 0.6)]).starts_with("--fail and --fail-level have 110% together"));
        assert!(Marks::new(&options(0.7, &[(1, 0.2), (2, 0.1)])).is_ok(), "100 %");
    }

    #[test]
    fn the_summary_counts_answers_and_lost_requests() {
        let mut summary = Summary::default();
        let answer = |status| Answer { level: "2".to_owned(), status, routed_to: "degraded-service".to_owned() };
        for milliseconds in 1..=99 {
            summary.take(Some(Ok((Ok(answer(200)), Duration::from_millis(milliseconds)))));
        }
        summary.take(Some(Ok((Ok(answer(503)), Duration::from_millis(900)))));
        summary.take(Some(Ok((Err(anyhow!("refused")), Duration::ZERO))));
        let table = summary.table(Duration::from_secs(10)).unwrap();
        let expected = "answers  level  status  routed to
     99      2     200  degraded-service
      1      2     503  degraded-service
101 requests in 10.0 s; 1 without an answer
waited: median 50 ms, p99 99 ms
";
        assert_eq!(table, expected);
        assert_eq!(summary.hint(30), None, "one failed");
    }

    #[test]
    fn the_summary_explains_requests_that_did_not_fail() {
        let mut summary = Summary::default();
        let answer = Answer { level: "1".to_owned(), status: 200, routed_to: "full-service".to_owned() };
        summary.take(Some(Ok((Ok(answer), Duration::ZERO))));
        assert_eq!(summary.hint(0), None);
        assert!(summary.hint(3).unwrap().ends_with("samples.fault_injection = false"));
    }

    #[tokio::test]
    async fn an_interrupted_run_ends_at_once_though_answers_are_missing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Notify::new());
        let bank = Router::new().route("/circuit-breaker", get(async || "")).fallback({
            let asked = Arc::clone(&asked);
            async move || {
                asked.notify_one();
                std::future::pending::<()>().await;
            }
        });
        tokio::spawn(axum::serve(listener, bank).into_future());
        let options = Options { rate: 10, seconds: 86_400, url: Some(url), ..options(0.0, &[]) };
        assert_eq!(run(&options, asked.notified()).await.unwrap(), End::Interrupted);
    }
}
