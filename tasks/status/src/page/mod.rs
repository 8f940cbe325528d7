//! The status as a page for people. It loads no other file.
//!
//! The page is a pure function of the view. The policy in [`POLICY`] admits the page's one style and one script by
//! their hashes, and nothing else, so that a text that is not escaped could still not run code.

mod chart;
mod commands;
mod facts;
mod headline;
mod live;
mod negotiation;
mod rules;
mod text;
mod transitions;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub use negotiation::prefers_html;

use crate::answer::Headers;
use crate::view::View;
use headline::Headline;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Environments that serve customers. Their badge is large and coloured.
const LIVE: [&str; 3] = ["prod", "production", "live"];

/// The content policy. It is in a header and in the page, so that it also applies to a saved page.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// Returns the headers of the page.
pub fn headers() -> Headers {
    Headers::from([
        // Only a header can say who may frame the page.
        ("Content-Security-Policy", format!("{}; frame-ancestors 'none'", *POLICY)),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ])
}

/// Returns the page.
pub fn page(view: &View<'_>) -> Markup {
    let headline = Headline::of(view);
    let level = view.level().0.map_or_else(|| "?".to_owned(), |level| level.to_string());
    let place = view.place;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(*POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Without this, a browser would request an icon from the bank's services.
                link rel="icon" href="data:,";
                title { (level) ": " (headline.text) " – " (place.deployment()) }
                style { (PreEscaped(STYLE)) }
            }
            body data-level=(level) {
                a.skip href="#content" { "To the content" }
                header {
                    p {
                        span.badge.live[LIVE.contains(&place.environment.as_str())] { (place.environment) }
                        " " strong { (place.project) } " "
                        span.soft { (place.account()) " " (place.region) }
                    }
                    div.controls {
                        p #now data-live { "As of " (text::moment(view.now)) }
                        button #pause type="button" hidden { "Pause refreshing" }
                    }
                }
                p #news role="status" {}
                p #trouble role="alert" {}
                noscript { p { "Without scripts the page does not refresh by itself: load it again." } }
                main #content tabindex="-1" {
                    (headline::hero(view))
                    (facts::facts(view))
                    (chart::chart(view))
                    div.pair {
                        (live::live(view))
                        (rules::rules(view))
                    }
                    (transitions::transitions(view))
                    (commands::commands(view))
                }
                footer {
                    p {
                        @if let Some(address) = place.dashboard() { a href=(address) rel="noreferrer" { "Dashboard" } ", " }
                        @match place.runbook_address() {
                            Some(address) => { a href=(address) rel="noreferrer" { "runbook" } },
                            None => { "runbook: " code { (place.runbook) } },
                        }
                        ". The same as JSON: " code { "curl" } " this address; with " code { "?history=100" }
                        " and the whole records."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}
