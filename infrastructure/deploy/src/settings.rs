//! Checks of a deployment's file before it is deployed: account and region, reserved executions, warnings.

use breaker::Mode;
use deployment_file::{DeploymentFile, Effective, TrafficShift};
use operate::exit::Failure;

use crate::capacity::{CONTROL_PLANE, UNRESERVED, of_sample};

/// Number of gradual deployments in sequence: all services at once, then the controller.
const CHAIN: u64 = 2;
/// Default duration of an assumed role's session, in minutes.
const SESSION_MINUTES: u64 = 60;

/// Refuses an account or a region that the file does not name.
///
/// # Errors
/// Says which one is named, and which one it is.
pub fn check_place(effective: &Effective, account: &str, region: &str) -> Result<(), Failure> {
    let deployment = &effective.file.deployment;
    for (key, named, is) in
        [("account", deployment.account.as_deref(), account), ("region", deployment.region.as_deref(), region)]
    {
        if let Some(named) = named.filter(|named| *named != is) {
            return Err(Failure::failed(format!(
                "the file says deployment.{key} = \"{named}\", and this is {key} {is}: use the profile or region of the \
                 deployment, or another file"
            )));
        }
    }
    Ok(())
}

/// The concurrent executions that the functions reserve together.
#[must_use]
pub fn reserved_concurrency(effective: &Effective) -> u64 {
    let DeploymentFile { limits, services, .. } = &effective.file;
    CONTROL_PLANE * u64::from(limits.control_plane_concurrency)
        + of_sample(services.full.as_ref(), limits.full_concurrency)
        + of_sample(services.degraded.as_ref(), limits.degraded_concurrency)
        + of_sample(services.maintenance.as_ref(), limits.maintenance_concurrency)
}

/// Refuses reservations that Lambda would refuse. `own` is what the deployment's functions reserve already: they may
/// reserve it again.
///
/// # Errors
/// Says how many are missing, and what to do.
pub fn check_concurrency(reserved: u64, own: u64, unreserved: u64) -> Result<(), Failure> {
    let (available, needed) = (unreserved + own, reserved + UNRESERVED);
    if reserved == 0 || available >= needed {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the functions reserve {reserved} concurrent executions, and the account has {available} that other functions do \
         not reserve, of which Lambda keeps {UNRESERVED} unreserved: have the account's limit raised by {} or more, or \
         lower limits.control_plane_concurrency (counted four times) and the services' concurrency",
        needed - available
    )))
}

/// Returns what the deployer should know before the deployment continues.
#[must_use]
pub fn warnings(effective: &Effective, environment: &str, first: bool) -> Vec<String> {
    let file = &effective.file;
    let mut warnings = Vec::new();
    if environment == "prod" {
        let services = [&file.services.full, &file.services.degraded, &file.services.maintenance];
        let samples: Vec<_> = ["full", "degraded", "maintenance"]
            .into_iter()
            .zip(services)
            .filter(|(_, arn)| arn.is_none())
            .map(|(name, _)| format!("services.{name}"))
            .collect();
        if !samples.is_empty() {
            warnings.push(format!(
                "{} not set: the sample services answer your customers with made-up balances",
                match samples.as_slice() {
                    [one] => format!("{one} is"),
                    more => format!("{} are", more.join(", ")),
                }
            ));
        }
        if !file.alerts.runbook_url.starts_with("https://") {
            warnings.push(
                "alerts.runbook_url is no https:// address: the alarms' descriptions have no link that people can follow"
                    .to_owned(),
            );
        }
    }
    if first && effective.policy.settings().mode == Mode::Active {
        warnings.push(
            "this first deployment is active: it moves the level from its first minute. With policy.mode = \
             \"observe-only\" it would only tell what it would do"
                .to_owned(),
        );
    }
    warnings
}

/// Returns what the deployer is told before a gradual deployment starts, or `None` if it is not gradual.
#[must_use]
pub fn gradual(effective: &Effective) -> Option<String> {
    let deployment = &effective.file.deployment;
    if !deployment.gradual {
        return None;
    }
    let minutes = CHAIN * minutes_of(deployment.traffic_shift);
    let takes = format!(
        "traffic moves step by step, first to the services and then to the controller: about {minutes} minutes if code of \
         both changed"
    );
    Some(if minutes + 10 >= SESSION_MINUTES {
        format!(
            "{takes}. Credentials of an assumed role end after {SESSION_MINUTES} minutes by default, maybe before that: \
             CloudFormation goes on by itself, and running this command again then finishes the deployment"
        )
    } else {
        takes
    })
}

const fn minutes_of(shift: TrafficShift) -> u64 {
    match shift {
        TrafficShift::Canary10Percent5Minutes => 5,
        TrafficShift::Canary10Percent10Minutes | TrafficShift::Linear10PercentEvery1Minute => 10,
        TrafficShift::Canary10Percent15Minutes => 15,
        TrafficShift::Linear10PercentEvery2Minutes => 20,
        TrafficShift::Canary10Percent30Minutes | TrafficShift::Linear10PercentEvery3Minutes => 30,
        TrafficShift::Linear10PercentEvery10Minutes => 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective(text: &str) -> Effective {
        Effective::read("test.toml", text, &[]).unwrap()
    }

    #[test]
    fn another_account_or_region_is_refused() {
        let named = effective("[deployment]\naccount = \"111122223333\"\nregion = \"eu-central-1\"");
        assert_eq!(check_place(&named, "111122223333", "eu-central-1"), Ok(()));
        let account = check_place(&named, "999999999999", "eu-central-1").unwrap_err().sentence;
        assert!(
            account.contains("deployment.account = \"111122223333\", and this is account 999999999999"),
            "{account}"
        );
        let region = check_place(&named, "111122223333", "us-east-1").unwrap_err().sentence;
        assert!(region.contains("deployment.region = \"eu-central-1\", and this is region us-east-1"), "{region}");
        assert_eq!(check_place(&effective(""), "999999999999", "us-east-1"), Ok(()));
    }

    #[test]
    fn reservations_beyond_the_account_are_refused() {
        let reserved =
            reserved_concurrency(&effective("[limits]\ncontrol_plane_concurrency = 5\nfull_concurrency = 500"));
        assert_eq!(reserved, 520);
        let refused = check_concurrency(reserved, 0, 619).unwrap_err().sentence;
        assert!(refused.contains("reserve 520 concurrent executions, and the account has 619"), "{refused}");
        assert!(refused.contains("limit raised by 1 or more"), "{refused}");
        assert_eq!(check_concurrency(reserved, 0, 620), Ok(()));
        // What the deployment reserves already it may reserve again.
        assert_eq!(check_concurrency(reserved, 520, 100), Ok(()));
        let refused = check_concurrency(reserved, 520, 99).unwrap_err().sentence;
        assert!(refused.contains("the account has 619"), "{refused}");
    }

    #[test]
    fn a_prod_with_samples_and_an_active_start_are_warned_of() {
        let found = warnings(&effective(""), "prod", true);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].starts_with("services.full, services.degraded, services.maintenance are not set"),
            "{found:?}"
        );
        assert!(found[1].contains("alerts.runbook_url") && found[2].contains("observe-only"), "{found:?}");
        let arn = "arn:aws:lambda:us-east-1:111122223333:function:accounts:live";
        let own = format!(
            "[services]\nfull = \"{arn}\"\ndegraded = \"{arn}\"\nmaintenance = \"{arn}\"\n[policy]\nmode = \
             \"observe-only\"\n[alerts]\nrunbook_url = \"https://bank.example/runbook\""
        );
        assert!(warnings(&effective(&own), "prod", true).is_empty());
        assert!(warnings(&effective(""), "dev", false).is_empty());
    }

    #[test]
    fn a_gradual_deployment_says_how_long_it_takes() {
        assert_eq!(gradual(&effective("")), None);
        let short = gradual(&effective("[deployment]\ngradual = true")).unwrap();
        assert!(short.contains("about 10 minutes") && !short.contains("assumed role"), "{short}");
        let text = "[deployment]\ngradual = true\ntraffic_shift = \"Canary10Percent30Minutes\"";
        let long = gradual(&effective(text)).unwrap();
        assert!(long.contains("about 60 minutes") && long.contains("running this command again"), "{long}");
    }
}
