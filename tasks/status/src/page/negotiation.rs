//! Whether a caller wants the page or the data.

use headers_accept::Accept;
use mediatype::MediaType;
use mediatype::names::{APPLICATION, HTML, JSON, TEXT};

const PAGE: MediaType<'_> = MediaType::new(TEXT, HTML);
/// The answer to a request without a preference: programs have none, browsers do.
const DATA: MediaType<'_> = MediaType::new(APPLICATION, JSON);

/// Whether the value of the header `Accept` prefers a page to JSON (RFC 9110, 12.5.1).
pub fn prefers_html(accept: &str) -> bool {
    accept.parse::<Accept>().is_ok_and(|accept| accept.negotiate(&[DATA, PAGE]) == Some(&PAGE))
}

#[cfg(test)]
mod tests {
    use proptest::array::uniform6;
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn browsers_get_the_page_and_programs_the_data() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("application/json;q=0.5, text/html", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.9", false),
            ("text/html;q=0", false),
            ("text/html;q=0, */*", false),
            ("image/png", false),
            ("", false),
            ("text", false),
        ] {
            assert_eq!(prefers_html(accept), page, "{accept}");
        }
    }

    /// Media types that a header may list: those that match the page or JSON, and one that matches neither.
    const LISTED: [&str; 6] = ["text/html", "application/json", "text/*", "application/*", "*/*", "image/png"];

    /// Returns the quality that `listed` gives `offer` (RFC 9110, 12.5.1: the most specific match counts), in
    /// thousandths.
    fn quality(listed: &[(&str, u32)], offer: &str) -> u32 {
        let (kind, _) = offer.split_once('/').unwrap();
        let ranges = [offer.to_owned(), format!("{kind}/*"), "*/*".to_owned()];
        let found = ranges.iter().find_map(|range| listed.iter().find(|(name, _)| name == range));
        found.map_or(0, |(_, quality)| *quality)
    }

    proptest! {
        #[test]
        fn the_page_is_for_those_who_prefer_it(qualities in uniform6(of(0..=1000_u32))) {
            let listed: Vec<_> =
                LISTED.iter().zip(qualities).filter_map(|(name, quality)| Some((*name, quality?))).collect();
            let texts = listed.iter().map(|(name, quality)| format!("{name};q={}.{:03}", quality / 1000, quality % 1000));
            let accept = texts.collect::<Vec<_>>().join(", ");
            let (page, data) = (quality(&listed, "text/html"), quality(&listed, "application/json"));
            // If both have the same quality, either answer is right.
            if page != data {
                prop_assert_eq!(prefers_html(&accept), page > data, "{}", accept);
            }
        }

        #[test]
        fn a_header_without_html_or_wildcard_gets_the_data(accept in "\\PC{0,60}|[a-z*/;,=q0-9.\" ]{0,60}") {
            prop_assume!(!accept.to_ascii_lowercase().contains("html") && !accept.contains('*'));
            prop_assert!(!prefers_html(&accept), "{}", accept);
        }
    }
}
