use super::*;

#[test]
fn x() {
    let bytes = std::fs::read("/tmp/m311.bin").unwrap();
    let mut walker = Walker::new(Module {
        layout: Layout::Python311,
        is_file: false,
    });
    for (n, &b) in bytes.iter().enumerate() {
        let m = walker.feed(b);
        if let Some(m) = m {
            println!("{n} {m:?}");
        }
    }
    assert!(walker.is_complete());
}
