//! Says why a request failed.

use super::dial::ProxyError;
use super::url::shown;
use crate::failure::FailureKind;
use std::io::{self, ErrorKind};
use std::time::Duration;
use ureq::http::StatusCode;

/// Says why a request failed. Every variant names the URL, without what is
/// secret in it.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is no connection or no answer, or the connection broke; TLS or a
    /// proxy may be the cause.
    #[error("cannot reach {url}: {source}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: io::Error,
    },
    /// An answer other than "here it is".
    #[error("{url} answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The network wants a login first (RFC 6585, section 6).
    #[error(
        "{url} answers 511: this network asks for a login (a captive portal); log in with a browser"
    )]
    Login {
        /// What was asked for.
        url: String,
    },
    /// The proxy wants to know who asks.
    #[error(
        "{url}: the proxy asks for a name and a password; put them into the environment variable \
         {variable}, as http://name:password@host:port"
    )]
    ProxyPassword {
        /// What was asked for.
        url: String,
        /// The variable for URLs of this scheme.
        variable: &'static str,
    },
    /// A redirect from https to something that is not.
    #[error(
        "{url} redirects to {to}, which is not https; a download by https never continues \
         without encryption"
    )]
    Downgrade {
        /// What was asked for.
        url: String,
        /// Where the redirect leads.
        to: String,
    },
    /// A redirect cannot be followed.
    #[error("{url} redirects {why}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// What is wrong with that.
        why: &'static str,
    },
    /// The connection broke while the body was read.
    #[error("{url}: the connection broke after {received}{}: {source}", of(*.expected))]
    Broken {
        /// What was asked for.
        url: String,
        /// Bytes that had come.
        received: u64,
        /// Bytes that were to come, where that is known.
        expected: Option<u64>,
        /// What went wrong.
        source: io::Error,
    },
    /// The certificates of the settings cannot be read.
    #[error("the certificates of ca_file cannot be used: {0}")]
    Roots(String),
    /// More data than the metadata allows.
    #[error("{url} sends more than the {limit} bytes allowed")]
    TooLong {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// The server says beforehand that it has something else.
    #[error("{url} sends {found} bytes, though {expected} are signed")]
    WrongLength {
        /// What was asked for.
        url: String,
        /// The length of what the server has.
        found: u64,
        /// The signed length.
        expected: u64,
    },
    /// A page for people.
    #[error("{url} {}", Oddity::Page(.led_to.clone()))]
    Page {
        /// What was asked for.
        url: String,
        /// Where a redirect led.
        led_to: Option<String>,
    },
    /// A compressed answer.
    #[error("{url} {}", Oddity::Encoded(.encoding.clone()))]
    Encoded {
        /// What was asked for.
        url: String,
        /// The value of `Content-Encoding`.
        encoding: String,
    },
    /// A part where all of it was asked for.
    #[error(
        "{url} answers 206 with a part of the file, though all of it was asked for; the server or \
         a cache before it is broken"
    )]
    UnaskedPart {
        /// What was asked for.
        url: String,
    },
    /// The file would all be sent once more.
    #[error(
        "{url} sends the file from its start instead of the rest; it is tried again at the next \
         start"
    )]
    Again {
        /// What was asked for.
        url: String,
    },
    /// Data came, but too slowly.
    #[error("{url} sends too slowly, less than {least} bytes in {} s", window.as_secs_f32())]
    TooSlow {
        /// What was asked for.
        url: String,
        /// What would have been enough.
        least: u64,
        /// The time.
        window: Duration,
    },
}

fn of(expected: Option<u64>) -> String {
    match expected {
        Some(expected) => format!(" of {expected} bytes"),
        None => " bytes".into(),
    }
}

/// Says what an answer is instead of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// A page for people; where a redirect led to it.
    Page(Option<String>),
    /// The answer is compressed, in this way.
    Encoded(String),
    /// The beginning of the file.
    Cut(u64),
}

impl std::fmt::Display for Oddity {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Oddity::Page(led_to) => {
                f.write_str("sends a web page instead of the file")?;
                if let Some(to) = led_to {
                    write!(f, ", after a redirect to {to}")?;
                }
                f.write_str(
                    "; that may be the login of this network (a captive portal), a block page, \
                     or another owner of the address: open it in a browser",
                )
            }
            Oddity::Encoded(encoding) => write!(
                f,
                "sends {encoding} though the file was asked for as it is; the server, or a proxy \
                 before it, must not compress it"
            ),
            Oddity::Cut(received) => write!(
                f,
                "was cut short: the connection was closed after {received} bytes"
            ),
        }
    }
}

impl HttpError {
    /// Returns what kind of failure it is.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            HttpError::TooLong { .. }
            | HttpError::WrongLength { .. }
            | HttpError::Page { .. }
            | HttpError::Encoded { .. } => FailureKind::Refused,
            HttpError::Roots(_) => FailureKind::Local,
            _ => FailureKind::Unavailable,
        }
    }

    /// Returns whether more patience might have helped.
    pub fn is_slowness(&self) -> bool {
        match self {
            HttpError::TooSlow { .. } => true,
            HttpError::Unreachable { source, .. } | HttpError::Broken { source, .. } => {
                source.kind() == ErrorKind::TimedOut
            }
            _ => false,
        }
    }

    /// Returns the error for a `url` that refuses access, where something
    /// should be.
    pub fn forbidden(url: &str) -> Self {
        Self::status(url, StatusCode::FORBIDDEN)
    }

    /// Returns whether access was refused.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, HttpError::Status { status, .. } if *status == StatusCode::FORBIDDEN)
    }

    pub(super) fn unreachable(url: &str, error: ureq::Error) -> Self {
        if let ureq::Error::Other(other) = &error
            && let Some(ProxyError::Password) = other.downcast_ref()
        {
            return Self::proxy_password(url);
        }
        HttpError::Unreachable {
            url: shown(url),
            source: plain(error),
        }
    }

    pub(super) fn status(url: &str, status: StatusCode) -> Self {
        let shown = shown(url);
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Self::proxy_password(url),
            StatusCode::NETWORK_AUTHENTICATION_REQUIRED => HttpError::Login { url: shown },
            StatusCode::PARTIAL_CONTENT => HttpError::UnaskedPart { url: shown },
            status => HttpError::Status { url: shown, status },
        }
    }

    fn proxy_password(url: &str) -> Self {
        let variable = if url.starts_with("https:") {
            "HTTPS_PROXY"
        } else {
            "HTTP_PROXY"
        };
        let url = shown(url);
        HttpError::ProxyPassword { url, variable }
    }
}

/// Says what the library says in fewer words, and never with a URL.
pub(super) fn plain(error: ureq::Error) -> io::Error {
    match error {
        ureq::Error::Io(e) => e,
        ureq::Error::Timeout(_) => {
            io::Error::new(ErrorKind::TimedOut, "there is no answer in time")
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            io::Error::new(ErrorKind::InvalidInput, "this is not an address")
        }
        ureq::Error::Other(e) => io::Error::other(e),
        ureq::Error::ConnectionFailed => io::Error::other(
            "the proxy did not answer as a proxy \
                                                           does",
        ),
        e => io::Error::other(e),
    }
}
