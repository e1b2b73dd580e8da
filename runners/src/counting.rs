//! A module rewritten so that it counts its calls to the host, each by its name.
//!
//! Behind its functions stands one more for each import, which adds one to a counter and calls the
//! import, and every call of an import becomes a call of that function. The counters are an array
//! in the module's own memory, exported as `HOST_CALLS`. So every call is seen, also one that
//! costs the host no system call, and the host need not help.
//!
//! A program that has no counters, since it knows nothing of this, can be made to announce each
//! call instead: the function writes nothing, to standard error, in as many pieces as the call's
//! number says. That is a system call which only strace sees.

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wasmparser::{
    ExportSectionReader, ExternalKind, FuncType, FunctionBody, GlobalSectionReader,
    ImportSectionReader, Operator, Parser, Payload, TypeRef, TypeSectionReader,
};

use crate::imports;

/// The counters' name, and how many there are.
const ARRAY: &str = "HOST_CALLS";
const COUNTERS: usize = 64;

/// Where an announcing module has no pieces to write, and what the host says of having written
/// them: the far end of the stack, which is zero as long as the stack does not overflow.
const NO_PIECES: i32 = 0;
const WRITTEN: i32 = 8 * COUNTERS as i32;

/// What is done about each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Count,
    Announce,
}

/// What the rewriting needs to know of a module.
#[derive(Default)]
struct Facts {
    types: Vec<FuncType>,
    /// The types of the imported functions, and how many functions there are of its own.
    imported: Vec<u32>,
    own: u32,
    globals: Vec<i32>,
    array: Option<u32>,
}

/// Rewrites the module `wasm` to a file beside it, and tells the names of the calls in the order of
/// their counters.
pub fn rewrite_file(wasm: &Path) -> Result<(PathBuf, Vec<String>)> {
    rewrite_beside(wasm, "counting.wasm", Deed::Count)
}

/// The same for a module that announces its calls: the first in one piece, the second in two.
pub fn announcing_file(wasm: &Path) -> Result<(PathBuf, Vec<String>)> {
    rewrite_beside(wasm, "announcing.wasm", Deed::Announce)
}

fn rewrite_beside(wasm: &Path, extension: &str, deed: Deed) -> Result<(PathBuf, Vec<String>)> {
    let module = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let (module, names) = rewrite(&module, deed).context("it cannot be rewritten")?;
    let rewritten = wasm.with_extension(extension);
    // Left as it is when it has not changed, so that it need not be compiled anew.
    if fs::read(&rewritten).ok().as_ref() != Some(&module) {
        fs::write(&rewritten, module).context("cannot write the rewritten guest")?;
    }
    Ok((rewritten, names))
}

/// The rewritten module, and the names of the calls in the order of their counters.
fn rewrite(wasm: &[u8], deed: Deed) -> Result<(Vec<u8>, Vec<String>)> {
    let facts = Facts::read(wasm)?;
    let names: Vec<String> = imports::list(wasm)?
        .into_iter()
        .map(|import| import.name)
        .collect();
    ensure!(
        names.len() == facts.imported.len() && names.len() <= COUNTERS,
        "of the {} imports {} are functions, and there are {COUNTERS} counters",
        names.len(),
        facts.imported.len()
    );
    let mut out = wasm[..8].to_vec();
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::FunctionSection(section) => {
                let added = facts.imported.iter().copied();
                let types: Vec<u32> = section
                    .clone()
                    .into_iter()
                    .chain(added.map(Ok))
                    .collect::<Result<_, _>>()?;
                push_section(&mut out, 3, types.len(), types.into_iter().map(number));
            }
            // Its functions follow one by one.
            Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => {
                bodies.push(facts.redirect(wasm, body)?);
                if bodies.len() == facts.own as usize {
                    let announcer = names.iter().position(|name| name == "fd_write");
                    let counter = |call| match deed {
                        Deed::Count => facts.wrapper(call, facts.count(call)?),
                        Deed::Announce => facts.wrapper(call, announce(call, announcer)?),
                    };
                    let counters = (0..facts.imported.len()).map(counter);
                    bodies.extend(counters.collect::<Result<Vec<_>>>()?);
                    let bodies = bodies.iter().map(|body| with_size(body));
                    push_section(&mut out, 10, bodies.len(), bodies);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    out.push(id);
                    out.extend(with_size(&wasm[range]));
                }
            }
        }
    }
    Ok((out, names))
}

impl Facts {
    fn read(wasm: &[u8]) -> Result<Facts> {
        let mut facts = Facts::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => facts.types = types(section)?,
                Payload::ImportSection(section) => facts.imported = imported(section)?,
                Payload::FunctionSection(section) => facts.own = section.count(),
                Payload::GlobalSection(section) => facts.globals = globals(section)?,
                Payload::ExportSection(section) => facts.array = array(section)?,
                _ => {}
            }
        }
        Ok(facts)
    }

    /// A function whose calls of imports go to the counting functions, which stand at the end.
    fn redirect(&self, wasm: &[u8], body: &FunctionBody) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut copied = body.range().start;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset()?;
            let after = operators.original_position();
            match operator {
                Operator::Call { function_index: f } if (f as usize) < self.imported.len() => {
                    out.extend(&wasm[copied..=at]);
                    out.extend(number(self.first_counter() + f));
                    copied = after;
                }
                _ => {}
            }
        }
        out.extend(&wasm[copied..body.range().end]);
        Ok(out)
    }

    fn first_counter(&self) -> u32 {
        self.imported.len() as u32 + self.own
    }

    /// The function that does `deed` and calls the import `call`.
    fn wrapper(&self, call: usize, deed: Vec<u8>) -> Result<Vec<u8>> {
        let kind = self.imported[call] as usize;
        let kind = self.types.get(kind).context("an import has no type")?;
        let mut body = vec![0];
        body.extend(deed);
        for parameter in 0..kind.params().len() as u32 {
            body.push(LOCAL_GET);
            body.extend(number(parameter));
        }
        body.push(CALL);
        body.extend(number(call as u32));
        body.push(END);
        Ok(body)
    }

    /// What adds one to the counter of the import `call`.
    fn count(&self, call: usize) -> Result<Vec<u8>> {
        let array = self
            .array
            .and_then(|global| self.globals.get(global as usize));
        let array = array.with_context(|| format!("it does not export {ARRAY}"))?;
        let place = array + 4 * call as i32;
        let mut code = constants([place, place]);
        code.extend(I32_LOAD);
        code.extend(constants([1]));
        code.push(I32_ADD);
        code.extend(I32_STORE);
        Ok(code)
    }
}

const LOCAL_GET: u8 = 0x20;
const CALL: u8 = 0x10;
const DROP: u8 = 0x1a;
const END: u8 = 0x0b;
const I32_CONST: u8 = 0x41;
const I32_ADD: u8 = 0x6a;
// Aligned to 4 bytes, offset 0.
const I32_LOAD: [u8; 3] = [0x28, 2, 0];
const I32_STORE: [u8; 3] = [0x36, 2, 0];

/// What writes nothing in so many pieces as the number of the import `call`, from one on.
fn announce(call: usize, fd_write: Option<usize>) -> Result<Vec<u8>> {
    const STANDARD_ERROR: i32 = 2;
    let fd_write = fd_write.context("it does not import fd_write")?;
    let mut code = constants([STANDARD_ERROR, NO_PIECES, 1 + call as i32, WRITTEN]);
    code.push(CALL);
    code.extend(number(fd_write as u32));
    code.push(DROP);
    Ok(code)
}

fn constants<const N: usize>(values: [i32; N]) -> Vec<u8> {
    let constant = |value| iter::once(I32_CONST).chain(signed(value));
    values.into_iter().flat_map(constant).collect()
}

fn types(section: TypeSectionReader) -> Result<Vec<FuncType>> {
    Ok(section
        .into_iter_err_on_gc_types()
        .collect::<Result<_, _>>()?)
}

fn imported(section: ImportSectionReader) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for import in section {
        if let TypeRef::Func(kind) = import?.ty {
            found.push(kind);
        }
    }
    Ok(found)
}

/// What each global begins with; 0 for what is no constant of 32 bits.
fn globals(section: GlobalSectionReader) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for global in section {
        let first = global?.init_expr.get_operators_reader().read()?;
        found.push(match first {
            Operator::I32Const { value } => value,
            _ => 0,
        });
    }
    Ok(found)
}

/// The global that holds the address of the counters.
fn array(section: ExportSectionReader) -> Result<Option<u32>> {
    for export in section {
        let export = export?;
        if export.name == ARRAY && export.kind == ExternalKind::Global {
            return Ok(Some(export.index));
        }
    }
    Ok(None)
}

fn push_section(out: &mut Vec<u8>, id: u8, count: usize, items: impl Iterator<Item = Vec<u8>>) {
    let content: Vec<u8> = iter::once(number(count as u32))
        .chain(items)
        .flatten()
        .collect();
    out.push(id);
    out.extend(with_size(&content));
}

fn with_size(bytes: &[u8]) -> Vec<u8> {
    let mut out = number(bytes.len() as u32);
    out.extend(bytes);
    out
}

/// Seven bits a byte, the last with its highest bit clear.
fn number(mut value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// The same with a sign: the last byte's second highest bit is all that follow it.
fn signed(mut value: i32) -> Vec<u8> {
    let mut out = Vec::new();
    while !(-0x40..0x40).contains(&value) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8 & 0x7f);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Imports `host.a` and `host.b`; its own function calls both. The array is at 1024.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\
        \x01\x09\x02\x60\x01\x7f\x01\x7f\x60\0\0\
        \x02\x13\x02\x04host\x01a\0\0\x04host\x01b\0\x01\
        \x03\x02\x01\x01\
        \x05\x03\x01\0\x01\
        \x06\x07\x01\x7f\0\x41\x80\x08\x0b\
        \x07\x0e\x01\x0aHOST_CALLS\x03\0\
        \x0a\x0b\x01\x09\0\x41\x07\x10\0\x1a\x10\x01\x0b";

    #[test]
    fn calls_go_through_the_counters() {
        let (wasm, names) = rewrite(MODULE, Deed::Count).unwrap();
        assert_eq!(names, ["a", "b"]);
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                bodies.push(wasm[body.range()].to_vec());
            }
        }
        // The function now calls 3 and 4, which count at 1024 and 1028 and call 0 and 1.
        assert_eq!(bodies[0], b"\0\x41\x07\x10\x03\x1a\x10\x04\x0b");
        let counts = b"\0\x41\x80\x08\x41\x80\x08\x28\x02\0\x41\x01\x6a\x36\x02\0";
        assert_eq!(bodies[1], [&counts[..], b"\x20\0\x10\0\x0b"].concat());
        let counts = b"\0\x41\x84\x08\x41\x84\x08\x28\x02\0\x41\x01\x6a\x36\x02\0";
        assert_eq!(bodies[2], [&counts[..], b"\x10\x01\x0b"].concat());
        assert_eq!(Facts::read(&wasm).unwrap().own, 3);
    }

    #[test]
    fn a_module_without_counters_is_refused() {
        let mut wasm = MODULE.to_vec();
        let name = wasm.windows(10).position(|name| name == b"HOST_CALLS");
        wasm[name.unwrap()] = b'X';
        let error = rewrite(&wasm, Deed::Count).unwrap_err().to_string();
        assert!(error.contains("HOST_CALLS"), "{error}");
    }

    #[test]
    fn calls_are_announced_by_number() {
        let error = rewrite(MODULE, Deed::Announce).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("fd_write"), "{text}");
        // To descriptor 2, from 0 on, two pieces, by import 5.
        let code = announce(1, Some(5)).unwrap();
        assert_eq!(code, b"\x41\x02\x41\0\x41\x02\x41\x80\x04\x10\x05\x1a");
    }

    #[test]
    fn numbers_are_written_as_the_format_has_them() {
        assert_eq!(number(127), [127]);
        assert_eq!(number(128), [0x80, 1]);
        assert_eq!(signed(63), [63]);
        assert_eq!(signed(64), [0xc0, 0]);
        assert_eq!(signed(-1), [0x7f]);
        assert_eq!(signed(1_065_668), [0xc4, 0x85, 0xc1, 0]);
    }
}
