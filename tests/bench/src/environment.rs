//! One execution environment: a bootstrap running against the stubs.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::candidate::{Bootstrap, Candidate};
use crate::runtime_api::{Call, RuntimeApi};

/// Maximum time of a start or an answer. A process that takes longer never answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// Maximum length of the log that is shown if a bootstrap fails.
const LOG_TAIL_BYTES: i64 = 2_000;

/// The address of the stubs of AWS, and the certificates to trust them.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The value of `AWS_ENDPOINT_URL`.
    pub endpoint: &'a str,
    /// The file with the certificates.
    pub bundle: &'a Path,
}

/// A running environment that waits for its next event. It is ended when it is dropped.
#[derive(Debug)]
pub struct Environment<'a> {
    candidate: &'a Candidate,
    process: Process,
    api: RuntimeApi,
    waiting: oneshot::Sender<String>,
}

/// What an environment did while it always had as many events as it asked for.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Answers.
    pub answers: u64,
    /// Time in which they came.
    pub elapsed: Duration,
    /// Processor time of the environment in that time.
    pub processor: Duration,
    /// Peak memory, in KiB.
    pub memory_kib: u64,
}

#[derive(Debug)]
struct Process {
    child: Child,
    log: File,
}

impl<'a> Environment<'a> {
    /// Starts an environment and waits until it asks for an event. Returns how long that took, from before `exec`.
    ///
    /// # Errors
    /// The bootstrap does not start. The error contains the end of its log.
    pub async fn start(candidate: &'a Candidate, around: Surroundings<'_>) -> Result<(Self, Duration)> {
        let mut api = RuntimeApi::start().await?;
        let log = log_file().context("no room for a log")?;
        let mut command = command(candidate, around, &api)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("{} cannot be started", candidate.name))?;
        let mut process = Process { child, log };
        match timeout(PATIENCE, api.calls.recv()).await {
            Ok(Some(Call::Next { at, reply })) => {
                Ok((Self { candidate, process, api, waiting: reply }, at.duration_since(begun)))
            }
            _ => bail!("{} did not ask for an event; its log ends with:\n{}", candidate.name, process.log_tail()),
        }
    }

    /// Sends the event and waits until the bootstrap asks for the next one. Returns how long the answer took.
    ///
    /// # Errors
    /// The bootstrap fails, ends, or gives an unexpected answer.
    pub async fn request(mut self) -> Result<(Self, Duration)> {
        let name = &self.candidate.name;
        let begun = Instant::now();
        if self.waiting.send(self.candidate.event.clone()).is_err() {
            bail!("{name} stopped waiting; its log ends with:\n{}", self.process.log_tail());
        }
        let answered = match timeout(PATIENCE, self.api.calls.recv()).await {
            Ok(Some(Call::Answer { at, body })) => {
                let text = String::from_utf8_lossy(&body);
                if !text.contains(self.candidate.answer) {
                    bail!("{name} answered {text}, without {:?}", self.candidate.answer);
                }
                at
            }
            Ok(Some(Call::Failure { body })) => bail!("{name} failed: {}", String::from_utf8_lossy(&body)),
            _ => bail!("{name} did not answer; its log ends with:\n{}", self.process.log_tail()),
        };
        match timeout(PATIENCE, self.api.calls.recv()).await {
            Ok(Some(Call::Next { reply, .. })) => Ok((Self { waiting: reply, ..self }, answered.duration_since(begun))),
            _ => bail!("{name} does not ask for another event; its log ends with:\n{}", self.process.log_tail()),
        }
    }

    /// Sends an event whenever the environment asks for one, for this time.
    ///
    /// # Errors
    /// It fails, ends, or answers something unexpected.
    pub async fn serve_for(self, time: Duration) -> Result<Served> {
        let Self { candidate, mut process, mut api, waiting } = self;
        let name = &candidate.name;
        let before = process.processor_time()?;
        let begun = Instant::now();
        let mut answers = 0;
        let mut asked = Some(waiting);
        while begun.elapsed() < time {
            if let Some(reply) = asked.take()
                && reply.send(candidate.event.clone()).is_err()
            {
                bail!("{name} stopped waiting; its log ends with:\n{}", process.log_tail());
            }
            match timeout(PATIENCE, api.calls.recv()).await {
                Ok(Some(Call::Next { reply, .. })) => asked = Some(reply),
                Ok(Some(Call::Answer { body, .. })) => {
                    let text = String::from_utf8_lossy(&body);
                    if !text.contains(candidate.answer) {
                        bail!("{name} answered {text}, without {:?}", candidate.answer);
                    }
                    answers += 1;
                }
                Ok(Some(Call::Failure { body })) => bail!("{name} failed: {}", String::from_utf8_lossy(&body)),
                _ => bail!("{name} did not answer; its log ends with:\n{}", process.log_tail()),
            }
        }
        Ok(Served {
            answers,
            elapsed: begun.elapsed(),
            processor: process.processor_time()?.saturating_sub(before),
            memory_kib: process.memory_kib("VmHWM:")?,
        })
    }

    /// Returns the output of the bootstrap so far.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&mut self) -> Result<String> {
        let mut text = Vec::new();
        self.process.log.rewind()?;
        self.process.log.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Freezes the process, as Lambda does between events.
    ///
    /// # Errors
    /// The process cannot be frozen.
    pub fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Thaws the process.
    ///
    /// # Errors
    /// The process cannot be thawed.
    pub fn thaw(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        // The shell's `kill`, because not every machine has the program.
        let status = Command::new("sh").args(["-c", &format!("kill {signal} {}", self.process.child.id())]).status();
        if !status.is_ok_and(|status| status.success()) {
            bail!("{} does not take the signal {signal}", self.candidate.name);
        }
        Ok(())
    }

    /// Returns the peak memory of the process, in KiB (`VmHWM`).
    ///
    /// # Errors
    /// The kernel does not report it.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        self.process.memory_kib("VmHWM:")
    }
}

/// Creates the file for a bootstrap's output, in memory if possible, because Lambda reads the output through a pipe and
/// not from a disk.
fn log_file() -> std::io::Result<File> {
    tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile())
}

/// Clock ticks a second in `/proc`, the same on every Linux.
const TICKS: u32 = 100;

impl Process {
    fn memory_kib(&self, field: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("the kernel tells no memory")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The processor time that the process has taken.
    fn processor_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may have spaces. The 12th and 13th fields after it are user and system time.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(Duration::from_secs(1) * ticks / TICKS)
    }

    fn log_tail(&mut self) -> String {
        let length = self.log.metadata().map_or(0, |log| log.len());
        let tail = LOG_TAIL_BYTES.min(i64::try_from(length).unwrap_or(LOG_TAIL_BYTES));
        let mut text = Vec::new();
        let read = self.log.seek(SeekFrom::End(-tail)).and_then(|_| self.log.read_to_end(&mut text));
        match read {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("({error})"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the command of the bootstrap with the variables that Lambda sets. Of the caller's environment it has only
/// `PATH`.
fn command(candidate: &Candidate, around: Surroundings<'_>, api: &RuntimeApi) -> Result<Command> {
    let mut command = match &candidate.bootstrap {
        Bootstrap::Binary(path) => Command::new(path),
        Bootstrap::Command(line) => {
            let mut shell = Command::new("/bin/sh");
            // `exec` replaces the shell, whose memory must not be measured.
            shell.arg("-c").arg(format!("exec {line}"));
            shell
        }
    };
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let bundle = around.bundle.to_str().context("the folder for temporary files has an odd name")?;
    command.envs([
        ("AWS_LAMBDA_RUNTIME_API", api.address.to_string().as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", candidate.name.as_str()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_Image"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        // Invented: the stubs do not check signatures.
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "example"),
        ("_HANDLER", "bootstrap"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("TZ", ":UTC"),
        ("LANG", "en_US.UTF-8"),
        ("AWS_ENDPOINT_URL", around.endpoint),
        // The variable for certificates of Rust, of the AWS CLI and of Node.js.
        ("SSL_CERT_FILE", bundle),
        ("AWS_CA_BUNDLE", bundle),
        ("NODE_EXTRA_CA_CERTS", bundle),
        ("DEPLOYMENT", "bank-bench"),
    ]);
    command.envs(candidate.settings.iter().copied());
    Ok(command)
}
