//! A few runs, whose figures can be worked out by hand.

use crate::load::Counts;
use crate::scenario::{
    BacklogOutcome, Breakpoint, Chart, Check, Experiment, LoadOutcome, Outcome, ProcessMoment, ProcessOutcome, Trial,
    Verdict, ViewerOutcome, report,
};

/// Seconds of the example's moments; in the first half the node has nothing to do.
const SECONDS: u32 = 60;

fn check(name: &str) -> Check {
    Check {
        name: name.to_owned(),
        holds: true,
        found: Vec::new(),
    }
}

/// A run in which nothing broke.
pub(super) fn run(scenario: &str, version: &str) -> Outcome {
    let log = match version {
        "v2" => Some("redis"),
        "v3" => Some("kafka"),
        _ => None,
    };
    Outcome {
        scenario: scenario.to_owned(),
        about: format!("What {scenario} shows"),
        experiment: Some(Experiment {
            hypothesis: "It holds".to_owned(),
            plot: Chart::Latency,
        }),
        versions: vec![version.to_owned()],
        services: ["postgres"].into_iter().chain(log).map(str::to_owned).collect(),
        verdict: Verdict::Passed,
        promises: vec![check("stored once")],
        thresholds: vec![check("customers.p99_ms < 100")],
        faults: Vec::new(),
        ..report::example::broken()
    }
}

fn load(name: &str, acknowledged: u64, not_sent: u64, p50_ms: f64) -> LoadOutcome {
    let mut load = report::example::broken().loads.remove(0);
    load.name = name.to_owned();
    load.report.counts = Counts {
        sent: acknowledged,
        acknowledged,
        ..Counts::default()
    };
    load.report.not_sent = not_sent;
    load.report.latency = report::example::quantiles(p50_ms);
    load
}

/// Busy for this share of a processor in the second half of its moments, and for a hundredth before.
pub(super) fn process(name: &str, cpu_seconds: f64, cpu_percent: f64) -> ProcessOutcome {
    let moment = |second: u32| ProcessMoment {
        at_seconds: f64::from(second),
        cpu_percent: if second > SECONDS / 2 { cpu_percent } else { 1.0 },
        memory_bytes: 52_428_800,
    };
    ProcessOutcome {
        name: name.to_owned(),
        cpu_seconds,
        peak_memory_bytes: 104_857_600,
        moments: (1..=SECONDS).map(moment).collect(),
    }
}

/// A rate was sustained, and 160,000 orders in 20 s after it.
pub(super) fn breakpoint_run(scenario: &str, version: &str, rate_per_second: f64) -> Outcome {
    let trial = |rate_per_second, failed: Option<&str>| Trial {
        rate_per_second,
        acknowledged_per_second: rate_per_second,
        p99_ms: 50.0,
        failed: failed.map(str::to_owned),
    };
    let mut outcome = run(scenario, version);
    let mut search = load("customers", 50_000, 0, 4.0);
    search.breakpoint = Some(Breakpoint {
        rate_per_second: Some(rate_per_second),
        trials: vec![
            trial(rate_per_second, None),
            trial(2.0 * rate_per_second, Some("p99 | late")),
        ],
    });
    let mut sustained = load("sustained", 160_000, 0, 2.0);
    sustained.started_at_seconds = 35.0;
    outcome.loads = vec![search, sustained];
    outcome.processes = vec![process("node", 90.0, 160.0), process("postgres", 40.0, 64.0)];
    outcome
}

pub(super) fn mixed_run(version: &str, node_seconds: f64) -> Outcome {
    let mut outcome = run("mixed", version);
    outcome.loads = vec![load("orders", 21_000, 0, 1.5), load("end-to-end", 3_000, 0, 2.5)];
    outcome.viewers[0].name = "screens".to_owned();
    outcome.processes = vec![process("node", node_seconds, 50.0), process("postgres", 2.4, 10.0)];
    outcome
}

/// A million orders: with Flink at a tenth of the actors' rate.
pub(super) fn engines_run(engine: Option<&str>) -> Outcome {
    let mut outcome = run("compare-engines", "v3");
    let slower = if engine.is_some() { 10.0 } else { 1.0 };
    outcome.engine = engine.map(str::to_owned);
    outcome.backlog = Some(BacklogOutcome {
        records: 1_064_000,
        orders: 1_000_000,
        stored: 1_000_000,
        first_after_seconds: slower,
        last_after_seconds: 11.0 * slower,
        orders_per_second: Some(100_000.0 / slower),
        processes: vec![
            process("node", 3.0, 50.0),
            process("flink-jobmanager", 20.0, 50.0),
            process("flink-taskmanager", 100.0, 50.0),
            process("flink-gateway", 10.0, 50.0),
            process("postgres", 5.0, 50.0),
        ],
        tables: "the same".to_owned(),
    });
    outcome.loads = vec![
        load("customers", 15_000, 0, 1.0),
        load("customers-at-the-kill", 15_000, 0, 2.0 / slower),
    ];
    outcome.viewers = ["screens", "screens-at-the-kill"]
        .map(|name| ViewerOutcome {
            name: name.to_owned(),
            latency: report::example::quantiles(20.0 * slower),
            ..outcome.viewers[0].clone()
        })
        .to_vec();
    outcome
}

fn slow_store_run(version: &str, not_sent: u64, p50_ms: f64) -> Outcome {
    let mut outcome = run("slow-store", version);
    outcome.loads = vec![load("customers", 7_999, not_sent, p50_ms), load("others", 1, 0, 1.0)];
    outcome
}

/// Of v3 nothing was measured, and of v2 not what Redis used; the last one broke.
pub(super) fn outcomes() -> Vec<Outcome> {
    let mut embedded = breakpoint_run("embedded", "v1", 12_000.0);
    embedded.services.clear();
    embedded.processes.pop();
    let mut broken = report::example::broken();
    broken.about = "A | pipe,\na *star* and <i>".to_owned();
    broken.loads[0].name = "a|b".to_owned();
    vec![
        breakpoint_run("breakpoint", "v1", 10_000.0),
        breakpoint_run("breakpoint", "v2", 6_000.0),
        embedded,
        mixed_run("v1", 4.8),
        mixed_run("v2", 12.0),
        slow_store_run("v1", 2_000, 50.0),
        slow_store_run("v2", 0, 0.5),
        broken,
    ]
}
