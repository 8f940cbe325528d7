//! Commands that end with the runner, together with every process that they started.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Maximum time for an interrupted command to clean up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs a command to its end and returns its output. If the future is dropped before, the command and the processes
/// that it started are ended.
///
/// # Errors
/// The command could not be started, or it failed. In the second case the error contains its output.
pub async fn run(command: &mut Command) -> Result<String> {
    let program = Path::new(command.as_std().get_program()).display().to_string();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // In its own process group, so that a compiler started by cargo or a client started by a script ends, too.
        .process_group(0)
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let (status, said, complained) = Running(child).finish().await?;
    if status.success() {
        return Ok(said);
    }
    bail!("{program} failed ({status}):\n{said}{complained}")
}

struct Running(Child);

impl Running {
    async fn finish(mut self) -> Result<(ExitStatus, String, String)> {
        let (stdout, stderr) = (self.0.stdout.take(), self.0.stderr.take());
        let (status, said, complained) = tokio::try_join!(self.0.wait(), text(stdout), text(stderr))?;
        Ok((status, said, complained))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The id is None if the command has ended and was waited for.
        let Some(group) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) else { return };
        // Fails only if the whole group has ended.
        let _ = kill_process_group(group, Signal::TERM);
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(group, Signal::KILL);
    }
}

async fn text(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_failed_command_is_reported_with_its_output() {
        assert_eq!(run(&mut shell("echo fine")).await.unwrap(), "fine\n");
        let error = run(&mut shell("echo out; echo why >&2; exit 3")).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("out\nwhy"), "{error}");
    }

    #[tokio::test]
    async fn an_interrupted_command_ends_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let (pid, tidied) = (folder.path().join("pid"), folder.path().join("tidied"));
        let script =
            format!("trap 'touch {}; exit 143' TERM; sleep 60 & echo $! > {}; wait", tidied.display(), pid.display());
        let mut command = shell(&script);
        let started = async {
            while !std::fs::read_to_string(&pid).is_ok_and(|written| written.ends_with('\n')) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ended = run(&mut command) => panic!("it ended by itself: {ended:?}"),
            () = started => {}
        }
        assert!(tidied.exists());
        let child = std::fs::read_to_string(pid).unwrap();
        // The process has ended, or is a zombie.
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }
}
