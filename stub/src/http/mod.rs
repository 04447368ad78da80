//! Makes all requests to the network: plain GET, with bounds on bytes and time.

mod body;
mod dial;
mod error;
mod proxy;
mod transport;
mod url;

pub use body::{PlacedSink, Rest};
pub use error::{HttpError, Oddity};
pub use url::{check as check_url, shown};

use crate::tuf::UnixTime;
use dial::{Dial, Later};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::{HeaderName, StatusCode, header};
use ureq::tls::{Certificate, RootCerts};

/// More redirects than this are not followed.
const MOST_REDIRECTS: usize = 5;

/// Longer than this no connection may take.
const CONNECT: Duration = Duration::from_secs(15);

/// Holds the answer to a request for a small file.
#[derive(Debug)]
pub enum Answer {
    /// The file, and its entity tag.
    Found {
        /// The content.
        bytes: Vec<u8>,
        /// For the next conditional request.
        etag: Option<String>,
        /// What it seems to be instead of the file, by its headers.
        oddity: Option<Oddity>,
    },
    /// The file still has the entity tag that was sent.
    NotModified,
    /// There is no such file.
    Absent,
    /// Status 403: access is refused; or, as object stores answer to those who
    /// may not list their files, there is no such file.
    Forbidden,
}

/// Says how to fetch.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A server that says nothing for this long is given up.
    pub silence: Duration,
    /// How long all that is asked to find out what is new may take, if that
    /// is limited.
    pub deadline: Option<Duration>,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub roots: Option<Vec<u8>>,
    /// Values of the header `Authorization`, by the start of the URLs that
    /// they are for: scheme, host and port. Never sent to the target of a
    /// redirect, even on the same host.
    pub authorization: Vec<(String, String)>,
    /// Bytes per second at the most.
    pub max_rate: Option<u64>,
}

/// Fetches by HTTP, with one connection pool.
#[derive(Clone)]
pub struct Http {
    agent: ureq::Agent,
    options: Arc<Options>,
    /// How many connections were made.
    connections: Arc<AtomicUsize>,
    timeouts: Timeouts,
}

/// How long to wait for a server.
#[derive(Debug, Clone, Copy)]
struct Timeouts {
    connect: Duration,
    silence: Duration,
}

/// What came, and from where, after redirects.
struct Reply {
    response: ureq::http::Response<ureq::Body>,
    led_to: Option<String>,
}

impl Http {
    /// Returns a client that gives up on a server that says nothing for
    /// `silence`.
    pub fn new(silence: Duration) -> Self {
        let options = Options {
            silence,
            ..Options::default()
        };
        Self::build(options, RootCerts::PlatformVerifier)
    }

    /// Returns a client with these options.
    ///
    /// # Errors
    /// [`HttpError::Roots`].
    pub fn with(mut options: Options) -> Result<Self, HttpError> {
        let Some(pem) = options.roots.take() else {
            return Ok(Self::build(options, RootCerts::PlatformVerifier));
        };
        let mut roots = Vec::new();
        for item in ureq::tls::parse_pem(&pem) {
            match item {
                Ok(ureq::tls::PemItem::Certificate(root)) => roots.push(root),
                Ok(_) => {}
                Err(e) => return Err(HttpError::Roots(e.to_string())),
            }
        }
        if roots.is_empty() {
            return Err(HttpError::Roots("it contains no certificate".into()));
        }
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            log::warn!("{error}");
        }
        let system = system.certs.iter();
        roots.extend(system.map(|der| Certificate::from_der(der).to_owned()));
        Ok(Self::build(options, RootCerts::from(roots)))
    }

    fn build(options: Options, roots: RootCerts) -> Self {
        let silence = options.silence;
        let provider = rustls::crypto::ring::default_provider();
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Redirects are followed here, and proxies used.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            // They are filled with zeros for each connection, which takes
            // longer than many an answer; a request is short, but for long
            // values of authorization.
            .input_buffer_size(64 * 1024)
            .output_buffer_size(32 * 1024)
            .user_agent(concat!("notsotuf/", env!("CARGO_PKG_VERSION")))
            .build();
        let connections = Arc::new(AtomicUsize::new(0));
        let dial = Dial::new(Arc::clone(&connections));
        Http {
            agent: ureq::Agent::with_parts(config, dial, Later),
            options: Arc::new(options),
            connections,
            timeouts: Timeouts {
                connect: silence.min(CONNECT),
                silence,
            },
        }
    }

    /// Returns the same client with less patience: for when others may do
    /// better than a server that takes this long to connect, or says nothing
    /// for so long.
    pub fn hurried(&self, connect: Duration, silence: Duration) -> Self {
        let timeouts = Timeouts {
            connect: self.timeouts.connect.min(connect),
            silence: self.timeouts.silence.min(silence),
        };
        let own = self.clone();
        Http { timeouts, ..own }
    }

    /// Returns the options that the client was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Asks for `url`, and where redirects lead. Nothing but the first URL
    /// gets credentials, and https is not left.
    fn send(&self, url: &str, headers: &[(HeaderName, String)]) -> Result<Reply, HttpError> {
        let mut known = self.options.authorization.iter();
        let who = known.find(|(origin, _)| url::is_of(url, origin));
        let mut headers = headers.to_vec();
        headers.push((header::ACCEPT_ENCODING, "identity".into()));
        let mut first = headers.clone();
        first.extend(who.map(|(_, value)| (header::AUTHORIZATION, value.clone())));
        let bad = |why| HttpError::Redirect {
            url: shown(url),
            why,
        };
        let mut at = url.to_owned();
        for hop in 0..=MOST_REDIRECTS {
            let headers = if hop == 0 { &first } else { &headers };
            let response = self.ask(&at, headers);
            let response = response.map_err(|e| HttpError::unreachable(&at, e))?;
            let leads = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let location = response.headers().get(header::LOCATION);
            let Some(location) = location.filter(|_| leads) else {
                let led_to = (hop > 0).then(|| shown(&at));
                return Ok(Reply { response, led_to });
            };
            let location = location.to_str().ok();
            let to = location.and_then(|location| url::join(&at, location));
            let to = to.ok_or_else(|| bad("to something that is not an http or https address"))?;
            if at.starts_with("https:") && !to.starts_with("https:") {
                return Err(HttpError::Downgrade {
                    url: shown(&at),
                    to: shown(&to),
                });
            }
            at = to;
        }
        Err(bad("too often"))
    }

    /// One request; a second one if the server had just closed a connection
    /// that was kept for it.
    fn ask(
        &self,
        url: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let call = |oldest: Duration| {
            let mut request = self.agent.get(url);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request
                .config()
                .timeout_connect(Some(self.timeouts.connect))
                .timeout_recv_response(Some(self.timeouts.silence))
                .timeout_per_read(Some(self.timeouts.silence))
                .max_idle_age(oldest)
                .build()
                .call()
        };
        let before = self.connections.load(Ordering::Relaxed);
        match call(CONNECT) {
            Err(ureq::Error::Io(e))
                if was_closed(&e) && self.connections.load(Ordering::Relaxed) == before =>
            {
                log::debug!("{}: {e}; asking again", shown(url));
                call(Duration::ZERO)
            }
            result => result,
        }
    }

    /// Fetches a file of at most `limit` bytes. With an entity tag, asks only
    /// for a file that has another one.
    ///
    /// # Errors
    /// [`HttpError`]. Status 403 and 404 are no errors but [`Answer::Absent`]:
    /// object stores answer either where there is nothing.
    pub fn get(&self, url: &str, limit: u64, etag: Option<&str>) -> Result<Answer, HttpError> {
        let condition = etag.map(|etag| (header::IF_NONE_MATCH, etag.to_owned()));
        let reply = self.send(url, condition.as_slice())?;
        let response = &reply.response;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Answer::NotModified),
            StatusCode::NOT_FOUND => return Ok(Answer::Absent),
            StatusCode::FORBIDDEN => return Ok(Answer::Forbidden),
            status => return Err(HttpError::status(url, status)),
        }
        let etag = response
            .headers()
            .get(header::ETAG)
            .and_then(|tag| tag.to_str().ok())
            .filter(|tag| tag.len() < 200)
            .map(str::to_owned);
        let oddity = reply.oddity();
        let mut bytes = Vec::new();
        self.receive(url, reply.response, limit, None, &mut |data| {
            bytes.extend_from_slice(data);
            Ok(())
        })?;
        Ok(Answer::Found {
            bytes,
            etag,
            oddity,
        })
    }

    /// Returns the time by the clock of the server at `url`; `None` if the
    /// server does not say.
    pub fn server_time(&self, url: &str) -> Option<UnixTime> {
        let response = self.send(url, &[]).ok()?.response;
        let date = response.headers().get(header::DATE)?.to_str().ok()?;
        // "GMT" is the old name of the zone (RFC 9110, 5.6.7).
        let date = date.replace("GMT", "+0000");
        let time = OffsetDateTime::parse(&date, &Rfc2822).ok()?;
        Some(time.unix_timestamp())
    }
}

impl Reply {
    /// What the headers say that it is instead of the file.
    fn oddity(&self) -> Option<Oddity> {
        let headers = self.response.headers();
        let text = |name| Some(headers.get(name)?.to_str().ok()?.to_ascii_lowercase());
        if text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
            return Some(Oddity::Page(self.led_to.clone()));
        }
        let encoding = text(header::CONTENT_ENCODING)?;
        let known = encoding
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-, ".contains(c));
        match encoding.trim() {
            "" | "identity" => None,
            encoding if known && encoding.len() < 40 => Some(Oddity::Encoded(encoding.into())),
            _ => Some(Oddity::Encoded("another form".into())),
        }
    }
}

/// Whether this is how it looks if the other side is gone.
fn was_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error() {
        for pem in [
            "",
            "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n",
        ] {
            let options = Options {
                roots: Some(pem.into()),
                ..Options::default()
            };
            assert!(matches!(Http::with(options), Err(HttpError::Roots(_))));
        }
    }
}
