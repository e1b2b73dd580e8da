//! Every command that the workflow runs exists here, as do those of `.ci/run`: a file, an alias of
//! cargo's, the command of `runners` with just these options, a package with that test. A word
//! that this cannot judge is an error.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::WORKFLOW;
use crate::{Cli, process, project, typecheck};

/// Programs of others, whose arguments are theirs to judge.
const OUTSIDE: &[&str] = &["apt-get", "bash", "curl", "exit", "pkg", "rustup"];
/// Options of cargo's that are followed by nothing that could be missing.
const PLAIN: &[&str] = &[
    "--all",
    "--all-features",
    "--all-targets",
    "--check",
    "--doc",
    "--lib",
    "--no-default-features",
    "--no-fail-fast",
    "--quiet",
    "--workspace",
];

fn read(path: &str) -> String {
    fs::read_to_string(project::root().join(path)).expect(path)
}

fn workflow() -> Yaml {
    let mut documents = YamlLoader::load_from_str(&read(WORKFLOW)).expect("it is YAML");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// Every job by name.
fn jobs(workflow: &Yaml) -> Vec<(&str, &Yaml)> {
    let jobs = workflow["jobs"].as_hash().expect("it has jobs");
    let named = jobs
        .iter()
        .map(|(name, job)| (name.as_str().expect("a name"), job));
    named.collect()
}

/// The scripts of a job: of the machine that GitHub gives, and of the one that runs in it.
fn scripts(job: &Yaml) -> Vec<&str> {
    let mut scripts = Vec::new();
    for step in job["steps"].as_vec().expect("a job has steps") {
        let inner = &step["with"];
        scripts.extend([&step["run"], &inner["prepare"], &inner["run"]].map(Yaml::as_str));
    }
    scripts.into_iter().flatten().collect()
}

/// The commands of a script as words, without quotation marks.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut word, mut quote) = (None::<String>, None);
    for letter in script.chars().chain(['\n']) {
        match letter {
            '"' | '\'' if quote.is_none() => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            _ if quote == Some(letter) => quote = None,
            ' ' | '\n' | '|' | '&' | ';' if quote.is_none() => {
                words.extend(word.take());
                if letter != ' ' && !words.is_empty() {
                    commands.push(std::mem::take(&mut words));
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    commands
}

/// What the commands of cargo can name.
struct Project {
    aliases: Vec<(String, Vec<String>)>,
    /// cargo's own account of the packages.
    packages: Vec<Value>,
    rows: Vec<String>,
}

impl Project {
    fn read() -> Project {
        let mut cargo = project::cargo();
        cargo.current_dir(project::root());
        let answer = process::quiet(cargo.args(["metadata", "--no-deps", "--format-version=1"]));
        let mut answer: Value = serde_json::from_str(&answer.expect("cargo knows its packages"))
            .expect("cargo writes JSON");
        let Value::Array(packages) = answer["packages"].take() else {
            panic!("there are packages");
        };
        let config = read(".cargo/config.toml");
        let table = config.lines().skip_while(|line| *line != "[alias]").skip(1);
        let table = table.take_while(|line| !line.starts_with('['));
        let lines = table.filter_map(|line| line.split_once(" = "));
        // A list of strings is written alike in TOML and JSON.
        let words = |list| serde_json::from_str(list).expect("a list of words");
        let aliases = lines.map(|(name, list)| (name.to_owned(), words(list)));
        Project {
            aliases: aliases.collect(),
            packages,
            rows: super::super::rows(),
        }
    }

    fn check(&self, command: &[String]) -> Result<()> {
        let (program, args) = command.split_first().context("an empty command")?;
        match program.as_str() {
            "cargo" => self.check_cargo(args),
            path if path.contains('/') => {
                let file = project::root().join(path);
                ensure!(file.is_file(), "there is no {path}");
                Ok(())
            }
            other => {
                ensure!(OUTSIDE.contains(&other), "{other} is nothing that is known");
                Ok(())
            }
        }
    }

    fn check_cargo(&self, args: &[String]) -> Result<()> {
        let (command, rest) = args.split_first().context("cargo is to do nothing")?;
        if let Some((_, words)) = self.aliases.iter().find(|(name, _)| name == command) {
            let own = words.iter().skip_while(|word| *word != "--").skip(1);
            let line: Vec<&String> = own.chain(rest).collect();
            return self.check_runners(&line);
        }
        match command.as_str() {
            "clippy" | "fmt" | "test" => self.check_options(rest),
            other => bail!("`cargo {other}` is no command and no alias"),
        }
    }

    /// The command line of `runners` reads it, and the row of the suite is there.
    fn check_runners(&self, line: &[&String]) -> Result<()> {
        let words = ["runners"]
            .into_iter()
            .chain(line.iter().map(|word| word.as_str()));
        Cli::try_parse_from(words)?;
        if let Some(at) = line.iter().position(|word| *word == "--only") {
            let row = line.get(at + 1).context("no row")?;
            // `compare` has contestants of that name.
            let known = self.rows.contains(row) || line[0] == "compare";
            ensure!(known, "the suite has no row {row:?}");
        }
        // What is cargo's own again.
        match line.split_first() {
            Some((guest, rest)) if *guest == "guest" => {
                let rest: Vec<String> = rest.iter().map(|word| (*word).clone()).collect();
                self.check_cargo(&rest)
            }
            _ => Ok(()),
        }
    }

    fn check_options(&self, options: &[String]) -> Result<()> {
        let mut packages = Vec::new();
        let foreign = options.iter().any(|option| option == "--manifest-path");
        let mut options = options.iter().take_while(|option| *option != "--");
        while let Some(option) = options.next() {
            if PLAIN.contains(&option.as_str()) {
                continue;
            }
            let value = options
                .next()
                .with_context(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--package" if foreign => {}
                "--package" => {
                    let named = |package: &&Value| package["name"] == value.as_str();
                    let package = self.packages.iter().find(named);
                    packages.push(package.with_context(|| format!("no package {value}"))?);
                }
                "--test" => {
                    let is_test = |target: &Value| {
                        target["kind"][0] == "test" && target["name"] == value.as_str()
                    };
                    let package = packages.last().context("a test of which package?")?;
                    let targets = package["targets"].as_array().context("no targets")?;
                    ensure!(targets.iter().any(is_test), "there is no test {value}");
                }
                "--manifest-path" => {
                    ensure!(project::root().join(value).is_file(), "there is no {value}");
                }
                "--target-dir" => {}
                other => bail!("{other} is not known here"),
            }
        }
        Ok(())
    }
}

fn words(line: &str) -> Vec<String> {
    let mut commands = commands(line);
    assert_eq!(commands.len(), 1, "{line}");
    commands.remove(0)
}

#[test]
fn every_command_of_the_workflow_exists() {
    let (workflow, project) = (workflow(), Project::read());
    let mut faults = String::new();
    let mut count = 0;
    for (name, job) in jobs(&workflow) {
        for command in scripts(job).into_iter().flat_map(commands) {
            count += 1;
            if let Err(error) = project.check(&command) {
                faults += &format!("{name}: {}: {error}\n", command.join(" "));
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
    assert!(count > 15, "only {count} commands were read");
}

/// Here they are compiled, so that the first to try is not the machine there.
#[test]
fn what_runs_on_another_system_is_compiled_here() {
    let workflow = workflow();
    for (job, target) in [
        ("macos", "x86_64-apple-darwin"),
        ("freebsd", "x86_64-unknown-freebsd"),
        ("windows", "x86_64-pc-windows-msvc"),
    ] {
        let commands = scripts(&workflow["jobs"][job])
            .into_iter()
            .flat_map(commands);
        let native = |words: &Vec<String>| words.iter().any(|word| word == "native-tests");
        let native = commands.into_iter().find(native).expect("it runs them");
        let named = native.windows(2).filter(|pair| pair[0] == "--test");
        let named: Vec<&str> = named.map(|pair| pair[1].as_str()).collect();
        let target = typecheck::targets(true).find(|one| one.name == target);
        assert_eq!(named, target.expect("a known target").tests, "{job}");
    }
}

/// So that both ways to all checks, here and there, stay one.
#[test]
fn every_command_of_the_script_exists() {
    let (script, project) = (read(".ci/run"), Project::read());
    let text = script.replace("\\\n", " ");
    let steps = text
        .lines()
        .filter_map(|line| line.strip_prefix("step '")?.split_once("' "));
    let mut cargo = 0;
    for (name, command) in steps {
        let command = words(command);
        if command[0] == "cargo" {
            cargo += 1;
            project
                .check(&command)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        } else {
            assert!(script.contains(&format!("\n{}() {{", command[0])), "{name}");
        }
    }
    assert!(cargo > 8, "only {cargo} commands were read");
}

#[test]
fn one_job_waits_for_all_and_none_hangs() {
    let workflow = workflow();
    let jobs = jobs(&workflow);
    for (name, job) in &jobs {
        assert!(
            job["timeout-minutes"].as_i64().is_some(),
            "{name} has no limit"
        );
    }
    let (last, others) = jobs.split_last().expect("it has jobs");
    let waits = last.1["needs"].as_vec().expect("it waits");
    let waits: BTreeSet<&str> = waits.iter().filter_map(Yaml::as_str).collect();
    assert_eq!(waits, others.iter().map(|(name, _)| *name).collect());
    let condition = last.1["steps"][0]["if"]
        .as_str()
        .expect("it asks how they ended");
    let asked = condition
        .split('\'')
        .find(|words| words.contains("success"));
    let asked = asked.expect("it asks for success").split(' ');
    assert_eq!(asked.collect::<Vec<_>>(), vec!["success"; others.len()]);
}

#[test]
fn a_script_is_read_as_a_shell_reads_it() {
    let script = "curl -f \"$URL x\" | bash -s -- -v 1\ncargo test \\\n  --lib && exit 1";
    let expected: [&[&str]; 4] = [
        &["curl", "-f", "$URL x"],
        &["bash", "-s", "--", "-v", "1"],
        &["cargo", "test", "--lib"],
        &["exit", "1"],
    ];
    assert_eq!(commands(script), expected);
}

#[test]
fn what_is_not_there_is_found() {
    let project = Project::read();
    for right in [
        "cargo suite --full",
        "cargo runners typecheck --full",
        "cargo test --no-fail-fast --package native-tests --test api --test unix",
        "cargo guest clippy --package wasi-tests --all-targets -- -D warnings",
        ".ci/run",
    ] {
        project
            .check(&words(right))
            .unwrap_or_else(|error| panic!("{right}: {error}"));
    }
    for wrong in [
        "cargo suites",
        "cargo suite --fuller",
        "cargo suite --only abacus",
        "cargo runners typecheck x86_64-unknown-abacus",
        "cargo test --package abacus",
        "cargo test --package native-tests --test abacus",
        "cargo test --test api",
        "cargo test --release-the --lib",
        "cargo fmt --manifest-path abacus/Cargo.toml",
        "cargo guest abacus",
        ".ci/walk",
        "make all",
    ] {
        assert!(project.check(&words(wrong)).is_err(), "{wrong}");
    }
}
