//! A headless browser, driven through its driver.

use std::fs;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fantoccini::wd::{Capabilities, TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use futures::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use local::folders;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::common::eventually;

/// Maximum number of starts of a driver whose port another driver takes.
const STARTS: u32 = 5;
/// Maximum time of a test's script, longer than one takes on a busy machine.
const SCRIPT_LIMIT: Duration = Duration::from_mins(2);

/// The programs that a test needs beside the system.
pub struct Tools {
    driver: PathBuf,
    /// The script of the accessibility audit.
    audit: String,
}

impl Tools {
    /// Finds the installed programs.
    ///
    /// # Errors
    /// Names the program that is missing and the command that installs it.
    pub fn find() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let driver = std::env::split_paths(&path).map(|folder| folder.join("chromedriver")).find(|file| file.exists());
        let driver = driver.ok_or("there is no chromedriver in the PATH: run .ci/browser-tools, which installs it")?;
        let audit = folders::target().join("browser-tools/node_modules/axe-core/axe.min.js");
        let audit = fs::read_to_string(&audit)
            .map_err(|error| format!("{}: {error}: run .ci/browser-tools, which installs it", audit.display()))?;
        Ok(Self { driver, audit })
    }

    /// Starts the driver and returns it with its port. The driver chooses a port and then opens it, so another driver that
    /// starts at the same time can be faster, and this one ends. Then it is started again.
    async fn start(&self) -> (Child, String) {
        for _ in 0..STARTS {
            let command = &mut Command::new(&self.driver);
            command.args(["--port=0", "--log-level=SEVERE"]).stdout(Stdio::piped()).kill_on_drop(true);
            let mut driver = command.spawn().unwrap();
            let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    let port = port.trim_end_matches('.').to_owned();
                    driver.stdout = Some(lines.into_inner().into_inner());
                    return (driver, port);
                }
            }
            let ended = driver.wait().await.unwrap();
            println!("the driver ended before it listened: {ended}");
        }
        panic!("the driver does not start");
    }

    /// Runs a test with a new browser, and ends the browser even if the test fails.
    pub async fn with_browser<F: Future<Output = ()>>(&self, test: impl FnOnce(Browser) -> F) {
        let profile = tempfile::tempdir().unwrap();
        let (_driver, port) = self.start().await;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(&profile))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let limits = TimeoutConfiguration::new(Some(SCRIPT_LIMIT), Some(SCRIPT_LIMIT), Some(Duration::ZERO));
        client.update_timeouts(limits).await.unwrap();
        let browser = Browser { client: client.clone(), audit: self.audit.clone() };
        let ended = AssertUnwindSafe(test(browser)).catch_unwind().await;
        client.close().await.unwrap();
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Returns the capabilities of a browser that connects to the page only and runs as root.
fn capabilities(profile: &TempDir) -> Capabilities {
    let mut arguments = vec![
        "--headless".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--no-first-run".to_owned(),
        "--no-proxy-server".to_owned(),
        "--window-size=1000,1800".to_owned(),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        // Chromium refuses to run its sandbox as root.
        arguments.push("--no-sandbox".to_owned());
    }
    let options = json!({
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    options.as_object().cloned().unwrap()
}

/// A command that the client has no method for.
#[derive(Debug)]
struct Raw {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), self.body.as_ref().map(Value::to_string))
    }
}

/// A running browser.
pub struct Browser {
    pub client: Client,
    audit: String,
}

impl Browser {
    pub async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Returns the result of a script.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Returns the visible text of the first element that `selector` finds.
    pub async fn text(&self, selector: &str) -> String {
        // In one step, because the page may replace the element between two.
        let script = "const found = document.querySelector(arguments[0]); return found ? found.innerText : ''";
        self.client.execute(script, vec![json!(selector)]).await.unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks the element that `selector` finds. Tries again if the page replaced the element before the click.
    pub async fn click(&self, selector: &str) {
        eventually(&format!("a click on {selector}"), async || {
            self.client.find(Locator::Css(selector)).await.ok()?.click().await.ok()
        })
        .await;
    }

    /// Presses a key in the element that has the focus.
    pub async fn press(&self, key: &str) {
        self.client.active_element().await.unwrap().send_keys(key).await.unwrap();
    }

    /// Returns the text of the element that has the focus.
    pub async fn focused(&self) -> String {
        self.client.active_element().await.unwrap().text().await.unwrap()
    }

    /// Sends a command of the developer tools to the browser.
    pub async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.raw(Method::POST, "goog/cdp/execute".to_owned(), Some(body)).await;
    }

    async fn raw(&self, method: Method, path: String, body: Option<Value>) -> Value {
        self.client.issue_cmd(Raw { method, path, body }).await.unwrap()
    }

    /// Returns the role and the name that the browser gives to a screen reader.
    pub async fn role_and_name(&self, selector: &str) -> (String, String) {
        eventually(&format!("role and name of {selector}"), async || {
            let id = self.client.find(Locator::Css(selector)).await.unwrap().element_id();
            // Fails if the page replaced the element meanwhile.
            let computed = async |what: &str| {
                let asked = Raw { method: Method::GET, path: format!("element/{id}/computed{what}"), body: None };
                self.client.issue_cmd(asked).await.ok().map(|told| told.as_str().unwrap().to_owned())
            };
            Some((computed("role").await?, computed("label").await?))
        })
        .await
    }

    /// Returns the browser's messages about the page, such as one about a script that the page's policy blocks.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.raw(Method::POST, "se/log".to_owned(), Some(json!({ "type": "browser" }))).await;
        log.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the broken rules of the audit, each with its elements, and the number of rules that the page keeps.
    pub async fn audit(&self) -> (Vec<String>, usize) {
        self.run(&self.audit).await;
        let rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        let script = "const done = arguments[1]; \
             axe.run(document, { runOnly: { type: 'tag', values: arguments[0] } }).then( \
                 (found) => done({ broken: found.violations, kept: found.passes.length }), \
                 (error) => done({ error: String(error) }))";
        let found = self.client.execute_async(script, vec![json!(rules)]).await.unwrap();
        let broken = found["broken"].as_array().unwrap_or_else(|| panic!("{found}"));
        let told = |rule: &Value| {
            let places: Vec<_> =
                rule["nodes"].as_array().unwrap().iter().map(|node| node["html"].to_string()).collect();
            format!("{}: {}: {}", rule["id"], rule["help"], places.join(", "))
        };
        (broken.iter().map(told).collect(), found["kept"].as_u64().unwrap().try_into().unwrap())
    }

    /// Writes a picture of the whole page to a file.
    pub async fn picture(&self, file: &Path) {
        let picture = self.client.screenshot().await.unwrap();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, picture).unwrap();
    }
}
