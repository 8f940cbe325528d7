//! The newest transitions, newest first.

use breaker::{TransitionRecord, TransitionRequest};
use maud::{Markup, html};

use super::text::{clipped, moment};
use crate::view::View;

/// Number of transitions that are listed.
pub const TRANSITIONS: usize = 15;
/// Maximum bytes of a reason and of a name in the table. The records have the whole texts.
const REASON_BYTES: usize = 150;
const WHO_BYTES: usize = 80;

/// Who moved the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// A person, by the name that the command gave.
    Person(&'a str),
    /// Automation. The alarm or the schedule that started the evaluation is not the cause, because the evaluation
    /// counts the outcomes itself.
    Automation(Option<&'a str>),
    /// The first start.
    Start,
}

impl<'a> Who<'a> {
    /// Returns who moved the level.
    pub fn of(record: &'a TransitionRecord) -> Self {
        match &record.request {
            None => Self::Start,
            // Older records name the alarm in the request alone.
            Some(TransitionRequest::Alarm(request)) => {
                Self::Automation(Some(record.woken_by.as_deref().unwrap_or(request.alarm.name())))
            }
            Some(TransitionRequest::Schedule(_)) => Self::Automation(None),
            Some(TransitionRequest::Force(request)) => Self::Person(&request.requested_by),
            Some(TransitionRequest::Release(request)) => Self::Person(&request.requested_by),
        }
    }
}

/// The transitions.
pub fn transitions(view: &View<'_>) -> Markup {
    html! {
        section #transitions data-live aria-labelledby="transitions-title" {
            h2 #transitions-title { "Transitions" }
            @match view.records {
                Err(error) => p.missing { strong { "The records cannot be read" } ": " (error) "." },
                Ok(records) => {
                    @if records.transitions.is_empty() { p { "None yet." } }
                    @else { (table(view, &records.transitions)) }
                    @if records.left_out > 0 {
                        p { strong { "Invalid records that are left out: " (records.left_out) ". " } "The log of this function names them." }
                    }
                },
            }
        }
    }
}

fn table(view: &View<'_>, records: &[TransitionRecord]) -> Markup {
    let shown = records.get(..TRANSITIONS).unwrap_or(records);
    let project = format!("{}-", view.place.project);
    let environment = format!("-{}", view.place.environment);
    let short = |alarm: &'_ str| -> String {
        let name = alarm.strip_prefix(&project).unwrap_or(alarm);
        name.strip_suffix(&environment).unwrap_or(name).to_owned()
    };
    html! {
        div.wide #transitions-table tabindex="0" role="region" aria-label="Table of transitions" {
            table {
                caption { "Newest first. Long texts are cut; the records have all of them." }
                thead {
                    tr { @for title in ["When", "Level", "Who", "Woken by", "Reason"] { th scope="col" { (title) } } }
                }
                tbody {
                    @for record in shown {
                        @let who = Who::of(record);
                        tr {
                            td { (moment(record.at)) }
                            td.moves { (record.from) " → " (record.to) }
                            td.who {
                                @match who {
                                    Who::Person(name) => (clipped(name, WHO_BYTES)),
                                    Who::Automation(_) => em { "automation" },
                                    Who::Start => "–",
                                }
                            }
                            td.who {
                                @match who {
                                    Who::Automation(Some(alarm)) => (clipped(&short(alarm), WHO_BYTES)),
                                    Who::Automation(None) => "schedule",
                                    Who::Person(_) | Who::Start => "–",
                                }
                            }
                            td.text { (clipped(&record.reason, REASON_BYTES)) }
                        }
                    }
                }
            }
        }
    }
}
