//! An outcome that tests of reports share: a promise broken, and text that would be markup.

use std::collections::BTreeMap;

use coffee_rt_actors::domain::Cents;

use crate::load::{Counts, Quantiles, Refusals, Report};
use crate::scenario::outcome::{
    Check, FaultOutcome, LoadMoment, LoadOutcome, Machine, Outcome, ProcessMoment, ProcessOutcome, Verdict, ViewMoment,
    ViewerOutcome,
};

const SECONDS: u32 = 20;

fn check(name: &str, holds: bool, found: &[&str]) -> Check {
    Check {
        name: name.to_owned(),
        holds,
        found: found.iter().map(|&found| found.to_owned()).collect(),
    }
}

pub(in crate::scenario) fn quantiles(p50_ms: f64) -> Quantiles {
    Quantiles {
        p50_ms,
        p90_ms: p50_ms * 2.0,
        p99_ms: p50_ms * 8.0,
        p999_ms: p50_ms * 20.0,
        max_ms: p50_ms * 40.0,
    }
}

fn load() -> LoadOutcome {
    let refusals = Refusals {
        answers: 40,
        without_retry_after: 0,
        detail: "no credit".to_owned(),
    };
    LoadOutcome {
        name: "customers".to_owned(),
        started_at_seconds: 0.0,
        moments: (1..=SECONDS).map(f64::from).map(load_moment).collect(),
        breakpoint: None,
        report: Report {
            version: "v1".to_owned(),
            seed: 7,
            asked_per_second: Some(600.0),
            achieved_per_second: 600.0,
            elapsed_seconds: 20.0,
            counts: Counts {
                sent: 12_010,
                acknowledged: 12_000,
                refused: 10,
                unknown: 0,
            },
            acknowledged_amount: Cents(4_800_025),
            latency: quantiles(1.5),
            refused_by_status: BTreeMap::from([(503, refusals)]),
            ..Report::default()
        },
    }
}

fn load_moment(at_seconds: f64) -> LoadMoment {
    let hit = (at_seconds as u32).is_multiple_of(5);
    LoadMoment {
        at_seconds,
        acknowledged_per_second: 550.0 + 10.0 * at_seconds - if hit { 260.0 } else { 0.0 },
        refused_per_second: if hit { 40.0 } else { 0.0 },
        p50_ms: 1.2 + at_seconds.sin().abs(),
        p99_ms: if hit { 310.0 } else { 9.0 + at_seconds.cos() },
        max_ms: 400.0,
    }
}

/// Every kind of finding, moments of all kinds, and names as nobody should give them.
pub(in crate::scenario) fn broken() -> Outcome {
    let fault = |at_seconds| FaultOutcome {
        what: "kill v1/batcher-0".to_owned(),
        at_seconds,
        missed: (at_seconds > 14.0).then(|| "it was not there".to_owned()),
    };
    let view = |at_seconds: f64| ViewMoment {
        at_seconds,
        p50_ms: 21.0,
        p99_ms: 40.0 + 10.0 * at_seconds.sin(),
    };
    let process = |at_seconds: f64| ProcessMoment {
        at_seconds,
        cpu_percent: 80.0 + 20.0 * at_seconds.sin(),
        memory_bytes: 60_000_000 + 1_000_000 * at_seconds as u64,
    };
    let moments = || (1..=SECONDS).map(f64::from);
    Outcome {
        scenario: "kill & <b>".to_owned(),
        experiment: None,
        engine: None,
        backlog: None,
        versions: vec!["v1".to_owned()],
        services: vec!["postgres".to_owned()],
        about: "Every actor is killed <i>again and again</i> under load".to_owned(),
        verdict: Verdict::PromiseBroken,
        seed: 7,
        repeat_with: "coffee-rt scenario run 'a & b.toml' --seed 7 --shorten 1".to_owned(),
        started_at: "2026-11-23T14:00:00.25Z".to_owned(),
        elapsed_seconds: 21.5,
        moment_seconds: 1.0,
        machine: Machine {
            cpu: "Some <Processor> @ 3.00GHz".to_owned(),
            cores: 2,
            memory_bytes: 8_200_000_000,
            kernel: "6.8.0".to_owned(),
        },
        build: "0.1.0".to_owned(),
        promises: vec![
            check("stored once", true, &[]),
            check(
                "nothing lost",
                false,
                &["<script>alert(\"1 & 2\")</script>", "and this"],
            ),
        ],
        thresholds: vec![check("customers.p99_ms < 10", false, &["12.000"])],
        environment: Vec::new(),
        evidence: vec![check("every fault was injected", true, &[])],
        faults: [5.0, 10.0, 15.0].map(fault).to_vec(),
        loads: vec![load()],
        viewers: vec![ViewerOutcome {
            name: "sockets".to_owned(),
            count: 10,
            frames: 9_000,
            failures: 0,
            never_shown: 0,
            latency: quantiles(21.0),
            moments: moments().map(view).collect(),
        }],
        processes: vec![ProcessOutcome {
            name: "node".to_owned(),
            cpu_seconds: 4.2,
            peak_memory_bytes: 80_000_000,
            moments: moments().map(process).collect(),
        }],
    }
}
