//! The client workflow of the TUF specification, section 5, and the attacks
//! of its section 1.5.2, against a repository that a test controls.

mod bounds;
mod chain;
mod delegations;
mod keys;
mod malformed;
mod recovery;
mod rollback;
mod workflow;

use notsotuf_stub::tuf::metadata::format_time;
use notsotuf_stub::tuf::{TargetFile, TufError};
use notsotuf_tests::simulator::{Client, DAY, NOW, SimKey, Simulator, TOP, sign};
use serde_json::{Value, json};

fn fresh() -> (Simulator, Client) {
    let simulator = Simulator::new();
    let client = Client::new(&simulator);
    (simulator, client)
}

/// A client that has refreshed once.
fn refreshed() -> (Simulator, Client) {
    let (mut simulator, mut client) = fresh();
    client.refresh(&mut simulator).unwrap();
    (simulator, client)
}

fn versions(client: &Client) -> [u64; 4] {
    TOP.map(|role| client.version(role))
}

fn refused(client: &mut Client, simulator: &mut Simulator) -> TufError {
    client.refresh(simulator).expect_err("it must be refused")
}
