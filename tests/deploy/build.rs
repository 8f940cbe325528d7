//! The way from the sources to binaries. The compiler is one of the test's own: what is tried is how the script asks
//! it, and what it makes of its answers.

use std::fs;

use local::folders;
use local::server::isolate;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Bench, Said, copy_project, hollow_artifacts, programs, said};

/// What this machine's binaries are, and the other processor.
const HOST: (&str, &str, &str) =
    if cfg!(target_arch = "aarch64") { ("arm64", "aarch64", "x86_64") } else { ("x86_64", "x86_64", "arm64") };

/// A bench with a copy of the project, so that the tools are not set up in the real one.
struct Workshop {
    bench: Bench,
    project: TempDir,
    programs: TempDir,
}

impl Workshop {
    async fn open() -> Self {
        let (bench, project) = (Bench::start().await, copy_project());
        let here = project.path().display();
        // Writes down how it was called, and lays out the binaries that there are.
        let cargo = format!(
            "#!/bin/sh\necho \"$*\" >>'{here}/calls'\n\
             [ ! -e '{here}/broken' ] || {{ echo 'error[E0308]: mismatched types' >&2; exit 101; }}\n\
             while [ $# -gt 0 ]; do [ \"$1\" != --lambda-dir ] || folder=$2; shift; done\n\
             mkdir -p \"$folder\" && cp -R '{}'/. \"$folder\"\n",
            bench.stack.artifacts().display()
        );
        let rustc = format!("#!/bin/sh\necho '{here}/sysroot'\n");
        // `python3 -m venv FOLDER` makes an environment whose Python installs nothing.
        let python = format!(
            "#!/bin/sh\necho venv >>'{here}/calls'\nmkdir -p \"$3/bin\"\n\
             printf '#!/bin/sh\\n' >\"$3/bin/python\" && chmod +x \"$3/bin/python\"\n"
        );
        let rustup = "#!/bin/sh\necho 'could not download component' >&2\nexit 1\n";
        let programs = programs(&[("cargo", &cargo), ("rustc", &rustc), ("python3", &python), ("rustup", rustup)]);
        Self { bench, project, programs }
    }

    fn has_library(&self, processor: &str) {
        let library = format!("sysroot/lib/rustlib/{processor}-unknown-linux-gnu/lib");
        fs::create_dir_all(self.project.path().join(library)).unwrap();
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        let tools = self.bench.stack.python().programs();
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("bash");
        isolate(&mut command);
        command
            .arg(self.project.path().join("infrastructure/deploy.sh"))
            .args(["--environment", "dev", "--project-name", &self.bench.options.project, "--region", "us-east-1"])
            .args(["--endpoint-url", self.bench.stack.endpoint(), "--yes"])
            .args(arguments)
            .env("PATH", format!("{}:{}:{path}", self.programs.path().display(), tools.display()))
            .env("TMPDIR", folders::local())
            .env("BREAKER", folders::program());
        said(&mut command).await
    }

    /// How the compiler was called since the last time that somebody asked.
    fn calls(&self) -> Vec<String> {
        let path = self.project.path().join("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_are_built_for_the_processor_that_is_asked_for_with_tools_that_are_set_up_once() {
    let workshop = Workshop::open().await;
    let (host, processor, other) = HOST;
    let missing = workshop.run(&["--architecture", host]).await.failed();
    assert!(missing.contains(&format!("standard library for {host} ({processor}-unknown-linux-gnu)")), "{missing}");
    assert!(missing.contains("could not download component") && workshop.calls().is_empty(), "{missing}");

    workshop.has_library(processor);
    let shown = workshop.run(&["--architecture", host, "--dry-run"]).await.succeeded();
    assert!(shown.contains("Add     ControllerFunction "), "{shown}");
    let calls = workshop.calls();
    let flag = if host == "arm64" { "--arm64" } else { "--x86-64" };
    assert_eq!((calls.len(), calls[0].as_str()), (2, "venv"), "{calls:?}");
    assert!(calls[1].starts_with("lambda build --release") && calls[1].contains(flag), "{calls:?}");
    for binary in local::artifacts::BINARIES {
        assert!(calls[1].contains(&format!(" {binary}")), "{binary} is not built: {calls:?}");
    }

    workshop.run(&["--architecture", host, "--dry-run"]).await.succeeded();
    assert_eq!(workshop.calls().len(), 1, "the tools were set up again");

    // A compiler that built for another processor, and one that built nothing.
    workshop.has_library(if other == "arm64" { "aarch64" } else { "x86_64" });
    let wrong = workshop.run(&["--architecture", other]).await.failed();
    assert!(wrong.contains(&format!("is built for {host}, not for {other}")), "{wrong}");
    fs::write(workshop.project.path().join("broken"), "").unwrap();
    let broken = workshop.run(&["--architecture", host]).await.failed();
    assert!(broken.contains("mismatched types") && broken.contains("nothing was deployed"), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_functions_code_is_built_for_the_processor_that_the_stack_has() {
    let workshop = Workshop::open().await;
    let (host, processor, other) = HOST;
    workshop.has_library(processor);
    let hollow = hollow_artifacts();
    let hollow = ["--artifacts", hollow.path().to_str().unwrap(), "--skip-canary"];
    let early = workshop.run(&["--only", "full-service"]).await.failed();
    assert!(early.contains("deploy all of it first") && workshop.calls().is_empty(), "{early}");

    workshop.run(&[&hollow[..], &["--architecture", host]].concat()).await.succeeded();
    let said = workshop.run(&["--only", "full-service", "--skip-canary"]).await.succeeded();
    assert!(said.contains(&format!("Building the functions for {host}")), "{said}");
    let build = workshop.calls().pop().unwrap();
    assert!(build.contains("full-service") && !build.contains("degraded-service"), "{build}");
    assert_eq!(workshop.bench.parameter("Architecture").await, host);

    let refused = workshop.run(&["--only", "full-service", "--architecture", other]).await.failed();
    assert!(refused.contains(&format!("the code is for {other}, and the functions of")), "{refused}");
    assert!(workshop.calls().is_empty(), "it was built all the same");

    // And so does a whole deployment that is told nothing else.
    workshop.run(&[&hollow[..], &["--architecture", other]].concat()).await.succeeded();
    workshop.run(&hollow).await.succeeded();
    assert_eq!(workshop.bench.parameter("Architecture").await, other);
    let ready = ["--artifacts", workshop.bench.stack.artifacts().to_str().unwrap(), "--only", "full-service"];
    let refused = workshop.run(&ready).await.failed();
    assert!(refused.contains(&format!("the code is for {host}, and the functions of")), "{refused}");
}
