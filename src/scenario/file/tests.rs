use super::*;
use crate::load::Pace;
use crate::scenario::fault::{NodeMode, Target};
use crate::scenario::services::ServiceMode;

const SOUND: &str = r#"
about = "shows it"
thresholds = ["customers.p99_ms < 100"]
[[load]]
name = "customers"
duration = "10s"
rate = 50
to_rate = 500
[[fault]]
at = "4s"
actor = "v1/batcher-0"
times = 3
every = "1s"
[[fault]]
at = "2s"
node = 1
lasts = "1s"
"#;

#[test]
fn a_file_becomes_loads_and_faults_by_their_times() {
    let scenario = Scenario::parse(SOUND, Choice::default()).unwrap();
    let times: Vec<_> = scenario.faults.iter().map(|fault| fault.at.as_secs()).collect();
    assert_eq!(times, [2, 4, 5, 6]);
    assert_eq!(scenario.length(), Duration::from_secs(10));
    assert_eq!(scenario.versions, [Version::V1]);
    assert!(matches!(scenario.loads[0].options.pace, Pace::Ramp { .. }));
    let other = Scenario::parse(
        &SOUND.replace("[[load]]", "[setup]\nversions = [\"v1\", \"v3\"]\n[[load]]"),
        Choice {
            version: Some(Version::V2),
            engine: None,
        },
    );
    let other = other.unwrap();
    assert_eq!(other.versions, [Version::V2]);
    assert_eq!(other.services, [Service::Redis, Service::Postgres]);
    assert_eq!(other.loads[0].options.version, Version::V2);
    let longer = scenario.clone().lengthened(6).unwrap();
    assert_eq!(longer.length(), Duration::from_secs(60));
    assert!(
        scenario
            .clone()
            .lengthened(5_000)
            .unwrap_err()
            .contains("orders of all loads")
    );
    let shorter = scenario.shortened(5);
    assert_eq!(shorter.length(), Duration::from_secs(2));
    assert_eq!(shorter.faults[1].at, Duration::from_millis(800));
}

const ENGINES: &str = r#"
about = "compares"
thresholds = ["backlog.orders_per_second > 0"]
[experiment]
hypothesis = "None"
versions = ["v3"]
engines = ["actors", "flink"]
[setup]
versions = ["v3"]
services = ["kafka", "postgres"]
[backlog]
records = 1_000
repeated_percent = 5
[[load]]
name = "customers"
duration = "10s"
rate = 50
[[fault]]
at = "4s"
worker = true
"#;

#[test]
fn whoever_stores_is_chosen_with_what_it_needs() {
    let of = |engine| {
        let version = None;
        Scenario::parse(ENGINES, Choice { version, engine }).unwrap()
    };
    let actors = of(None);
    assert_eq!(actors.services, [Service::Postgres, Service::Kafka]);
    assert_eq!(
        actors.faults[0].target,
        Target::Node {
            node: 0,
            mode: NodeMode::Kill
        }
    );
    assert_eq!(
        actors.clone().shortened(4).backlog.map(|backlog| backlog.records),
        Some(250)
    );
    let choices: Vec<_> = actors.experiment.iter().flat_map(Planned::choices).collect();
    let names: Vec<_> = choices.iter().map(Choice::name).collect();
    assert_eq!(names, ["v3", "v3-flink"]);
    let flink = of(Some(Engine::Flink));
    assert_eq!(flink.services, [Service::Postgres, Service::Kafka, Service::Flink]);
    assert_eq!(
        flink.faults[0].target,
        Target::Service {
            service: Service::FlinkTaskmanager,
            mode: ServiceMode::Kill
        }
    );
    for (from, to, why) in [
        ("records = 1_000", "records = 0", "between 1 and"),
        ("percent = 5", "percent = -5", "0 or more"),
        ("[backlog]", "stored_orders = 9\n[backlog]", "either a backlog"),
        (
            "backlog.orders_per_second",
            "backlog.orders",
            "choose from orders_per_second",
        ),
        (
            "\"postgres\"]",
            "\"postgres\"]\nsettings = { COFFEE_RT_V3__TOPIC = \"x\" }",
            "usual topic",
        ),
        (
            "worker = true",
            "worker = true\nmode = \"panic\"",
            "panic cannot be done to a node",
        ),
        ("worker = true", "worker = true\nnode = 1", "leave node away"),
        ("[\"actors\", \"flink\"]", "[]", "experiment.engines"),
    ] {
        let error = Scenario::parse(&ENGINES.replacen(from, to, 1), Choice::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (from, to, place, why) in [
        ("rate = 50", "rat = 50", "line 7, column 1", "unknown field `rat`"),
        ("rate = 50", "rate = -1", "line 4, column 1", "rate must be above 0"),
        ("rate = 50\nto", "to", "line 4, column 1", "add rate"),
        (
            "customers.p99",
            "people.p99",
            "line 3, column 15",
            "no load, subscriber",
        ),
        ("p99_ms < 100", "p98_ms < 100", "line 3, column 15", "choose from"),
        ("\"4s\"", "\"soon\"", "line 10, column 6", "no length of time"),
        ("times = 3", "times = 0", "line 9, column 1", "above zero"),
        ("times = 3", "times = 2000", "line 9, column 1", "too many"),
        ("every = \"1s\"", "", "line 9, column 1", "needs every"),
        ("actor = \"v1/batcher-0\"", "", "line 9, column 1", "give one of actor"),
        ("node = 1", "node = 2", "line 14, column 1", "nodes"),
        (
            "duration = \"10s\"",
            "duration = \"10s\"\nversion = \"v2\"",
            "line 4, column 1",
            "setup.versions",
        ),
    ] {
        let error = Scenario::parse(&SOUND.replacen(from, to, 1), Choice::default())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(place) && error.contains(why), "{to}: {error}");
    }
}

#[test]
fn a_setup_a_fault_or_a_search_that_makes_no_sense_is_refused() {
    for (setup, why) in [
        ("versions = [\"v2\"]", "v2 needs redis and postgres"),
        ("services = [\"mysql\"]", "unknown variant"),
        ("nodes = 2", "several nodes need postgres"),
        ("nodes = 9", "between 1 and"),
        ("drinks = 65", "setup.drinks must be between 1 and 64"),
        ("stored_orders = 1_000_000_000", "at most 100000000"),
        ("settings = { PATH = \"/\" }", "begin with COFFEE_RT_"),
        (
            "node_settings.2 = { COFFEE_RT_V3__GROUP = \"x\" }",
            "there is no node 2",
        ),
        ("node_settings.all = { COFFEE_RT_V3__GROUP = \"x\" }", "by its number"),
        (
            "node_settings.1 = { PATH = \"/\" }",
            "setup.node_settings.1 has \"PATH\"",
        ),
        ("settings = { COFFEE_RT_SQLITE_PATH = \"/x\" }", "sets itself"),
        ("settings = { COFFEE_RT_V3__ENGINE = \"flink\" }", "sets itself"),
        ("engine = \"flink\"", "add v3 to setup.versions"),
        (
            "engine = \"flink\"\nversions = [\"v3\"]\nservices = [\"kafka\", \"postgres\"]",
            "add it to setup.services",
        ),
        ("services = [\"flink-taskmanager\"]", "a part of flink"),
        ("[backlog]\nrecords = 1", "add v3 to setup.versions"),
    ] {
        let error = Scenario::parse(&format!("{SOUND}[setup]\n{setup}"), Choice::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{setup}: {error}");
    }
    for (fault, why) in [
        ("service = \"redis\"", "add \"redis\" to setup.services"),
        (
            "service = \"postgres\"\nmode = \"panic\"",
            "panic cannot be done to a service",
        ),
        ("link = \"postgres\"", "give one of latency"),
        (
            "link = \"postgres\"\ncut = true\nlatency = \"1s\"",
            "give one of latency",
        ),
        ("lock_table = \"orders; DROP\"", "is no table"),
        ("lock_table = \"orders\"\ncut = true", "are for a link"),
        ("hold_connections = 0", "between 1 and"),
        ("fill_disk = \"postgres\"", "give setup.disk_mb"),
        (
            "actor = \"v1/ingest\"\nmode = \"stop\"",
            "stop cannot be done to an actor",
        ),
        ("actor = \"v1/ingest\"\nlasts = \"1s\"", "stalls"),
    ] {
        let setup = "[setup]\nservices = [\"postgres\"]";
        let text = format!("{SOUND}{setup}\n[[fault]]\nat = \"1s\"\n{fault}");
        let error = Scenario::parse(&text, Choice::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{fault}: {error}");
    }
    for (load, why) in [
        ("follows = \"search\"", "give both"),
        ("follows = \"customers\"\nshare = 0.8", "looks for a breakpoint"),
        ("follows = \"search\"\nshare = 0.8\nrate = 3", "leave rate"),
        ("follows = \"search\"\nshare = 11", "share must be above 0"),
        ("rate = 9_000_000", "rate must be above 0"),
    ] {
        let search =
            "[[load]]\nname = \"search\"\nduration = \"5s\"\nrate = 100\nbreakpoint = { to_rate = 1000, p99_ms = 100 }";
        let text = format!("{SOUND}{search}\n[[load]]\nname = \"rest\"\nduration = \"5s\"\n{load}");
        let error = Scenario::parse(&text, Choice::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{load}: {error}");
    }
    assert!(Scenario::parse("about = \"x\"\nload = []", Choice::default()).is_err());
}

#[test]
fn a_profile_is_what_the_file_says() {
    let text = SOUND.replace(
        "duration = \"10s\"",
        "duration = \"10s\"\nday = \"10s\"\nprofiles = { student = 3, tourist = 1 }",
    );
    let student = r#"
[[profile]]
name = "student"
drinks = { latte = 3, americano = 1 }
hours = { "09-12" = 5, "14-15" = 1 }
price = { low = 2, usual = 2.25, high = 4 }
orders_per_visit = [1, 3]
double_taps = 0.05
pause = ["0s", "20ms"]
wire = "abroad"
"#;
    let scenario = Scenario::parse(&format!("{text}{student}"), Choice::default()).unwrap();
    let options = &scenario.loads[0].options;
    let of_day = |name: &str| options.profiles.iter().find(|(profile, _)| profile.name == name);
    assert_eq!(options.day, Some(Duration::from_secs(10)));
    assert!(of_day("tourist").is_some());
    let (profile, share) = of_day("student").unwrap();
    let weight = |name: &str| {
        let place = options.menu.drinks.iter().position(|drink| **drink == *name);
        profile.drink_weights[place.unwrap()]
    };
    assert_eq!(
        (*share, weight("latte"), weight("americano"), weight("cappuccino")),
        (3, 3, 1, 0)
    );
    assert!(profile.store_weights.is_empty());
    let hours = profile.hour_weights.unwrap();
    assert_eq!((hours[8], hours[9], hours[11], hours[12], hours[14]), (0, 5, 5, 0, 1));
    assert_eq!(
        (
            profile.price.low_cents,
            profile.price.usual_cents,
            profile.price.high_cents
        ),
        (200, 225, 400)
    );
    assert_eq!(
        (
            profile.orders_per_visit,
            profile.double_taps_per_mille,
            profile.pause_millis
        ),
        ((1, 3), 50, (0, 20))
    );
    for (from, to, why) in [
        ("\"student\"\nd", "\"tourist\"\nd", "there is a profile tourist already"),
        ("latte = 3", "mocha = 3", "\"mocha\", which is not on the menu"),
        ("latte = 3, americano = 1", "latte = 0", "one of them above zero"),
        ("09-12", "12-09", "are no hours"),
        ("14-15", "11-15", "told already"),
        ("low = 2", "low = 3", "low <= usual"),
        ("[1, 3]", "[3, 1]", "fewest and the most"),
        ("0.05", "1.5", "double_taps"),
        ("\"20ms\"", "\"0s\"", ""),
        ("student = 3", "baker = 3", "there is no profile \"baker\""),
        ("day = \"10s\"", "day = \"1ms\"", "a day must last"),
    ] {
        let text = format!("{text}{student}").replacen(from, to, 1);
        match Scenario::parse(&text, Choice::default()) {
            Ok(_) => assert_eq!(why, "", "{to}"),
            Err(error) => assert!(!why.is_empty() && error.to_string().contains(why), "{to}: {error}"),
        }
    }
}
