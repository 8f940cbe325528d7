//! `cargo run -- traffic`: steady load on a bank that runs already.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::traffic::{Answer, Traffic};

/// Requests that may wait for their answers at a time; further ones wait to be sent.
const MOST_WAITING: usize = 200;

/// What to send.
#[derive(Debug, Args)]
pub struct Options {
    /// Requests a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// The share of requests that fails on purpose at whichever level serves them, from 0% to 100%
    #[arg(long, default_value = "0%", value_parser = percent)]
    fail: f64,
    /// For how long
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// The bank: what `cargo run` printed
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Chooses the requests that fail: the same seed, the same requests
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

/// Drops the digits that binary fractions add: 0.07 × 100 is 7.000000000000001.
fn tidy(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

/// How the sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every request was sent.
    Done,
    /// Somebody ended it before.
    Interrupted,
}

/// Sends the requests at their times, whether or not earlier ones were answered, until all are sent or
/// `interrupted` ends, and prints a summary of those that were answered.
///
/// # Errors
/// Nothing answers at the address, or some requests were never answered.
pub async fn run(options: &Options, interrupted: impl Future) -> Result<End> {
    let traffic = Traffic::new(options.url.trim_end_matches('/'))?;
    traffic.status().await.map_err(|error| {
        anyhow!(
            "no bank answers at {}: start one with `cargo run`, or give its address with --url ({error:#})",
            options.url
        )
    })?;
    let total = u64::from(options.rate) * u64::from(options.seconds);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta} left")?);
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut summary = Summary::default();
    let mut waiting = JoinSet::new();
    let mut times = interval(Duration::from_secs(1) / options.rate);
    // What was late is sent at once, so that the rate is kept.
    times.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let mut interrupted = pin!(interrupted);
    let (mut end, mut marked) = (End::Done, 0);
    for _ in 0..total {
        let turn = async {
            times.tick().await;
            while waiting.len() >= MOST_WAITING {
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
        let (traffic, fail) = (traffic.clone(), random.random_bool(options.fail));
        marked += u64::from(fail);
        waiting.spawn(async move {
            let sent = Instant::now();
            (traffic.account(fail.then_some("true")).await, sent.elapsed())
        });
        while let Some(answered) = waiting.try_join_next() {
            summary.take(Some(answered));
        }
        bar.set_position(summary.requests());
        bar.set_message(summary.level.clone());
    }
    // Whoever interrupts does not want to wait for the rest.
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

/// What came back.
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

    /// What explains that no request failed though some were to.
    fn hint(&self, marked: u64) -> Option<String> {
        let failed = self.answers.keys().any(|answer| answer.status >= 500);
        (marked > 0 && !failed && !self.answers.is_empty()).then(|| {
            format!(
                "none of the {marked} requests that were to fail did: this bank was deployed with FaultInjection=disabled"
            )
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
    fn the_summary_counts_by_level_status_and_service_and_keeps_what_was_lost() {
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
    fn requests_that_were_to_fail_and_did_not_are_explained() {
        let mut summary = Summary::default();
        let answer = Answer { level: "1".to_owned(), status: 200, routed_to: "full-service".to_owned() };
        summary.take(Some(Ok((Ok(answer), Duration::ZERO))));
        assert_eq!(summary.hint(0), None);
        assert!(summary.hint(3).unwrap().ends_with("FaultInjection=disabled"));
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
        let options = Options { rate: 10, fail: 0.0, seconds: 86_400, url, seed: 1 };
        assert_eq!(run(&options, asked.notified()).await.unwrap(), End::Interrupted);
    }
}
