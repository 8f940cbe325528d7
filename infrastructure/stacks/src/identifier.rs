//! The identifier of a release.

use sha2::{Digest, Sha256};

use crate::stack::Stack;

/// Length of a release's identifier, in hexadecimal digits.
const DIGITS: usize = 10;

/// Returns the identifier of a release with these stacks. They must not have the parameter `ReleaseId` yet, whose value
/// is this identifier.
#[must_use]
pub fn identifier(stacks: &[Stack]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        // The length separates neighbouring texts, so that "ab", "c" and "a", "bc" have different hashes.
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    };
    for stack in stacks {
        add(&stack.name);
        add(&stack.template);
        for (name, value) in &stack.parameters {
            add(name);
            add(value);
        }
    }
    let number = hash.finalize().iter().take(DIGITS / 2).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:0DIGITS$x}")
}
