//! Real programs: every example that serves, driven by the clients of others (curl, wrk,
//! redis-benchmark) and by hostile ones, in each WasmEdge and natively. What comes back is judged
//! by its bytes; afterwards the server must hold no more memory and no descriptor more than before,
//! and rest.

pub mod budget;
mod client;
pub mod curl;
mod hello;
pub mod http;
mod load;
mod names;
mod pipe;
pub mod program;
mod redis;
mod scene;
mod service;
mod words;
mod wrk;

use super::checks::Check;
use crate::prepare::tools::{CURL, REDIS_BENCHMARK, REDIS_CLI, WRK};
use scene::{everywhere, in_hosts};

pub const CHECKS: &[Check] = &[
    Check {
        name: "http_hello by curl",
        run: |setting| everywhere(setting, "curl", &[CURL], hello::by_curl),
    },
    Check {
        name: "http_hello, 50 requests in one write",
        run: |setting| everywhere(setting, "pipelining", &[], hello::pipelined),
    },
    Check {
        name: "http_hello, bodies in chunks",
        run: |setting| everywhere(setting, "chunks", &[], hello::chunked),
    },
    Check {
        name: "http_hello, what is no request",
        run: |setting| everywhere(setting, "malformed", &[], hello::malformed),
    },
    Check {
        name: "http_hello by wrk, 256 connections",
        run: |setting| in_hosts(setting, "wrk", &[WRK], wrk::hello),
    },
    Check {
        name: "http_hello beside 300 slow-loris clients",
        run: |setting| everywhere(setting, "loris", &[], load::slow_loris),
    },
    Check {
        name: "http_hello, clients that vanish",
        run: |setting| everywhere(setting, "vanish", &[], load::vanishing),
    },
    Check {
        name: "http_hello, a connection for each request",
        run: |setting| everywhere(setting, "churn", &[], load::one_request_each),
    },
    Check {
        name: "http_hello, more clients than descriptors",
        run: |setting| everywhere(setting, "full", &[], load::full_table),
    },
    Check {
        name: "http_hello, the calls of a keep-alive request",
        run: budget::check,
    },
    Check {
        name: "http_service by curl",
        run: |setting| everywhere(setting, "service", &[CURL], service::by_curl),
    },
    Check {
        name: "http_service, bodies in one write and byte by byte",
        run: |setting| everywhere(setting, "bodies", &[], service::bodies),
    },
    Check {
        name: "http_service by wrk, bodies there and back",
        run: |setting| in_hosts(setting, "wrk-bodies", &[WRK], wrk::bodies),
    },
    Check {
        name: "http_service, a gibibyte comes, and one there and back",
        run: |setting| in_hosts(setting, "gibibyte", &[CURL], service::gibibyte),
    },
    Check {
        name: "http_service, clients that vanish",
        run: |setting| everywhere(setting, "vanish-service", &[], service::vanishing),
    },
    Check {
        name: "http_service gives slow-loris clients up",
        run: |setting| everywhere(setting, "loris-service", &[], service::slow_loris),
    },
    Check {
        name: "http_service, a graceful end",
        run: |setting| everywhere(setting, "end", &[CURL], service::graceful_end),
    },
    Check {
        name: "http_proxy in front of http_service",
        run: |setting| everywhere(setting, "proxy", &[CURL], service::through_proxy),
    },
    Check {
        name: "http_client of the others, and byte by byte",
        run: |setting| everywhere(setting, "client", &[], client::http_client),
    },
    Check {
        name: "redis_server by redis-cli and redis-benchmark",
        run: |setting| {
            let tools = [REDIS_BENCHMARK, REDIS_CLI];
            everywhere(setting, "redis", &tools, redis::by_redis)
        },
    },
    Check {
        name: "redis_server, what is no command",
        run: |setting| everywhere(setting, "redis-noise", &[], redis::malformed),
    },
    Check {
        name: "udp_names, by questions made by hand and noise",
        run: |setting| everywhere(setting, "names", &[], names::names),
    },
    Check {
        name: "what the examples say of how to try them",
        run: |setting| everywhere(setting, "words", &words::TOOLS, words::as_typed),
    },
];
