//! The results as files: the plot is well-formed, the tables hold what they should.

use super::bars;
use super::contestant::Contestant;
use super::counts::PerRequest;
use super::load::Report;
use super::machine::{Machine, Versions};
use super::output;
use super::plan::{self, Kind, Workload};
use super::plot;
use super::results::{Measured, Results, Run, TO_NO_IDLE};
use super::table::{self, Style};

fn report(throughput: f64) -> Report {
    Report {
        requests: 1000,
        seconds: 1.0,
        throughput,
        p50_us: 1e6 / throughput,
        p99_us: 3e6 / throughput,
        max_us: 1e4,
        bytes: 64_000,
        allocations_per_request: Some(0.0),
        live_bytes_per_connection: Some(120.0),
        server: None,
    }
}

/// Three runs of everything in the full mode; throughputs differ by contestant and idle ones.
fn results() -> Results {
    let machine = Machine {
        processor: "Some <CPU> & Co".into(),
        processors: 2,
        kernel: "Linux 6".into(),
        pinning: "nothing is pinned".into(),
    };
    let versions = Versions {
        mio_wasi: "0.8.10".into(),
        published: plan::PUBLISHED.into(),
        mio: plan::UPSTREAM.into(),
        wasmedge: "0.14.1".into(),
        rustc: "rustc 1.85.0".into(),
        guests: "rustc 1.85.0 as installed".into(),
        http: vec!["hyper 1.12.0".into(), "wrk 4.1.0".into()],
    };
    let mut workloads: Vec<Measured> = plan::workloads(true, &[])
        .unwrap()
        .into_iter()
        .map(Measured::new)
        .collect();
    for measured in &mut workloads {
        let slower = 1.0 + f64::from(measured.workload.idle);
        for (contestant, entry) in &mut measured.contestants {
            let base = match contestant {
                Contestant::Published => 1e5 / slower,
                _ => 1.2e5,
            };
            for (round, factor) in [(1, 0.99), (2, 1.0), (3, 1.01)] {
                entry.runs.push(Run {
                    round,
                    report: report(base * factor),
                });
            }
        }
    }
    let mut results = Results {
        machine,
        versions,
        mode: "full".into(),
        rounds: 3,
        modules: Vec::new(),
        interrupted: false,
        workloads,
        notes: vec!["A note.".into()],
    };
    results.summarize();
    results
}

const SIXTEEN: Workload = Workload {
    kind: Kind::Echo,
    busy: 16,
    idle: 0,
};

fn find(results: &Results, workload: Workload) -> &Measured {
    let mut all = results.workloads.iter();
    all.find(|measured| measured.workload == workload).unwrap()
}

#[test]
fn ratios_are_of_medians() {
    let results = results();
    let bare = find(&results, SIXTEEN);
    let ratio = bare.ratios["ours/published"].throughput.unwrap();
    assert!(
        (ratio.value - 1.2).abs() < 1e-9 && !ratio.noisy,
        "{ratio:?}"
    );
    assert!(bare.ratios["ours/floor"].throughput.unwrap().noisy);
    assert!(!bare.ratios.contains_key(TO_NO_IDLE));
    let crowd = find(
        &results,
        Workload {
            idle: 4000,
            ..SIXTEEN
        },
    );
    let ratio = crowd.ratios["ours/published"].p99.unwrap();
    assert!((ratio.value - 1.0 / 1.2 / 4001.0).abs() < 1e-9, "{ratio:?}");
    assert_eq!(crowd.ratios[TO_NO_IDLE].throughput.unwrap().value, 1.0);
    assert!(!crowd.ratios.contains_key("ours/floor"));
}

#[test]
fn the_plot_is_well_formed_and_has_four_lines() {
    let results = results();
    let svg = plot::draw(&results).unwrap().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let named = |name: &str| {
        let name = name.to_string();
        document
            .descendants()
            .filter(move |node| node.has_tag_name(&*name))
    };
    let text: String = named("text")
        .filter_map(|node| node.text())
        .collect::<Vec<_>>()
        .join("\n");
    for contestant in Contestant::FOUR {
        assert!(text.contains(&contestant.title()), "{text}");
    }
    for tick in ["4,000", "9,000", "100 k", "idle connections"] {
        assert!(text.contains(tick), "no {tick} in {text}");
    }
    // A dot for each of five points of four lines; the first thing drawn is the white ground.
    assert_eq!(named("circle").count(), 20);
    let ground = named("rect").next().unwrap();
    assert_eq!(ground.attribute("fill"), Some("#FFFFFF"));
    assert_eq!(
        ground.attribute("width"),
        document.root_element().attribute("width")
    );
    let lines = named("polyline").filter(|node| node.attribute("stroke-width") == Some("3"));
    assert_eq!(lines.count(), 8, "four lines and their legends");
}

#[test]
fn the_plot_of_http_has_five_bars_as_long_as_their_figures() {
    let results = results();
    let svg = bars::draw(&results).unwrap().unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let number = |node: &roxmltree::Node, name: &str| -> f64 {
        node.attribute(name).unwrap().parse().unwrap()
    };
    let all = || document.descendants();
    let bars: Vec<f64> = all()
        .filter(|node| node.has_tag_name("rect"))
        .map(|node| number(&node, "width"))
        .collect();
    // The first is the white ground; only the second contestant has another throughput.
    let ratio = bars[1] / bars[2];
    assert_eq!(bars.len(), 6, "{bars:?}");
    assert!((ratio * 1.2 - 1.0).abs() < 0.01, "{bars:?}");
    assert!(bars[3..].iter().all(|bar| *bar == bars[2]), "{bars:?}");
    let texts = || {
        let texts = all().filter(|node| node.is_text());
        texts.filter_map(|node| node.text()).map(str::trim)
    };
    for contestant in Contestant::HTTP {
        assert!(texts().any(|text| text == contestant.http_title()));
    }
    assert_eq!(texts().filter(|text| *text == "120 k/s").count(), 4);
}

#[test]
fn there_is_no_plot_of_nothing() {
    let mut results = results();
    results
        .workloads
        .retain(|measured| measured.workload.kind == Kind::Churn);
    assert_eq!(plot::draw(&results).unwrap(), None);
    assert_eq!(bars::draw(&results).unwrap(), None);
}

#[test]
fn http_has_tables_of_its_own() {
    let mut results = results();
    let at = results.workloads.len() - 1;
    let calls = |list: &[(&str, f64)]| -> PerRequest {
        list.iter().map(|(name, n)| ((*name).into(), *n)).collect()
    };
    let entry = results.workloads[at].contestants.get_mut(&Contestant::Ours);
    let counts = &mut entry.unwrap().counts;
    counts.host_calls = Some(calls(&[("clock_time_get", 4.0), ("sock_recv", 1.0)]));
    counts.system_calls = Some(calls(&[("epoll_ctl", 2.5), ("recvmsg", 1.0)]));
    let tables = table::all(&results, Style::Markdown);
    let table = |title: &str| {
        let mut tables = tables.iter();
        let table = tables.find(|table| table.title == title).unwrap();
        table.render(Style::Markdown)
    };
    assert!(!table("Throughput").contains("HTTP"));
    assert_eq!(table("HTTP").lines().count(), 7);
    let goals = table("HTTP, compared");
    let line = |start: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = goals.lines().find(|line| line.contains(start)).unwrap();
        words(line)
    };
    assert!(line("/ 0.8.9").ends_with("| 1.20× | 0.83× | ≥ 30× | no |"));
    assert!(line("/ hyper_wasi").ends_with("| ~1.00× | ~1.00× | ≥ 1× | yes |"));
    assert!(line("/ mio native").ends_with("| ≥ 0.6× | yes |"));
    let costs = table("What a request over HTTP costs");
    assert!(costs.contains(" 1.00 + 4: sock_recv 1 |"), "{costs}");
    assert!(
        costs.contains(" 3.50: epoll_ctl 2.5, recvmsg 1 |"),
        "{costs}"
    );
}

#[test]
fn markdown_tables_are_whole() {
    let mut results = results();
    let entries = &mut results.workloads[5].contestants;
    let entry = entries.get_mut(&Contestant::Ours).unwrap();
    let calls = [
        ("poll_oneoff", 0.25),
        ("sock_recv", 1.0),
        ("sock_send", 1.0),
    ];
    let calls: PerRequest = calls.map(|(name, count)| (name.into(), count)).into();
    entry.counts.host_calls = Some(calls);
    let entry = entries.get_mut(&Contestant::Published).unwrap();
    entry.summary = None;
    entry.given_up = true;
    entry.failure = Some("no answer in 8 s".into());
    for table in table::all(&results, Style::Markdown) {
        let text = table.render(Style::Markdown);
        let mut columns = text.lines().map(|line| line.matches('|').count());
        let first = columns.next().unwrap();
        assert!(columns.all(|count| count == first), "{text}");
        let rule = text.lines().nth(1).unwrap();
        assert!(rule.starts_with("|---|--:|"), "{text}");
    }
    let tables = table::all(&results, Style::Markdown);
    let row = |at: usize, title: &str| -> String {
        let text = tables[at].render(Style::Markdown);
        text.lines()
            .find(|line| line.contains(title))
            .unwrap()
            .into()
    };
    assert!(row(0, "16 busy, 0 idle").contains("no answer in 8 s"));
    assert!(row(0, "64 busy, 0 idle").contains("120 k/s (119 k/s – 121 k/s)"));
    assert!(row(0, "UDP").contains("no UDP"));
    assert!(row(2, "16 busy, 0 idle").contains("2.25 / – / 0.00"));
}

#[test]
fn results_are_read_as_they_were_written() {
    let folder = std::env::temp_dir().join(format!("mio-wasi-compare-{}", std::process::id()));
    let mut results = results();
    output::write(&mut results, &folder).unwrap();
    let read = Results::read(&folder.join("results.json")).unwrap();
    let text = std::fs::read_to_string(folder.join("results.md")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let shown = |results: &Results| {
        let tables = table::all(results, Style::Markdown);
        let tables = tables.iter().map(|table| table.render(Style::Markdown));
        (tables.collect::<Vec<_>>(), plot::draw(results).unwrap())
    };
    assert!(
        shown(&read) == shown(&results),
        "the files do not tell the same"
    );
    assert!(
        text.contains("](throughput.svg)")
            && text.contains("](http.svg)")
            && text.contains("- A note."),
        "{text}"
    );
    assert!(
        text.contains("Some <CPU> & Co, 2 processors, Linux 6"),
        "{text}"
    );
}
