//! One log macro that vanishes without the `log` feature. Never used per event.
//!
//! Arguments in braces are copied where they are printed, so that the values themselves may stay in
//! registers when nobody listens.

#[cfg(feature = "log")]
macro_rules! log {
    ($level:ident, $($arg:tt)*) => { ::log::$level!($($arg)*) };
}

#[cfg(not(feature = "log"))]
macro_rules! log {
    ($level:ident, $($arg:tt)*) => { if false { let _ = format_args!($($arg)*); } };
}

pub(crate) use log;
