//! Texts of people and of other systems that are stored, shown and told on.

use std::ops::RangeInclusive;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::InvalidRequest;

/// Zero width non-joiner and joiner: scripts and emoji need them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Checks a text that an operator writes: so many characters, some of them to be seen, and none that
/// starts a line, turns the direction or hides, because logs, messages and terminals show the text.
pub fn check_plain(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    check_length(field, text, length)?;
    let forbidden = |character: char| {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
        let category = character.general_category();
        matches!(category, Control | Format | LineSeparator | ParagraphSeparator) && !JOINERS.contains(&character)
    };
    refuse_any(field, text, forbidden)
}

/// Checks a name that AWS gave: so many characters, and no control characters.
pub fn check_name(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    check_length(field, text, length)?;
    refuse_any(field, text, char::is_control)
}

fn check_length(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    let (least, most) = (length.start(), length.end());
    // White space alone says nothing, and what is stored is the text as it came.
    if text.chars().all(|character| character.is_whitespace() || JOINERS.contains(&character)) {
        return Err(InvalidRequest(format!("`{field}` is empty: use {least} to {most} characters")));
    }
    let count = text.chars().count();
    if !length.contains(&count) {
        return Err(InvalidRequest(format!("`{field}` has {count} characters: use {least} to {most}")));
    }
    Ok(())
}

fn refuse_any(field: &str, text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), InvalidRequest> {
    match text.chars().find(|character| forbidden(*character)) {
        Some(found) => Err(InvalidRequest(format!(
            "`{field}` contains the control character U+{:04X}: use plain text on one line",
            u32::from(found)
        ))),
        None => Ok(()),
    }
}
