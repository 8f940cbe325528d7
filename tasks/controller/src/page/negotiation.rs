//! Whether a caller wants the page or the data.

use headers_accept::Accept;
use mediatype::MediaType;
use mediatype::names::{APPLICATION, HTML, JSON, TEXT};

const PAGE: MediaType<'_> = MediaType::new(TEXT, HTML);
/// What whoever asks for nothing in particular gets: programs do, browsers do not.
const DATA: MediaType<'_> = MediaType::new(APPLICATION, JSON);

/// Whether the value of the header `Accept` puts a page above JSON (RFC 9110, 12.5.1).
pub fn prefers_html(accept: &str) -> bool {
    accept.parse::<Accept>().is_ok_and(|accept| accept.negotiate(&[DATA, PAGE]) == Some(&PAGE))
}

#[cfg(test)]
mod tests {
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
            ("nonsense", false),
        ] {
            assert_eq!(prefers_html(accept), page, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange_to_be_read(accept in "\\PC{0,60}|[a-z*/;,=q0-9.\" ]{0,60}") {
            prefers_html(&accept);
        }
    }
}
