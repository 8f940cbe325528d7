//! Transfers, checked before anything is done.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::AccountId;

/// One million, in cents.
const MOST_CENTS: u64 = 100_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    from_account: String,
    to_account: String,
    amount: Value,
}

/// A transfer that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    from: String,
    to: String,
    cents: u64,
}

impl Transfer {
    /// Reads a transfer.
    ///
    /// # Errors
    /// A sentence that names the field and the remedy.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let fields: Fields = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            format!("The body is not a transfer: at `{path}`: {}", error.into_inner())
        })?;
        reader.end().map_err(|_| "The body has more than one JSON value".to_owned())?;
        for (name, account) in [("fromAccount", &fields.from_account), ("toAccount", &fields.to_account)] {
            AccountId::parse(account).map_err(|rule| format!("`{name}` is not an account id: it {rule}"))?;
        }
        if fields.from_account == fields.to_account {
            return Err("`toAccount` is `fromAccount`: name another account".to_owned());
        }
        let amount = match &fields.amount {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let cents = cents(&amount).ok_or_else(|| {
            "`amount` is not a decimal number from 0.01 to 1000000.00 with at most two decimals".to_owned()
        })?;
        Ok(Self { from: fields.from_account, to: fields.to_account, cents })
    }

    /// What the caller is told of it.
    #[must_use]
    pub fn receipt(&self) -> Value {
        json!({
            "status": "completed", "sampleData": true, "level": 1,
            "fromAccount": self.from, "toAccount": self.to,
            "amount": format!("{}.{:02}", self.cents / 100, self.cents % 100),
        })
    }
}

/// Cents of a plain decimal number, without floating point.
fn cents(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 2 || text.ends_with('.') {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let decimals: u64 = format!("{decimals:0<2}").parse().ok()?;
    let cents = whole.checked_mul(100)?.checked_add(decimals)?;
    (1..=MOST_CENTS).contains(&cents).then_some(cents)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn transfer(amount: &str) -> Result<Transfer, String> {
        Transfer::parse(format!(r#"{{"fromAccount":"1","toAccount":"2","amount":{amount}}}"#).as_bytes())
    }

    #[test]
    fn an_amount_that_is_no_amount_is_refused_by_name() {
        for amount in ["0", "-1", "\"\"", "\"1.\"", "1.001", "1000000.01", "null", "\"1e3\"", "1e300", "[]", "\".5\""] {
            assert!(transfer(amount).unwrap_err().starts_with("`amount`"), "{amount}");
        }
    }

    #[test]
    fn unknown_missing_and_wrong_fields_are_named() {
        for (body, name) in [
            (r#"{"fromAccount":"1","toAccount":"2"}"#, "amount"),
            (r#"{"fromAccount":"1","toAccount":"2","amount":1,"memo":"x"}"#, "memo"),
            (r#"{"fromAccount":7,"toAccount":"2","amount":1}"#, "fromAccount"),
            (r#"{"fromAccount":"a b","toAccount":"2","amount":1}"#, "fromAccount"),
            (r#"{"fromAccount":"1","toAccount":"1","amount":1}"#, "toAccount"),
        ] {
            let error = Transfer::parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        assert!(Transfer::parse(b"").is_err());
        assert!(Transfer::parse(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn every_amount_with_two_decimals_is_kept_to_the_cent(cents in 1_u64..=MOST_CENTS) {
            let text = format!("\"{}.{:02}\"", cents / 100, cents % 100);
            prop_assert_eq!(transfer(&text).unwrap().cents, cents);
        }
    }
}
