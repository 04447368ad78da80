//! A server that does what servers and networks do wrong.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with every file whose path contains a given text.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with an HTML body.
    Status(u16),
    /// Status 200 and a page, as captive portals answer.
    Portal,
    /// One byte of the content is another one.
    Flipped,
    /// The connection ends after this many bytes, with the length announced.
    Truncated(usize),
    /// Ranges are served, but every connection ends after this many bytes.
    Breaking(usize),
    /// The second half where another part was asked for, and only half at
    /// first.
    WrongRange,
    /// More than the file has.
    Longer,
    /// Bytes without end, and no length.
    Endless,
    /// Nothing more after the headers.
    Stalled,
    /// A byte now and then.
    Dripping,
    /// Only for those who send this `Authorization`.
    Guarded(String),
    /// To this URL, with the path appended.
    Redirect(String),
}

/// Serves a folder with a fault, until this is dropped.
pub struct FaultyServer {
    stop: Arc<AtomicBool>,
    /// Where it listens, without a final slash.
    pub url: String,
    /// From which byte on parts of files were asked for.
    pub ranges: Arc<Mutex<Vec<usize>>>,
    /// The `Authorization` of each request.
    pub authorizations: Arc<Mutex<Vec<Option<String>>>>,
}

impl FaultyServer {
    /// Files whose path contains `what` are served with `fault`, all others
    /// as they are.
    pub fn start(folder: &Path, what: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (folder, what) = (folder.to_path_buf(), what.to_owned());
        let ranges: Arc<Mutex<Vec<usize>>> = Arc::default();
        let authorizations: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let (asked, who) = (Arc::clone(&ranges), Arc::clone(&authorizations));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (folder, what, fault) = (folder.clone(), what.clone(), fault.clone());
                let (asked, who) = (Arc::clone(&asked), Arc::clone(&who));
                std::thread::spawn(move || {
                    // The client may hang up, which is what some tests want.
                    if let Err(e) = answer(&folder, &what, &fault, &asked, &who, stream) {
                        eprintln!("faulty server: {e}");
                    }
                });
            }
        });
        FaultyServer {
            stop,
            url,
            ranges,
            authorizations,
        }
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let address = self.url.trim_start_matches("http://");
        TcpStream::connect(address).expect("it still listens");
    }
}

/// One request, one answer, and the connection ends.
fn answer(
    folder: &Path,
    what: &str,
    fault: &Fault,
    asked: &Mutex<Vec<usize>>,
    who: &Mutex<Vec<Option<String>>>,
    stream: TcpStream,
) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let (mut from, mut authorization) = (None, None);
    for line in lines {
        let line = line?;
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
        let line = line.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    asked.lock().expect("no panic").extend(from);
    who.lock().expect("no panic").push(authorization.clone());
    let url = request.split(' ').nth(1).unwrap_or("/").to_owned();
    let path: PathBuf = folder.join(url.trim_start_matches('/'));
    let mut reply = Reply(stream);
    let page = b"<html><body>Please log in</body></html>";
    if let Fault::Status(status) = fault
        && url.contains(what)
    {
        return reply.send(*status, "", page);
    }
    let Ok(mut content) = std::fs::read(&path) else {
        return reply.send(404, "", b"no");
    };
    if !url.contains(what) {
        return reply.send(200, "", &content);
    }
    match fault {
        Fault::Guarded(expected) if authorization.as_ref() == Some(expected) => {
            reply.send(200, "", &content)
        }
        Fault::Guarded(_) => reply.send(401, "", page),
        Fault::Status(_) => unreachable!("answered already"),
        Fault::Portal => reply.send(200, "Content-Type: text/html\r\n", page),
        Fault::Flipped => {
            let middle = content.len() / 2;
            content[middle] ^= 1;
            reply.send(200, "", &content)
        }
        Fault::Redirect(to) => reply.send(302, &format!("Location: {to}{url}\r\n"), b""),
        Fault::Truncated(length) => {
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            reply.0.write_all(&content[..*length])
        }
        Fault::Breaking(most) => {
            let size = content.len();
            let rest = &content[from.unwrap_or(0)..];
            let length = format!("Content-Length: {}\r\n", rest.len());
            match from {
                None => reply.head(200, &length)?,
                Some(from) => {
                    let range = format!("Content-Range: bytes {from}-{}/{size}\r\n", size - 1);
                    reply.head(206, &(length + &range))?;
                }
            }
            reply.0.write_all(&rest[..rest.len().min(*most)])
        }
        Fault::WrongRange => {
            let size = content.len();
            let half = size / 2;
            match from {
                None => {
                    reply.head(200, &format!("Content-Length: {size}\r\n"))?;
                    reply.0.write_all(&content[..half])
                }
                Some(from) => {
                    // It says what was asked for, and sends something else.
                    let mut rest = content.split_off(half);
                    rest.reverse();
                    rest.resize(size - from, 0);
                    let range = format!("Content-Range: bytes {from}-{}/{size}\r\n", size - 1);
                    reply.head(206, &format!("Content-Length: {}\r\n{range}", rest.len()))?;
                    reply.0.write_all(&rest)
                }
            }
        }
        Fault::Longer => {
            content.extend([0; 100]);
            reply.send(200, "", &content)
        }
        Fault::Stalled => {
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            std::thread::sleep(Duration::from_secs(30));
            Ok(())
        }
        Fault::Dripping => {
            reply.head(200, &format!("Content-Length: {}\r\n", content.len()))?;
            for byte in content.chunks(1) {
                reply.0.write_all(byte)?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        Fault::Endless => {
            reply.head(200, "")?;
            // Until the client hangs up.
            loop {
                reply.0.write_all(&[b' '; 4096])?;
            }
        }
    }
}

struct Reply(TcpStream);

impl Reply {
    fn head(&mut self, status: u16, headers: &str) -> io::Result<()> {
        write!(
            self.0,
            "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}\r\n"
        )
    }

    fn send(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        self.head(
            status,
            &format!("{headers}Content-Length: {}\r\n", body.len()),
        )?;
        self.0.write_all(body)
    }
}
