//! Transfers, which are checked before they are made.

use breaker::Level;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Request;
use crate::account::{AccountId, NotAnAccountId};
use crate::body::{self, BodyError, BodyErrorKind};

/// The allowed body of a transfer. The text follows the word "send" in a message.
const WANTED: &str = "a JSON object with `fromAccount`, `toAccount` and `amount` only";

/// Maximum amount in cents: one million.
const MAX_CENTS: u64 = 100_000_000;

/// The body of `POST /transfer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Transfer")]
pub struct TransferBody {
    /// The account to debit.
    #[schemars(with = "AccountId")]
    from_account: String,
    /// The account to credit. It differs from `fromAccount`.
    #[schemars(with = "AccountId")]
    to_account: String,
    /// The amount: a decimal number from 0.01 to 1000000.00 with at most two decimals, as a text or as a number
    /// without an exponent.
    // Kept as the caller wrote it, because a conversion to a float could change the amount.
    #[schemars(with = "Amount")]
    amount: Box<RawValue>,
}

/// An amount as callers may write it.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is only described")]
enum Amount {
    Text(
        #[schemars(regex(
            pattern = r"^(0+\.(0[1-9]|[1-9][0-9]?)|0*[1-9][0-9]{0,5}(\.[0-9]{1,2})?|0*1000000(\.00?)?)$"
        ))]
        String,
    ),
    Number(#[schemars(range(min = 0.01, max = 1_000_000))] f64),
}

/// The answer to a transfer that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Always `completed`.
    pub status: &'static str,
    /// Always true: the accounts are made up.
    pub sample_data: bool,
    /// The level that made the transfer, always 1.
    pub level: Level,
    /// The account that was debited.
    pub from_account: String,
    /// The account that was credited.
    pub to_account: String,
    /// The amount, with two decimals.
    pub amount: String,
}

/// A valid transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    from: String,
    to: String,
    cents: u64,
}

/// A transfer that is not made. `Display` is the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransfer {
    /// The body is not that of a transfer.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A field does not name an account.
    #[error("`{field}` {problem}")]
    Account {
        /// The field.
        field: &'static str,
        /// The reason.
        #[source]
        problem: NotAnAccountId,
    },
    /// Both fields name the same account.
    #[error("`toAccount` is `fromAccount`: name another account")]
    SameAccount,
    /// The amount is not one that can be transferred.
    #[error("`amount` is not a decimal number from 0.01 to 1000000.00 with at most two decimals")]
    Amount,
}

impl Transfer {
    /// Reads a transfer.
    ///
    /// # Errors
    /// The body is invalid. Names the field and the allowed values.
    pub fn read(request: &Request) -> Result<Self, InvalidTransfer> {
        let missing = BodyError { kind: BodyErrorKind::Missing, wanted: WANTED };
        Self::new(body::read(request, WANTED)?.ok_or(missing)?)
    }

    fn new(fields: TransferBody) -> Result<Self, InvalidTransfer> {
        for (field, account) in [("fromAccount", &fields.from_account), ("toAccount", &fields.to_account)] {
            AccountId::parse(account).map_err(|problem| InvalidTransfer::Account { field, problem })?;
        }
        if fields.from_account == fields.to_account {
            return Err(InvalidTransfer::SameAccount);
        }
        let written = fields.amount.get();
        let amount = serde_json::from_str(written).unwrap_or_else(|_| written.to_owned());
        let cents = cents(&amount).ok_or(InvalidTransfer::Amount)?;
        Ok(Self { from: fields.from_account, to: fields.to_account, cents })
    }

    /// Returns the answer to the caller.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt {
            status: "completed",
            sample_data: true,
            level: Level::Full,
            from_account: self.from.clone(),
            to_account: self.to.clone(),
            amount: format!("{}.{:02}", self.cents / 100, self.cents % 100),
        }
    }
}

/// Parses a decimal number without an exponent into cents, without floating-point arithmetic.
fn cents(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 2 || text.ends_with('.') {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let decimals: u64 = format!("{decimals:0<2}").parse().ok()?;
    let cents = whole.checked_mul(100)?.checked_add(decimals)?;
    (1..=MAX_CENTS).contains(&cents).then_some(cents)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> Result<Transfer, InvalidTransfer> {
        let event = json!({ "rawPath": "/transfer", "requestContext": { "http": { "method": "POST" } }, "body": body });
        Transfer::read(&serde_json::from_value(event).unwrap())
    }

    fn transfer(amount: &str) -> Result<Transfer, InvalidTransfer> {
        read(&format!(r#"{{"fromAccount":"1","toAccount":"2","amount":{amount}}}"#))
    }

    #[test]
    fn an_amount_that_is_no_amount_is_refused_by_name() {
        for amount in ["0", "-1", "\"\"", "\"1.\"", "1.001", "1000000.01", "null", "\"1e3\"", "1e300", "[]", "\".5\""] {
            assert_eq!(transfer(amount), Err(InvalidTransfer::Amount), "{amount}");
        }
    }

    #[test]
    fn unknown_missing_and_wrong_fields_are_named() {
        let refused = |kind| Err(InvalidTransfer::Body(BodyError { kind, wanted: WANTED }));
        let at = |path: &str, problem: &str| {
            refused(BodyErrorKind::Field { path: path.to_owned(), problem: problem.to_owned() })
        };
        for (body, expected) in [
            (r#"{"fromAccount":"1","toAccount":"2"}"#, at("", "missing field `amount` at line 1 column 35")),
            (
                r#"{"fromAccount":"1","toAccount":"2","amount":1,"memo":"x"}"#,
                at(
                    "memo",
                    "unknown field `memo`, expected one of `fromAccount`, `toAccount`, `amount` at line 1 column 52",
                ),
            ),
            (
                r#"{"fromAccount":7,"toAccount":"2","amount":1}"#,
                at("fromAccount", "invalid type: integer `7`, expected a string at line 1 column 16"),
            ),
            (
                r#"{"fromAccount":"a b","toAccount":"2","amount":1}"#,
                Err(InvalidTransfer::Account { field: "fromAccount", problem: NotAnAccountId::Character(' ') }),
            ),
            (r#"{"fromAccount":"1","toAccount":"1","amount":1}"#, Err(InvalidTransfer::SameAccount)),
            ("", refused(BodyErrorKind::Missing)),
            (r#"{"fromAccount":"1","toAccount":"2","amount":1} {}"#, refused(BodyErrorKind::SeveralValues)),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn a_json_number_is_read_as_it_is_written_and_not_as_a_float() {
        for amount in ["0.010000000000000000001", "1e2", "1E2", "1000000.0000000000001", "-0", "-0.01"] {
            assert_eq!(transfer(amount), Err(InvalidTransfer::Amount), "{amount}");
        }
        for (amount, cents) in [("10.50", 1050), ("10.5", 1050), ("10", 1000), ("0.01", 1), ("1000000.00", MAX_CENTS)] {
            assert_eq!(transfer(amount).unwrap().cents, cents);
            assert_eq!(transfer(&format!("\"{amount}\"")).unwrap().cents, cents);
        }
    }

    proptest! {
        #[test]
        fn only_plain_decimals_are_read_as_amounts(text in "[0-9]{0,8}[.+eE, -]?[0-9]{0,3}") {
            if let Ok(read) = transfer(&format!("\"{text}\"")) {
                let (whole, decimals) = text.split_once('.').unwrap_or((&text, "0"));
                prop_assert!(whole.parse::<u64>().unwrap() == read.cents / 100 && (1..=2).contains(&decimals.len()));
                prop_assert_eq!(format!("{decimals:0<2}").parse::<u64>().unwrap(), read.cents % 100);
            }
        }

        #[test]
        fn every_amount_with_two_decimals_is_kept_to_the_cent(cents in 1_u64..=MAX_CENTS) {
            let text = format!("\"{}.{:02}\"", cents / 100, cents % 100);
            prop_assert_eq!(transfer(&text).unwrap().cents, cents);
        }
    }
}
