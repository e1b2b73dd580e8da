//! Version numbers as tools print them.

use std::fmt;

/// Three numbers, ordered as versions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version in `text`: `wasmedge version 0.14.1`, `0.17.0-rc.2`, `v1.2`.
    pub fn find(text: &str) -> Option<Version> {
        text.split_whitespace().find_map(Version::parse)
    }

    fn parse(word: &str) -> Option<Version> {
        let word = word.strip_prefix('v').unwrap_or(word);
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(word.len());
        let numbers: Vec<u32> = word[..end]
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        match numbers[..] {
            [major, minor] => Some(Version(major, minor, 0)),
            [major, minor, patch, ..] => Some(Version(major, minor, patch)),
            _ => None,
        }
    }

    /// Whether both belong to the same minor line.
    pub fn same_line(self, other: Version) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Whether a package's version, such as `1:1.95.0+dfsg1-1`, is that of the release `1.95.0`.
pub fn is_release(package: &str, release: &str) -> bool {
    let upstream = package
        .split_once(':')
        .map_or(package, |(_epoch, rest)| rest);
    upstream
        .strip_prefix(release)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_among_words() {
        let first = "wasmedge version 0.14.1\n (plugin \"wasi_logging\") version 0.1.0.0";
        assert_eq!(Version::find(first), Some(Version(0, 14, 1)));
        assert_eq!(
            Version::find("wasmedge version 0.17.0-rc.2"),
            Some(Version(0, 17, 0))
        );
        assert_eq!(Version::find("v1.2"), Some(Version(1, 2, 0)));
        assert_eq!(Version::find("no number here, not even 7 or x.1.2"), None);
        assert_eq!(Version::find(""), None);
    }

    #[test]
    fn versions_are_ordered_by_number_not_by_letter() {
        assert!(Version(0, 9, 1) < Version(0, 14, 0));
        assert!(Version(0, 14, 0) <= Version(0, 14, 0));
        assert!(Version(0, 17, 1).same_line(Version(0, 17, 9)));
        assert!(!Version(0, 17, 1).same_line(Version(1, 17, 1)));
    }

    #[test]
    fn a_package_version_matches_its_release_only() {
        assert!(is_release("1.95.0+dfsg1-1~bpo13+1", "1.95.0"));
        assert!(is_release("2:1.95.0-1", "1.95.0"));
        assert!(is_release("1.95.0", "1.95.0"));
        assert!(!is_release("1.95.01-1", "1.95.0"));
        assert!(!is_release("1.95.0.1-1", "1.95.0"));
        assert!(!is_release("1.96.0+dfsg1-1", "1.95.0"));
    }
}
