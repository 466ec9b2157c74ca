//! Who may do what only operators may: inject faults, and send simulated customers.

use warp::http::{HeaderValue, StatusCode, header};
use warp::{Filter, Rejection};

use super::app::{App, FaultAccess};
use super::problem::Problem;

/// Who asks.
pub(super) struct Caller {
    authorization: Option<String>,
    origin: Option<String>,
    host: Option<String>,
}

/// Takes the caller from a request; a header that is no text is refused, not passed over.
pub(super) fn caller() -> impl Filter<Extract = (Caller,), Error = Rejection> + Clone {
    warp::header::optional("authorization")
        .and(warp::header::optional("origin"))
        .and(warp::header::optional("host"))
        .map(|authorization, origin, host| Caller {
            authorization,
            origin,
            host,
        })
}

impl Caller {
    /// Lets operators pass.
    pub(super) fn is_operator(&self, app: &App) -> Result<(), Problem> {
        self.is_no_foreign_page()?;
        match &app.fault_access {
            FaultAccess::Open => Ok(()),
            FaultAccess::Off => {
                let detail = "this is off: the node listens beyond loopback and has no COFFEE_RT_ADMIN_TOKEN";
                Err(Problem::new(StatusCode::FORBIDDEN, "faults-off", detail))
            }
            FaultAccess::Token(token) => {
                let given = self.authorization.as_deref().and_then(|value| value.split_once(' '));
                let right = given.is_some_and(|(scheme, given)| {
                    scheme.eq_ignore_ascii_case("bearer") && token.matches(given.trim())
                });
                if right {
                    return Ok(());
                }
                let detail = "send COFFEE_RT_ADMIN_TOKEN as Authorization: Bearer …";
                Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong-token", detail)
                    .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
        }
    }

    /// A page of another site in the operator's browser reaches loopback too; the browser names the site in `Origin`.
    fn is_no_foreign_page(&self) -> Result<(), Problem> {
        let Some(origin) = &self.origin else { return Ok(()) };
        let site = origin.split_once("://").map(|(_, site)| site);
        if site.is_some() && site == self.host.as_deref() {
            return Ok(());
        }
        let detail = format!("a page of {origin} must not do this here");
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail))
    }
}
