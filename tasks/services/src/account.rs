//! Sample accounts. The same id gives the same data, at every level.

use std::fmt;

use breaker::Level;
use schemars::JsonSchema;
use serde::Serialize;

/// Maximum number of characters of an account id, the same as for an IBAN.
const LONGEST: usize = 34;

/// The reason why a text is not an account id. Its text follows the name of the field in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnAccountId {
    /// The text is empty.
    Empty,
    /// The text is too long. Contains its number of characters.
    TooLong(usize),
    /// The text has a character that an account id may not have.
    Character(char),
}

impl fmt::Display for NotAnAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "is empty")?,
            Self::TooLong(length) => write!(f, "has {length} characters")?,
            Self::Character(character) => write!(f, "contains {character:?}")?,
        }
        write!(f, ": use 1 to {LONGEST} letters (A to Z, a to z), digits or hyphens")
    }
}

impl std::error::Error for NotAnAccountId {}

/// An account id: 1 to 34 letters, digits or hyphens, as long as an IBAN may be.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct AccountId(#[schemars(length(min = 1, max = 34), regex(pattern = r"^[A-Za-z0-9-]+$"))] String);

impl AccountId {
    /// Reads an id.
    ///
    /// # Errors
    /// Returns the reason why the text is not an account id.
    pub fn parse(text: &str) -> Result<Self, NotAnAccountId> {
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || character == '-';
        if let Some(character) = text.chars().find(|character| !is_allowed(*character)) {
            return Err(NotAnAccountId::Character(character));
        }
        match text.len() {
            0 => Err(NotAnAccountId::Empty),
            1..=LONGEST => Ok(Self(text.to_owned())),
            length => Err(NotAnAccountId::TooLong(length)),
        }
    }

    /// Returns a number that depends only on the id and the purpose (FNV-1a). The sample data is derived from it.
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

/// The source of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DataSource {
    /// The back end.
    Live,
    /// A view that may be some minutes old.
    Cache,
}

/// An account, with the fields that the level returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Identifier of the account.
    pub account_id: String,
    /// Always true: the account is made up.
    pub sample_data: bool,
    /// The level that returned the account.
    pub level: Level,
    /// The source of the data. Not at level 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DataSource")]
    pub data_source: Option<DataSource>,
    /// The balance, a decimal number. Not at level 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = r"^[0-9]+\.[0-9]{2}$"))]
    pub balance: Option<String>,
    /// The currency of the balance. Not at level 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub currency: Option<&'static str>,
    /// Status of the account. At level 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub status: Option<&'static str>,
    /// The kind of the account. At level 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub account_type: Option<&'static str>,
    /// The restrictions of the level. At level 2 only.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub limitations: &'static [&'static str],
    /// A message for the customer. At level 3 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub message: Option<&'static str>,
}

/// The newest transactions of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transactions {
    /// The account's id.
    pub account_id: String,
    /// Always true: the transactions are made up.
    pub sample_data: bool,
    /// The level that returned the transactions.
    pub level: Level,
    /// The source of the data.
    pub data_source: DataSource,
    /// The newest transactions: 10 at level 1, 3 at level 2.
    pub transactions: Vec<Transaction>,
    /// The restrictions of the level. At level 2 only.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub limitations: &'static [&'static str],
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Transaction {
    /// Identifier of the transaction.
    pub id: String,
    /// The amount, a decimal number.
    #[schemars(regex(pattern = r"^[0-9]+\.[0-9]{2}$"))]
    pub amount: String,
    /// The direction of the transaction.
    #[serde(rename = "type")]
    pub direction: Direction,
}

/// The direction of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// The transaction adds to the balance.
    Credit,
    /// The transaction reduces the balance.
    Debit,
}

/// Returns the account as `level` shows it.
#[must_use]
pub fn account(id: &AccountId, level: Level) -> Account {
    let shown = Account {
        account_id: id.0.clone(),
        sample_data: true,
        level,
        data_source: Some(DataSource::Live),
        balance: Some(id.cents("balance", 5_000_000)),
        currency: Some("USD"),
        status: None,
        account_type: None,
        limitations: &[],
        message: None,
    };
    match level {
        Level::Full => {
            let account_type = if id.number("type").is_multiple_of(2) { "checking" } else { "savings" };
            Account { status: Some("active"), account_type: Some(account_type), ..shown }
        }
        Level::Degraded => Account {
            data_source: Some(DataSource::Cache),
            limitations: &["The balance may be some minutes old", "Transfers are not available"],
            ..shown
        },
        Level::Maintenance => {
            let message = "The bank is under maintenance. Your account is safe; its data is shown again soon.";
            Account { data_source: None, balance: None, currency: None, message: Some(message), ..shown }
        }
    }
}

/// Returns the account's transactions as `level` shows them; `None` if the level declines.
#[must_use]
pub fn transactions(id: &AccountId, level: Level) -> Option<Transactions> {
    let (count, data_source, limitations): (_, _, &[_]) = match level {
        Level::Full => (10, DataSource::Live, &[]),
        Level::Degraded => (3, DataSource::Cache, &["Only the newest transactions, possibly some minutes old"]),
        Level::Maintenance => return None,
    };
    let transactions = (1..=count).map(|index| {
        let purpose = format!("transaction {index}");
        let is_credit = id.number(&purpose).is_multiple_of(3);
        Transaction {
            id: format!("sample-{index}"),
            amount: id.cents(&purpose, 50_000),
            direction: if is_credit { Direction::Credit } else { Direction::Debit },
        }
    });
    let transactions = transactions.collect();
    Some(Transactions { account_id: id.0.clone(), sample_data: true, level, data_source, transactions, limitations })
}
