//! Sample accounts: the same for the same id, at every level.

use breaker::Level;
use serde_json::{Value, json};

/// An account id: 1 to 34 letters, digits or hyphens, as long as an IBAN may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountId(String);

impl AccountId {
    /// Reads an id.
    ///
    /// # Errors
    /// A sentence that says what an id looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits =
            (1..=34).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err("has 1 to 34 letters, digits or hyphens".to_owned()) }
    }

    /// A number that depends on the id alone (FNV-1a), from which the sample data is made.
    fn number(&self, purpose: &str) -> u64 {
        self.0
            .bytes()
            .chain(purpose.bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    fn cents(&self, purpose: &str, below: u64) -> String {
        let cents = self.number(purpose) % below;
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

/// What `level` shows of an account.
#[must_use]
pub fn account(id: &AccountId, level: Level) -> Value {
    let balance = id.cents("balance", 5_000_000);
    match level {
        Level::Full => json!({
            "accountId": id.0, "sampleData": true, "level": level, "dataSource": "live",
            "balance": balance, "currency": "USD", "status": "active",
            "accountType": if id.number("type").is_multiple_of(2) { "checking" } else { "savings" },
        }),
        Level::Degraded => json!({
            "accountId": id.0, "sampleData": true, "level": level, "dataSource": "cache",
            "balance": balance, "currency": "USD",
            "limitations": ["The balance may be some minutes old", "Transfers are not available"],
        }),
        Level::Maintenance => json!({
            "accountId": id.0, "sampleData": true, "level": level,
            "message": "The bank is under maintenance. Your account is safe; its data is shown again soon.",
        }),
    }
}

/// What `level` shows of an account's transactions; `None` where it declines.
#[must_use]
pub fn transactions(id: &AccountId, level: Level) -> Option<Value> {
    let (count, source) = match level {
        Level::Full => (10, "live"),
        Level::Degraded => (3, "cache"),
        Level::Maintenance => return None,
    };
    let transactions: Vec<_> = (1..=count)
        .map(|index| {
            let purpose = format!("transaction {index}");
            let credit = id.number(&purpose).is_multiple_of(3);
            json!({
                "id": format!("sample-{index}"),
                "amount": id.cents(&purpose, 50_000),
                "type": if credit { "credit" } else { "debit" },
            })
        })
        .collect();
    let mut answer = json!({
        "accountId": id.0, "sampleData": true, "level": level, "dataSource": source, "transactions": transactions,
    });
    if let (Level::Degraded, Some(members)) = (level, answer.as_object_mut()) {
        members.insert("limitations".to_owned(), json!(["Only the newest transactions, possibly some minutes old"]));
    }
    Some(answer)
}
