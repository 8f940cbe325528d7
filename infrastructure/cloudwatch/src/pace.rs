//! The interval between two passes of the stand-in, and which of its errors are logged.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

/// Time after the last activity during which the passes stay frequent.
const BUSY: Duration = Duration::from_secs(10);
/// Time that an error must last before it is logged. The server sometimes answers a call with an error, because it
/// changes its tables while it reads them; the next pass reads the same data again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time between two passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The time during and shortly after activity.
    pub busy: Duration,
    /// The time without activity. Frequent passes would then take a tenth of a processor for no result.
    pub idle: Duration,
}

impl Pace {
    /// Returns the time until the next pass, if the last activity was `quiet` ago.
    pub(crate) fn pause(self, quiet: Duration) -> Duration {
        if quiet < BUSY { self.busy } else { self.idle }
    }
}

/// A change that is logged about a part of the stand-in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The part fails, with this error.
    Fails(String),
    /// The part works again.
    Works,
}

/// Reports an error once, if it lasts.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    since: Option<Instant>,
    told: Option<String>,
}

impl Trouble {
    pub(crate) fn news(&mut self, outcome: Result<()>, now: Instant) -> Option<News> {
        let Err(error) = outcome else {
            self.since = None;
            return self.told.take().map(|_| News::Works);
        };
        let since = *self.since.get_or_insert(now);
        let error = format!("{error:#}");
        if now.duration_since(since) < PATIENCE || self.told.as_ref() == Some(&error) {
            return None;
        }
        self.told = Some(error.clone());
        Some(News::Fails(error))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn looks_are_frequent_only_while_something_happens() {
        let pace = Pace { busy: Duration::from_millis(150), idle: Duration::from_secs(3) };
        assert_eq!(pace.pause(Duration::ZERO), pace.busy);
        assert_eq!(pace.pause(BUSY), pace.idle);
    }

    #[test]
    fn a_passing_error_is_not_reported() {
        let (mut trouble, begin) = (Trouble::default(), Instant::now());
        let error = || Err(anyhow!("dictionary changed size during iteration"));
        assert_eq!(trouble.news(error(), begin), None);
        assert_eq!(trouble.news(error(), begin + PATIENCE / 2), None);
        assert_eq!(trouble.news(Ok(()), begin + PATIENCE / 2), None, "an unreported error has no end to report");
        assert_eq!(trouble.news(error(), begin + PATIENCE), None, "the wait began again");
    }

    #[test]
    fn a_lasting_error_is_reported_once() {
        let (mut trouble, begin) = (Trouble::default(), Instant::now());
        let mut failing = |seconds, error| trouble.news(Err(anyhow!("{error}")), begin + Duration::from_secs(seconds));
        assert_eq!(failing(0, "away"), None);
        assert_eq!(failing(5, "away"), Some(News::Fails("away".to_owned())));
        assert_eq!(failing(9, "away"), None);
        assert_eq!(failing(9, "gone"), Some(News::Fails("gone".to_owned())));
        assert_eq!(trouble.news(Ok(()), begin + Duration::from_secs(10)), Some(News::Works));
    }
}
