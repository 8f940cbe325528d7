//! The status as a page for people: drawn here, with nothing to fetch but itself.
//!
//! A pure function of what is shown. The policy in [`policy`] admits the one style and the one script that the
//! page carries, by their hashes, and nothing else: a text that got past the escaping could still run nothing.

mod commands;
mod counts;
mod level;
mod negotiation;
mod policy_rules;
mod text;
mod timeline;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub use commands::CommandTarget;
pub use negotiation::prefers_html;

use crate::status::View;

/// How many transitions the page shows.
pub const TRANSITIONS: u64 = 20;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What the page itself may do. A saved page obeys it too, so it is in the page as well as in a header.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// The headers that go with the page.
pub fn headers() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        // Only a header can say who may frame the page.
        ("Content-Security-Policy", format!("{}; frame-ancestors 'none'", *POLICY)),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ])
}

/// The page.
pub fn page(view: &View<'_>) -> Markup {
    let level = view.current.level;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(*POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Or browsers would ask the bank's services for one.
                link rel="icon" href="data:,";
                title { "Level " (level) " " (level.service_type()) " – " (view.deployment) }
                style { (PreEscaped(STYLE)) }
            }
            body data-level=(level) {
                a.skip href="#content" { "To the content" }
                header {
                    p { strong { (view.deployment) } " circuit breaker" }
                    div.controls {
                        p #now data-live { "As of " (text::moment(view.now)) }
                        button #pause type="button" hidden { "Pause refreshing" }
                    }
                }
                p #news role="status" {}
                p #trouble role="alert" {}
                noscript { p { "Without scripts the page does not refresh by itself: load it again." } }
                main #content tabindex="-1" {
                    (level::level(view))
                    (counts::counts(view))
                    (timeline::transitions(view.history))
                    (commands::commands(view.commands, level))
                }
                footer {
                    p {
                        "The same as JSON: " code { "curl" } " this address; with " code { "?history=100" }
                        " and the whole records."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}
