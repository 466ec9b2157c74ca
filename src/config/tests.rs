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
