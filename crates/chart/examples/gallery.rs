//! Draws what the golden files hold as PNG into a folder: `cargo run -p wegraf-chart --features png --example gallery <folder>`.

#[path = "../tests/scenes/mod.rs"]
mod scenes;

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let canvas = wegraf_chart::Canvas::new(None).expect("the font is carried along");
    for (name, chart) in scenes::all() {
        let png = canvas.png(&scenes::drawn(&chart)).expect("it can be drawn");
        std::fs::write(format!("{folder}/{name}.png"), png).expect("the folder can be written");
    }
}
