//! Shows the end of a deployment: its addresses and names, and commands to try.

use std::process::ExitCode;

use ::deploy::report::{DeployReport, Outcome};
use aws_config::SdkConfig;
use operate::exit::{Exit, Failure};
use operate::terminal::{Line, json};

use super::is_watched;
use crate::operators::{end, style_of, write};

/// Ends a command.
pub fn ended(result: Result<(), Failure>, as_json: bool) -> ExitCode {
    end(result.map(|()| Exit::Done), as_json)
}

/// The report of a deployment, and the clients' configuration.
pub struct Deployed {
    pub report: DeployReport,
    pub config: SdkConfig,
}

/// Ends a deployment: shows what was done, then what failed in the check. `None` if a dry run ended early.
pub fn concluded(result: Result<Option<Deployed>, Failure>, as_json: bool) -> ExitCode {
    let Deployed { report, config } = match result {
        Ok(Some(deployed)) => deployed,
        Ok(None) => return Exit::Done.into(),
        Err(failure) => return end(Err(failure), as_json),
    };
    show(&report, &config, as_json);
    // With --json the report has the findings, and the output stays one document.
    end(report.failure().map_or(Ok(Exit::Done), Err), false)
}

fn show(report: &DeployReport, config: &SdkConfig, as_json: bool) {
    if as_json {
        write(&(json(report, true) + "\n"));
    } else if report.outcome != Outcome::DryRun {
        write(&style_of(is_watched()).render(&lines(report, config.endpoint_url())));
    }
}

fn lines(report: &DeployReport, endpoint: Option<&str>) -> Vec<Line> {
    let output = |name: &str| report.outputs.get(name).map_or("", String::as_str);
    // A local AWS serves every API at its own address; the address in the outputs is Amazon's.
    let api = match endpoint {
        Some(endpoint) => format!("{endpoint}/_aws/execute-api/{}/$default", output("ApiId")),
        None => output("ApiUrl").to_owned(),
    };
    let row = |label: &str, value: &str| Line::from(format!("{label:<15} {value}"));
    let place = &report.place;
    let at = endpoint.map(|endpoint| format!(" --endpoint-url {endpoint}")).unwrap_or_default();
    vec![
        Line::default(),
        row("Release", &report.release),
        row("API", &api),
        row("Dashboard", output("DashboardUrl")),
        row("State machine", output("StateMachineArn")),
        row("Table", output("StateTableName")),
        row("Alarm queue", output("AlarmQueueUrl")),
        row("Dead letters", output("DeadLetterQueueUrl")),
        row("Alerts topic", output("AlertTopicArn")),
        Line::default(),
        Line::from("Try it (with awscurl or curl --aws-sigv4 if the API requires signatures):"),
        // In single quotes, because a local address contains a dollar sign.
        Line::from(format!("  curl '{api}/circuit-breaker'")),
        Line::from(format!("  curl '{api}/account/12345'")),
        Line::from(format!("  breaker status --stack-name {} --region {}{at}", place.stack, place.region)),
    ]
}
