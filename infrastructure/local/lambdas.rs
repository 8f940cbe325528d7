//! The processes of the Lambdas, for tests that end them in the middle of their work.

use std::fs;
use std::path::Path;

use crate::command::signal;

/// The Lambdas that a local AWS runs: each environment is a process in the server's own group.
#[derive(Clone, Copy, Debug)]
pub struct Lambdas {
    group: u32,
}

impl Lambdas {
    /// Those of the server that leads this process group.
    pub(crate) const fn of_group(group: u32) -> Self {
        Self { group }
    }

    /// Kills every environment of a function, whatever it is doing. Returns how many there were; on a
    /// system without `/proc` none is found.
    #[must_use]
    pub fn kill(self, function: &str) -> usize {
        let found = self.environments(function);
        if !found.is_empty() {
            signal("KILL", &found.iter().map(String::as_str).collect::<Vec<_>>());
        }
        found.len()
    }

    fn environments(self, function: &str) -> Vec<String> {
        let wanted = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ours = processes.filter(|process| {
            group_of(&process.path()) == Some(self.group)
                && fs::read(process.path().join("environ"))
                    .is_ok_and(|variables| variables.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()))
        });
        ours.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// The group of a living process. Its name, in parentheses, may hold anything.
fn group_of(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    fields.nth(1)?.parse().ok().filter(|_| state != "Z")
}
