//! The schedule of a deployed system.

use serde_json::Value;

use super::System;

impl System {
    /// Deletes the schedule, so that only alarms and operators start the state machine.
    pub async fn without_schedule(&self) {
        // The server distinguishes the AWS services by the service name in the signature.
        let signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/scheduler/aws4_request, \
                      SignedHeaders=host, Signature=none";
        let schedules = async |method: reqwest::Method, path: &str| {
            let url = format!("{}/schedules{path}", self.stack.endpoint());
            let sent = self.client.request(method, url).header("Authorization", signed).send().await.unwrap();
            sent.error_for_status().unwrap().text().await.unwrap()
        };
        let listed = schedules(reqwest::Method::GET, "").await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let names = listed["Schedules"].as_array().unwrap().iter().map(|schedule| schedule["Name"].as_str().unwrap());
        let ours: Vec<_> = names.filter(|name| name.starts_with(&self.deployment.name[..4])).collect();
        assert!(!ours.is_empty(), "the deployment has no schedule: {listed}");
        for name in ours {
            schedules(reqwest::Method::DELETE, &format!("/{name}")).await;
        }
    }
}
