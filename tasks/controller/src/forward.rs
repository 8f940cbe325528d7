//! Invokes the service that a request is routed to, and the next level's service if that one fails.

use std::time::Duration;

use aws_edge::metrics::{Metric, MetricLog, MetricSet, namespace};
use breaker::{Level, route};
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::answer::{PROBE_MARK, Route, ServiceAnswer, without_service};
use crate::deadline::{MIN_TIME, time_for, time_for_probe};
use crate::http_event::{BreakerContext, Request, with_breaker_context};
use crate::{
    Controller, Current, InvokeError, LevelReader, PAYLOAD_LIMIT, ServiceInvoker, ServiceOutcome, milliseconds,
};

/// The result of one invocation of a service.
struct Attempt {
    level: Level,
    outcome: ServiceOutcome,
    answered: Result<ServiceAnswer, InvokeError>,
}

impl Attempt {
    /// Returns the failure, for the header `X-Fallback-From`.
    fn failure(&self) -> Option<String> {
        matches!(self.outcome, ServiceOutcome::Failure | ServiceOutcome::Unknown).then(|| self.what_became())
    }

    fn what_became(&self) -> String {
        match &self.answered {
            Ok(answer) => format!("{}; status-{}", self.level.service(), answer.status),
            Err(error) => format!("{}; {}", self.level.service(), error.code()),
        }
    }

    /// Returns the answer if it may replace the answer of a service that failed.
    fn usable(self) -> Result<ServiceAnswer, Self> {
        match self {
            Self { outcome: ServiceOutcome::Success | ServiceOutcome::Neutral, answered: Ok(answer), .. } => Ok(answer),
            other => Err(other),
        }
    }
}

/// A probe whose answer does not go to the caller.
struct FailedProbe {
    level: Level,
    /// The failure, for the header `X-Fallback-From`.
    failure: String,
}

/// A request with what its invocations need.
#[derive(Clone, Copy)]
struct Errand<'a> {
    event: &'a RawValue,
    current: &'a Current,
    answer_by: Instant,
    /// Whether the request may be sent again after its connection broke (GET, HEAD).
    retryable: bool,
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog> Controller<R, I, M> {
    /// Invokes the service that the request is routed to and, if that fails a retryable request, the next level's
    /// service. If a probe fails or is slow, the current level's service answers as if there had been no probe.
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
        let errand = Errand { event, current, answer_by, retryable: request.is_retryable() };
        let planned =
            current.state.as_ref().map(|state| route(state, request.draw(), request.is_retryable(), Timestamp::now()));
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

    /// Invokes the service of `level` and, if that fails a retryable request, the next level's service.
    async fn ask(
        &self,
        errand: Errand<'_>,
        request: &Request<'_>,
        level: Level,
        failed_probe: Option<FailedProbe>,
    ) -> Result<Box<RawValue>, serde_json::Error> {
        let Errand { current, answer_by, .. } = errand;
        let fallback = level.worse().filter(|_| self.request_fallback && request.is_retryable());
        // A probe's time is taken from the fallback's budget, not from the current level's.
        let kept_for = fallback.filter(|_| failed_probe.is_none());
        let time = time_for(level, kept_for, &self.service_timeouts, answer_by, Instant::now());
        let failed_level = failed_probe.as_ref().map(|probe| probe.level);
        let context = BreakerContext { fallback_from: failed_level, ..self.context(current, level) };
        let attempt = self.attempt(errand, &context, time).await?;
        if let (Some(next), Some(failure)) = (fallback, attempt.failure()) {
            let time = time_for(next, None, &self.service_timeouts, answer_by, Instant::now());
            if time >= MIN_TIME {
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

    /// Sends the request to the better level as a probe. Returns `None` if this environment may not probe now, if there
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

    /// Invokes the service of one level and records the outcome. An invocation has none if its connection broke.
    async fn attempt(
        &self,
        errand: Errand<'_>,
        context: &BreakerContext<'_>,
        time: Duration,
    ) -> Result<Attempt, serde_json::Error> {
        let level = context.level;
        let (answered, taken) = self.invoke(errand, context, time).await?;
        let outcome = ServiceOutcome::of(&answered);
        let declined = answered.as_ref().is_ok_and(|answer| answer.declined);
        self.record_outcome(context, outcome, declined, taken);
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
    /// of the answer and the request is retryable. Returns the result and the duration of the last attempt.
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
            let has_time = give_up.saturating_duration_since(Instant::now()) >= MIN_TIME;
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

    /// Writes one log line with the metrics of a call. A slow call has one metric more. A refused probe has a metric of
    /// its own, because without one it would look as if the better level had not been probed.
    /// What a caller notices beside failures has a metric too: an answer that the level declined by design, and an answer
    /// in place of another level's.
    fn record_outcome(&self, context: &BreakerContext<'_>, outcome: ServiceOutcome, declined: bool, taken: Duration) {
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
        if context.fallback_from.is_some() && outcome != ServiceOutcome::Failure {
            metrics.push(Metric::count("Fallback", 1));
        } else if declined && outcome == ServiceOutcome::Success {
            metrics.push(Metric::count("Declined", 1));
        }
        if outcome != ServiceOutcome::Neutral && self.slow_call().is_some_and(|slow| taken >= slow) {
            metrics.push(Metric::count("SlowCall", 1));
        }
        self.metrics.record(Timestamp::now(), &MetricSet::of_service(&self.deployment, context.level, metrics));
    }

    /// Returns the duration from which on a call is slow; `None` if no call is.
    fn slow_call(&self) -> Option<Duration> {
        self.policy.and_then(|policy| policy.slow_call()).map(SignedDuration::unsigned_abs)
    }
}
