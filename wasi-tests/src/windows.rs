//! What Windows cannot show, or Wine (10.0) in its place. The library passes on what they say.

/// The cases that need what is lacking, and what that is.
const LACKING: &[(&str, &[&str])] = &[];

/// Why this case cannot be shown here.
pub(crate) fn lacks(name: &str) -> Option<&'static str> {
    let holds = |(_, cases): &&(_, &[&str])| cases.contains(&name);
    let lacking = LACKING.iter().find(holds)?;
    cfg!(windows).then_some(lacking.0)
}
