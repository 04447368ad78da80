//! Bad input.

use super::*;

#[test]
fn malformed_metadata_is_refused_and_never_a_panic() {
    let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    let (simulator, client) = refreshed();
    let keys = |role: &str| simulator.keys[role].clone();
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let good = simulator.signed[role].clone();
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut signed = good.clone();
            signed["version"] = 2.into();
            change(&mut signed);
            sign(&signed, &keys(role))
        };
        let file = sign(&good, &keys(role));
        let text = String::from_utf8(file.clone()).unwrap();
        let mut bad: Vec<Vec<u8>> = vec![
            Vec::new(),
            b"null".to_vec(),
            b"{}".to_vec(),
            b"\xff\xfe\x00".to_vec(),
            deep.clone(),
            text.replacen("\"signed\":", "\"signed\":{},\"signed\":", 1)
                .into_bytes(),
            text.replacen("\"version\":1", "\"version\":1,\"version\":2", 1)
                .into_bytes(),
            text.replacen("\"version\":1", "\"version\":2.0", 1)
                .into_bytes(),
            changed(&|s| s["version"] = 0.into()),
            changed(&|s| s["version"] = (-1).into()),
            changed(&|s| s["version"] = "2".into()),
            changed(&|s| s["_type"] = "other".into()),
            changed(&|s| s["spec_version"] = "2.0.0".into()),
            changed(&|s| s["expires"] = "soon".into()),
            changed(&|s| s["expires"] = "2030-01-01T00:00:00+01:00".into()),
            changed(&|s| s["expires"] = Value::Null),
            changed(&|s| s["meta"] = json!([])),
            changed(&|s| s["targets"] = json!({ "x": { "length": -1, "hashes": {} } })),
            changed(&|s| s["keys"] = json!("none")),
            changed(&|s| s["roles"] = json!({})),
        ];
        for cut in [1, text.len() / 2, text.len() - 1] {
            bad.push(file[..cut].to_vec());
        }
        let mut tried = 0;
        for bytes in bad {
            if role != "root" && bytes == changed(&|s| s["keys"] = json!("none"))
                || serde_json::from_slice::<Value>(&bytes).is_ok_and(|v| is_fine(role, &v))
            {
                continue;
            }
            tried += 1;
            let (mut server, mut client) = (copy(&simulator), client.clone());
            server.release("targets");
            let name = match role {
                "timestamp" => "timestamp.json".into(),
                _ => format!("2.{role}.json"),
            };
            let what = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
            server.instead.insert(name, bytes);
            if role == "timestamp" || role == "targets" {
                client.bounds.timestamp = 1 << 20;
            }
            let before = client.version(role);
            let result = client.refresh(&mut server);
            assert!(result.is_err(), "{role}: {what}");
            assert_eq!(client.version(role), before, "{role}: {what}");
        }
        assert!(tried > 15, "{role}: {tried}");
    }
}

/// Changes to fields that a role does not have do not make it malformed.
fn is_fine(role: &str, value: &Value) -> bool {
    let signed = &value["signed"];
    let odd = |field: &str, good: &dyn Fn(&Value) -> bool| !good(&signed[field]);
    match role {
        "root" => {
            signed["version"] == 2
                && signed["roles"].get("root").is_some()
                && signed["keys"].is_object()
                && signed["_type"] == "root"
                && signed["spec_version"] == "1.0.34"
                && signed["expires"].as_str().is_some_and(|e| e.ends_with('Z'))
        }
        _ => {
            let meta = odd("meta", &|m| role == "targets" || m.is_object());
            let targets = odd("targets", &|t| role != "targets" || t["x"].is_null());
            !meta
                && !targets
                && signed["version"] == 2
                && signed["_type"] == role
                && signed["spec_version"] == "1.0.34"
                && signed["expires"].as_str().is_some_and(|e| e.ends_with('Z'))
        }
    }
}

fn copy(simulator: &Simulator) -> Simulator {
    let mut copy = Simulator::new();
    copy.signed = simulator.signed.clone();
    copy.keys = simulator.keys.clone();
    copy.roots = simulator.roots.clone();
    copy
}
