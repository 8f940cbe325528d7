//! The headline: what callers get now, and what a hold or the mode prevents.

use breaker::{Hold, Level, SystemState};
use maud::{Markup, html};

use super::text::{clipped, moment_and_distance, span, when};
use crate::observed::{Health, Observed};
use crate::rules::RampStatus;
use crate::view::{LevelSource, View};

/// Maximum bytes of a name.
const NAME_BYTES: usize = 120;

/// The severity of the headline, which sets the page's colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Callers get full service, or there are no requests at level 1.
    Good,
    /// What callers get is unknown.
    Unknown,
    /// Callers get less than full service, or a hold or the mode prevents a move.
    Warning,
    /// Requests fail.
    Bad,
}

impl Tone {
    /// Returns the class of the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// What keeps automation from moving the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brake<'a> {
    /// An operator's hold.
    Hold(&'a Hold),
    /// The policy's mode `observe-only`.
    ObserveOnly,
}

impl<'a> Brake<'a> {
    /// Returns what keeps automation from moving the level now.
    pub fn of(view: &View<'a>) -> Option<Self> {
        let hold = view.state().and_then(|state| state.active_hold(view.now));
        hold.map(Self::Hold).or_else(|| view.policy.observes_only().then_some(Self::ObserveOnly))
    }
}

/// The headline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// Its severity.
    pub tone: Tone,
    /// Its text, a few words.
    pub text: String,
}

impl Headline {
    /// Returns the headline of `view`.
    pub fn of(view: &View<'_>) -> Self {
        let of_callers = Self::of_callers(view, view.observed().as_ref());
        let prevented = view.state().and_then(|state| state.prevented).zip(Brake::of(view));
        let Some((to, brake)) = prevented else { return of_callers };
        let brake = match brake {
            Brake::Hold(_) => "a hold",
            Brake::ObserveOnly => "observe-only",
        };
        let text = match of_callers.tone {
            Tone::Bad => format!("{}; {brake} prevents level {to}", of_callers.text),
            _ => format!("Level {to} is prevented by {brake}"),
        };
        Self { tone: of_callers.tone.max(Tone::Warning), text }
    }

    /// Returns what callers get.
    fn of_callers(view: &View<'_>, observed: Option<&Observed>) -> Self {
        let level = view.level().0;
        let (tone, text) = match observed.map(|observed| (observed.health, observed)) {
            None => (Tone::Unknown, "What callers get is unknown".to_owned()),
            Some((Health::Failing, observed)) => {
                (Tone::Bad, format!("{} % of requests fail", observed.failed_percent()))
            }
            Some((Health::Degraded, _)) if level == Some(Level::Maintenance) => {
                (Tone::Bad, "Callers get minimal answers".to_owned())
            }
            Some((Health::Degraded, _)) if level == Some(Level::Degraded) => {
                (Tone::Warning, "Callers get degraded answers".to_owned())
            }
            Some((Health::Degraded, _)) => (Tone::Warning, "Some callers get degraded answers".to_owned()),
            Some((Health::Fine, _)) => (Tone::Good, "Callers get full service".to_owned()),
            Some((Health::Quiet, _)) => match level {
                Some(Level::Full) => (Tone::Good, "No requests now".to_owned()),
                Some(_) => (Tone::Warning, "No requests now".to_owned()),
                None => (Tone::Unknown, "No requests now".to_owned()),
            },
        };
        Self { tone, text }
    }
}

/// The headline, the sentence below it, and the level.
pub fn hero(view: &View<'_>) -> Markup {
    let headline = Headline::of(view);
    let (level, source) = view.level();
    html! {
        section #state.{ "hero " (headline.tone.class()) } data-live aria-labelledby="headline" {
            div {
                h1 #headline { (headline.text) }
                (sentence(view))
            }
            p #level {
                @match level {
                    Some(level) => { span.number { (level) } span { "Level " (level) ", " (level.service_type()) } },
                    None => { span.number { "?" } span { "The level is unknown" } },
                }
                @match (source, view.state()) {
                    (LevelSource::Table, Some(state)) => small {
                        "since " (when(state.last_transition, view.now))
                        @if state.active_hold(view.now).is_some() { ", held" }
                    },
                    (LevelSource::FirstStart, _) => small { "first start" },
                    (LevelSource::Controllers, _) => small { "by the controllers' metrics" },
                    _ => {},
                }
            }
        }
        @if let Some(ramp) = view.state().and_then(|state| RampStatus::of(state, view.now)) { (taking_over(view, &ramp)) }
    }
}

/// The numbers behind the headline, and what automation would do.
fn sentence(view: &View<'_>) -> Markup {
    let prevented = view.state().and_then(|state: &SystemState| state.prevented).zip(Brake::of(view));
    html! {
        p {
            @match view.observed() {
                None => "The metrics cannot be read. ",
                Some(observed) if observed.requests == 0 => {
                    "No request in the last " (span(observed.window_seconds.unsigned_abs())) ". "
                },
                Some(observed) => {
                    (observed.failed) " of " (observed.requests) " requests failed in the last "
                    (span(observed.window_seconds.unsigned_abs()))
                    @if observed.degraded > 0 { "; " (observed.degraded) " got an answer of level 2 or 3" }
                    ". "
                },
            }
            @if let Some((to, brake)) = prevented {
                "Automation would move the level to " (to) ", " (to.service_type()) ", but for "
                @match brake {
                    Brake::Hold(hold) => {
                        "the hold by " (clipped(&hold.requested_by, NAME_BYTES)) " until " (when(hold.expires_at, view.now)) "."
                    },
                    Brake::ObserveOnly => "its mode, observe-only.",
                }
            }
        }
    }
}

/// What callers get while a level that recovered takes only a share of the requests.
fn taking_over(view: &View<'_>, ramp: &RampStatus) -> Markup {
    // Rounded down, because the share grows while the page is read.
    let percent = ramp.percent_of_requests.floor();
    html! {
        section #ramp.notice data-live aria-labelledby="ramp-title" {
            h2 #ramp-title { "◢ The level that recovered takes " (percent) " % of the requests so far" }
            p {
                "Its share grows to all until " (moment_and_distance(ramp.until, view.now)) "."
                @if let Some(rest) = ramp.rest_to_level { " The rest goes to level " (rest) ", " (rest.service_type()) "." }
            }
        }
    }
}
