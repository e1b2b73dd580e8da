//! apt's configuration for a private state of its own: pure text, so that it can be tested.
//!
//! The machine's package manager is used as a program only. It gets its own lists, its own idea of
//! what is installed and its own source, whose signatures it checks with Debian's own keys.

use std::path::Path;

/// The packages that a machine has in its own way (or that unpacked programs never call): apt is
/// told they are installed, so that it fetches neither a C compiler nor Perl.
const STAND_INS: [(&str, Option<&str>); 7] = [
    ("gcc", Some("c-compiler")),
    ("libc6-dev", Some("libc-dev")),
    ("binutils", None),
    ("perl", None),
    ("dpkg", None),
    ("debconf", None),
    ("ca-certificates", None),
];

/// A machine's architecture in Debian's words, and where its packages keep things. Only amd64 has
/// been tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    pub name: &'static str,
    /// The folder of libraries under `usr/lib`.
    pub libraries: &'static str,
    /// The dynamic loader, from the root of an unpacked tree.
    pub loader: &'static str,
}

const ARCHS: [Arch; 2] = [
    Arch {
        name: "amd64",
        libraries: "usr/lib/x86_64-linux-gnu",
        loader: "usr/lib64/ld-linux-x86-64.so.2",
    },
    Arch {
        name: "arm64",
        libraries: "usr/lib/aarch64-linux-gnu",
        loader: "usr/lib/ld-linux-aarch64.so.1",
    },
];

impl Arch {
    pub fn named(name: &str) -> Option<Arch> {
        ARCHS.into_iter().find(|arch| arch.name == name)
    }
}

/// The file of installed packages that apt is shown.
pub fn status(arch: Arch) -> String {
    let mut text = String::new();
    for (package, provides) in STAND_INS {
        text.push_str(&format!(
            "Package: {package}\nStatus: install ok installed\nArchitecture: {}\n\
             Multi-Arch: foreign\nMaintainer: none\nVersion: 99:9\nDescription: stand-in\n",
            arch.name
        ));
        if let Some(provides) = provides {
            text.push_str(&format!("Provides: {provides}\n"));
        }
        text.push('\n');
    }
    text
}

/// The one line of sources.
pub fn source(arch: Arch, keyring: &Path, mirror: &str, suite: &str) -> String {
    let keyring = keyring.display();
    format!(
        "deb [arch={} signed-by={keyring}] {mirror} {suite} main\n",
        arch.name
    )
}

/// The configuration; `state` is the folder that holds everything it names, `network` what the
/// machine's own configuration says of proxies.
pub fn config(arch: Arch, state: &Path, network: &str) -> String {
    let state = state.display();
    let arch = arch.name;
    format!(
        "Dir::State \"{state}\";\n\
         Dir::State::lists \"{state}/lists\";\n\
         Dir::State::status \"{state}/status\";\n\
         Dir::Cache \"{state}\";\n\
         Dir::Cache::archives \"{state}/archives\";\n\
         Dir::Cache::pkgcache \"\";\n\
         Dir::Cache::srcpkgcache \"\";\n\
         Dir::Log \"{state}\";\n\
         Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"{state}/none\";\n\
         Dir::Etc::sourcelist \"{state}/sources.list\";\n\
         Dir::Etc::sourceparts \"{state}/none\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"{state}/none\";\n\
         APT::Architecture \"{arch}\";\n\
         APT::Architectures {{ \"{arch}\"; }};\n\
         APT::Sandbox::User \"\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Get::Assume-Yes \"true\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::GzipIndexes \"true\";\n\
         Acquire::Retries \"3\";\n\
         Acquire::http::Timeout \"30\";\n\
         Acquire::Check-Valid-Until \"false\";\n\
         Debug::NoLocking \"1\";\n\
         {network}"
    )
}

/// The lines of `apt-config dump` that say how the machine reaches the network.
pub fn network(dump: &str) -> String {
    let wanted = |line: &&str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("acquire::http::proxy") || line.starts_with("acquire::https::")
    };
    dump.lines()
        .filter(wanted)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The first of the machine's own sources that is a whole Debian archive.
pub fn mirror(index_targets: &str) -> Option<String> {
    let whole = |line: &&str| line.trim_end_matches('/').ends_with("/debian");
    index_targets
        .lines()
        .map(str::trim)
        .find(whole)
        .map(String::from)
}

/// The name of the release in `/etc/os-release`.
#[cfg(target_os = "linux")]
pub fn codename(os_release: &str) -> Option<String> {
    let value = |line: &str| {
        let value = line.strip_prefix("VERSION_CODENAME=")?;
        Some(value.trim().trim_matches('"').to_string())
    };
    os_release.lines().find_map(value)
}

/// The versions in the answer of `apt-cache madison`.
pub fn versions(madison: &str) -> Vec<String> {
    let second = |line: &str| {
        line.split('|')
            .nth(1)
            .map(|version| version.trim().to_string())
    };
    madison
        .lines()
        .filter_map(second)
        .filter(|version| !version.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMD64: Arch = ARCHS[0];

    #[test]
    fn every_path_of_the_configuration_is_private() {
        let text = config(AMD64, Path::new("/p/state"), "");
        for line in text.lines().filter(|line| line.starts_with("Dir::")) {
            let none = line.ends_with("\"/dev/null\";") || line.ends_with("cache \"\";");
            let private = none || line.contains("\"/p/state");
            assert!(private, "{line}");
        }
        assert!(text.contains("APT::Architectures { \"amd64\"; };"));
        let unchecked = ["AllowInsecure", "AllowUnauthenticated", "AllowWeak"];
        assert!(!unchecked.iter().any(|word| text.contains(word)));
    }

    #[test]
    fn the_source_names_the_keys_that_must_have_signed_it() {
        let keyring = Path::new("/k.gpg");
        let line = source(AMD64, keyring, "http://m/debian", "trixie");
        assert_eq!(
            line,
            "deb [arch=amd64 signed-by=/k.gpg] http://m/debian trixie main\n"
        );
    }

    #[test]
    fn stand_ins_are_separate_paragraphs() {
        let text = status(AMD64);
        assert_eq!(
            text.matches("Status: install ok installed\n").count(),
            STAND_INS.len()
        );
        assert_eq!(text.matches("\n\n").count(), STAND_INS.len());
        assert!(text.contains("Provides: c-compiler\n\n"));
    }

    #[test]
    fn proxies_are_kept_and_nothing_else() {
        let dump = "Acquire::http::Proxy \"http://p:1\";\nAcquire::Languages \"none\";\n\
                    Acquire::https::Verify-Peer \"1\";\nDir \"/\";\n";
        let kept = network(dump);
        assert_eq!(kept.lines().count(), 2);
        assert!(kept.contains("http://p:1") && kept.contains("Verify-Peer"));
    }

    #[test]
    fn a_security_archive_is_no_mirror() {
        let targets = "http://m/debian-security/\nhttp://m/ubuntu\nhttp://m/debian/\n";
        assert_eq!(mirror(targets).as_deref(), Some("http://m/debian/"));
        assert_eq!(mirror("http://m/ubuntu\n"), None);
    }

    #[test]
    fn versions_are_the_second_column() {
        let madison = " rust-src | 1.95.0+dfsg1-1 | http://m sid/main all Packages\n\
                       rust-src | 1.94.1-1 | http://m x\n";
        assert_eq!(versions(madison), ["1.95.0+dfsg1-1", "1.94.1-1"]);
        assert!(versions("").is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_release_is_known_by_its_name() {
        let text = "NAME=\"Debian\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(codename(text).as_deref(), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\"x\"").as_deref(), Some("x"));
        assert_eq!(codename("ID=gentoo\n"), None);
    }

    #[test]
    fn an_unknown_machine_is_unknown() {
        assert_eq!(Arch::named("amd64"), Some(AMD64));
        assert_eq!(Arch::named("m68k"), None);
    }
}
