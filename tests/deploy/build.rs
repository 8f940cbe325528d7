//! Tests how the functions are built. Scripts replace cargo, rustc, rustup and Python: the tests check how the command
//! calls them and what it does with their results.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use deploy::artifacts::word;
use deploy::build::{CargoLambda, Programs};
use deploy::ports::Builder;
use deployment_file::Architecture;
use stacks::FUNCTIONS;
use tempfile::TempDir;

struct Workshop {
    folder: TempDir,
    builder: CargoLambda,
}

fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

impl Workshop {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let at = here.display();
        let programs = Programs {
            // Records its arguments.
            cargo: program(
                here,
                "cargo",
                &format!(
                    "echo \"$*\" >>'{at}/calls'\n[ ! -e '{at}/broken' ] || exit 101\ncommand -v tool >>'{at}/calls'\n"
                ),
            ),
            rustc: program(here, "rustc", &format!("echo '{at}/sysroot'\n")),
            rustup: program(here, "rustup", "echo 'could not download component' >&2\nexit 1\n"),
            // `python3 -m venv FOLDER` makes an environment whose Python installs a tool.
            python: program(
                here,
                "python3",
                &format!(
                    "echo venv >>'{at}/calls'\nmkdir -p \"$3/bin\"\nfor name in python tool; do\n\
                     printf '#!/bin/sh\\n' >\"$3/bin/$name\" && chmod +x \"$3/bin/$name\"\ndone\n"
                ),
            ),
        };
        let builder = CargoLambda::new(programs, here.to_owned(), here.join("target"));
        Self { folder, builder }
    }

    fn has_library(&self, processor: &str) {
        let library = format!("sysroot/lib/rustlib/{processor}-unknown-linux-gnu/lib");
        fs::create_dir_all(self.folder.path().join(library)).unwrap();
    }

    /// Returns the calls since the last call of this function.
    fn calls(&self) -> Vec<String> {
        let path = self.folder.path().join("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn functions_are_built_with_tools_that_are_set_up_once() {
    for (architecture, processor, flag) in
        [(Architecture::Arm64, "aarch64", "--arm64"), (Architecture::X86_64, "x86_64", "--x86-64")]
    {
        let workshop = Workshop::open();
        let missing = workshop.builder.build(&FUNCTIONS, architecture).await.unwrap_err().sentence;
        let named = format!("standard library for {} ({processor}-unknown-linux-gnu)", word(architecture));
        assert!(missing.contains(&named) && missing.contains("could not download component"), "{missing}");
        assert!(workshop.calls().is_empty());

        workshop.has_library(processor);
        let built = workshop.builder.build(&FUNCTIONS, architecture).await.unwrap();
        assert_eq!(built, workshop.folder.path().join("target/lambda"));
        let calls = workshop.calls();
        assert_eq!(calls[0], "venv", "{calls:?}");
        assert!(calls[1].starts_with("lambda build --release") && calls[1].contains(flag), "{calls:?}");
        assert!(calls[2].ends_with("target/deploy-tools/bin/tool"), "the tools are not on the path: {calls:?}");
        for function in FUNCTIONS {
            assert!(calls[1].contains(&format!("--bin {function} ")), "{function} is not built: {calls:?}");
        }
        assert!(calls[1].contains("--bin full-service --package services"), "{calls:?}");

        workshop.builder.build(&["full-service"], architecture).await.unwrap();
        let calls = workshop.calls();
        assert!(!calls.contains(&"venv".to_owned()), "the tools were set up again: {calls:?}");
        assert!(!calls[0].contains("degraded-service"), "{calls:?}");
    }
}

#[tokio::test]
async fn a_build_that_fails_deploys_nothing() {
    let workshop = Workshop::open();
    workshop.has_library("aarch64");
    fs::write(workshop.folder.path().join("broken"), "").unwrap();
    let failed = workshop.builder.build(&FUNCTIONS, Architecture::Arm64).await.unwrap_err().sentence;
    assert!(failed.starts_with("the build failed") && failed.ends_with("nothing was deployed"), "{failed}");
}

#[tokio::test]
async fn a_missing_tool_is_named_with_the_remedy() {
    let nowhere = |name: &str| PathBuf::from(format!("/nowhere/{name}"));
    let workshop = Workshop::open();
    let here = workshop.folder.path();
    let at = |name: &str| here.join(name);
    let build = async |programs: Programs| {
        let builder = CargoLambda::new(programs, here.to_owned(), here.join("target"));
        builder.build(&["controller"], Architecture::Arm64).await.unwrap_err().sentence
    };
    let programs =
        Programs { cargo: at("cargo"), rustc: nowhere("rustc"), rustup: at("rustup"), python: at("python3") };
    let said = build(programs.clone()).await;
    assert!(said.contains("/nowhere/rustc cannot be started") && said.contains("https://rustup.rs"), "{said}");
    workshop.has_library("aarch64");
    let programs = Programs { rustc: at("rustc"), python: nowhere("python3"), ..programs };
    let said = build(programs.clone()).await;
    assert!(said.contains("/nowhere/python3 cannot be started") && said.contains("--artifacts"), "{said}");
    let programs = Programs { python: at("python3"), cargo: nowhere("cargo"), ..programs };
    let said = build(programs).await;
    assert!(said.contains("cargo cannot be started"), "{said}");
}
