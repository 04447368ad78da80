//! Streams large files, resumes them, and never takes more of them than is
//! signed.

use super::error::plain;
use super::{Http, HttpError, Oddity, Reply, shown};
use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};
use ureq::http::{StatusCode, header};

/// A download that brings less than this in the time in which a server may
/// say nothing is given up too: the slow retrieval attack of the TUF
/// specification, section 1.5.2.
const SLOW_BYTES: u64 = 16 * 1024;

/// Takes data, and the place in the file where it belongs.
pub type PlacedSink<'a, E> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), E>;

/// Says which part of a file of known length is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// From here on.
    pub from: u64,
    /// The length of the whole file.
    pub length: u64,
    /// No more bytes than this are to come.
    pub most: u64,
}

/// The rest that a server is willing to send.
struct Offer {
    reply: Reply,
    at: u64,
    /// What it seems to be instead, though its length is right.
    oddity: Option<Oddity>,
}

impl Http {
    /// Streams a file of `length` bytes to `sink`.
    ///
    /// # Errors
    /// [`HttpError`], or what `sink` returned.
    pub fn stream<E: From<HttpError>>(
        &self,
        url: &str,
        length: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let rest = Rest {
            from: 0,
            length,
            most: length,
        };
        self.stream_rest(url, rest, &mut |_, data| sink(data))?;
        Ok(())
    }

    /// Streams the rest of a file to `sink`, or all of it if the server can
    /// do no better. `sink` is told the place of each piece of data; the first
    /// one is at `from`, or at 0. Returns what the file seems to be instead
    /// if its content turns out to be wrong.
    ///
    /// # Errors
    /// [`HttpError`], or what `sink` returned.
    pub fn stream_rest<E: From<HttpError>>(
        &self,
        url: &str,
        rest: Rest,
        sink: PlacedSink<'_, E>,
    ) -> Result<Option<Oddity>, E> {
        let Offer { reply, at, oddity } = self.offer(url, rest)?;
        let (start, left) = (at, rest.length - at);
        let mut at = start;
        self.receive(url, reply.response, left, Some(left), &mut |data| {
            let place = at;
            at += data.len() as u64;
            sink(place, data)
        })?;
        if start > 0 && at < rest.length {
            return Err(HttpError::Broken {
                url: shown(url),
                received: at - start,
                expected: Some(left),
                source: io::Error::new(ErrorKind::UnexpectedEof, "the server sends parts"),
            }
            .into());
        }
        Ok(oddity)
    }

    /// Asks for the rest of a file, and looks at the headers of what comes:
    /// nothing is received that is sure to be of no use.
    fn offer(&self, url: &str, rest: Rest) -> Result<Offer, HttpError> {
        let Rest { from, length, most } = rest;
        let range = (from > 0).then(|| (header::RANGE, format!("bytes={from}-")));
        let reply = self.send(url, range.as_slice())?;
        let status = reply.response.status();
        let at = match (status, part(&reply)) {
            (StatusCode::OK, _) => 0,
            (StatusCode::PARTIAL_CONTENT, Some((start, total)))
                if from > 0 && start == from && total.is_none_or(|total| total == length) =>
            {
                from
            }
            // The file is not that long, or the answer makes no sense: all of it, then.
            (StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT, _) if from > 0 => {
                if length > most {
                    return Err(HttpError::Again { url: shown(url) });
                }
                return self.offer(url, Rest { from: 0, ..rest });
            }
            (status, _) => return Err(HttpError::status(url, status)),
        };
        let wanted = length - at;
        let oddity = reply.oddity();
        let found = reply.response.body().content_length();
        // A part may be shorter than what was asked for (RFC 9110, 15.3.7).
        let fits = match found {
            Some(found) => found == wanted || at > 0 && found < wanted,
            None => oddity.is_none(),
        };
        let url = shown(url);
        match (fits, oddity) {
            (true, _) if wanted > most => Err(HttpError::Again { url }),
            (true, oddity) => Ok(Offer { reply, at, oddity }),
            (false, Some(Oddity::Page(led_to))) => Err(HttpError::Page { url, led_to }),
            (false, Some(Oddity::Encoded(encoding))) => Err(HttpError::Encoded { url, encoding }),
            (false, _) => Err(HttpError::WrongLength {
                url,
                found: found.unwrap_or(0).saturating_add(at),
                expected: length,
            }),
        }
    }

    /// Reads a body of at most `limit` bytes; of as many as are `expected`,
    /// where only its end says that it is complete.
    pub(super) fn receive<E: From<HttpError>>(
        &self,
        url: &str,
        response: ureq::http::Response<ureq::Body>,
        limit: u64,
        expected: Option<u64>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let announced = response.body().content_length();
        let too_long = || HttpError::TooLong {
            url: shown(url),
            limit,
        };
        if announced.is_some_and(|n| n > limit) {
            return Err(too_long().into());
        }
        let framed = announced.is_some() || is_chunked(&response);
        let broken = |received, source| HttpError::Broken {
            url: shown(url),
            received,
            expected: announced.or(expected),
            source,
        };
        let mut pace = Pace::new(self);
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut received = 0u64;
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) if !framed && expected.is_some_and(|expected| received < expected) => {
                    let closed = io::Error::new(ErrorKind::UnexpectedEof, "the server closed it");
                    return Err(broken(received, closed).into());
                }
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(broken(received, plain(e.into())).into()),
            };
            received += n as u64;
            if received > limit {
                return Err(too_long().into());
            }
            pace.check(url, n as u64)?;
            sink(&buffer[..n])?;
            pace.hold_back(received);
        }
    }
}

/// Neither too slow nor too fast.
struct Pace {
    start: Instant,
    /// Since when, and how much has come.
    window: (Instant, u64),
    silence: Duration,
    least: u64,
    max_rate: Option<u64>,
}

impl Pace {
    fn new(http: &Http) -> Self {
        let start = Instant::now();
        let silence = http.timeouts.silence;
        // The same rate in less time.
        let share = silence.as_secs_f64() / http.options.silence.as_secs_f64().max(0.001);
        Pace {
            start,
            window: (start, 0),
            silence,
            least: (SLOW_BYTES as f64 * share.min(1.0)) as u64,
            max_rate: http.options.max_rate,
        }
    }

    fn check(&mut self, url: &str, n: u64) -> Result<(), HttpError> {
        let (since, came) = &mut self.window;
        *came += n;
        if *came >= self.least {
            self.window = (Instant::now(), 0);
        } else if since.elapsed() > self.silence {
            return Err(HttpError::TooSlow {
                url: shown(url),
                least: self.least,
                window: self.silence,
            });
        }
        Ok(())
    }

    fn hold_back(&self, received: u64) {
        if let Some(rate) = self.max_rate {
            let due = Duration::from_secs_f64(received as f64 / rate.max(1) as f64);
            std::thread::sleep(due.saturating_sub(self.start.elapsed()));
        }
    }
}

/// Returns where a partial answer says that it begins, and how long the file is
/// (RFC 9110, 14.4).
fn part(reply: &Reply) -> Option<(u64, Option<u64>)> {
    let range = reply.response.headers().get(header::CONTENT_RANGE)?;
    let (range, total) = range
        .to_str()
        .ok()?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    Some((start, total.trim().parse().ok()))
}

fn is_chunked(response: &ureq::http::Response<ureq::Body>) -> bool {
    let encoding = response.headers().get(header::TRANSFER_ENCODING);
    let encoding = encoding.and_then(|encoding| encoding.to_str().ok());
    encoding.is_some_and(|encoding| encoding.to_ascii_lowercase().contains("chunked"))
}
