//! The parameters of the data stack and of the main stack.

use std::collections::BTreeMap;

use deployment_file::Effective;

use crate::{Code, Names};

/// The parameters that belong to the data stack alone.
const OF_DATA: [&str; 1] = ["StateTableDeletionProtection"];

/// Settings that the monitoring stack contains as numbers: no template has these parameters.
const OF_MONITORING: [&str; 3] = ["OldestAlarmSeconds", "StaleStateSeconds", "HoldEndsMinutes"];

/// Returns the parameters of the data stack.
pub(crate) fn of_data(deployment: &Effective, names: &Names) -> BTreeMap<String, String> {
    let own = deployment.parameters().into_iter().filter(|(name, _)| OF_DATA.contains(&name.as_str()));
    own.chain(naming(names)).collect()
}

/// Returns the parameters of the main stack, except the release's identifier.
pub(crate) fn of_main(deployment: &Effective, names: &Names, code: &Code) -> BTreeMap<String, String> {
    let elsewhere = |name: &String| OF_DATA.contains(&name.as_str()) || OF_MONITORING.contains(&name.as_str());
    let own = deployment.parameters().into_iter().filter(|(name, _)| !elsewhere(name));
    let uploaded = [
        ("CodeBucket".to_owned(), code.bucket.clone()),
        ("CodeKeys".to_owned(), code.keys()),
        ("StateMachineKey".to_owned(), code.state_machine.clone()),
    ];
    own.chain(naming(names)).chain(uploaded).collect()
}

fn naming(names: &Names) -> [(String, String); 2] {
    [("ProjectName".to_owned(), names.project.clone()), ("Environment".to_owned(), names.environment.clone())]
}
