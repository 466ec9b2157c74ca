#![expect(clippy::result_large_err, reason = "the signature of the library's own test harness")]

use figment::Jail;

use super::*;

fn with_env(variables: &[(&str, &str)], file: &str, check: impl FnOnce(Result<Config, ConfigError>)) {
    Jail::expect_with(|jail| {
        jail.clear_env();
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        if !file.is_empty() {
            jail.create_file(DEFAULT_FILE, file)?;
        }
        check(Config::load(&Flags::default()));
        Ok(())
    });
}

#[test]
fn variables_of_clients_tests_and_builds_are_no_settings() {
    let others = [
        "COFFEE_RT_URL",
        "COFFEE_RT_TEST_SEED",
        "COFFEE_RT_FAULT_DRILL",
        "COFFEE_RT_UI",
    ];
    with_env(&others.map(|name| (name, "off")), "", |config| {
        assert!(config.is_ok(), "{config:?}");
    });
    with_env(&[("COFFEE_RT_LOGS", "off")], "", |config| {
        assert!(config.is_err(), "{config:?}");
    });
}

#[test]
fn layers_win_in_their_order() {
    with_env(
        &[("COFFEE_RT_LISTEN", "127.0.0.1:9000")],
        "listen = \"127.0.0.1:8000\"\nlog = \"warn\"",
        |config| {
            let config = config.unwrap();
            assert_eq!((config.listen.port(), config.log.as_str()), (9000, "warn"));
        },
    );
    with_env(
        &[
            ("COFFEE_RT_LIMITS__CREDIT_ORDERS", "7"),
            ("COFFEE_RT_ADMIN_TOKEN", "12345"),
        ],
        "",
        |config| {
            let config = config.unwrap();
            assert_eq!(config.limits.credit_orders, 7);
            assert!(config.admin_token.unwrap().matches("12345"));
        },
    );
}

#[test]
fn an_empty_variable_is_none() {
    with_env(
        &[
            ("COFFEE_RT_ADMIN_TOKEN", ""),
            ("DATABASE_URL", ""),
            ("COFFEE_RT_LOG", ""),
        ],
        "log = \"warn\"",
        |config| {
            let config = config.unwrap();
            assert!(config.admin_token.is_none() && config.database_url.is_none());
            assert_eq!(config.log, "warn");
        },
    );
}

#[test]
fn flags_win_over_everything() {
    Jail::expect_with(|jail| {
        jail.set_env("COFFEE_RT_LISTEN", "127.0.0.1:9000");
        let flags = Flags {
            listen: Some("127.0.0.1:9001".to_owned()),
            ..Flags::default()
        };
        assert_eq!(Config::load(&flags).unwrap().listen.port(), 9001);
        Ok(())
    });
}

#[test]
fn what_is_wrong_is_named() {
    for (variables, file, named) in [
        (&[][..], "lisen = 1", "lisen"),
        (&[][..], "[limits]\ncredit = 1", "credit"),
        (
            &[("COFFEE_RT_LIMITS__CREDIT_ORDERS", "0")][..],
            "",
            "limits.credit_orders is 0",
        ),
        (&[("COFFEE_RT_LISTEN", "nowhere")][..], "", "\"LISTEN\" in `COFFEE_RT_`"),
        (&[("COFFEE_RT_VERSIONS", "v1,v7")][..], "", "v7"),
        (&[("COFFEE_RT_VERSIONS", "v2")][..], "", "v2 needs redis_url"),
        (
            &[("COFFEE_RT_VERSIONS", "v3")][..],
            "",
            "v3 needs kafka_bootstrap_servers",
        ),
        (&[("COFFEE_RT_V3__PARTITIONS", "0")][..], "", "v3.partitions is 0"),
        (&[("COFFEE_RT_V3__TOPIC", "a topic")][..], "", "v3.topic must be"),
        (
            &[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")][..],
            "[kafka.client]\nacks = 1",
            "kafka.client.acks is set by the node",
        ),
        (
            &[][..],
            "[kafka.client]\nsasl.password = \"***\"",
            "kafka.client has the ***",
        ),
        (
            &[("DATABASE_URL", "mysql://db/coffee")][..],
            "",
            "database_url must look like postgres://",
        ),
        (
            &[("DATABASE_URL", "postgres://barista:***@db/coffee")][..],
            "",
            "database_url has the ***",
        ),
        (&[][..], "admin_token = \"***\"", "admin_token has the ***"),
        (
            &[("COFFEE_RT_TRACES__ENDPOINT", "https://collector:4318")][..],
            "",
            "traces.endpoint must look like http://",
        ),
        (&[][..], "[traces]\nsample_ratio = 1.5", "traces.sample_ratio is 1.5"),
        (&[][..], "[menu]\ndrinks = []\nstores = [\"a\"]", "menu.drinks"),
    ] {
        with_env(variables, file, |config| {
            let error = config.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        });
    }
}

#[test]
fn secrets_are_masked() {
    let variables = [
        ("DATABASE_URL", "postgres://barista:s3cret@db/coffee"),
        ("COFFEE_RT_ADMIN_TOKEN", "t0ken"),
    ];
    with_env(&variables, "", |config| {
        let config = config.unwrap();
        for shown in [format!("{config:?}"), toml::to_string(&config).unwrap()] {
            assert!(shown.contains("postgres://barista:***@db/coffee"), "{shown}");
            assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
        }
        assert_eq!(config.database_url.unwrap().reveal(), variables[0].1);
    });
}

#[test]
fn the_originals_names_are_honoured_where_ours_are_absent() {
    let old = [
        ("POSTGRES_HOST", "db"),
        ("POSTGRES_PASSWORD", "p w"),
        ("APP_PORT", "8010"),
        ("DASHBOARD_UPDATE_INTERVAL", "0.5"),
    ];
    with_env(&old, "", |config| {
        let config = config.unwrap();
        assert_eq!(
            config.database_url.unwrap().reveal(),
            "postgres://postgres:p%20w@db:5432/postgres"
        );
        assert_eq!((config.listen.port(), config.dashboard.min_interval_ms), (8010, 500));
    });
    with_env(&[old[0], ("DATABASE_URL", "postgres://ours/db")], "", |config| {
        assert_eq!(config.unwrap().database_url.unwrap().reveal(), "postgres://ours/db");
    });
}

#[test]
fn a_kafka_is_used_unless_told_otherwise() {
    let servers = ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092,127.0.0.1:9093");
    for (more, file, versions) in [
        (None, "", &[Version::V1, Version::V3][..]),
        (Some(("KAFKA_ENABLED", "False")), "", &[Version::V1]),
        (
            Some(("KAFKA_ENABLED", "False")),
            "[kafka]\nenabled = true",
            &[Version::V1, Version::V3],
        ),
        (Some(("COFFEE_RT_VERSIONS", "v3")), "", &[Version::V3]),
        (
            Some(("REDIS_URL", "redis://127.0.0.1")),
            "",
            &[Version::V1, Version::V2, Version::V3],
        ),
    ] {
        let variables: Vec<_> = [Some(servers), more].into_iter().flatten().collect();
        with_env(&variables, file, |config| {
            assert_eq!(config.unwrap().running_versions(), versions, "{more:?}");
        });
    }
}

#[test]
fn settings_of_kafkas_client_are_passed_on_and_secrets_masked() {
    let variables = [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        ("COFFEE_RT_KAFKA__CLIENT__SASL__PASSWORD", "s3cret"),
    ];
    let file = "[kafka.client]\nsasl.username = \"barista\"\n\"socket.timeout.ms\" = 7000\nlog.queue = false";
    with_env(&variables, file, |config| {
        let config = config.unwrap();
        let client = config.kafka.client.reveal();
        for (name, value) in [
            ("sasl.password", "s3cret"),
            ("sasl.username", "barista"),
            ("socket.timeout.ms", "7000"),
            ("log.queue", "false"),
        ] {
            assert_eq!(client.get(name).map(String::as_str), Some(value), "{name}");
        }
        for shown in [format!("{config:?}"), toml::to_string(&config).unwrap()] {
            assert!(shown.contains("barista") && !shown.contains("s3cret"), "{shown}");
        }
    });
}

#[test]
fn settings_of_kafkas_client_are_read_as_they_stand_in_the_environment() {
    for value in [
        "123456",
        "007",
        "12.50",
        "true",
        "[a, b]",
        "{a=1}",
        "\"quoted\"",
        " s3cret ",
    ] {
        let variable = [("COFFEE_RT_KAFKA__CLIENT__SASL__PASSWORD", value)];
        // Whichever way the file has it, the environment wins.
        for file in [
            "",
            "[kafka.client]\nsasl.password = \"old\"",
            "[kafka.client]\n\"sasl.password\" = \"old\"",
        ] {
            with_env(&variable, file, |config| {
                let client = config.unwrap().kafka.client.reveal();
                assert_eq!(client.get("sasl.password").map(String::as_str), Some(value), "{file}");
            });
        }
    }
    let file = "[kafka.client]\nsasl.password = \"old\"";
    with_env(&[("COFFEE_RT_KAFKA__CLIENT__SASL__PASSWORD", "")], file, |config| {
        assert_eq!(config.unwrap().kafka.client.reveal()["sasl.password"], "old");
    });
}

#[test]
fn a_setting_of_kafkas_client_that_is_no_text_is_named() {
    for value in ["12.5", "[1]"] {
        let file = format!("[kafka.client]\nsasl.password = {value}");
        with_env(&[], &file, |config| {
            let error = config.unwrap_err().to_string();
            assert!(error.contains("sasl.password must be a text"), "{error}");
            assert!(!error.contains(value), "{error}");
        });
    }
    let file = "[kafka.client]\nsasl.password = \"s3cret\"\n\"sasl.password\" = \"other\"";
    with_env(&[], file, |config| {
        let error = config.unwrap_err().to_string();
        assert!(error.contains("sasl.password is there twice"), "{error}");
    });
}
