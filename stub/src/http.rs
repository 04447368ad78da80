//! The only network edge: plain GET requests with bounds on bytes and time.

use crate::error::Class;
use crate::tuf::UnixTime;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::{StatusCode, header};
use ureq::tls::{Certificate, RootCerts};

/// A download that brings less than this in the time in which a server may
/// say nothing is given up too: the slow retrieval attack of the TUF
/// specification, section 1.5.2.
const SLOW_BYTES: u64 = 16 * 1024;

/// Why a request failed. Every variant names the URL.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection, no answer, a broken one, TLS, a proxy, …
    #[error("cannot reach {url}: {source}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// An answer other than "here it is".
    #[error("{url} answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
    /// The proxy wants to know who asks.
    #[error(
        "{url}: the proxy asks for a name and a password; put them into the environment variable \
         HTTPS_PROXY, as http://name:password@host:port"
    )]
    ProxyPassword {
        /// What was asked for.
        url: String,
    },
    /// The connection broke while the body was read.
    #[error("{url}: the connection broke after {received} bytes: {source}")]
    Broken {
        /// What was asked for.
        url: String,
        /// Bytes that had come.
        received: u64,
        /// What went wrong.
        source: std::io::Error,
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
    /// Data came, but too slowly.
    #[error("{url} sends too slowly, less than {SLOW_BYTES} bytes in {} s", window.as_secs_f32())]
    TooSlow {
        /// What was asked for.
        url: String,
        /// The time.
        window: Duration,
    },
}

impl HttpError {
    /// Access to `url` is refused, where something should be.
    pub fn forbidden(url: &str) -> Self {
        status_error(url, StatusCode::FORBIDDEN)
    }

    /// Whether access was refused.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, HttpError::Status { status, .. } if *status == StatusCode::FORBIDDEN)
    }

    /// The class of problem.
    pub fn class(&self) -> Class {
        match self {
            HttpError::TooLong { .. } => Class::Refused,
            HttpError::Roots(_) => Class::Local,
            _ => Class::Unavailable,
        }
    }
}

/// The answer to a request for a small file.
#[derive(Debug)]
pub enum Answer {
    /// The file, and its entity tag.
    Found {
        /// The content.
        bytes: Vec<u8>,
        /// For the next conditional request.
        etag: Option<String>,
    },
    /// The file still has the entity tag that was sent.
    NotModified,
    /// There is no such file.
    Absent,
    /// Status 403: access is refused; or, as object stores answer to those who
    /// may not list their files, there is no such file.
    Forbidden,
}

/// Takes data, and the place in the file where it belongs.
pub type PlacedSink<'a, E> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), E>;

/// How to fetch.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A server that says nothing for this long is given up.
    pub silence: Duration,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub roots: Option<Vec<u8>>,
    /// Values of the header `Authorization`, by the start of the URLs that
    /// they are for: scheme, host and port. After a redirect they are not
    /// sent, whereto ever it leads.
    pub authorization: Vec<(String, String)>,
    /// Bytes per second at the most.
    pub max_rate: Option<u64>,
}

/// A client with one connection pool.
pub struct Http {
    agent: ureq::Agent,
    options: Options,
}

impl Http {
    /// A client that gives up on a server that says nothing for `silence`.
    pub fn new(silence: Duration) -> Self {
        let options = Options {
            silence,
            ..Options::default()
        };
        Self::build(options, RootCerts::PlatformVerifier)
    }

    /// A client with these options.
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
            return Err(HttpError::Roots("there is no certificate in it".into()));
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
            .max_redirects(5)
            .user_agent(concat!("notsotuf/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(silence.min(Duration::from_secs(15))))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .build();
        Http {
            agent: config.new_agent(),
            options,
        }
    }

    fn request(&self, url: &str) -> ureq::RequestBuilder<ureq::typestate::WithoutBody> {
        let request = self.agent.get(url);
        let mut known = self.options.authorization.iter();
        match known.find(|(origin, _)| is_of(url, origin)) {
            Some((_, value)) => request.header(header::AUTHORIZATION, value),
            None => request,
        }
    }

    /// Fetches a file of at most `limit` bytes. With an entity tag, asks only
    /// for a file that has another one.
    ///
    /// # Errors
    /// [`HttpError`]. Status 404 and 403 are no errors but [`Answer::Absent`]
    /// and [`Answer::Forbidden`]: object stores answer either where there is
    /// nothing.
    pub fn get(&self, url: &str, limit: u64, etag: Option<&str>) -> Result<Answer, HttpError> {
        let mut request = self.request(url);
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let response = request.call().map_err(|e| unreachable(url, e))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Answer::NotModified),
            StatusCode::NOT_FOUND => return Ok(Answer::Absent),
            StatusCode::FORBIDDEN => return Ok(Answer::Forbidden),
            status => return Err(status_error(url, status)),
        }
        let etag = response
            .headers()
            .get(header::ETAG)
            .and_then(|tag| tag.to_str().ok())
            .filter(|tag| tag.len() < 200)
            .map(str::to_owned);
        let mut bytes = Vec::new();
        self.receive(url, response, limit, &mut |data| {
            bytes.extend_from_slice(data);
            Ok(())
        })?;
        Ok(Answer::Found { bytes, etag })
    }

    /// What time it is according to the server at `url`; `None` if it does
    /// not say.
    pub fn server_time(&self, url: &str) -> Option<UnixTime> {
        let response = self.request(url).call().ok()?;
        let date = response.headers().get(header::DATE)?.to_str().ok()?;
        // "GMT" is the old name of the zone (RFC 9110, 5.6.7).
        let date = date.replace("GMT", "+0000");
        let time = OffsetDateTime::parse(&date, &Rfc2822).ok()?;
        Some(time.unix_timestamp())
    }

    /// Streams a file of at most `limit` bytes to `sink`.
    ///
    /// # Errors
    /// [`HttpError`], or what `sink` returned.
    pub fn stream<E: From<HttpError>>(
        &self,
        url: &str,
        limit: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stream_from(url, 0, limit, &mut |_, data| sink(data))
    }

    /// Streams a file of at most `limit` bytes to `sink`, from byte `from` on
    /// if the server can do that. `sink` is told the place of each piece of
    /// data; the first one is at `from`, or at 0.
    ///
    /// # Errors
    /// [`HttpError`], or what `sink` returned.
    pub fn stream_from<E: From<HttpError>>(
        &self,
        url: &str,
        from: u64,
        limit: u64,
        sink: PlacedSink<'_, E>,
    ) -> Result<(), E> {
        let mut request = self.request(url);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let response = request.call().map_err(|e| unreachable(url, e))?;
        let mut at = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if from > 0 && starts_at(&response, from) => from,
            // The file is not that long, or the answer makes no sense: all of it, then.
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if from > 0 => {
                return self.stream_from(url, 0, limit, sink);
            }
            status => return Err(status_error(url, status).into()),
        };
        let left = limit.saturating_sub(at);
        self.receive(url, response, left, &mut |data| {
            let place = at;
            at += data.len() as u64;
            sink(place, data)
        })
    }

    fn receive<E: From<HttpError>>(
        &self,
        url: &str,
        response: ureq::http::Response<ureq::Body>,
        limit: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let too_long = || HttpError::TooLong {
            url: url.into(),
            limit,
        };
        if response.body().content_length().is_some_and(|n| n > limit) {
            return Err(too_long().into());
        }
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut received = 0u64;
        let start = Instant::now();
        let (mut since, mut in_window) = (start, 0u64);
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(HttpError::Broken {
                        url: url.into(),
                        received,
                        source,
                    }
                    .into());
                }
            };
            received += n as u64;
            if received > limit {
                return Err(too_long().into());
            }
            in_window += n as u64;
            if in_window >= SLOW_BYTES {
                (since, in_window) = (Instant::now(), 0);
            } else if since.elapsed() > self.options.silence {
                return Err(HttpError::TooSlow {
                    url: url.into(),
                    window: self.options.silence,
                }
                .into());
            }
            sink(&buffer[..n])?;
            if let Some(rate) = self.options.max_rate {
                let due = Duration::from_secs_f64(received as f64 / rate.max(1) as f64);
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
        }
    }
}

/// Whether `url` is at this scheme, host and port.
fn is_of(url: &str, origin: &str) -> bool {
    let rest = url.strip_prefix(origin.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a partial answer says that it begins at `from` (RFC 9110, 14.4).
fn starts_at(response: &ureq::http::Response<ureq::Body>, from: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE);
    range
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-'))
        .is_some_and(|(start, _)| start.parse() == Ok(from))
}

fn unreachable(url: &str, source: ureq::Error) -> HttpError {
    if matches!(&source, ureq::Error::ConnectProxyFailed(said) if said.contains("407")) {
        return HttpError::ProxyPassword { url: url.into() };
    }
    HttpError::Unreachable {
        url: url.into(),
        source: Box::new(source),
    }
}

fn status_error(url: &str, status: StatusCode) -> HttpError {
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return HttpError::ProxyPassword { url: url.into() };
    }
    HttpError::Status {
        url: url.into(),
        status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_for_one_origin() {
        let origin = "https://updates.example";
        assert!(is_of("https://updates.example/metadata/x", origin));
        assert!(is_of("https://updates.example", "https://updates.example/"));
        for other in [
            "http://updates.example/x",
            "https://updates.example.evil/x",
            "https://updates.example:8443/x",
            "https://updates.example@evil/x",
            "https://evil/https://updates.example/",
        ] {
            assert!(!is_of(other, origin), "{other}");
        }
    }

    #[test]
    fn certificates_that_are_none() {
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
