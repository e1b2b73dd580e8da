//! The API list as code: every line becomes one function whose body compiles only if the library
//! has that item, with that signature. A line that this file cannot read is an error, never
//! skipped.
//!
//! A method becomes a coercion to a function pointer, and one that the list shows without type
//! parameters is also named without any type to infer them from, so that a more general one is
//! noticed. An impl becomes a trait bound, an associated type a comparison of types.

use std::fmt::Write;

/// Where the list names a private module, with the public path of the same item.
const PUBLIC_PATHS: &[(&str, &str)] = &[
    ("core::net::socket_addr::", "core::net::"),
    ("core::net::ip_addr::", "core::net::"),
    ("core::iter::traits::collect::", "core::iter::"),
    ("core::iter::traits::iterator::", "core::iter::"),
    ("core::ops::function::", "core::ops::"),
    ("core::ops::bit::", "core::ops::"),
    ("core::ops::drop::", "core::ops::"),
    ("alloc::boxed::", "std::boxed::"),
    ("std::io::error::", "std::io::"),
    ("std::net::tcp::", "std::net::"),
    ("std::net::udp::", "std::net::"),
    ("std::os::fd::owned::", "std::os::fd::"),
    ("std::os::fd::raw::", "std::os::fd::"),
    ("std::ffi::os_str::", "std::ffi::"),
    ("std::os::windows::io::raw::", "std::os::windows::io::"),
    ("std::os::windows::io::socket::", "std::os::windows::io::"),
    ("std::os::unix::net::addr::", "std::os::unix::net::"),
    ("std::os::unix::net::datagram::", "std::os::unix::net::"),
    ("std::os::unix::net::listener::", "std::os::unix::net::"),
    ("std::os::unix::net::stream::", "std::os::unix::net::"),
];

/// Its impl may be written or come of what the type holds, and its method cannot be named.
const DROP: &str = "core::ops::Drop";

/// The impl or trait that the lines after it belong to.
#[derive(Default)]
struct Block {
    generics: String,
    bounds: String,
    /// As the list writes it, at the start of each path.
    written: String,
    /// The same with every lifetime named.
    subject: String,
    interface: Option<String>,
}

/// The code for a whole list, and `ASSERTED`: the kind of each line in order.
pub fn generate(list: &str) -> Result<String, String> {
    let mut code = String::new();
    let mut kinds = String::new();
    let mut block = Block::default();
    for (index, original) in list.lines().enumerate() {
        let mut line = original.to_owned();
        for (private, public) in PUBLIC_PATHS {
            line = line.replace(private, public);
        }
        let (kind, item) = assertion(&line, &format!("_line_{}", index + 1), &mut block)
            .ok_or_else(|| format!("line {}: cannot read `{original}`", index + 1))?;
        writeln!(code, "// {original}\n{item}").expect("a String takes everything");
        writeln!(kinds, "    {kind:?},").expect("a String takes everything");
    }
    Ok(format!(
        "{code}\npub const ASSERTED: &[&str] = &[\n{kinds}];\n"
    ))
}

/// The kind of one line and its assertion under `name`.
fn assertion(line: &str, name: &str, block: &mut Block) -> Option<(&'static str, String)> {
    let line = line.strip_prefix("#[repr(transparent)] ").unwrap_or(line);
    if let Some(path) = line.strip_prefix("pub mod ") {
        *block = Block::default();
        return Some((
            "module",
            format!("#[allow(unused_imports)]\nuse {path} as {name};"),
        ));
    }
    if let Some(item) = line.strip_prefix("pub struct ") {
        *block = Block::default();
        return Some(("type", structure(item, name)?));
    }
    if let Some(path) = line.strip_prefix("pub trait ") {
        *block = Block {
            generics: "<S: ?Sized>".into(),
            bounds: format!(" where S: {path}"),
            written: path.into(),
            subject: "S".into(),
            interface: Some(path.into()),
        };
        return Some((
            "trait",
            format!("fn {name}<S: {path} + ?Sized>(_: &dyn {path}) {{}}"),
        ));
    }
    if line.starts_with("impl") {
        *block = opened_by(line)?;
        return Some(("impl", implementation(block, name)));
    }
    if let Some(item) = line.strip_prefix("pub type ") {
        return Some(("associated type", associated_type(item, name, block)?));
    }
    for (prefix, qualifier) in [
        ("pub fn ", ""),
        ("pub const fn ", "const "),
        ("pub unsafe fn ", "unsafe "),
    ] {
        if let Some(item) = line.strip_prefix(prefix) {
            return Some(("function", function(item, qualifier, name, block)?));
        }
    }
    let (path, kind) = line.strip_prefix("pub const ")?.split_once(": ")?;
    Some((
        "constant",
        format!("fn {name}() {{ const _: {kind} = {path}; }}"),
    ))
}

/// `path<'a>(fields)`: the type exists, and its public fields can be given and read.
fn structure(item: &str, name: &str) -> Option<String> {
    let (path, fields) = item.split_once('(').unwrap_or((item, "_)"));
    let (path, generics) = split_generics(path);
    let Some(field) = fields.strip_suffix(')')?.strip_prefix("pub ") else {
        return Some(format!("fn {name}{generics}(_: &{path}{generics}) {{}}"));
    };
    Some(format!(
        "fn {name}{generics}(field: {field}) -> {field} {{\n    \
         let make: fn({field}) -> {path}{generics} = {path};\n    \
         let {path}(field) = make(field);\n    make(field).0\n}}"
    ))
}

/// `impl<…> Trait for Type where …` or `impl Type`.
fn opened_by(line: &str) -> Option<Block> {
    let rest = line.strip_prefix("impl")?;
    let (generics, rest) = match rest.strip_prefix('<') {
        Some(rest) => rest
            .split_once('>')
            .map(|(inner, rest)| (format!("<{inner}>"), rest))?,
        None => (String::new(), rest),
    };
    let (rest, bounds) = split_where(rest.strip_prefix(' ')?);
    let (interface, subject) = match rest.split_once(" for ") {
        Some((interface, subject)) => (Some(interface.to_owned()), subject),
        None => (None, rest),
    };
    let written = subject.to_owned();
    let block = match subject.strip_prefix('&') {
        Some(inner) if !inner.starts_with('\'') => Block {
            generics: "<'s>".into(),
            bounds,
            written,
            subject: format!("&'s {inner}"),
            interface,
        },
        _ => Block {
            generics,
            bounds,
            subject: written.clone(),
            written,
            interface,
        },
    };
    Some(block)
}

fn implementation(block: &Block, name: &str) -> String {
    let Block {
        generics,
        bounds,
        subject,
        interface,
        ..
    } = block;
    match interface {
        None => format!("fn {name}{generics}(_: &{subject}){bounds} {{}}"),
        Some(interface) if interface == DROP => does_something_when_dropped(subject),
        Some(interface) => format!(
            "fn {name}{generics}(){bounds} {{\n    fn holds<X: {interface}>() {{}}\n    \
             holds::<{subject}>()\n}}"
        ),
    }
}

fn does_something_when_dropped(subject: &str) -> String {
    format!("const _: () = assert!(std::mem::needs_drop::<{subject}>());")
}

/// `Subject::Name = Type`, of the trait that the block implements.
fn associated_type(item: &str, name: &str, block: &Block) -> Option<String> {
    let (path, expected) = item.split_once(" = ")?;
    let associated = path.strip_prefix(&block.written)?.strip_prefix("::")?;
    let Block {
        generics,
        subject,
        interface,
        ..
    } = block;
    let interface = interface.as_ref()?;
    // Inside a Vec nothing coerces: the two types are the same or this does not compile.
    Some(format!(
        "fn {name}{generics}(given: Vec<<{subject} as {interface}>::{associated}>)\n    \
         -> Vec<{expected}>\n{{\n    given\n}}"
    ))
}

/// `path::name<generics>(arguments) -> Type where …`, a method of the block or a free function.
fn function(item: &str, qualifier: &str, name: &str, block: &Block) -> Option<String> {
    let (item, bounds) = split_where(item);
    let (head, result) = match item.rsplit_once(" -> ") {
        Some((head, result)) => (head, format!(" -> {result}")),
        None => (item, String::new()),
    };
    let (path, arguments) = head.strip_suffix(')')?.split_once('(')?;
    let method = path
        .strip_prefix(&block.written)
        .and_then(|rest| rest.strip_prefix("::"));
    let (callee, own, block) = match method.filter(|_| !block.written.is_empty()) {
        Some(method) => {
            let (method, own) = split_generics(method);
            let owner = match &block.interface {
                Some(interface) => format!("{} as {interface}", block.subject),
                None => block.subject.clone(),
            };
            (format!("<{owner}>::{method}"), own, block)
        }
        None => (path.to_owned(), "", &Block::default()),
    };
    let subject = &block.subject;
    if block.interface.as_deref() == Some(DROP) {
        return Some(does_something_when_dropped(subject));
    }
    let pointer = typed(&format!("fn({arguments}){result}"), block);
    let unsafety = if qualifier == "unsafe " {
        qualifier
    } else {
        ""
    };
    let generics = joined(&block.generics, own);
    let bounds = joined_bounds(&block.bounds, bounds);
    let named = match own {
        "" => format!("let _ = {callee};\n    let _: {unsafety}{pointer} = {callee};"),
        own => format!(
            "let _: {unsafety}{pointer} = {callee}::{};",
            without_bounds(own)
        ),
    };
    let mut code = format!("fn {name}{generics}(){bounds} {{\n    {named}\n}}");
    if qualifier == "const " {
        let takes: Vec<String> = arguments
            .split(", ")
            .enumerate()
            .map(|(i, kind)| format!("a{i}: {kind}"))
            .collect();
        let takes = takes
            .join(", ")
            .replace("a0: self", &format!("a0: {subject}"));
        let gives: Vec<String> = (0..arguments.split(", ").count())
            .map(|i| format!("a{i}"))
            .collect();
        write!(
            code,
            "\nconst fn {name}_const({takes}){result} {{ {callee}({}) }}",
            gives.join(", ")
        )
        .expect("a String takes everything");
    }
    Some(code)
}

/// A signature with every form of `self` replaced by its type.
fn typed(signature: &str, block: &Block) -> String {
    let subject = &block.subject;
    let associated = match &block.interface {
        Some(interface) => format!("<{subject} as {interface}>::"),
        None => format!("{subject}::"),
    };
    let mut text = signature
        .replace("Self::", &associated)
        .replace("Self", subject);
    for (receiver, kind) in [("&mut self", "&mut "), ("&self", "&"), ("self", "")] {
        for end in [")", ","] {
            let typed = format!("({kind}{subject}{end}");
            text = text.replacen(&format!("({receiver}{end}"), &typed, 1);
        }
    }
    text
}

fn split_where(text: &str) -> (&str, String) {
    match text.split_once(" where ") {
        Some((head, bounds)) => (head, format!(" where {bounds}")),
        None => (text, String::new()),
    }
}

/// A path's last segment may carry generics: `name<…>`.
fn split_generics(path: &str) -> (&str, &str) {
    path.split_at(path.find('<').unwrap_or(path.len()))
}

/// `<F: Bound, T>` as the arguments `<F, T>`.
fn without_bounds(generics: &str) -> String {
    let inner = generics
        .trim_start_matches('<')
        .strip_suffix('>')
        .unwrap_or_default();
    let names: Vec<&str> = inner
        .split(", ")
        .map(|one| one.split(':').next().unwrap_or_default())
        .collect();
    format!("<{}>", names.join(", "))
}

fn joined(outer: &str, own: &str) -> String {
    match (outer, own) {
        (one, "") | ("", one) => one.to_owned(),
        (outer, own) => format!("{}, {}", &outer[..outer.len() - 1], &own[1..]),
    }
}

fn joined_bounds(outer: &str, own: String) -> String {
    match (outer, own.as_str()) {
        (one, "") | ("", one) => one.to_owned(),
        (outer, own) => format!("{outer}, {}", own.trim_start_matches(" where ")),
    }
}
