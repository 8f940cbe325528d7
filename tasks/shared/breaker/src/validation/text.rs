//! Checks of texts that are stored, shown and sent on: those that operators write, and names from AWS.

use std::ops::RangeInclusive;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::invalid_request::{InvalidKind, InvalidRequest};

/// Zero width non-joiner and joiner: scripts and emoji need them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Characters of Unicode's property `Default_Ignorable_Code_Point`, which are not drawn: the soft hyphen,
/// Hangul fillers, variation selectors, tags. A test compares the list with Unicode's data.
const IGNORABLE: [RangeInclusive<char>; 17] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fff8}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Letters and symbols whose glyph is blank: the braille blank, the musical null notehead, the Egyptian full and half
/// blanks. Unicode has no property for them.
const BLANK: [char; 4] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}'];

/// Checks a text that an operator writes: its length, that a reader sees something, and that no character of it breaks
/// the line, changes the direction of writing or is invisible, because logs, messages and terminals show the text.
pub fn check_plain(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    check_length(field, text, length)?;
    let forbidden = |character: char| {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
        let category = character.general_category();
        matches!(category, Control | Format | LineSeparator | ParagraphSeparator) && !JOINERS.contains(&character)
    };
    refuse_any(field, text, forbidden)?;
    check_visible(field, text, length)
}

/// Checks a name that AWS gave: its length, that a reader sees something, and that it has no control characters.
pub fn check_name(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    check_length(field, text, length)?;
    refuse_any(field, text, char::is_control)?;
    check_visible(field, text, length)
}

fn check_length(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    let (minimum, maximum) = (length.start(), length.end());
    // White space alone says nothing, and the text is stored unchanged.
    if text.chars().all(|character| character.is_whitespace() || JOINERS.contains(&character)) {
        return Err(InvalidRequest::new(field, InvalidKind::Empty, format!("{minimum} to {maximum} characters")));
    }
    let count = text.chars().count();
    if !length.contains(&count) {
        return Err(InvalidRequest::new(field, InvalidKind::Length(count), format!("{minimum} to {maximum}")));
    }
    Ok(())
}

fn check_visible(field: &str, text: &str, length: &RangeInclusive<usize>) -> Result<(), InvalidRequest> {
    if text.chars().any(is_visible) {
        return Ok(());
    }
    let (minimum, maximum) = (length.start(), length.end());
    let allowed = format!(
        "{minimum} to {maximum} characters, at least one of them a letter, a digit, a punctuation mark or a symbol"
    );
    Err(InvalidRequest::new(field, InvalidKind::Invisible, allowed))
}

/// Whether a reader sees the character when it stands alone. A combining mark needs a letter to sit on, and what a
/// private or unassigned character looks like is not known.
fn is_visible(character: char) -> bool {
    use GeneralCategoryGroup::{Letter, Number, Punctuation, Symbol};
    matches!(character.general_category_group(), Letter | Number | Punctuation | Symbol)
        && !IGNORABLE.iter().any(|range| range.contains(&character))
        && !BLANK.contains(&character)
}

fn refuse_any(field: &str, text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), InvalidRequest> {
    match text.chars().find(|character| forbidden(*character)) {
        Some(found) => Err(InvalidRequest::new(field, InvalidKind::Character(found), "plain text on one line")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use icu_properties::CodePointSetData;
    use icu_properties::props::DefaultIgnorableCodePoint;

    use super::*;

    #[test]
    fn the_ignorable_characters_are_unicodes() {
        let unicode = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        for character in '\0'..=char::MAX {
            let listed = IGNORABLE.iter().any(|range| range.contains(&character));
            assert_eq!(listed, unicode.contains(character), "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn a_text_that_shows_nothing_is_refused() {
        for text in [
            "\u{3164}",                          // Hangul filler
            "\u{2800}",                          // braille blank
            "\u{115f}\u{1160}",                  // Hangul choseong and jungseong fillers
            "\u{ffa0}",                          // halfwidth Hangul filler
            "\u{34f}",                           // combining grapheme joiner
            "\u{301}\u{308}",                    // combining marks alone
            "\u{17b4}\u{17b5}",                  // Khmer inherent vowels
            "\u{180b}\u{180f}",                  // Mongolian variation selectors
            "\u{fe0f}",                          // a variation selector alone
            "\u{e0100}",                         // a supplementary one
            "\u{e000}",                          // private use
            "\u{378}",                           // unassigned
            "\u{1d159}",                         // musical null notehead
            "\u{13441}\u{13442}",                // Egyptian blanks
            " \u{3164}\u{a0}\u{2800}\u{3000}\t", // with white space between
            "\u{200d}\u{3164}\u{200c}\u{fe0f}",  // with joiners between
        ] {
            for check in [check_plain, check_name] {
                let refusal = check("reason", text, &(1..=500)).unwrap_err();
                let expected = if text.contains('\t') { InvalidKind::Character('\t') } else { InvalidKind::Invisible };
                assert_eq!((refusal.field(), refusal.kind()), ("reason", &expected), "{}", text.escape_unicode());
            }
        }
        // An operator's text is checked for format characters before it is checked for a visible one.
        for character in ['\u{ad}', '\u{180e}', '\u{e0041}'] {
            let text = character.to_string();
            let refusal = check_plain("reason", &text, &(1..=500)).unwrap_err();
            assert_eq!(refusal.kind(), &InvalidKind::Character(character));
            let refusal = check_name("name", &text, &(1..=500)).unwrap_err();
            assert_eq!(refusal.kind(), &InvalidKind::Invisible);
        }
    }

    #[test]
    fn a_text_of_any_script_that_shows_something_is_taken() {
        for text in [
            "drill",
            ".",
            "7",
            "✓",
            "❤\u{fe0f}",
            "👨\u{200d}👩",
            "é",
            "e\u{301}",
            "한글",
            "\u{1112}\u{1161}\u{11ab}", // Hangul in conjoining letters
            "مریم\u{200c}بانو",
            "ᠮᠣᠩᠭᠣᠯ\u{180b}",
            "葛\u{e0100}",
            "⠃⠗⠇\u{2800}⠃",
            "\u{3164}x",
            "€",
        ] {
            assert_eq!(check_plain("reason", text, &(1..=500)), Ok(()), "{text}");
            assert_eq!(check_name("name", text, &(1..=500)), Ok(()), "{text}");
        }
    }
}
