//! Which calls are shown: by name, and by what they work on.

use wasmtime::{Result, bail};

use crate::calls::{CALLS, Call, Kind};

#[derive(Debug, Default)]
pub struct Filter {
    only: Vec<String>,
    never: Vec<String>,
    fds: Vec<u32>,
}

impl Filter {
    /// Names that begin with `!` are left out.
    pub fn new(names: &[String], fds: &[u32]) -> Result<Filter> {
        let mut filter = Filter {
            fds: fds.to_vec(),
            ..Filter::default()
        };
        for word in names {
            let (list, name) = match word.strip_prefix('!') {
                Some(name) => (&mut filter.never, name),
                None => (&mut filter.only, word.as_str()),
            };
            if !CALLS.iter().any(|call| call.name == name) {
                bail!("no host call is named {name:?}");
            }
            list.push(name.into());
        }
        Ok(filter)
    }

    pub fn wants_name(&self, name: &str) -> bool {
        let is_in = |list: &[String]| list.iter().any(|one| one == name);
        (self.only.is_empty() || is_in(&self.only)) && !is_in(&self.never)
    }

    /// Whether the call takes one of the descriptors, or is known to have opened it.
    pub fn wants_fd(&self, call: &Call, args: &[u64], opened: Option<u32>) -> bool {
        let taken = call.params.iter().zip(args);
        let mut taken = taken.filter(|(param, _)| param.kind == Kind::Fd);
        self.fds.is_empty()
            || taken.any(|(_, fd)| self.fds.contains(&(*fd as u32)))
            || opened.is_some_and(|fd| self.fds.contains(&fd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(names: &[&str], fds: &[u32]) -> Filter {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        Filter::new(&names, fds).unwrap()
    }

    fn call(name: &str) -> &'static Call {
        CALLS.iter().find(|call| call.name == name).unwrap()
    }

    #[test]
    fn names_are_taken_or_left_out() {
        let all = filter(&[], &[]);
        assert!(all.wants_name("sock_recv") && all.wants_name("fd_close"));
        let two = filter(&["sock_recv", "fd_close"], &[]);
        assert!(two.wants_name("fd_close") && !two.wants_name("sock_send"));
        let others = filter(&["!poll_oneoff"], &[]);
        assert!(others.wants_name("fd_close") && !others.wants_name("poll_oneoff"));
        let error = Filter::new(&["sock_receive".into()], &[]).unwrap_err();
        assert!(error.to_string().contains("sock_receive"), "{error}");
    }

    #[test]
    fn descriptors_are_those_taken_and_those_opened() {
        let seven = filter(&[], &[7, 8]);
        assert!(seven.wants_fd(call("sock_recv"), &[7, 0, 0, 0, 0, 0], None));
        // A count of 7 is no descriptor.
        assert!(!seven.wants_fd(call("sock_recv"), &[6, 7, 7, 7, 7, 7], None));
        assert!(seven.wants_fd(call("fd_renumber"), &[6, 8], None));
        assert!(seven.wants_fd(call("sock_open"), &[1, 2, 64], Some(7)));
        assert!(!seven.wants_fd(call("sock_open"), &[1, 2, 64], Some(9)));
        assert!(!seven.wants_fd(call("sock_open"), &[7, 7, 7], None));
        assert!(filter(&[], &[]).wants_fd(call("sched_yield"), &[], None));
    }
}
