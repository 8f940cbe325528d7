//! Asks the services: the one that a request is routed to, and those that answer where that one fails.

use std::time::Duration;

use breaker::{Level, route};
use jiff::{SignedDuration, Timestamp};
use platform::metrics::{Metric, MetricLog, MetricSet, namespace};
use platform::state_store::HistoryReader;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::answer::{PROBE_MARK, Route, ServiceAnswer, without_service};
use crate::deadline::{LEAST_TIME, time_for, time_for_probe};
use crate::http_event::{BreakerContext, Request, with_breaker_context};
use crate::{
    Controller, Current, InvokeError, LevelReader, PAYLOAD_LIMIT, ServiceInvoker, ServiceOutcome, milliseconds,
};

/// What one invocation of a service came to.
struct Attempt {
    level: Level,
    outcome: ServiceOutcome,
    answered: Result<ServiceAnswer, InvokeError>,
}

impl Attempt {
    /// How it failed, for the header that names it.
    fn failure(&self) -> Option<String> {
        matches!(self.outcome, ServiceOutcome::Failure | ServiceOutcome::Unknown).then(|| self.what_became())
    }

    fn what_became(&self) -> String {
        match &self.answered {
            Ok(answer) => format!("{}; status-{}", self.level.service(), answer.status),
            Err(error) => format!("{}; {}", self.level.service(), error.code()),
        }
    }

    /// The answer, where it is good enough for the caller of a service that stands for another.
    fn usable(self) -> Result<ServiceAnswer, Self> {
        match self {
            Self { outcome: ServiceOutcome::Success | ServiceOutcome::Neutral, answered: Ok(answer), .. } => Ok(answer),
            other => Err(other),
        }
    }
}

/// A probe that was not good enough for the caller.
struct FailedProbe {
    level: Level,
    /// For the header that names it.
    failure: String,
}

/// One request, with what it needs on its way.
#[derive(Clone, Copy)]
struct Errand<'a> {
    event: &'a RawValue,
    current: &'a Current,
    answer_by: Instant,
    /// Whether it may be sent again after its connection broke.
    retryable: bool,
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog, H: HistoryReader> Controller<R, I, M, H> {
    /// Asks the service that the request is routed to and, where that fails what may be sent twice, the next one.
    /// A probe that fails or is slow is as if it had not been: the current level's service then answers.
    pub(crate) async fn forward(
        &self,
        event: &RawValue,
        request: &Request<'_>,
        current: &Current,
        answer_by: Instant,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        if event.get().len() > PAYLOAD_LIMIT {
            return without_service(&InvokeError::TooLarge, &Route::own(current.level), request.is_safe());
        }
        let errand = Errand { event, current, answer_by, retryable: request.may_be_sent_twice() };
        let planned = current.state.as_ref().map(|state| {
            let (draw, safe) = (request.draw(), request.may_be_sent_twice());
            route(state, draw, safe, Timestamp::now())
        });
        let (level, failed_probe) = match planned {
            Some(planned) if planned.probe => match self.probe(errand, planned.level).await? {
                Some(Ok(answer)) => {
                    let route = Route { probe: true, ..Route::to(current.level, planned.level) };
                    return answer.for_caller(&route);
                }
                Some(Err(failed)) => (current.level, Some(failed)),
                None => (current.level, None),
            },
            Some(planned) => (planned.level, None),
            None => (current.level, None),
        };
        self.ask(errand, request, level, failed_probe).await
    }

    /// Asks the service of `level` and, where that fails what may be sent twice, the next one.
    async fn ask(
        &self,
        errand: Errand<'_>,
        request: &Request<'_>,
        level: Level,
        failed_probe: Option<FailedProbe>,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        let Errand { current, answer_by, .. } = errand;
        let fallback = level.worse().filter(|_| self.request_fallback && request.may_be_sent_twice());
        // A probe has had its time from what a fallback would have had, not from the current level.
        let kept_for = fallback.filter(|_| failed_probe.is_none());
        let time = time_for(level, kept_for, &self.service_timeouts, answer_by, Instant::now());
        let stands_in_for = failed_probe.as_ref().map(|probe| probe.level);
        let context = BreakerContext { fallback_from: stands_in_for, ..self.context(current, level) };
        let attempt = self.attempt(errand, &context, time).await?;
        if let (Some(next), Some(failure)) = (fallback, attempt.failure()) {
            let time = time_for(next, None, &self.service_timeouts, answer_by, Instant::now());
            if time >= LEAST_TIME {
                let context = BreakerContext { fallback_from: Some(level), ..self.context(current, next) };
                if let Ok(answer) = self.attempt(errand, &context, time).await?.usable() {
                    let route = Route { fallback_from: Some(failure), ..Route::to(current.level, next) };
                    return answer.for_caller(&route);
                }
            }
        }
        let fallback_from = failed_probe.map(|probe| probe.failure);
        let route = Route { fallback_from, ..Route::to(current.level, level) };
        match attempt.answered {
            Ok(answer) => answer.for_caller(&route),
            Err(error) => without_service(&error, &route, request.is_safe()),
        }
    }

    /// Tries the better level on behalf of a recovery. Returns `None` if this environment may not probe now, if there
    /// is no time for a probe, or if the better level refuses the request: then the current level answers.
    async fn probe(
        &self,
        errand: Errand<'_>,
        level: Level,
    ) -> Result<Option<Result<ServiceAnswer, FailedProbe>>, serde_json::Error> {
        let Errand { current, answer_by, .. } = errand;
        let now = Instant::now();
        let Some(time) = time_for_probe(level, current.level, self.slow_call(), &self.service_timeouts, answer_by, now)
        else {
            return Ok(None);
        };
        let Some(under_way) = self.probe_limit.begin(self.probe_limit.now()) else { return Ok(None) };
        let context = BreakerContext { probe: true, ..self.context(current, level) };
        let attempt = self.attempt(errand, &context, time).await?;
        under_way.end(self.probe_limit.now(), attempt.outcome);
        // A lost connection says nothing about the level that is probed.
        if attempt.outcome == ServiceOutcome::Unknown {
            return Ok(None);
        }
        if let Attempt { outcome: ServiceOutcome::Neutral, answered: Ok(_), .. } = attempt {
            return Ok(None);
        }
        let failed = |attempt: Attempt| FailedProbe { level, failure: attempt.what_became() + PROBE_MARK };
        Ok(Some(attempt.usable().map_err(failed)))
    }

    fn context(&self, current: &Current, level: Level) -> BreakerContext<'_> {
        BreakerContext {
            level,
            status: level.status(),
            epoch: current.state.as_ref().map(|state| state.epoch),
            deployment: &self.deployment,
            fallback_from: None,
            probe: false,
        }
    }

    /// Invokes the service of one level and records its outcome, which an invocation has unless its connection broke.
    async fn attempt(
        &self,
        errand: Errand<'_>,
        context: &BreakerContext<'_>,
        time: Duration,
    ) -> Result<Attempt, serde_json::Error> {
        let level = context.level;
        let (answered, taken) = self.invoke(errand, context, time).await?;
        let outcome = ServiceOutcome::of(&answered);
        self.record_outcome(context, outcome, taken);
        if let Err(error) = &answered {
            tracing::warn!(
                error.message = %error,
                service.level = level.number(),
                service.duration_ms = milliseconds(taken),
                service.probe = context.probe,
                "the service gave no answer"
            );
        }
        Ok(Attempt { level, outcome, answered })
    }

    /// Invokes the service, and a second time if the request was never sent, or if the connection broke before a byte
    /// of the answer and the request is retryable. Returns what the last try came to, and how long that took.
    async fn invoke(
        &self,
        errand: Errand<'_>,
        context: &BreakerContext<'_>,
        time: Duration,
    ) -> Result<(Result<ServiceAnswer, InvokeError>, Duration), serde_json::Error> {
        let give_up = Instant::now() + time;
        let mut is_first_try = true;
        loop {
            let payload = with_breaker_context(errand.event, context)?;
            let begun = Instant::now();
            let left = give_up.saturating_duration_since(begun);
            let answered = self.services.invoke(context.level, payload, left).await.and_then(ServiceAnswer::read);
            let taken = begun.elapsed();
            let Err(error) = &answered else { return Ok((answered, taken)) };
            if error.is_lost_connection() {
                self.record_lost_connection(error, context.level);
            }
            let has_time = give_up.saturating_duration_since(Instant::now()) >= LEAST_TIME;
            let may_try_again = match error {
                InvokeError::NotConnected(_) => true,
                InvokeError::ConnectionLost(_) => errand.retryable,
                _ => false,
            };
            if !(is_first_try && may_try_again && has_time) {
                return Ok((answered, taken));
            }
            is_first_try = false;
        }
    }

    fn record_lost_connection(&self, error: &InvokeError, level: Level) {
        tracing::warn!(error.message = %error, service.level = level.number(), "connection to Lambda lost");
        let lost = vec![Metric::count("ConnectionLost", 1)];
        let set = MetricSet::of_deployment(namespace::CONTROLLER, &self.deployment, lost);
        self.metrics.record(Timestamp::now(), &set);
    }

    /// Writes one line of the log for a call. Only a slow call has a metric more in it. A refused probe is recorded as
    /// such, because nothing at all would look as if the better level had not been probed.
    fn record_outcome(&self, context: &BreakerContext<'_>, outcome: ServiceOutcome, taken: Duration) {
        if outcome == ServiceOutcome::Unknown {
            return;
        }
        let mut metrics = vec![Metric::milliseconds("ResponseTime", milliseconds(taken))];
        match outcome {
            ServiceOutcome::Success => metrics.push(Metric::count("Success", 1)),
            ServiceOutcome::Failure => metrics.push(Metric::count("Error", 1)),
            ServiceOutcome::Neutral if context.probe => metrics.push(Metric::count("ProbeRefused", 1)),
            ServiceOutcome::Neutral | ServiceOutcome::Unknown => {}
        }
        if outcome != ServiceOutcome::Neutral && self.slow_call().is_some_and(|slow| taken >= slow) {
            metrics.push(Metric::count("SlowCall", 1));
        }
        self.metrics.record(Timestamp::now(), &MetricSet::of_service(&self.deployment, context.level, metrics));
    }

    /// From when on a call is slow, where one can be.
    fn slow_call(&self) -> Option<Duration> {
        self.policy.and_then(|policy| policy.slow_call()).map(SignedDuration::unsigned_abs)
    }
}
