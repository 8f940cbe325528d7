//! What is known of a deployment and its account before throttle and reservations are chosen.

use deployment_file::{DeploymentFile, Effective, Origin};

use super::{CONTROL_PLANE, Capacity, Derived, Values};

/// Timeout of the sample services, in milliseconds, as the template sets it.
pub const SAMPLE_TIMEOUT_MS: u64 = 10_000;

/// A number of the deployment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The number: the default unless the file sets it.
    pub value: u32,
    /// Whether the file sets it.
    pub set: bool,
}

/// The function of level 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullService {
    /// The sample service, which the deployment can cap.
    Sample {
        /// Its maximum executions; 0 sets no limit.
        cap: Wish,
    },
    /// A function of your own.
    Own {
        /// Executions that its owner reserves for it; `None` if none are.
        reserved: Option<u64>,
    },
}

/// What is known of a deployment and its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Executions of the account that functions outside of the deployment do not reserve.
    pub available: u64,
    /// Requests a second that the API admits.
    pub rate: Wish,
    /// Requests that the API admits at once.
    pub burst: Wish,
    /// Requests a second that the status route admits.
    pub status_rate: u32,
    /// Requests that the status route admits at once.
    pub status_burst: u32,
    /// Executions that are reserved for each function of the control plane.
    pub control_plane: Wish,
    /// The function of level 1.
    pub full: FullService,
    /// Time that the controller waits for level 1, in milliseconds.
    pub wait_ms: u64,
    /// Timeout of the function of level 1 itself, in milliseconds.
    pub timeout_ms: u64,
    /// Maximum executions of the sample service of level 2; 0 sets no limit.
    pub degraded: u64,
    /// Maximum executions of the sample service of level 3; 0 sets no limit.
    pub maintenance: u64,
}

/// Returns the executions that a deployment reserves for a service: none if it is a function of your own.
pub(crate) fn of_sample(own: Option<&String>, concurrency: u32) -> u64 {
    if own.is_some() { 0 } else { concurrency.into() }
}

impl Situation {
    /// Returns the situation of a file in an account with so many executions, whose level 1 is `full` and ends after
    /// `timeout_ms`.
    #[must_use]
    pub fn new(effective: &Effective, available: u64, full: FullService, timeout_ms: u64) -> Self {
        let DeploymentFile { api, limits, request_path, services, .. } = &effective.file;
        let wish = |key, value| Wish { value, set: is_set(effective, key) };
        let wait = request_path.full_timeout_milliseconds.unwrap_or(request_path.service_timeout_milliseconds);
        Self {
            available,
            rate: wish(RATE, api.requests_per_second),
            burst: wish(BURST, api.burst),
            status_rate: api.status_requests_per_second,
            status_burst: api.status_burst,
            control_plane: wish(RESERVATION, limits.control_plane_concurrency),
            full,
            wait_ms: wait.into(),
            timeout_ms,
            degraded: of_sample(services.degraded.as_ref(), limits.degraded_concurrency),
            maintenance: of_sample(services.maintenance.as_ref(), limits.maintenance_concurrency),
        }
    }

    /// Returns the sample service of level 1 with the cap of the file.
    #[must_use]
    pub fn sample(effective: &Effective) -> FullService {
        let cap = Wish { value: effective.file.limits.full_concurrency, set: is_set(effective, CAP) };
        FullService::Sample { cap }
    }

    /// Returns the executions that the deployment's functions would reserve; `None` if none.
    pub(super) fn reserved(&self, values: Values) -> Option<u64> {
        let control_plane = CONTROL_PLANE * u64::from(values.control_plane);
        let all = control_plane + u64::from(values.full) + self.degraded + self.maintenance;
        (all > 0).then_some(all)
    }

    /// Returns the values that differ from the default of a key that the file does not set.
    pub(super) fn derived(&self, values: Values) -> Vec<Derived> {
        let cap = match self.full {
            FullService::Sample { cap } => cap,
            FullService::Own { .. } => Wish { value: values.full, set: true },
        };
        [
            (RATE, self.rate, values.rate),
            (BURST, self.burst, values.burst),
            (CAP, cap, values.full),
            (RESERVATION, self.control_plane, values.control_plane),
        ]
        .into_iter()
        .filter(|(_, wish, value)| !wish.set && wish.value != *value)
        .map(|(key, wish, value)| Derived { key: key.to_owned(), value, instead_of: wish.value })
        .collect()
    }
}

impl Capacity {
    /// Puts the values into a deployment's file.
    pub fn apply(&self, file: &mut DeploymentFile) {
        file.api.requests_per_second = self.requests_per_second;
        file.api.burst = self.burst;
        file.limits.control_plane_concurrency = self.control_plane_concurrency;
        file.limits.full_concurrency = self.full_concurrency;
    }
}

pub(super) const RATE: &str = "api.requests_per_second";
pub(super) const BURST: &str = "api.burst";
pub(super) const LEVEL_2: &str = "limits.degraded_concurrency";
pub(super) const CAP: &str = "limits.full_concurrency";
pub(super) const RESERVATION: &str = "limits.control_plane_concurrency";

fn is_set(effective: &Effective, key: &str) -> bool {
    let found = effective.settings.iter().find(|setting| setting.key == key);
    found.is_some_and(|setting| matches!(setting.origin, Origin::File { .. } | Origin::Override))
}

#[cfg(test)]
mod tests {
    use serde_norway::Value;

    use super::*;

    fn effective(text: &str) -> Effective {
        Effective::read("test.toml", text, &[]).unwrap()
    }

    #[test]
    fn the_samples_have_the_timeout_of_the_template() {
        let template: Value = serde_norway::from_str(stacks::MAIN).unwrap();
        assert_eq!(template["Globals"]["Function"]["Timeout"].as_u64(), Some(SAMPLE_TIMEOUT_MS / 1_000));
        assert!(template["Resources"]["FullServiceFunction"]["Properties"].get("Timeout").is_none());
    }

    #[test]
    fn only_what_the_file_says_is_set() {
        let file = effective("[api]\nburst = 200\n[request_path]\nfull_timeout_milliseconds = 3000");
        let situation = Situation::new(&file, 1_000, Situation::sample(&file), SAMPLE_TIMEOUT_MS);
        assert_eq!((situation.rate, situation.burst.set), (Wish { value: 100, set: false }, true));
        assert_eq!((situation.wait_ms, situation.control_plane.set), (3_000, false));
    }

    #[test]
    fn functions_of_your_own_are_not_capped() {
        let limits = "[limits]\ndegraded_concurrency = 30\nmaintenance_concurrency = 40\n";
        let reserved = |file: &Effective| {
            let situation = Situation::new(file, 1_000, Situation::sample(file), SAMPLE_TIMEOUT_MS);
            (situation.degraded, situation.maintenance, crate::settings::reserved_concurrency(file))
        };
        assert_eq!(reserved(&effective(limits)), (30, 40, 70));
        let arn = "arn:aws:lambda:us-east-1:111122223333:function:accounts:live";
        let own = format!("{limits}[services]\ndegraded = \"{arn}\"\nmaintenance = \"{arn}\"");
        assert_eq!(reserved(&effective(&own)), (0, 0, 0));
    }

    #[test]
    fn a_function_of_your_own_keeps_its_cap() {
        let file = effective("");
        let own = Situation::new(&file, 1_000, FullService::Own { reserved: Some(50) }, 3_000);
        let capacity = super::super::capacity(&own);
        assert_eq!((capacity.level_1, capacity.level_1_cap, capacity.full_concurrency), (0, Some(50), 0));
        assert!(capacity.holds && capacity.healthy_level_1 <= 50, "{capacity:?}");
        assert!(capacity.derived.iter().all(|one| one.key != CAP), "{capacity:?}");
    }
}
