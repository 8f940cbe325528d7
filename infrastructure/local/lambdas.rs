//! The processes of the Lambdas, for tests that end them in the middle of their work.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The Lambdas of a local AWS. Each execution environment is a process that the server started.
#[derive(Clone, Copy, Debug)]
pub struct Lambdas {
    server: Pid,
}

impl Lambdas {
    /// Returns the Lambdas of the server with this process id.
    pub(crate) fn of_server(id: u32) -> Self {
        Self { server: Pid::from_u32(id) }
    }

    /// Kills every execution environment of a function, even during a request. Returns their number, or 0 if the
    /// processes cannot be listed.
    #[must_use]
    pub fn kill(self, function: &str) -> usize {
        let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
        let Ok(mut system) = System::new() else { return 0 };
        let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        let ours = system.processes().values().filter(|process| process.parent() == Some(self.server));
        ours.filter(|process| process.environ().iter().any(|one| *one == *wanted)).filter(|one| one.kill()).count()
    }
}
