//! The status page, fetched with a signature: no browser can load it from an API that asks for signatures. The browser
//! opens a copy, which shows its age.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_types::SdkConfig;

use crate::exit::Failure;

const ACCEPT: &str = "text/html";
const TIMEOUT: Duration = Duration::from_secs(30);
/// Commands that open a page, after `$BROWSER`: on Linux, on macOS, and on Linux in Windows.
const OPENERS: [&str; 3] = ["xdg-open", "open", "wslview"];

/// Fetches the page of the API at `api`.
///
/// # Errors
/// The page cannot be fetched. The message says why and how to fix it.
pub async fn fetch(config: &SdkConfig, region: &str, api: &str) -> Result<String, Failure> {
    let api = api.trim_end_matches('/');
    let url = format!("{api}/circuit-breaker");
    let Some(provider) = config.credentials_provider() else { return Err(no_credentials("none are set")) };
    let credentials = provider.provide_credentials().await.map_err(|error| no_credentials(&error.to_string()))?;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{api} does not answer: {error}"));
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|error| failed(&error))?;
    let mut request = client.get(&url).header("accept", ACCEPT);
    for (name, value) in signature(&url, region, credentials, SystemTime::now())? {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(|error| failed(&error))?;
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match (answer.status().as_u16(), kind.starts_with(ACCEPT)) {
        (200, true) => answer.text().await.map_err(|error| failed(&error)),
        (200, false) => {
            Err(Failure::failed(format!("{url} does not answer with a page: the deployment is of an older release")))
        }
        (401, _) => Err(Failure::failed(format!(
            "{api} asks for a token (StatusAuthorization is JWT), and this command signs for AWS_IAM"
        ))),
        (403, _) => Err(Failure::failed(format!(
            "refused: these credentials need execute-api:Invoke on GET /circuit-breaker of {api}"
        ))),
        (status, _) => Err(Failure::failed(format!("{url} answers status {status}"))),
    }
}

fn no_credentials(problem: &str) -> Failure {
    Failure::failed(format!(
        "there are no credentials to sign with ({problem}): see `aws sso login`, or give --profile"
    ))
}

/// Returns the headers that sign the request.
fn signature(
    url: &str,
    region: &str,
    credentials: Credentials,
    time: SystemTime,
) -> Result<Vec<(String, String)>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("the request cannot be signed: {error}"));
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("execute-api")
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(&error))?;
    let headers = [("accept", ACCEPT)].into_iter();
    let request =
        SignableRequest::new("GET", url, headers, SignableBody::Bytes(b"")).map_err(|error| failed(&error))?;
    let (instructions, _) = sign(request, &parameters.into()).map_err(|error| failed(&error))?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Writes the page to a folder that outlives this program, because the browser reads the page later.
///
/// # Errors
/// It cannot be written.
pub fn keep(page: &str) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("the page cannot be written: {error}"));
    let folder = tempfile::Builder::new().prefix("breaker-status-").tempdir().map_err(failed)?.keep();
    let file = folder.join("status.html");
    write(page, &file)?;
    Ok(file)
}

/// Writes the page to `file`.
///
/// # Errors
/// It cannot be written.
pub fn write(page: &str, file: &Path) -> Result<(), Failure> {
    std::fs::write(file, page)
        .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", file.display())))
}

/// Opens the file in a browser. Returns whether that worked.
#[must_use]
pub fn open(file: &Path) -> bool {
    let chosen = std::env::var("BROWSER").ok().filter(|browser| !browser.is_empty());
    chosen.as_deref().into_iter().chain(OPENERS).any(|opener| {
        let mut command = Command::new(opener);
        command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}
