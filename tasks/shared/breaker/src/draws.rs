//! Shares of requests, in draws.

/// Number of possible draws. Shares are exact to a hundredth of a percent.
pub const DRAWS: u32 = 10_000;

/// Converts percent to draws.
pub(crate) const fn draws(percent: u32) -> u32 {
    percent.saturating_mul(DRAWS / 100)
}
