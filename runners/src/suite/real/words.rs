//! What the servers say of how to try them, typed as it stands.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::program::Program;
use super::scene::{PROXIES, Scene};
use crate::prepare::tools::{CURL, REDIS_BENCHMARK, REDIS_CLI, Tool, WRK};
use crate::process;

/// What must be there.
pub const TOOLS: [Tool; 4] = [CURL, WRK, REDIS_CLI, REDIS_BENCHMARK];

/// How long a command may take. It only ends a hang.
const LIMIT: Duration = Duration::from_secs(60);

/// A status that is an error ends curl, which knows nothing of a proxy here.
const CURL_SETTINGS: &str = "fail\nsilent\nshow-error\n";

/// Programs of which some machine has none, and the project can do without.
const OPTIONAL: [&str; 1] = ["dig"];

/// What makes commands short that would take long: wrk goes on for ten seconds if it is not told
/// otherwise, and redis-benchmark for a hundred thousand requests of each of twenty kinds.
const BRIEFLY: [(Tool, &str); 2] = [(WRK, " -d 1s"), (REDIS_BENCHMARK, " -n 2000")];

pub fn as_typed(scene: &Scene) -> Result<()> {
    let folder = Folder::new(scene)?;
    let hello = scene.serve("http_hello")?;
    folder.type_all(scene, &hello)?;
    let proxy = scene.serve_with("http_proxy", &[&hello.address.to_string()], &[])?;
    folder.type_all(scene, &proxy)?;
    folder.type_all(scene, &scene.serve("udp_names")?)?;
    let mut redis = scene.serve("redis_server")?;
    folder.type_all(scene, &redis)?;
    let status = redis.ends().context("redis_server was asked to")?;
    ensure!(status.success(), "redis_server: {status}");

    let files = folder.path.join("files");
    let args = ["--files", &files.to_string_lossy()];
    let mut service = scene.serve_with("http_service", &args, &[&files])?;
    folder.type_all(scene, &service)?;
    let status = service.ends().context("http_service was asked to")?;
    ensure!(status.success(), "http_service: {status}");
    Ok(())
}

/// Where the commands are typed.
struct Folder {
    path: PathBuf,
    search: String,
}

impl Folder {
    fn new(scene: &Scene) -> Result<Folder> {
        let path = scene.file("folder");
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("files")).context("cannot create a folder")?;
        for (name, text) in [
            ("Cargo.toml", "to be sent"),
            ("files/some.txt", "to be fetched"),
            (".curlrc", CURL_SETTINGS),
        ] {
            fs::write(path.join(name), text).context("cannot write a file")?;
        }
        let tools = TOOLS.map(|tool| tool.find_or_fetch());
        let tools = tools.into_iter().collect::<Result<Vec<_>>>()?;
        let tools = tools.iter().filter_map(|tool| tool.parent());
        let search = env::var_os("PATH").unwrap_or_default();
        let search = env::join_paths(
            tools
                .map(Path::to_path_buf)
                .chain(env::split_paths(&search)),
        )?;
        let search = search.to_string_lossy().into_owned();
        Ok(Folder { path, search })
    }

    /// Every command that the server has printed, in its order.
    fn type_all(&self, scene: &Scene, server: &Program) -> Result<()> {
        // It prints them all before it waits for anybody.
        server.wait_until("asleep", || server.is_asleep())?;
        let printed = server.printed()?;
        let lines = printed
            .lines()
            .filter_map(|line| line.strip_prefix("try: "));
        let lines: Vec<&str> = lines.collect();
        ensure!(
            !lines.is_empty(),
            "it does not say how to try it:\n{printed}"
        );
        for (number, line) in lines.iter().enumerate() {
            let log = scene.file(&format!("{}-{number}.log", server.address.port()));
            let typed = self.type_one(line, &log);
            typed.with_context(|| format!("typed: {line}"))?;
        }
        Ok(())
    }

    fn type_one(&self, line: &str, log: &Path) -> Result<()> {
        let program = line.split(' ').next().unwrap_or_default();
        let have = env::split_paths(&self.search).any(|folder| folder.join(program).exists());
        if OPTIONAL.contains(&program) && !have {
            return Ok(());
        }
        let brief = BRIEFLY.iter().find(|(tool, _)| tool.name == program);
        let brief = brief.map_or("", |(_, option)| option);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{line}{brief}"));
        shell.current_dir(&self.path).env("PATH", &self.search);
        shell.env("CURL_HOME", &self.path);
        for name in PROXIES {
            shell.env_remove(name);
        }
        let mut child = process::spawn_logged(&mut shell, log)?;
        let status = process::wait(&mut child, LIMIT, || {})?;
        let said = fs::read(log).context("no log")?;
        let said = String::from_utf8_lossy(&said);
        let status = status.with_context(|| format!("it does not end:\n{said}"))?;
        let failed = ["Socket errors", "Non-2xx"]
            .iter()
            .any(|sign| said.contains(sign));
        ensure!(status.success() && !failed, "{status}:\n{said}");
        Ok(())
    }
}
