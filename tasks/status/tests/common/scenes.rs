//! The pages that people look at most.

use aws_edge::stores::state::StoreError;
use breaker::{
    AlarmHint, AlarmRequest, CommandRecord, ForceRequest, Level, Outcome, ScheduleRequest, Stored, SystemState,
    TransitionRecord, TransitionRequest,
};
use jiff::SignedDuration;
use status::{Alarm, AlarmChange, Place, Records, Sample, Series};

use super::{Bank, at, hold, probing, production, ramping as ramping_state, state};

pub fn moved(epoch: u64, second: u64, from: Level, to: Level, request: Option<TransitionRequest>) -> TransitionRecord {
    let first = TransitionRecord::first_start(at(second), "arn:execution");
    TransitionRecord { epoch, from, to, request, reason: "10 failures at level 1".to_owned(), ..first }
}

pub fn woken(alarm: &str) -> Option<TransitionRequest> {
    let alarm = AlarmHint::new(format!("bank-{alarm}-test"), None, None).unwrap();
    Some(TransitionRequest::Alarm(AlarmRequest { alarm, dry_run: false }))
}

pub fn scheduled() -> Option<TransitionRequest> {
    Some(TransitionRequest::Schedule(ScheduleRequest::default()))
}

/// An hour in which level 1 fails, level 2 answers instead, and level 1 recovers.
pub fn eventful(level: Level) -> Bank {
    let mut bank = Bank::with(SystemState { last_transition: at(2_400), ..state(level) });
    let minute = |index: u64| at(60 * index) - SignedDuration::from_secs(30);
    for index in 0..60 {
        let mut sample = |series, value| bank.samples.push(Sample { series, start: minute(index), value });
        let failing = (15..20).contains(&index);
        let degraded = (20..40).contains(&index);
        let now = if degraded { Level::Degraded } else { Level::Full };
        sample(Series::HighestLevel, f64::from(now.number()));
        sample(Series::LowestLevel, f64::from(now.number()));
        sample(Series::Evaluations, 1.0);
        if failing {
            sample(Series::Failures(Level::Full), 30.0);
            sample(Series::Successes(Level::Degraded), 22.0);
            sample(Series::Fallbacks(Level::Degraded), 22.0);
        }
        sample(Series::Successes(now), 90.0);
        if degraded {
            sample(Series::Declined(now), 25.0);
        }
    }
    let records = vec![
        moved(2, 2_400, Level::Degraded, level, scheduled()),
        moved(1, 1_200, Level::Full, Level::Degraded, woken("level-1-error-rate")),
    ];
    let held = TransitionRequest::Force(ForceRequest {
        target_level: Level::Degraded,
        reason: "release tonight".to_owned(),
        requested_by: "alice".to_owned(),
        hold_minutes: Some(10),
        expected_epoch: None,
        expected_hold: None,
        repair: false,
        dry_run: false,
    });
    let command = CommandRecord {
        name: "one".to_owned(),
        version: 3,
        epoch: 1,
        from: Level::Degraded,
        to: Level::Degraded,
        at: at(1_500),
        outcome: Outcome::Record,
        reason: "held".to_owned(),
        cause: None,
        request: held,
        ended_hold: None,
        recovery_allowed_at: None,
        execution: "arn:execution".to_owned(),
    };
    bank.records = Some(Records { transitions: records, commands: vec![command], left_out: 0 });
    let alarm = |name: &str, is_on, since| Alarm {
        name: name.to_owned(),
        is_on,
        since: Some(at(since)),
        runbook: Some(format!("https://example.com/runbook#{name}")),
    };
    bank.alarms = vec![alarm("level-1-error-rate", false, 1_300), alarm("degraded-level", true, 1_220)];
    let change = |name: &str, second, is_on| AlarmChange { name: name.to_owned(), at: at(second), is_on };
    bank.changes = vec![
        change("level-1-error-rate", 960, true),
        change("degraded-level", 1_220, true),
        change("level-1-error-rate", 1_300, false),
    ];
    bank
}

/// The pages that people look at most: name and bank.
pub fn scenes() -> Vec<(&'static str, Bank)> {
    let held = SystemState { hold: Some(hold(Level::Full)), prevented: Some(Level::Degraded), ..state(Level::Full) };
    let live = |bank: Bank| Bank { place: Place { environment: "prod".to_owned(), ..bank.place }, ..bank };
    let ramping =
        Bank { policy: production(), stored: Ok(Stored::State(Box::new(ramping_state()))), ..eventful(Level::Full) };
    let probing = Bank {
        policy: production(),
        stored: Ok(Stored::State(Box::new(probing(None, None)))),
        ..eventful(Level::Degraded)
    };
    vec![
        ("level-1", eventful(Level::Full).failing(Level::Full, 0, 230)),
        ("level-2", eventful(Level::Degraded).failing(Level::Degraded, 1, 230)),
        ("level-3", live(eventful(Level::Maintenance).failing(Level::Maintenance, 0, 230))),
        (
            "held-and-failing",
            live(Bank {
                stored: Ok(Stored::State(Box::new(held))),
                ..eventful(Level::Full).failing(Level::Full, 152, 98)
            }),
        ),
        ("probing", probing.failing(Level::Degraded, 0, 99)),
        ("ramp", ramping.failing(Level::Full, 0, 120)),
        ("empty", Bank { stored: Ok(Stored::Nothing), samples: Vec::new(), ..Bank::at_level(Level::Full) }),
        ("without-metrics", Bank { metrics_fail: true, ..eventful(Level::Degraded) }),
        (
            "without-table",
            Bank {
                stored: Err(StoreError::Invalid("x".to_owned())),
                records: None,
                ..eventful(Level::Degraded).failing(Level::Degraded, 0, 80)
            },
        ),
    ]
}
