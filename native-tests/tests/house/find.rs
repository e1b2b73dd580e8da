//! What is wrong with one file. The rules and their samples are in `main.rs`.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::{
    COLUMNS, EXTERN_FILE, FORBIDDEN, Fault, LINES_PER_FILE, LINES_PER_FUNCTION, Source,
    UNSAFE_FILES,
};

pub fn opening(source: &Source) -> Vec<Fault> {
    let good = source.text.starts_with("//! ");
    if good {
        Vec::new()
    } else {
        vec![(1, "the first line is no `//!` comment".into())]
    }
}

pub fn file_length(source: &Source) -> Vec<Fault> {
    let lines = source.text.lines().count();
    if lines <= LINES_PER_FILE {
        Vec::new()
    } else {
        vec![(lines, format!("{lines} lines"))]
    }
}

pub fn columns(source: &Source) -> Vec<Fault> {
    faults_by_line(source, |line| {
        let columns = line.chars().count();
        if line.contains('\t') {
            return Some("a tab".into());
        }
        (columns > COLUMNS).then(|| format!("{columns} columns"))
    })
}

pub fn function_lengths(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(source, &mut |trees| {
        for (at, start) in trees
            .iter()
            .enumerate()
            .filter(|(_, tree)| is_word(tree, "fn"))
        {
            // `fn(` is a type. What is left is a function with a body or, in a trait, without.
            let body = trees[at + 1..]
                .iter()
                .take_while(|tree| !is_mark(tree, ';'))
                .find(is_braces);
            let is_type = trees
                .get(at + 1)
                .is_some_and(|tree| matches!(tree, TokenTree::Group(_)));
            let (Some(body), false) = (body, is_type) else {
                continue;
            };
            let lines = body.span().end().line + 1 - line_of(start);
            if lines > LINES_PER_FUNCTION {
                faults.push((line_of(start), format!("a function of {lines} lines")));
            }
        }
    });
    faults
}

pub fn unsafe_files(source: &Source) -> Vec<Fault> {
    if UNSAFE_FILES.contains(&source.path.as_str()) {
        return Vec::new();
    }
    faults_by_tokens(source, |trees| {
        is_word(&trees[0], "unsafe").then(|| "unsafe".into())
    })
}

pub fn unsafe_reasons(source: &Source) -> Vec<Fault> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let found = faults_by_tokens(source, |trees| {
        let next = trees.get(1)?;
        let explained = is_braces(&next) || is_word(next, "impl");
        (is_word(&trees[0], "unsafe") && explained).then(|| "unsafe without `// SAFETY:`".into())
    });
    found
        .into_iter()
        .filter(|(line, _)| !is_explained(&lines[..line - 1]))
        .collect()
}

/// Whether the comment above the statement that these lines end in gives the reason.
fn is_explained(above: &[&str]) -> bool {
    let is_comment = |line: &&&str| line.starts_with("//");
    let statement = above.iter().rev().take_while(|line| {
        !line.starts_with("//") && !line.is_empty() && !line.ends_with([';', '{', '}'])
    });
    let rest = &above[..above.len() - statement.count()];
    rest.iter()
        .rev()
        .take_while(is_comment)
        .any(|line| line.starts_with("// SAFETY: "))
}

pub fn extern_blocks(source: &Source) -> Vec<Fault> {
    if source.path == EXTERN_FILE {
        return Vec::new();
    }
    faults_by_tokens(source, |trees| {
        let mut after = trees[1..]
            .iter()
            .filter(|tree| !matches!(tree, TokenTree::Literal(_)));
        let block =
            is_word(&trees[0], "extern") && after.next().is_some_and(|tree| is_braces(&tree));
        block.then(|| "a block of foreign functions".into())
    })
}

pub fn operating_systems(source: &Source) -> Vec<Fault> {
    faults_by_tokens(source, |trees| {
        is_word(&trees[0], "target_os").then(|| "an OS's name".into())
    })
}

pub fn dead_code(source: &Source) -> Vec<Fault> {
    faults_by_tokens(source, |trees| {
        let [lint, TokenTree::Group(names), ..] = trees else {
            return None;
        };
        let mut names = names.stream().into_iter();
        let dead = names.any(|name| is_word(&name, "dead_code"));
        let quiet = is_word(lint, "allow") || is_word(lint, "expect");
        (dead && quiet).then(|| "dead code is allowed".into())
    })
}

pub fn unnumbered(source: &Source) -> Vec<Fault> {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    faults_by_line(source, |line| {
        let (word, (_, rest)) = words
            .iter()
            .find_map(|word| Some((word, line.split_once(word)?)))?;
        let numbered = rest
            .strip_prefix("(#")
            .is_some_and(|rest| rest.starts_with(char::is_numeric));
        (!numbered).then(|| format!("a {word} without its issue: (#number)"))
    })
}

pub fn forbidden(source: &Source) -> Vec<Fault> {
    faults_by_line(source, |line| {
        FORBIDDEN
            .iter()
            .find(|word| line.contains(**word))
            .map(|word| format!("mentions `{word}`"))
    })
}

fn faults_by_line(source: &Source, find: impl Fn(&str) -> Option<String>) -> Vec<Fault> {
    let lines = source.text.lines().enumerate();
    lines
        .filter_map(|(index, line)| Some((index + 1, find(line)?)))
        .collect()
}

/// What `find` says of each token with all that follow it in its group, the token first.
fn faults_by_tokens(source: &Source, find: impl Fn(&[TokenTree]) -> Option<String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(source, &mut |trees| {
        for at in 0..trees.len() {
            faults.extend(find(&trees[at..]).map(|fault| (line_of(&trees[at]), fault)));
        }
    });
    faults
}

/// Visits the tokens of the file and those of every group within, macros' bodies included.
fn walk(source: &Source, visit: &mut dyn FnMut(&[TokenTree])) {
    fn within(stream: TokenStream, visit: &mut dyn FnMut(&[TokenTree])) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        visit(&trees);
        for tree in trees {
            if let TokenTree::Group(group) = tree {
                within(group.stream(), visit);
            }
        }
    }
    let tokens = TokenStream::from_str(&source.text)
        .unwrap_or_else(|error| panic!("{}: {error}", source.path));
    within(tokens, visit);
}

fn line_of(tree: &TokenTree) -> usize {
    tree.span().start().line
}

fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_braces(tree: &&TokenTree) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}
