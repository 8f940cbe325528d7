//! A source that is read at most once in ten seconds, however many people look.

use std::sync::Arc;
use std::time::Duration;

use aws_edge::connections::AgeClock;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{Source, SourceError};

/// How long an answer, or a failure, is used.
const LIFETIME: Duration = Duration::from_secs(10);
/// Maximum duration of a read. The page's script gives up after 4 s.
const READ_LIMIT: Duration = Duration::from_millis(2_500);

/// An answer or a failure, shared by requests at the same time.
type Shared<T> = Arc<Result<T, SourceError>>;

/// An answer, and the time at which it was read.
#[derive(Debug)]
struct Last<T> {
    read_at: Instant,
    answer: Shared<T>,
}

/// The last answer of a source.
#[derive(Debug)]
pub struct Cached<T> {
    source: Source,
    clock: AgeClock,
    /// Locked while the source is read, so that requests that come meanwhile share the answer.
    last: Mutex<Option<Last<T>>>,
}

impl<T> Cached<T> {
    /// Returns an empty cache of `source`. Ages are measured by `clock`, because an environment may freeze.
    #[must_use]
    pub fn new(source: Source, clock: AgeClock) -> Self {
        Self { source, clock, last: Mutex::default() }
    }

    /// Returns the last answer, or reads a new one if it is older than ten seconds. A failure is logged and kept as
    /// long as an answer, because a source that fails must not be asked more often than one that answers.
    pub async fn get(&self, read: impl Future<Output = Result<T, SourceError>>) -> Shared<T> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some(Last { read_at, answer }) = &*last
            && now.saturating_duration_since(*read_at) < LIFETIME
        {
            return Arc::clone(answer);
        }
        let answer = timeout(READ_LIMIT, read).await.unwrap_or(Err(SourceError::TooSlow));
        if let Err(error) = &answer {
            let cause = std::error::Error::source(error).map(|cause| format!("{cause:?}"));
            tracing::warn!(error.message = %error, error.cause = cause, source = self.source.name(), "unreadable source");
        }
        let answer = Arc::new(answer);
        *last = Some(Last { read_at: now, answer: Arc::clone(&answer) });
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_source_is_read_once_in_ten_seconds() {
        let (cached, reads) = (Cached::new(Source::Alarms, AgeClock::monotonic()), Cell::new(0));
        let read = async || {
            let read = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                reads.set(reads.get() + 1);
                if reads.get() == 1 { Err(SourceError::Incomplete("a part".to_owned())) } else { Ok(reads.get()) }
            };
            cached.get(read).await.as_ref().as_ref().ok().copied()
        };
        assert_eq!(tokio::join!(read(), read(), read()), (None, None, None));
        assert_eq!(reads.get(), 1, "requests during a read share it, and a failure is kept too");
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!((read().await, reads.get()), (None, 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((read().await, reads.get()), (Some(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_source_is_given_up() {
        let cached = Cached::<()>::new(Source::Metrics, AgeClock::monotonic());
        let begun = Instant::now();
        let answer = cached.get(std::future::pending()).await;
        assert!(matches!(&*answer, Err(SourceError::TooSlow)));
        assert_eq!(begun.elapsed().as_secs(), READ_LIMIT.as_secs());
    }
}
