//! Quotes input in error messages.

/// Maximum number of characters that an error message quotes from input.
const QUOTED_CHARACTERS: usize = 60;

/// Returns input as an error message may quote it: shortened, and with escapes for control characters, so that it
/// cannot hide or forge a part of the message.
pub fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED_CHARACTERS).is_some() {
        short.push_str("...");
    }
    short
}
