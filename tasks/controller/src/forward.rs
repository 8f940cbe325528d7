//! Calls the services that the plan of a request names, and gives the caller the answer.

use std::time::Duration;

use aws_edge::metrics::{Metric, MetricLog, MetricSet, namespace};
use breaker::{Call, Level, MIN_CALL_TIME, Plan, Purpose, Route, ServiceOutcome, Step, route};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::answer::without_service;
use crate::http_event::{BreakerContext, Request, with_breaker_context};
use crate::outcome::outcome_of;
use crate::recording::{self, AnswerKind};
use crate::retry_after::retry_after;
use crate::route_headers::{PROBE_MARK, RouteHeaders};
use crate::service_answer::ServiceAnswer;
use crate::{Controller, Current, InvokeError, LevelReader, PAYLOAD_LIMIT, ServiceInvoker, milliseconds};

/// The result of one call of a service.
struct Attempt {
    call: Call,
    outcome: ServiceOutcome,
    answered: Result<ServiceAnswer, InvokeError>,
}

impl Attempt {
    /// Returns the failure, for the header `X-Fallback-From`.
    fn failure(&self) -> String {
        let service = self.call.level.service();
        let mark = if self.call.purpose == Purpose::Probe { PROBE_MARK } else { "" };
        match &self.answered {
            Ok(answer) => format!("{service}; status-{}{mark}", answer.status),
            Err(error) => format!("{service}; {}{mark}", error.code()),
        }
    }
}

/// A request with what its calls need.
#[derive(Clone, Copy)]
struct Forwarded<'a> {
    event: &'a RawValue,
    current: &'a Current,
    /// Whether the request may be sent again after its connection broke (GET, HEAD).
    retryable: bool,
    safe: bool,
}

impl<R: LevelReader, I: ServiceInvoker, M: MetricLog> Controller<R, I, M> {
    /// Carries out the plan of the request.
    pub(crate) async fn forward(
        &self,
        event: &RawValue,
        request: &Request<'_>,
        current: &Current,
        answer_by: Instant,
    ) -> Box<RawValue> {
        if event.get().len() > PAYLOAD_LIMIT {
            let route = RouteHeaders::own(current.level);
            return without_service(&InvokeError::TooLarge, &route, request.is_safe(), Duration::ZERO);
        }
        let retryable = request.is_retryable();
        let route = current.state.as_ref().map_or(Route { level: current.level, probe: false }, |state| {
            route(state, request.draw(), retryable, Timestamp::now())
        });
        let mut plan = Plan::new(&self.rules, current.level, route, retryable);
        let forwarded = Forwarded { event, current, retryable, safe: request.is_safe() };
        let mut attempts = Vec::with_capacity(3);
        loop {
            let mut probe = None;
            let left = answer_by.saturating_duration_since(Instant::now());
            let step = plan.next(left, || {
                probe = self.probe_limit.begin();
                probe.is_some()
            });
            match step {
                Step::Call(call) => {
                    let attempt = self.attempt(forwarded, call).await;
                    if let Some(probe) = probe {
                        probe.end(attempt.outcome);
                    }
                    plan.ended(call.purpose, attempt.outcome, attempt.answered.is_ok());
                    attempts.push(attempt);
                }
                Step::Answer(purpose) => return self.answer_of(forwarded, attempts, purpose),
            }
        }
    }

    /// Calls the service of one level and records the outcome.
    async fn attempt(&self, forwarded: Forwarded<'_>, call: Call) -> Attempt {
        let context = BreakerContext {
            level: call.level,
            status: call.level.status(),
            epoch: forwarded.current.state.as_ref().map(|state| state.epoch),
            deployment: &self.deployment,
            fallback_from: call.failed_before,
            probe: call.purpose == Purpose::Probe,
        };
        let (answered, taken) = self.invoke(forwarded, &context, call.time).await;
        let outcome = outcome_of(&self.rules, &answered);
        if let Some(counts) = self.rules.counts_of(call.purpose, outcome, taken) {
            let declined = answered.as_ref().is_ok_and(|answer| answer.declined);
            let kind = match outcome {
                ServiceOutcome::Failure => AnswerKind::Ordinary,
                _ if call.failed_before.is_some() => AnswerKind::Fallback,
                ServiceOutcome::Success if declined => AnswerKind::Declined,
                _ => AnswerKind::Ordinary,
            };
            let set = recording::of_call(&self.deployment, call.level, counts, kind, taken);
            if counts.are_bad() {
                self.metrics.record(Timestamp::now(), &set);
            } else {
                self.metrics.record_soon(Timestamp::now(), &set);
            }
        }
        if let Err(error) = &answered {
            tracing::warn!(
                error.message = %error,
                service.level = call.level.number(),
                service.duration_ms = milliseconds(taken),
                service.probe = context.probe,
                "the service gave no answer"
            );
        }
        Attempt { call, outcome, answered }
    }

    /// Invokes the service, and a second time if the request was never sent, or if the connection broke before a byte
    /// of the answer and the request is retryable. Returns the result and the duration of the last attempt.
    async fn invoke(
        &self,
        forwarded: Forwarded<'_>,
        context: &BreakerContext<'_>,
        time: Duration,
    ) -> (Result<ServiceAnswer, InvokeError>, Duration) {
        let give_up = Instant::now() + time;
        let mut is_first_try = true;
        loop {
            let payload = with_breaker_context(forwarded.event, context);
            let begun = Instant::now();
            let left = give_up.saturating_duration_since(begun);
            let answered = self.services.invoke(context.level, payload, left).await.and_then(ServiceAnswer::read);
            let taken = begun.elapsed();
            let Err(error) = &answered else { return (answered, taken) };
            if error.is_lost_connection() {
                self.record_lost_connection(error, context.level);
            }
            let has_time = give_up.saturating_duration_since(Instant::now()) >= MIN_CALL_TIME;
            let may_try_again = match error {
                InvokeError::NotConnected(_) => true,
                InvokeError::ConnectionLost(_) => forwarded.retryable,
                _ => false,
            };
            if !(is_first_try && may_try_again && has_time) {
                return (answered, taken);
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

    /// Returns the caller's answer: the result of the call with this purpose.
    fn answer_of(&self, forwarded: Forwarded<'_>, attempts: Vec<Attempt>, purpose: Purpose) -> Box<RawValue> {
        let current = forwarded.current.level;
        let state = forwarded.current.state.as_deref();
        let retry_after = || retry_after(state, &self.policy, Timestamp::now(), fastrand::f64());
        // The headers name the failure of the call before, unless the routed level answers after all.
        let mut failure = None;
        for attempt in attempts {
            if attempt.call.purpose == purpose {
                let level = attempt.call.level;
                let fallback_from = failure.filter(|_| attempt.call.failed_before.is_some());
                let probe = purpose == Purpose::Probe;
                let route = RouteHeaders { probe, fallback_from, ..RouteHeaders::to(current, level) };
                return match attempt.answered {
                    Ok(answer) => answer.for_caller(&route),
                    Err(error) => without_service(&error, &route, forwarded.safe, retry_after()),
                };
            }
            failure = Some(attempt.failure());
        }
        // A plan answers with a call that it made.
        without_service(
            &InvokeError::NotInvoked("no call".to_owned()),
            &RouteHeaders::own(current),
            forwarded.safe,
            retry_after(),
        )
    }
}
