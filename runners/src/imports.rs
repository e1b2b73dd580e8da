//! What a module asks of its host. rustc turns an undefined symbol into an import from `env` and
//! says nothing, so the mistake would only show when the host refuses to load the module.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wasmparser::{Parser, Payload};

/// The one module name that WASI preview 1 and WasmEdge's socket calls share.
const HOST_MODULE: &str = "wasi_snapshot_preview1";

/// One import: the module it is asked of, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub module: String,
    pub name: String,
}

/// Every import of the module in `wasm`, in its own order.
pub fn list(wasm: &[u8]) -> Result<Vec<Import>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.context("this is not a WebAssembly module")? {
            Payload::ImportSection(section) => {
                for import in section {
                    let import = import.context("its import section is broken")?;
                    let (module, name) = (import.module.into(), import.name.into());
                    found.push(Import { module, name });
                }
            }
            // Imports stand before the code, which is most of the file.
            Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    Ok(found)
}

/// Fails if the module asks for something that WasmEdge does not have, and says why it may.
pub fn check(wasm: &[u8]) -> Result<()> {
    let stray: Vec<String> = list(wasm)?
        .into_iter()
        .filter(|import| import.module != HOST_MODULE)
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    if stray.is_empty() {
        return Ok(());
    }
    bail!(
        "the module imports what no host has: {}\n\
         Only imports from `{HOST_MODULE}` can be answered. rustc lets a symbol that nothing \
         defines through as an import. The usual causes are:\n  \
         - `env.pthread_*` and the like: the toolchain's wasi-libc is too old for its std. \
         Build with `cargo guest`, which brings a newer one, or with `--release`, where the \
         calls are often dropped.\n  \
         - an `extern` block or a C library whose definition is not linked for wasm32-wasip1.\n  \
         - a crate made for browsers (`__wbindgen_*`): disable that feature of it.",
        stray.join(", ")
    )
}

/// The same for a file.
pub fn check_file(path: &Path) -> Result<()> {
    let wasm = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    check(&wasm).with_context(|| format!("{} cannot run in WasmEdge", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with the given imports, all functions of no parameters and no results.
    fn module(imports: &[(&str, &str)]) -> Vec<u8> {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        wasm.extend([1, 4, 1, 0x60, 0, 0]);
        let mut body = vec![imports.len() as u8];
        for (module, name) in imports {
            for word in [module, name] {
                body.push(word.len() as u8);
                body.extend(word.as_bytes());
            }
            body.extend([0, 0]);
        }
        wasm.extend([2, body.len() as u8]);
        wasm.extend(body);
        wasm
    }

    #[test]
    fn imports_are_listed_in_order() {
        let wasm = module(&[
            ("wasi_snapshot_preview1", "sock_open"),
            ("env", "pthread_join"),
        ]);
        let names: Vec<_> = list(&wasm)
            .unwrap()
            .into_iter()
            .map(|import| import.name)
            .collect();
        assert_eq!(names, ["sock_open", "pthread_join"]);
    }

    #[test]
    fn the_host_s_own_module_is_no_error() {
        check(&module(&[])).unwrap();
        check(&module(&[("wasi_snapshot_preview1", "poll_oneoff")])).unwrap();
    }

    #[test]
    fn a_stray_import_is_named_and_explained() {
        let wasm = module(&[
            ("wasi_snapshot_preview1", "fd_close"),
            ("env", "pthread_join"),
        ]);
        let text = check(&wasm).unwrap_err().to_string();
        assert!(text.contains("env.pthread_join"), "{text}");
        assert!(text.contains("wasi-libc"), "{text}");
        assert!(!text.contains("fd_close"), "{text}");
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(check(b"\x7fELF").is_err());
        assert!(check(b"").is_err());
        let cut = module(&[("env", "x")]);
        assert!(check(&cut[..cut.len() - 2]).is_err());
    }
}
