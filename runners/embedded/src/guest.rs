//! One guest: its imports are found, it is started, and how it ended is told.

use std::time::Instant;

use wasmtime::{
    Caller, Engine, Error, Extern, ExternType, Func, FuncType, Instance, Memory as Linear, Module,
    Result, Store, Trap, UpdateDeadline, Val, ValType, bail, format_err,
};

use crate::calls::{CALLS, Call, Context, Kind, MODULE, Origin, Param};
use crate::errno::{Answer, Errno, Stop};
use crate::host::{Ending, Host};
use crate::memory::Memory;

/// How a guest ended that could be started.
#[derive(Debug)]
pub enum End {
    /// By itself.
    Exit(i32),
    /// By a trap, or by this host, which says why.
    Trap(String),
}

/// What carries a [`Stop`] through the guest's frames.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("exit status {0}")]
    Exit(i32),
    #[error("{0}")]
    Trap(String),
}

/// Runs the guest's `_start` on this host, which is given back.
pub fn run(engine: &Engine, module: &Module, host: Host, plain: bool) -> Result<(End, Host)> {
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.limits);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        let over = store
            .data()
            .deadline
            .is_some_and(|end| end <= Instant::now());
        if over {
            return Err(Error::from(Ended::Trap("the guest's time is over".into())));
        }
        Ok(UpdateDeadline::Continue(1))
    });
    let imports = link(&mut store, module, plain)?;
    let ran = Instance::new(&mut store, module, &imports).and_then(|instance| {
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        start.call(&mut store, ())
    });
    let end = match ran {
        Ok(()) => End::Exit(0),
        Err(error) => match error.downcast_ref::<Ended>() {
            Some(Ended::Exit(code)) => End::Exit(*code),
            Some(Ended::Trap(why)) => End::Trap(why.clone()),
            None if error.is::<Trap>() => End::Trap(format!("{error:?}")),
            None => return Err(error),
        },
    };
    Ok((end, store.into_data()))
}

fn link(store: &mut Store<Host>, module: &Module, plain: bool) -> Result<Vec<Extern>> {
    let mut imports = Vec::new();
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let ExternType::Func(kind) = import.ty() else {
            bail!("the guest imports {from}.{name}, which is no function: no host has that");
        };
        let call = find(from, name, &kind, plain).ok_or_else(|| {
            format_err!("the guest imports {from}.{name} as {kind}: this host has no such call")
        })?;
        imports.push(function(store, call, kind).into());
    }
    Ok(imports)
}

/// The call of that name and type. Two generations of one name differ in their types.
fn find(from: &str, name: &str, kind: &FuncType, plain: bool) -> Option<&'static Call> {
    let fits = |call: &&Call| {
        let fits = |(given, param): (ValType, &Param)| match param.kind {
            Kind::Long => matches!(given, ValType::I64),
            _ => matches!(given, ValType::I32),
        };
        call.name == name
            && kind.params().len() == call.params.len()
            && kind.params().zip(call.params).all(fits)
            && kind.results().len() == usize::from(call.returns())
            && !(plain && call.origin == Origin::WasmEdge)
    };
    CALLS.iter().find(fits).filter(|_| from == MODULE)
}

fn function(store: &mut Store<Host>, call: &'static Call, kind: FuncType) -> Func {
    Func::new(store, kind, move |mut caller, params, results| {
        let mut args = [0_u64; 10];
        for (arg, param) in args.iter_mut().zip(params) {
            *arg = match param {
                Val::I32(value) => *value as u32 as u64,
                Val::I64(value) => *value as u64,
                other => return Err(Error::msg(format!("a parameter is {other:?}"))),
            };
        }
        let errno = enter(&mut caller, call, &args[..params.len()])?;
        if let Some(result) = results.first_mut() {
            *result = Val::I32(errno.0.into());
        }
        Ok(())
    })
}

fn memory(caller: &mut Caller<'_, Host>) -> Result<Linear, Error> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    memory.ok_or_else(|| Error::msg("the guest exports no memory called `memory`"))
}

/// One call, seen by whoever looks on.
fn enter(caller: &mut Caller<'_, Host>, call: &'static Call, args: &[u64]) -> Result<Errno, Error> {
    let memory = memory(caller)?;
    let (bytes, host) = memory.data_and_store_mut(caller);
    let aligned = host.faultless();
    host.calls += 1;
    let mut observer = host.observer.take();
    if let Some(observer) = &mut observer {
        let bytes = &mut *bytes;
        observer.before(call, args, &Memory { bytes, aligned });
    }
    let start = Instant::now();
    let answer = host.attempt(
        call,
        Memory {
            bytes: &mut *bytes,
            aligned,
        },
        args,
    );
    if let Some(observer) = &mut observer {
        let faults = host
            .adversary
            .as_mut()
            .map(|adversary| adversary.take_news());
        let ending = Ending {
            call,
            answer: &answer,
            took: start.elapsed(),
            faults: &faults.unwrap_or_default(),
        };
        observer.after(&ending, args, &Memory { bytes, aligned });
    }
    host.observer = observer;
    match answer {
        Ok(()) => Ok(Errno::SUCCESS),
        Err(Stop::Errno(errno)) => Ok(errno),
        Err(Stop::Exit(code)) => Err(Ended::Exit(code).into()),
        Err(Stop::Trap(why)) => Err(Ended::Trap(why).into()),
    }
}

impl Host {
    /// The call itself, unless the adversary answers for it.
    fn attempt(&mut self, call: &'static Call, memory: Memory<'_>, args: &[u64]) -> Answer {
        self.meddle_with_call(call, args)?;
        (call.run)(&mut Context { host: self, memory }, args)
    }
}
