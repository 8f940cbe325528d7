//! `render`: writes the templates and parameters of a deployment to files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use stacks::{Code, FUNCTIONS, Names, Role, STATE_MACHINE, Stack, stacks};

use crate::config::{FileArgs, read};

/// Name of the state machine's definition in the folder.
const DEFINITION: &str = "level-transition.asl.json";

/// Writes the templates and parameters of a deployment to a folder, for pipelines that have their own deployment step
#[derive(Debug, Args)]
pub struct RenderArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Folder to write to; files of the same names are replaced
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Bucket that the functions' archives are uploaded to
    #[arg(long, value_name = "BUCKET", default_value = "artifacts")]
    bucket: String,
    /// Beginning of the archives' keys, which are PREFIX followed by controller.zip, and so on
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
}

/// Runs the command and returns what it prints.
///
/// # Errors
/// Lists every mistake in the file, or names the file that cannot be written.
pub fn run(args: &RenderArgs) -> Result<String> {
    let (place, effective) = read(&args.file)?;
    let names = Names { project: effective.file.deployment.project.clone(), environment: args.file.environment_name() };
    let stacks = stacks(&effective, &names, &code(args));
    fs::create_dir_all(&args.output).with_context(|| format!("{} cannot be created", args.output.display()))?;
    for stack in &stacks {
        let (template, parameters) = files(stack.role);
        write(&args.output.join(template), &stack.template)?;
        write(&args.output.join(parameters), &parameters_of(stack))?;
    }
    write(&args.output.join(DEFINITION), STATE_MACHINE)?;
    Ok(format!("{place}: rendered to {}\n\n{}", args.output.display(), next_steps(args, &stacks)))
}

fn code(args: &RenderArgs) -> Code {
    let key = |name: &str| format!("{}{name}", args.prefix);
    let functions = FUNCTIONS.iter().map(|function| (*function, key(&format!("{function}.zip"))));
    Code { bucket: args.bucket.clone(), functions: functions.collect(), state_machine: key(DEFINITION) }
}

/// Returns the names of a stack's template file and parameter file.
const fn files(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Data => ("data.yaml", "data.parameters.json"),
        Role::Main => ("main.yaml", "main.parameters.json"),
        Role::Monitoring => ("monitoring.json", "monitoring.parameters.json"),
    }
}

/// Formats a stack's parameters for the AWS CLI's options that read parameters from a file.
fn parameters_of(stack: &Stack) -> String {
    let entry = |(name, value): (&String, &String)| json!({ "ParameterKey": name, "ParameterValue": value });
    let entries: Vec<Value> = stack.parameters.iter().map(entry).collect();
    format!("{:#}\n", Value::from(entries))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn next_steps(args: &RenderArgs, stacks: &[Stack]) -> String {
    let code = code(args);
    let keys: BTreeMap<_, _> = code.functions.iter().collect();
    let archives: Vec<_> = keys.values().map(|key| format!("  s3://{}/{key}", code.bucket)).collect();
    let order: Vec<_> = stacks.iter().map(|stack| format!("  {}  {}", files(stack.role).0, stack.name)).collect();
    format!(
        "Upload first:\n{}\n  s3://{}/{}  ({DEFINITION})\nThen deploy in this order:\n{}",
        archives.join("\n"),
        code.bucket,
        code.state_machine,
        order.join("\n"),
    )
}
