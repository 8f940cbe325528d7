//! Bodies that are marked as base64.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::{RawValue, to_raw_value};

/// Characters that are decoded at a time: whole groups of four, so that padding can only be in the last ones.
const GROUPS: usize = 4 * 1024;

/// Decodes the output of encoders that leave out the padding, or leave bits in the last character.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The form of a body that is marked as base64.
pub enum Base64 {
    /// Standard base64, with padding.
    Standard,
    /// Base64 in lines or without padding. Contains the body in the standard form.
    Rewritten(Box<RawValue>),
    /// Something else.
    Invalid,
}

/// Reads the JSON text of a body.
pub fn read(json: &str) -> Base64 {
    // Without an escape, the text is the part between the quotation marks, so that megabytes are not copied.
    let between = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|text| !text.contains('\\'));
    if between.is_some_and(is_standard) {
        return Base64::Standard;
    }
    let Ok(mut text) = serde_json::from_str::<String>(json) else { return Base64::Invalid };
    if between.is_none() && is_standard(&text) {
        return Base64::Standard;
    }
    text.retain(|character| !character.is_ascii_whitespace());
    LENIENT
        .decode(&text)
        .ok()
        .and_then(|bytes| to_raw_value(&STANDARD.encode(bytes)).ok())
        .map_or(Base64::Invalid, Base64::Rewritten)
}

fn is_standard(text: &str) -> bool {
    let mut bytes = [0; GROUPS / 4 * 3];
    let mut chunks = text.as_bytes().chunks(GROUPS).peekable();
    while let Some(chunk) = chunks.next() {
        let whole = chunk.len() / 4 * 3;
        match STANDARD.decode_slice(chunk, &mut bytes) {
            // Padding before the end makes a chunk shorter.
            Ok(length) if chunks.peek().is_none() || length == whole => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn kind(json: &str) -> &'static str {
        match read(json) {
            Base64::Standard => "standard",
            Base64::Rewritten(_) => "rewritten",
            Base64::Invalid => "invalid",
        }
    }

    #[test]
    fn base64_is_distinguished_from_other_texts() {
        let (lines, long) = (["QUJD".repeat(19), "QUJD".repeat(19)].join("\\n"), "QUJD".repeat(GROUPS));
        for (body, expected) in [
            ("", "standard"),
            ("QQ==", "standard"),
            ("QUI=", "standard"),
            ("\\/w==", "standard"),
            ("\\u0051Q==", "standard"),
            (&long, "standard"),
            (&format!("{long}QQ=="), "standard"),
            ("QQ", "rewritten"),
            ("QQ=", "rewritten"),
            ("QUI", "rewritten"),
            ("QR==", "rewritten"),
            ("QQ==\\r\\n", "rewritten"),
            (&lines, "rewritten"),
            (&format!("{long}QQ"), "rewritten"),
            ("Q", "invalid"),
            ("hello, world", "invalid"),
            ("_w==", "invalid"),
            ("QQ==QQ==", "invalid"),
            ("{}", "invalid"),
            ("\\ud800", "invalid"),
            ("ü", "invalid"),
            (&format!("{}QQ=={long}", "QUJD".repeat(GROUPS / 4 - 1)), "invalid"),
            (&format!("{long}{long}!"), "invalid"),
        ] {
            let shown: String = body.chars().take(20).collect();
            assert_eq!(kind(&format!("\"{body}\"")), expected, "{shown}");
        }
    }

    proptest! {
        #[test]
        fn a_rewritten_body_has_the_same_content(bytes in proptest::collection::vec(any::<u8>(), 1..300), at in 1_usize..80) {
            let encoded = STANDARD.encode(&bytes);
            let mut lines = encoded.trim_end_matches('=').to_owned();
            lines.insert_str(at.min(lines.len()), "\r\n");
            prop_assert_eq!(kind(&json!(encoded).to_string()), "standard");
            let Base64::Rewritten(body) = read(&json!(lines).to_string()) else { panic!("{lines}") };
            prop_assert_eq!(body.get(), json!(encoded).to_string());
        }
    }
}
