//! How often the parts of the stand-in look, and which of their troubles are told.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

/// For so long after something happened the stand-in looks often.
const BUSY: Duration = Duration::from_secs(10);
/// Trouble that is over within this time is not told: the server answers a call with an error now and then, because it
/// changes its tables while it reads them, and the next look reads the same again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time between two looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// While something happens.
    pub busy: Duration,
    /// While nothing does: looks for nothing would take a tenth of a processor.
    pub idle: Duration,
}

impl Pace {
    /// The time until the next look, if the last thing happened so long ago.
    pub(crate) fn pause(self, quiet: Duration) -> Duration {
        if quiet < BUSY { self.busy } else { self.idle }
    }
}

/// What there is to tell about a part of the stand-in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It fails, with this error.
    Fails(String),
    /// It works again.
    Works,
}

/// Tells an error that lasts, and tells it once.
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
    fn an_error_that_passes_is_not_told() {
        let (mut trouble, begin) = (Trouble::default(), Instant::now());
        let error = || Err(anyhow!("dictionary changed size during iteration"));
        assert_eq!(trouble.news(error(), begin), None);
        assert_eq!(trouble.news(error(), begin + PATIENCE / 2), None);
        assert_eq!(trouble.news(Ok(()), begin + PATIENCE / 2), None, "what was not told is not taken back");
        assert_eq!(trouble.news(error(), begin + PATIENCE), None, "it began again");
    }

    #[test]
    fn an_error_that_lasts_is_told_once() {
        let (mut trouble, begin) = (Trouble::default(), Instant::now());
        let mut failing = |seconds, error| trouble.news(Err(anyhow!("{error}")), begin + Duration::from_secs(seconds));
        assert_eq!(failing(0, "away"), None);
        assert_eq!(failing(5, "away"), Some(News::Fails("away".to_owned())));
        assert_eq!(failing(9, "away"), None);
        assert_eq!(failing(9, "gone"), Some(News::Fails("gone".to_owned())));
        assert_eq!(trouble.news(Ok(()), begin + Duration::from_secs(10)), Some(News::Works));
    }
}
